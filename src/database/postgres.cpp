// SPDX-License-Identifier: MIT
#include "database/postgres.hpp"

#include <libpq-fe.h>

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>

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

/// The first line of the file; nothing when it cannot be read, which leaves the password to libpq's
/// own ways.
std::optional<std::string> read_password(const std::string& file) {
    std::ifstream stream(file);
    std::string password;
    if (file.empty() || !std::getline(stream, password)) {
        return std::nullopt;
    }
    return password;
}

DatabaseError::Kind kind_of(std::string_view sqlstate) {
    using Kind = DatabaseError::Kind;
    if (sqlstate == "57014") {  // query_canceled: statement_timeout
        return Kind::late;
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

/// Takes big-endian integers and runs of octets from the front of a value.
class Octets {
  public:
    explicit Octets(std::string_view octets) : rest_(octets) {}

    std::int64_t take_integer(size_t size) {
        std::uint64_t value = 0;
        for (const char c : take(size)) {
            value = value << 8U | static_cast<unsigned char>(c);
        }
        return size == 4 ? static_cast<std::int32_t>(value) : static_cast<std::int64_t>(value);
    }

    std::string_view take(size_t size) {
        if (size > rest_.size()) {
            throw std::logic_error("a value is shorter than its type");
        }
        const std::string_view taken = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return taken;
    }

    [[nodiscard]] bool at_end() const { return rest_.empty(); }

  private:
    std::string_view rest_;
};

/// The elements of a one-dimensional array in binary form: the number of dimensions, whether there
/// are nulls, the element's type, then the length and lower bound, then each element behind its
/// size.
std::vector<std::string_view> array_elements(std::string_view octets) {
    Octets rest(octets);
    const std::int64_t dimensions = rest.take_integer(4);
    rest.take(8);
    std::vector<std::string_view> elements;
    if (dimensions == 0) {
        return elements;
    }
    const std::int64_t length = rest.take_integer(4);
    rest.take(4);
    constexpr size_t kLeastElement = 4;
    elements.reserve(std::min(static_cast<size_t>(length), octets.size() / kLeastElement));
    for (std::int64_t i = 0; dimensions == 1 && i < length; ++i) {
        elements.push_back(rest.take(static_cast<std::uint32_t>(rest.take_integer(4))));
    }
    if (!rest.at_end()) {
        throw std::logic_error("not an array of one dimension");
    }
    return elements;
}

bool to_boolean(std::string_view octets) {
    if (octets.size() != 1) {
        throw std::logic_error("not a boolean");
    }
    return octets[0] != 0;
}

struct FreeOptions {
    void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

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
    const std::unique_ptr<PQconninfoOption, FreeOptions> options(PQconninfo(connection));
    const auto list = [&](std::string_view keyword) {
        for (const PQconninfoOption* option = options.get();
             option != nullptr && option->keyword != nullptr; ++option) {
            if (option->keyword == keyword && option->val != nullptr) {
                return split(option->val);
            }
        }
        return std::vector<std::string>(1);
    };
    const std::vector<std::string> names = list("host");
    const std::vector<std::string> addresses = list("hostaddr");
    const std::vector<std::string> ports = list("port");
    std::vector<Host> hosts(std::max(names.size(), addresses.size()));
    for (size_t i = 0; i < hosts.size(); ++i) {
        hosts[i] = {i < names.size() ? names[i] : "", i < addresses.size() ? addresses[i] : "",
                    ports[i < ports.size() ? i : 0]};
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

bool is_connection_string(const std::string& connection) {
    const std::unique_ptr<PQconninfoOption, FreeOptions> options(
        PQconninfoParse(connection.c_str(), nullptr));
    return options != nullptr;
}

void Result::Clear::operator()(pg_result* result) const {
    PQclear(result);
}

int Result::rows() const {
    return PQntuples(result_.get());
}

bool Result::is_null(int row, int column) const {
    return PQgetisnull(result_.get(), row, column) != 0;
}

std::string_view Result::octets(int row, int column) const {
    if (row >= rows() || column >= PQnfields(result_.get()) || is_null(row, column)) {
        throw std::logic_error("no such value");
    }
    return {PQgetvalue(result_.get(), row, column),
            static_cast<size_t>(PQgetlength(result_.get(), row, column))};
}

bool Result::boolean(int row, int column) const {
    return to_boolean(octets(row, column));
}

std::int64_t Result::integer(int row, int column) const {
    return Octets(octets(row, column)).take_integer(sizeof(std::int64_t));
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

Result Database::query(const Statement& statement, const Parameters& parameters,
                       Deadline deadline) {
    try {
        for (bool repeat = true;; repeat = false) {
            if (connection_ == nullptr) {
                health_.connecting(deadline, [&] { connect(deadline); });
            }
            try {
                Result result = attempt(statement, parameters, deadline);
                health_.answered();
                return result;
            } catch (const DatabaseError& error) {
                const bool stale = error.kind() == DatabaseError::Kind::unreachable ||
                                   error.kind() == DatabaseError::Kind::invalidated;
                if (!stale || !repeat) {
                    throw;
                }
            }
        }
    } catch (const DatabaseError& error) {
        if (error.kind() != DatabaseError::Kind::unfit ||
            statement.objects == Statement::Objects::required) {
            health_.failed(error);
        }
        throw;
    }
}

Result Database::attempt(const Statement& statement, const Parameters& parameters,
                         Deadline deadline) {
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
        return receive(deadline);
    } catch (const DatabaseError& error) {
        // Only an error that the server itself reported leaves the connection fit for the next one.
        if (error.kind() != DatabaseError::Kind::unfit) {
            connection_.reset();
        }
        throw;
    }
}

void Database::connect(Deadline deadline) {
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
        }
    }
}

void Database::reach_server(Deadline deadline) {
    start_connecting({});
    std::vector<Host> hosts = hosts_of(connection_.get());
    while (!negotiate(hosts.size(), deadline)) {
        const Host useless = current_host(connection_.get());
        std::erase_if(hosts, [&](const Host& host) {
            return host.address_or_name() == useless.address_or_name() && host.port == useless.port;
        });
        start_connecting(hosts);
    }
}

bool Database::negotiate(size_t hosts, Deadline deadline) {
    const auto share =
        std::min(kMostForOneOfSeveralHosts,
                 deadline.remaining() / static_cast<int>(std::max<size_t>(hosts, 1)));
    Host host;
    Deadline limit = deadline;
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (status != PGRES_POLLING_OK) {
        if (status == PGRES_POLLING_FAILED || PQstatus(connection_.get()) == CONNECTION_BAD) {
            if (hosts > 1) {
                return false;
            }
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
            if (error.kind() == DatabaseError::Kind::late && hosts > 1 && !deadline.passed()) {
                return false;
            }
            throw;
        }
        status = PQconnectPoll(connection_.get());
    }
    return true;
}

void Database::start_connecting(const std::vector<Host>& hosts) {
    std::vector<const char*> keywords;
    std::vector<const char*> values;
    const auto set = [&](const char* keyword, const char* value) {
        keywords.push_back(keyword);
        values.push_back(value);
    };
    const std::optional<std::string> password = read_password(settings_.password_file);
    const std::string names = joined(hosts, &Host::name);
    const std::string addresses = joined(hosts, &Host::address);
    const std::string ports = joined(hosts, &Host::port);

    // What comes before the connection string is a default.
    set("fallback_application_name", "kheops-webhooks");
    set("keepalives_idle", "30");
    set("keepalives_interval", "10");
    set("keepalives_count", "3");
    // Only the first dbname is read as a connection string; what follows it wins over it.
    set("dbname", settings_.connection.c_str());
    set("client_encoding", "UTF8");
    if (!settings_.name.empty()) {
        set("dbname", settings_.name.c_str());
    }
    if (!settings_.user.empty()) {
        set("user", settings_.user.c_str());
    }
    if (password) {
        set("password", password->c_str());
    }
    if (!hosts.empty()) {
        set("host", names.c_str());
        set("hostaddr", addresses.c_str());
        set("port", ports.c_str());
    }
    set(nullptr, nullptr);

    connection_.reset(PQconnectStartParams(keywords.data(), values.data(), 1));
    if (connection_ == nullptr) {
        throw std::bad_alloc();
    }
}

void Database::set_session_up(Deadline deadline) {
    // One generic plan for all parameters: sql/list_webhooks.sql is written to be safe with it, and
    // planning costs more than running. The rest holds for this role whatever its own settings are.
    const auto setting = [](const char* name, const std::string& value) {
        return std::string(", set_config('") + name + "', '" + value + "', false)";
    };
    std::string session = "SELECT set_config('plan_cache_mode', 'force_generic_plan', false)";
    session += setting("jit", "off");
    session += setting("default_transaction_read_only", "on");
    session += setting("statement_timeout", std::to_string(settings_.statement_timeout.count()));
    if (PQserverVersion(connection_.get()) >= kFirstWithConnectionCheck) {
        session += setting("client_connection_check_interval", "500");
    }
    // A pooler that gives each transaction another server tells its clients a process number of its
    // own. What is set there would be set for whoever comes next: nothing is.
    session += " WHERE pg_backend_pid() = " + std::to_string(PQbackendPID(connection_.get()));
    if (PQsendQuery(connection_.get(), session.c_str()) == 0) {
        fail_unreachable();
    }
    pooled_ = receive(deadline).rows() == 0;
    if (pooled_) {
        health_.found_pooler();
    }
}

void Database::prepare(const Statement& statement, Deadline deadline) {
    if (PQsendPrepare(connection_.get(), statement.name, statement.sql, 0, nullptr) == 0) {
        fail_unreachable();
    }
    receive(deadline);
    prepared_.insert(statement.name);
}

void Database::flush(Deadline deadline) {
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

Result Database::receive(Deadline deadline) {
    flush(deadline);
    std::optional<DatabaseError> error;
    std::unique_ptr<Result> last;
    for (;;) {
        while (PQisBusy(connection_.get()) != 0) {
            wait(POLLIN, deadline);
            if (PQconsumeInput(connection_.get()) == 0) {
                fail_unreachable();
            }
        }
        PGresult* result = PQgetResult(connection_.get());
        if (result == nullptr) {
            break;
        }
        last = std::make_unique<Result>(result);
        const ExecStatusType status = PQresultStatus(result);
        if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && !error) {
            error = error_in(result);
        }
    }
    if (error) {
        throw DatabaseError(*error);
    }
    if (last == nullptr) {
        fail_unreachable();
    }
    return std::move(*last);
}

void Database::wait(short events, Deadline deadline) {
    // Hanging up is reported without being asked for; a descriptor below 0 is passed over.
    std::array<pollfd, 2> watched = {{
        {.fd = PQsocket(connection_.get()), .events = events, .revents = 0},
        {.fd = deadline.caller(), .events = 0, .revents = 0},
    }};
    auto& [server, caller] = watched;
    bool abandoned = false;
    for (;;) {
        const int ready =
            ::poll(watched.data(), watched.size(), static_cast<int>(deadline.remaining().count()));
        if (ready < 0 && errno != EINTR) {
            fail_unreachable();
        }
        if (ready > 0 && server.revents != 0) {
            return;
        }
        if (ready > 0) {
            abandoned = true;
            caller.fd = -1;
            deadline = deadline.at_most(kGraceAfterCaller);
        }
        if (ready == 0 && abandoned) {
            throw DatabaseError(DatabaseError::Kind::abandoned, "", "the caller hung up");
        }
        if (ready == 0) {
            throw DatabaseError(DatabaseError::Kind::late, "",
                                PQstatus(connection_.get()) == CONNECTION_OK
                                    ? "no answer within the request's budget"
                                    : "no connection within the request's budget");
        }
    }
}

void Database::fail_unreachable() {
    throw DatabaseError(DatabaseError::Kind::unreachable, "",
                        one_line(PQerrorMessage(connection_.get())));
}

}  // namespace kheops
