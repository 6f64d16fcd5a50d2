// SPDX-License-Identifier: MIT
#include "database/postgres.hpp"

#include <libpq-fe.h>

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <limits>

#include "regular_file.hpp"

namespace kheops {

namespace {

constexpr int kBinary = 1;

/// What a statement whose caller has hung up may still take. Most end by themselves sooner, and a
/// connection that is closed to end one costs the server more than the rest of it.
constexpr std::chrono::milliseconds kGraceAfterCaller(250);

/// Since PostgreSQL 14 the server can look, while a statement runs, whether its client is there.
constexpr int kFirstWithConnectionCheck = 140000;

/// How long one of several hosts may be silent before the next is tried; less where the budget is.
constexpr std::chrono::milliseconds kMostForOneOfSeveralHosts(1000);

/// The texts between commas.
std::vector<std::string> split(const std::string& list) {
    std::vector<std::string> parts(1);
    for (const char c : list) {
        if (c == ',') {
            parts.emplace_back();
        } else {
            parts.back() += c;
        }
    }
    return parts;
}

/// libpq's messages end in a line feed and may have several lines.
std::string one_line(const char* message) {
    std::string line(message);
    while (!line.empty() && line.back() == '\n') {
        line.pop_back();
    }
    for (char& c : line) {
        c = c == '\n' || c == '\t' ? ' ' : c;
    }
    return line;
}

/// libpq would print it to standard error. What a server says as it ends a connection is told again
/// by the query that finds it ended.
void ignore_notice(void* /*argument*/, const PGresult* /*notice*/) {}

/// The first line of the regular file; nothing when it cannot be read, which leaves the password to
/// libpq's own ways.
std::optional<std::string> read_password(const std::string& file) {
    constexpr size_t kMaxSize = 4096;
    if (file.empty()) {
        return std::nullopt;
    }
    try {
        std::string text = RegularFile(file).read(kMaxSize);
        if (text.empty()) {
            return std::nullopt;
        }
        return text.substr(0, text.find('\n'));
    } catch (const FileError&) {
        return std::nullopt;
    }
}

DatabaseError::Kind kind_of(std::string_view sqlstate) {
    using Kind = DatabaseError::Kind;
    // query_canceled (statement_timeout), lock_not_available (lock_timeout)
    if (sqlstate == "57014" || sqlstate == "55P03") {
        return Kind::late;
    }
    // Transaction rollback: a deadlock, or on a hot standby a conflict with recovery.
    if (sqlstate.starts_with("40")) {
        return Kind::conflict;
    }
    // cached plan must not change result type; prepared statement does not exist
    if (sqlstate == "0A000" || sqlstate == "26000") {
        return Kind::invalidated;
    }
    // Connection exceptions, and what a server says as it stops or starts.
    if (sqlstate.starts_with("08") || sqlstate.starts_with("57P")) {
        return Kind::unreachable;
    }
    return Kind::unfit;
}

/// The server's message where it names what is missing or in the way: objects and rights (42, 3D,
/// 3F), authorization (28), resources (53), the server's own state (57). Others may quote a value.
std::string message_of(const PGresult* result, std::string_view sqlstate) {
    for (const char* named : {"42", "3D", "3F", "28", "53", "57"}) {
        const char* message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
        if (sqlstate.starts_with(named) && message != nullptr) {
            return one_line(message);
        }
    }
    return "the statement failed";
}

DatabaseError error_in(const PGresult* result) {
    const char* field = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    std::string sqlstate = field != nullptr ? field : "";
    if (sqlstate.empty()) {  // made by libpq itself: the connection is gone
        return {DatabaseError::Kind::unreachable, "", one_line(PQresultErrorMessage(result))};
    }
    return {kind_of(sqlstate), sqlstate, message_of(result, sqlstate)};
}

/// The server sent what is no answer to the statement.
DatabaseError protocol_violation(const std::string& what) {
    return {DatabaseError::Kind::unreachable, "08P01", "the server broke the protocol: " + what};
}

/// Takes big-endian integers and runs of octets from the front of a value.
class Octets {
  public:
    explicit Octets(std::string_view octets) : rest_(octets) {}

    /// An integer of `size` octets that is not negative, as sizes and counts are.
    std::int64_t take_count(size_t size) {
        std::uint64_t value = 0;
        for (const char c : take(size)) {
            value = value << 8U | static_cast<unsigned char>(c);
        }
        const std::uint64_t sign = std::uint64_t{1} << (8 * size - 1);
        Result::expect((value & sign) == 0, "a count that is not negative");
        return static_cast<std::int64_t>(value);
    }

    std::string_view take(size_t size) {
        Result::expect(size <= rest_.size(), "a value of its type's size");
        const std::string_view taken = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return taken;
    }

    void expect_end() const { Result::expect(rest_.empty(), "a value of its type's size"); }

  private:
    std::string_view rest_;
};

/// The elements of a one-dimensional array without nulls in binary form: the number of dimensions,
/// whether there are nulls, the element's type, then the length and lower bound, then each element
/// behind its size (-1 for a null).
std::vector<std::string_view> array_elements(std::string_view octets) {
    Octets rest(octets);
    const std::int64_t dimensions = rest.take_count(4);
    Result::expect(dimensions <= 1, "an array of one dimension");
    rest.take(8);
    std::vector<std::string_view> elements;
    if (dimensions == 1) {
        const auto length = static_cast<size_t>(rest.take_count(4));
        rest.take(4);
        constexpr size_t kMinElement = 4;
        elements.reserve(std::min(length, octets.size() / kMinElement));
        for (size_t i = 0; i < length; ++i) {
            elements.push_back(rest.take(static_cast<size_t>(rest.take_count(4))));
        }
    }
    rest.expect_end();
    return elements;
}

bool to_boolean(std::string_view octets) {
    Result::expect(octets.size() == 1, "a boolean");
    return octets[0] != 0;
}

struct FreeOptions {
    void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

/// What libpq goes by on this connection, wherever it stands: connection string, environment,
/// service file or libpq's defaults. Empty where it is not set.
class Options {
  public:
    explicit Options(PGconn* connection) : options_(PQconninfo(connection)) {}

    [[nodiscard]] std::string operator[](std::string_view keyword) const {
        for (const PQconninfoOption* option = options_.get();
             option != nullptr && option->keyword != nullptr; ++option) {
            if (option->keyword == keyword && option->val != nullptr) {
                return option->val;
            }
        }
        return "";
    }

  private:
    std::unique_ptr<PQconninfoOption, FreeOptions> options_;
};

/// libpq's message in one line for each server that it tells of.
std::string line_for_each_server(const std::string& message) {
    std::string lines;
    std::string::size_type begin = 0;
    while (begin < message.size()) {
        const std::string::size_type end = std::min(message.find('\n', begin), message.size());
        const std::string line = one_line(message.substr(begin, end - begin).c_str());
        const bool next = line.starts_with("connection to server ") ||
                          line.starts_with("could not translate host name ");
        lines += lines.empty() ? "" : next ? "\n" : " ";
        lines += line;
        begin = end + 1;
    }
    return lines;
}

/// `value` as often as that, between commas.
std::string repeated(const char* value, size_t times) {
    std::string list = value;
    for (size_t i = 1; i < times; ++i) {
        list += std::string(",") + value;
    }
    return list;
}

/// As libpq reads integers.
bool is_integer(const std::string& text, long least, long most) {
    char* end = nullptr;
    errno = 0;
    const long value = std::strtol(text.c_str(), &end, 10);
    const bool read = end != text.c_str() && errno == 0 && value >= least && value <= most;
    return read && text.find_first_not_of(" \t\n\v\f\r", end - text.c_str()) == std::string::npos;
}

/// Options that libpq reads as integers only when it has reached a server.
constexpr std::array<const char*, 6> kIntegers = {"connect_timeout",  "keepalives",
                                                  "keepalives_idle",  "keepalives_interval",
                                                  "keepalives_count", "tcp_user_timeout"};

}  // namespace

/// One of the hosts that a connection string, the environment or a service file names.
struct Database::Host {
    std::string name;     ///< or the directory of a socket; may be empty
    std::string address;  ///< numeric, which spares looking the name up; may be empty
    std::string port;     ///< may be empty

    [[nodiscard]] const std::string& address_or_name() const {
        return name.empty() ? address : name;
    }
    bool operator==(const Host&) const = default;
};

std::vector<Database::Host> Database::hosts_of(pg_conn* connection) {
    const Options options(connection);
    const std::vector<std::string> names = split(options["host"]);
    const std::vector<std::string> addresses = split(options["hostaddr"]);
    const std::vector<std::string> ports = split(options["port"]);
    const bool named = !options["host"].empty();
    const bool addressed = !options["hostaddr"].empty();
    std::vector<Host> hosts(addressed ? addresses.size() : names.size());
    if ((named && names.size() != hosts.size()) ||
        (ports.size() != 1 && ports.size() != hosts.size())) {
        return {};
    }
    for (size_t i = 0; i < hosts.size(); ++i) {
        hosts[i] = {named ? names[i] : "", addressed ? addresses[i] : "",
                    ports[ports.size() == 1 ? 0 : i]};
        if ((named && hosts[i].name.empty()) || (addressed && hosts[i].address.empty()) ||
            hosts[i].port.empty()) {
            return {};
        }
    }
    return hosts;
}

Database::Host Database::current_host(pg_conn* connection) {
    const char* name = PQhost(connection);
    const char* port = PQport(connection);
    return {name != nullptr ? name : "", "", port != nullptr ? port : ""};
}

std::string Database::joined(const std::vector<Host>& hosts, std::string Host::*part) {
    std::string list;
    for (const Host& host : hosts) {
        list += &host == &hosts.front() ? "" : ",";
        list += host.*part;
    }
    return list;
}

void Result::Clear::operator()(pg_result* result) const {
    PQclear(result);
}

void Result::expect(bool holds, const char* promise) {
    if (!holds) {
        throw protocol_violation(std::string("the statement promises ") + promise);
    }
}

int Result::rows() const {
    return PQntuples(result_.get());
}

int Result::columns() const {
    return PQnfields(result_.get());
}

bool Result::is_null(int row, int column) const {
    return PQgetisnull(result_.get(), row, column) != 0;
}

std::string_view Result::octets(int row, int column) const {
    expect(row < rows() && column < columns() && !is_null(row, column), "a value");
    return {PQgetvalue(result_.get(), row, column),
            static_cast<size_t>(PQgetlength(result_.get(), row, column))};
}

bool Result::boolean(int row, int column) const {
    return to_boolean(octets(row, column));
}

std::int64_t Result::count(int row, int column) const {
    Octets rest(octets(row, column));
    const std::int64_t count = rest.take_count(sizeof(std::int64_t));
    rest.expect_end();
    return count;
}

std::string Result::text(int row, int column) const {
    return std::string(octets(row, column));
}

std::vector<bool> Result::boolean_array(int row, int column) const {
    std::vector<bool> values;
    for (const std::string_view element : array_elements(octets(row, column))) {
        values.push_back(to_boolean(element));
    }
    return values;
}

std::vector<std::string> Result::text_array(int row, int column) const {
    const std::vector<std::string_view> elements = array_elements(octets(row, column));
    return {elements.begin(), elements.end()};
}

void Database::Finish::operator()(pg_conn* connection) const {
    PQfinish(connection);
}

void Database::query(const Statement& statement, const Parameters& parameters, Deadline deadline,
                     const Reader& read) {
    using Kind = DatabaseError::Kind;
    caller_gone_ = false;
    try {
        for (bool repeat = true;; repeat = false) {
            if (connection_ == nullptr) {
                health_.connecting(deadline, [&] { open(deadline); });
            }
            try {
                attempt(statement, parameters, deadline, read);
                health_.answered();
                return;
            } catch (const DatabaseError& error) {
                const bool passing = error.kind() == Kind::unreachable ||
                                     error.kind() == Kind::invalidated ||
                                     error.kind() == Kind::conflict;
                if (!passing || !repeat) {
                    throw;
                }
            }
        }
    } catch (const DatabaseError& error) {
        if (error.kind() != Kind::unfit || statement.objects == Statement::Objects::required) {
            health_.failed(error);
        }
        throw;
    }
}

void Database::attempt(const Statement& statement, const Parameters& parameters, Deadline& deadline,
                       const Reader& read) {
    try {
        if (!pooled_ && !prepared_.contains(statement.name)) {
            prepare(statement, deadline);
        }
        std::vector<const char*> values;
        values.reserve(parameters.size());
        for (const auto& parameter : parameters) {
            values.push_back(parameter ? parameter->c_str() : nullptr);
        }
        const int count = static_cast<int>(values.size());
        const int sent = pooled_
                             ? PQsendQueryParams(connection_.get(), statement.sql, count, nullptr,
                                                 values.data(), nullptr, nullptr, kBinary)
                             : PQsendQueryPrepared(connection_.get(), statement.name, count,
                                                   values.data(), nullptr, nullptr, kBinary);
        if (sent == 0) {
            fail_unreachable();
        }
        read(receive(deadline));
    } catch (const DatabaseError& error) {
        // Only an error that the server itself reported leaves the connection fit for the next one.
        if (error.kind() != DatabaseError::Kind::unfit &&
            error.kind() != DatabaseError::Kind::conflict) {
            connection_.reset();
        }
        throw;
    } catch (...) {
        connection_.reset();
        throw;
    }
}

void Database::connect(Deadline deadline) {
    caller_gone_ = false;
    open(deadline);
}

void Database::open(Deadline& deadline) {
    prepared_.clear();
    // A server that ends as it lets us in is no longer there at the second try; another host may
    // be.
    for (bool repeat = true;; repeat = false) {
        try {
            reach_server(deadline);
        } catch (...) {
            connection_.reset();
            throw;
        }
        PQsetnonblocking(connection_.get(), 1);
        PQsetNoticeReceiver(connection_.get(), ignore_notice, nullptr);
        try {
            set_session_up(deadline);
            return;
        } catch (const DatabaseError& error) {
            connection_.reset();
            if (!repeat || error.kind() != DatabaseError::Kind::unreachable) {
                throw;
            }
        } catch (...) {
            connection_.reset();
            throw;
        }
    }
}

void Database::reach_server(Deadline& deadline) {
    start_connecting({});
    std::vector<Host> hosts = hosts_of(connection_.get());
    std::string reasons;
    for (;;) {
        try {
            negotiate(hosts.size(), deadline);
            return;
        } catch (const DatabaseError& error) {
            reasons += (reasons.empty() ? "" : "\n") + std::string(error.what());
            const Host useless = current_host(connection_.get());
            const size_t left_out = std::erase_if(hosts, [&](const Host& host) {
                return host.address_or_name() == useless.address_or_name() &&
                       host.port == useless.port;
            });
            if (left_out == 0 || hosts.empty() || deadline.passed()) {
                throw DatabaseError(error.kind(), error.sqlstate(), reasons);
            }
        }
        start_connecting(hosts);
    }
}

void Database::negotiate(size_t hosts, Deadline& deadline) {
    const auto share =
        std::min(kMostForOneOfSeveralHosts,
                 deadline.remaining() / static_cast<int>(std::max<size_t>(hosts, 1)));
    Host host;
    Deadline limit = deadline;
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (status != PGRES_POLLING_OK) {
        if (status == PGRES_POLLING_FAILED || PQstatus(connection_.get()) == CONNECTION_BAD) {
            fail_unreachable();
        }
        // Where one refuses to be connected to, libpq itself goes on to the next.
        if (const Host now = current_host(connection_.get()); hosts > 1 && now != host) {
            host = now;
            limit = deadline.at_most(share);
        }
        try {
            wait(status == PGRES_POLLING_READING ? POLLIN : POLLOUT, limit);
        } catch (const DatabaseError& error) {
            if (caller_gone_) {
                deadline = limit;
            }
            if (caller_gone_ || hosts <= 1) {
                throw;
            }
            const std::string before = line_for_each_server(PQerrorMessage(connection_.get()));
            throw DatabaseError(error.kind(), error.sqlstate(),
                                before + (before.empty() ? "" : "\n") +
                                    "connection to server at \"" + host.address_or_name() +
                                    "\", port " + host.port + " failed: no answer in time");
        }
        status = PQconnectPoll(connection_.get());
    }
}

void Database::start_connecting(const std::vector<Host>& hosts) {
    const std::string names = joined(hosts, &Host::name);
    const std::string addresses = joined(hosts, &Host::address);
    const std::string ports = joined(hosts, &Host::port);
    std::vector<Option> overriding;
    if (!hosts.empty()) {
        overriding = {
            {"host", names.c_str()}, {"hostaddr", addresses.c_str()}, {"port", ports.c_str()}};
    }
    connection_ = start(settings_, overriding);
}

std::unique_ptr<pg_conn, Database::Finish> Database::start(const DatabaseSettings& settings,
                                                           const std::vector<Option>& overriding) {
    std::vector<const char*> keywords;
    std::vector<const char*> values;
    const auto set = [&](const char* keyword, const char* value) {
        keywords.push_back(keyword);
        values.push_back(value);
    };
    const std::optional<std::string> password = read_password(settings.password_file);

    // What comes before the connection string is a default.
    set("fallback_application_name", "kheops-webhooks");
    set("keepalives_idle", "30");
    set("keepalives_interval", "10");
    set("keepalives_count", "3");
    // Only the first dbname is read as a connection string; what follows it wins over it.
    set("dbname", settings.connection.c_str());
    set("client_encoding", "UTF8");
    if (!settings.name.empty()) {
        set("dbname", settings.name.c_str());
    }
    if (!settings.user.empty()) {
        set("user", settings.user.c_str());
    }
    if (password) {
        set("password", password->c_str());
    }
    for (const auto& [keyword, value] : overriding) {
        set(keyword, value);
    }
    set(nullptr, nullptr);

    std::unique_ptr<pg_conn, Finish> connection(
        PQconnectStartParams(keywords.data(), values.data(), 1));
    if (connection == nullptr) {
        throw std::bad_alloc();
    }
    return connection;
}

std::optional<std::string> Database::refusal_of(const DatabaseSettings& settings) {
    const std::unique_ptr<PQconninfoOption, FreeOptions> parsed(
        PQconninfoParse(settings.connection.c_str(), nullptr));
    if (parsed == nullptr) {
        return "it cannot be parsed";
    }
    // libpq looks at most options only as it begins to connect. It says that there is no port 0
    // before it looks any host up, and that this is no address before it makes a socket.
    constexpr const char* kNoAddress = "kheops-webhooks-connects-nowhere";
    const Options first(start(settings, {{"port", "0"}}).get());
    const std::string& listed = first["hostaddr"].empty() ? first["host"] : first["hostaddr"];
    const size_t hosts = split(listed).size();
    const std::string nowhere = repeated(kNoAddress, hosts);
    const auto connection = start(settings, {{"hostaddr", nowhere.c_str()}});
    const Options options(connection.get());

    for (const char* keyword : kIntegers) {
        constexpr long kMost = std::numeric_limits<int>::max();
        if (const std::string value = options[keyword];
            !value.empty() && !is_integer(value, -kMost, kMost)) {
            return std::string(keyword) + " is not an integer";
        }
    }
    constexpr long kMaxPort = 65535;
    for (const std::string& port : split(options["port"])) {
        if (!port.empty() && !is_integer(port, 1, kMaxPort)) {
            return "port is not a number from 1 to 65535";
        }
    }
    // Of each host, nothing is wrong but this address.
    std::string message = PQerrorMessage(connection.get());
    size_t nowhere_to_go = 0;
    for (size_t at = message.find(kNoAddress); at != std::string::npos;
         at = message.find(kNoAddress, at + 1)) {
        ++nowhere_to_go;
    }
    if (nowhere_to_go == hosts) {
        return std::nullopt;
    }
    // A slip of the pen may have put a password where libpq quotes a value.
    const size_t quote = message.find('"');
    if (quote != std::string::npos) {
        message.replace(quote, message.rfind('"') + 1 - quote, "\u2026");
    }
    return one_line(message.c_str());
}

void Database::set_session_up(Deadline& deadline) {
    // One generic plan for all parameters: sql/list_webhooks.sql is written to be safe with it, and
    // planning costs more than running. The plan is kept, so that one which was made while a table
    // was small must serve when it is large: without scans of whole tables. The rest holds for this
    // role whatever its own settings are. Qualified names, so that nobody's objects in the search
    // path are taken for PostgreSQL's own (CVE-2018-1058).
    const auto setting = [](const char* name, const std::string& value) {
        return std::string("pg_catalog.set_config('") + name + "', '" + value + "', false), ";
    };
    std::string session = "SELECT " + setting("plan_cache_mode", "force_generic_plan");
    session += setting("enable_seqscan", "off");
    session += setting("jit", "off");
    session += setting("default_transaction_read_only", "on");
    session += setting("statement_timeout", std::to_string(settings_.statement_timeout.count()));
    if (PQserverVersion(connection_.get()) >= kFirstWithConnectionCheck) {
        session += setting("client_connection_check_interval", "500");
    }
    // A pooler that gives each transaction another server tells its clients a process number of its
    // own. What is set there would be set for whoever comes next: nothing is.
    session += "true WHERE pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) " +
               std::to_string(PQbackendPID(connection_.get()));
    if (PQsendQuery(connection_.get(), session.c_str()) == 0) {
        fail_unreachable();
    }
    pooled_ = receive(deadline).rows() == 0;
    if (pooled_) {
        health_.found_pooler();
    }
}

void Database::prepare(const Statement& statement, Deadline& deadline) {
    if (PQsendPrepare(connection_.get(), statement.name, statement.sql, 0, nullptr) == 0) {
        fail_unreachable();
    }
    receive(deadline);
    prepared_.insert(statement.name);
}

void Database::flush(Deadline& deadline) {
    for (;;) {
        const int unsent = PQflush(connection_.get());
        if (unsent == 0) {
            return;
        }
        if (unsent < 0) {
            fail_unreachable();
        }
        // The server may have to be read from before it reads on.
        wait(POLLIN | POLLOUT, deadline);
        if (PQconsumeInput(connection_.get()) == 0) {
            fail_unreachable();
        }
    }
}

Result Database::receive(Deadline& deadline) {
    flush(deadline);
    std::optional<Result> answer;
    std::optional<DatabaseError> error;
    for (;;) {
        while (PQisBusy(connection_.get()) != 0) {
            wait(POLLIN, deadline);
            if (PQconsumeInput(connection_.get()) == 0) {
                fail_unreachable();
            }
        }
        PGresult* next = PQgetResult(connection_.get());
        if (next == nullptr) {
            break;
        }
        Result result(next);
        switch (PQresultStatus(next)) {
            case PGRES_TUPLES_OK:
            case PGRES_COMMAND_OK:
                if (answer || error) {
                    throw protocol_violation("more than one answer to a statement");
                }
                answer = std::move(result);
                break;
            case PGRES_FATAL_ERROR:
                // Where a connection ends with an error, libpq adds its own.
                if (!error) {
                    error = error_in(next);
                }
                break;
            default:
                // As to COPY, of which PQgetResult() would tell for ever without waiting.
                throw protocol_violation(std::string("the answer is a ") +
                                         PQresStatus(PQresultStatus(next)));
        }
    }
    if (error) {
        throw DatabaseError(*error);
    }
    if (!answer) {
        fail_unreachable();
    }
    return std::move(*answer);
}

void Database::wait(short events, Deadline& deadline) {
    const bool connected = PQstatus(connection_.get()) == CONNECTION_OK;
    for (;;) {
        // Asked first: a server that never stops sending is never waited for.
        if (deadline.passed()) {
            fail_late();
        }
        // Hanging up is reported without being asked for; a descriptor below 0 is passed over.
        std::array<pollfd, 2> watched = {{
            {.fd = PQsocket(connection_.get()), .events = events, .revents = 0},
            {.fd = deadline.caller(), .events = 0, .revents = 0},
        }};
        const auto& [server, caller] = watched;
        const int ready =
            ::poll(watched.data(), watched.size(), static_cast<int>(deadline.remaining().count()));
        if (ready < 0 && errno != EINTR) {
            fail_unreachable();
        }
        if (ready > 0 && caller.revents != 0) {
            caller_gone_ = true;
            deadline = deadline.with_caller(-1).at_most(connected ? kGraceAfterCaller
                                                                  : std::chrono::milliseconds(0));
        }
        if (ready > 0 && server.revents != 0) {
            return;
        }
    }
}

void Database::fail_late() {
    if (caller_gone_) {
        throw DatabaseError(DatabaseError::Kind::abandoned, "", "the caller hung up");
    }
    throw DatabaseError(DatabaseError::Kind::late, "",
                        PQstatus(connection_.get()) == CONNECTION_OK
                            ? "no answer within the request's budget"
                            : "no connection within the request's budget");
}

void Database::fail_unreachable() {
    throw DatabaseError(DatabaseError::Kind::unreachable, "",
                        line_for_each_server(PQerrorMessage(connection_.get())));
}

}  // namespace kheops
