// SPDX-License-Identifier: MIT
#include "database/connection.hpp"

#include <libpq-fe.h>

#include <poll.h>

#include <array>
#include <cerrno>
#include <utility>

namespace kheops {

namespace {

constexpr int kBinary = 1;

/// How long a statement may still run after the peer hung up. Most end sooner, and closing the
/// connection to cancel a statement costs the server more than finishing it.
constexpr std::chrono::milliseconds kGraceAfterHangUp(250);

/// Joins the lines of a libpq message, which ends in a line feed.
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

DatabaseError::Kind kind_of(std::string_view sqlstate) {
    using Kind = DatabaseError::Kind;
    // query_canceled (statement_timeout)
    if (sqlstate == "57014" || sqlstate == kLockNotAvailable) {
        return Kind::timed_out;
    }
    // Transaction rollback: a deadlock, or on a hot standby a conflict with recovery.
    if (sqlstate.starts_with("40")) {
        return Kind::conflict;
    }
    // cached plan must not change result type; prepared statement does not exist
    if (sqlstate == "0A000" || sqlstate == "26000") {
        return Kind::invalidated;
    }
    // character_not_in_repertoire, untranslatable_character
    if (sqlstate == "22021" || sqlstate == "22P05") {
        return Kind::untranslatable;
    }
    // Connection exceptions, a server that stops or starts, and a pooler without a server
    // connection (too_many_connections).
    if (sqlstate.starts_with("08") || sqlstate.starts_with("57P") ||
        sqlstate == kTooManyConnections) {
        return Kind::unreachable;
    }
    return Kind::statement_failed;
}

/// Returns the server's message about connections (08), objects and rights (42, 3D, 3F),
/// authorization (28), resources (53) or the server's state (57): these messages name what is
/// missing or what blocks the statement. Withholds other messages, which may quote a value.
std::string message_of(const PGresult* result, std::string_view sqlstate) {
    for (const char* named : {"08", "42", "3D", "3F", "28", "53", "57"}) {
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
    if (sqlstate.empty()) {  // libpq made the error: the connection is lost
        return {DatabaseError::Kind::unreachable, "", one_line(PQresultErrorMessage(result))};
    }
    return {kind_of(sqlstate), sqlstate, message_of(result, sqlstate)};
}

/// Whether the connection can run another statement after this error.
bool is_recoverable(const DatabaseError& error) {
    switch (error.kind()) {
        case DatabaseError::Kind::statement_failed:
        case DatabaseError::Kind::conflict:
        case DatabaseError::Kind::untranslatable:
            return true;
        case DatabaseError::Kind::timed_out:
            return !error.sqlstate().empty();
        default:
            return false;
    }
}

[[noreturn]] void throw_timed_out(bool connected, const Deadline& deadline) {
    if (deadline.is_abandoned()) {
        throw DatabaseError(DatabaseError::Kind::abandoned, "", "the caller hung up");
    }
    throw DatabaseError(DatabaseError::Kind::timed_out, "",
                        connected ? "no answer within the request's budget"
                                  : "no connection within the request's budget");
}

}  // namespace

void FinishConnection::operator()(pg_conn* connection) const {
    PQfinish(connection);
}

void wait_for_socket(pg_conn* connection, short events, Deadline& deadline) {
    const bool connected = PQstatus(connection) == CONNECTION_OK;
    for (;;) {
        // Check the deadline first: poll() never waits for a server that sends without pause.
        if (deadline.passed()) {
            throw_timed_out(connected, deadline);
        }
        // poll() always reports a hang-up, and ignores a negative descriptor.
        std::array<pollfd, 2> polled = {{
            {.fd = PQsocket(connection), .events = events, .revents = 0},
            {.fd = deadline.peer(), .events = 0, .revents = 0},
        }};
        const auto& [server, peer] = polled;
        const int ready =
            ::poll(polled.data(), polled.size(), static_cast<int>(deadline.remaining().count()));
        if (ready < 0 && errno != EINTR) {
            throw DatabaseError(DatabaseError::Kind::unreachable, "", "poll failed");
        }
        if (ready > 0 && peer.revents != 0) {
            deadline = deadline.after_hang_up(connected ? kGraceAfterHangUp
                                                        : std::chrono::milliseconds(0));
        }
        if (ready > 0 && server.revents != 0) {
            return;
        }
    }
}

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

Connection::Connection(PgConnection established) : connection_(std::move(established)) {
    PQsetnonblocking(connection_.get(), 1);
}

/// Returns what `function` returns. If it throws, marks the connection unusable unless the error is
/// recoverable.
template <typename Function>
auto Connection::track_usability(const Function& function) {
    is_usable_ = false;
    try {
        auto value = function();
        is_usable_ = true;
        return value;
    } catch (const DatabaseError& error) {
        is_usable_ = is_recoverable(error) && PQstatus(connection_.get()) == CONNECTION_OK;
        throw;
    }
}

void Connection::run(const Statement& statement, const Parameters& parameters, Deadline deadline,
                     const Reader& read) {
    track_usability([&] {
        if (!uses_pooler_ && !prepared_.contains(statement.name)) {
            prepare(statement, deadline);
        }
        std::vector<const char*> values;
        values.reserve(parameters.size());
        for (const auto& parameter : parameters) {
            values.push_back(parameter ? parameter->c_str() : nullptr);
        }
        const int count = static_cast<int>(values.size());
        const int sent = uses_pooler_
                             ? PQsendQueryParams(connection_.get(), statement.sql, count, nullptr,
                                                 values.data(), nullptr, nullptr, kBinary)
                             : PQsendQueryPrepared(connection_.get(), statement.name, count,
                                                   values.data(), nullptr, nullptr, kBinary);
        if (sent == 0) {
            throw_unreachable();
        }
        read(receive(1, deadline).front());
        return true;
    });
}

std::vector<Result> Connection::execute(const std::string& sql, std::size_t statements,
                                        Deadline deadline) {
    return track_usability([&] {
        if (PQsendQuery(connection_.get(), sql.c_str()) == 0) {
            throw_unreachable();
        }
        return receive(statements, deadline);
    });
}

bool Connection::is_quiet() const {
    pollfd server = {.fd = PQsocket(connection_.get()), .events = POLLIN, .revents = 0};
    return ::poll(&server, 1, 0) == 0;
}

int Connection::server_version() const {
    return PQserverVersion(connection_.get());
}

int Connection::backend_pid() const {
    return PQbackendPID(connection_.get());
}

void Connection::prepare(const Statement& statement, Deadline& deadline) {
    if (PQsendPrepare(connection_.get(), statement.name, statement.sql, 0, nullptr) == 0) {
        throw_unreachable();
    }
    receive(1, deadline);
    prepared_.insert(statement.name);
}

void Connection::flush(Deadline& deadline) {
    for (;;) {
        const int unsent = PQflush(connection_.get());
        if (unsent == 0) {
            return;
        }
        if (unsent < 0) {
            throw_unreachable();
        }
        // The server may stop reading until libpq has read the server's output.
        wait_for_socket(connection_.get(), POLLIN | POLLOUT, deadline);
        if (PQconsumeInput(connection_.get()) == 0) {
            throw_unreachable();
        }
    }
}

std::vector<Result> Connection::receive(std::size_t answers, Deadline& deadline) {
    flush(deadline);
    std::vector<Result> received;
    std::optional<DatabaseError> error;
    for (;;) {
        while (PQisBusy(connection_.get()) != 0) {
            wait_for_socket(connection_.get(), POLLIN, deadline);
            if (PQconsumeInput(connection_.get()) == 0) {
                throw_unreachable();
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
            case PGRES_EMPTY_QUERY:
                if (received.size() == answers || error) {
                    throw protocol_violation("more than one answer to a statement");
                }
                received.push_back(std::move(result));
                break;
            case PGRES_FATAL_ERROR:
                // When the connection ends, libpq adds an error: keep the server's error.
                if (!error) {
                    error = error_in(next);
                }
                break;
            default:
                // For example COPY, for which PQgetResult() would return a result again and again.
                throw protocol_violation(std::string("the answer is a ") +
                                         PQresStatus(PQresultStatus(next)));
        }
    }
    if (error) {
        throw DatabaseError(*error);
    }
    if (received.size() != answers) {
        throw_unreachable();
    }
    return received;
}

void Connection::throw_unreachable() {
    throw DatabaseError(DatabaseError::Kind::unreachable, "",
                        line_for_each_server(PQerrorMessage(connection_.get())));
}

}  // namespace kheops
