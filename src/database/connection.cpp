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

/// What a statement whose caller has hung up may still take. Most end by themselves sooner, and a
/// connection that is closed to end one costs the server more than the rest of it.
constexpr std::chrono::milliseconds kGraceAfterHangUp(250);

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
    // Connection exceptions, what a server says as it stops or starts, and what a pooler says that
    // finds no server (too_many_connections).
    if (sqlstate.starts_with("08") || sqlstate.starts_with("57P") ||
        sqlstate == kTooManyConnections) {
        return Kind::unreachable;
    }
    return Kind::statement_failed;
}

/// The server's message where it names what is missing or in the way: connections (08), objects and
/// rights (42, 3D, 3F), authorization (28), resources (53), the server's own state (57). Others may
/// quote a value.
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
    if (sqlstate.empty()) {  // made by libpq itself: the connection is gone
        return {DatabaseError::Kind::unreachable, "", one_line(PQresultErrorMessage(result))};
    }
    return {kind_of(sqlstate), sqlstate, message_of(result, sqlstate)};
}

/// Whether the server has answered the statement with an error, after which it takes the next one.
bool is_reported(const DatabaseError& error) {
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
        // Asked first: a server that never stops sending is never waited for.
        if (deadline.passed()) {
            throw_timed_out(connected, deadline);
        }
        // Hanging up is reported without being asked for; a descriptor below 0 is passed over.
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

/// What `function` returns. Nothing can be asked afterwards where it fails in any way but by an
/// error that the server reported.
template <typename Function>
auto Connection::close_on_error(const Function& function) {
    is_usable_ = false;
    try {
        auto value = function();
        is_usable_ = true;
        return value;
    } catch (const DatabaseError& error) {
        is_usable_ = is_reported(error) && PQstatus(connection_.get()) == CONNECTION_OK;
        throw;
    }
}

void Connection::run(const Statement& statement, const Parameters& parameters, Deadline deadline,
                     const Reader& read) {
    close_on_error([&] {
        if (!is_pooled_ && !prepared_.contains(statement.name)) {
            prepare(statement, deadline);
        }
        std::vector<const char*> values;
        values.reserve(parameters.size());
        for (const auto& parameter : parameters) {
            values.push_back(parameter ? parameter->c_str() : nullptr);
        }
        const int count = static_cast<int>(values.size());
        const int sent = is_pooled_
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
    return close_on_error([&] {
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
        // The server may have to be read from before it reads on.
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
