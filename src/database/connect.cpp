// SPDX-License-Identifier: MIT
#include "database/connect.hpp"

#include <libpq-fe.h>

#include <poll.h>

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

#include "database/conninfo.hpp"

namespace kheops {

namespace {

/// From PostgreSQL 14 on, the server can check during a statement whether its client is connected.
constexpr int kConnectionCheckVersion = 140000;
constexpr int kMinVersion = 120000;

/// Maximum time to wait for one of several hosts before trying the next.
constexpr std::chrono::milliseconds kMaxHostTimeout(1000);

/// Returns the host that libpq is connecting to. The name is an address if the host has no name.
Host current_host(pg_conn* connection) {
    const char* name = PQhost(connection);
    const char* port = PQport(connection);
    return {name != nullptr ? name : "", "", port != nullptr ? port : ""};
}

/// Removes the SQLSTATE from a line of a verbose libpq message ("FATAL:  53300: too many …") and
/// returns it. Empty if the line has none.
std::string extract_sqlstate(std::string& line) {
    constexpr std::size_t kSize = 5;
    const std::string separator = ":  ";
    const auto is_code = [](unsigned char c) {
        return std::isdigit(c) != 0 || std::isupper(c) != 0;
    };
    for (std::size_t at = line.find(separator); at != std::string::npos;
         at = line.find(separator, at + 1)) {
        const std::size_t begin = at + separator.size();
        std::string code = line.substr(begin, kSize);
        if (code.size() == kSize && std::all_of(code.begin(), code.end(), is_code) &&
            line.compare(begin + kSize, 2, ": ") == 0) {
            line.erase(begin, kSize + 2);
            return code;
        }
    }
    return "";
}

/// Creates the error from libpq's verbose message, the only form that contains the SQLSTATE of a
/// server that refuses a connection. Of several SQLSTATEs, prefers too_many_connections, then the
/// last.
DatabaseError connect_error(const std::string& message) {
    std::string plain;
    std::string sqlstate;
    std::size_t begin = 0;
    while (begin < message.size()) {
        const std::size_t end = std::min(message.find('\n', begin), message.size());
        std::string line = message.substr(begin, end - begin);
        begin = end + 1;
        if (line.starts_with("LOCATION:  ")) {
            continue;
        }
        const std::string code = extract_sqlstate(line);
        if (!code.empty() && sqlstate != kTooManyConnections) {
            sqlstate = code;
        }
        plain += line + '\n';
    }
    return {DatabaseError::Kind::unreachable, sqlstate, line_for_each_server(plain)};
}

/// Completes the connection. Throws DatabaseError if all hosts fail or one exceeds its time.
void finish_connecting(pg_conn* connection, std::size_t hosts, Deadline& deadline) {
    const auto host_timeout = std::min(
        kMaxHostTimeout, deadline.remaining() / static_cast<int>(std::max<std::size_t>(hosts, 1)));
    Host host;
    Deadline host_deadline = deadline;
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (status != PGRES_POLLING_OK) {
        if (status == PGRES_POLLING_FAILED || PQstatus(connection) == CONNECTION_BAD) {
            throw connect_error(PQerrorMessage(connection));
        }
        // After a refusal, libpq goes on to the next host by itself.
        if (const Host current = current_host(connection); hosts > 1 && current != host) {
            host = current;
            host_deadline = deadline.at_most(host_timeout);
        }
        try {
            wait_for_socket(connection, status == PGRES_POLLING_READING ? POLLIN : POLLOUT,
                            host_deadline);
        } catch (const DatabaseError& error) {
            if (host_deadline.is_abandoned()) {
                deadline = host_deadline;
            }
            if (host_deadline.is_abandoned() || hosts <= 1) {
                throw;
            }
            const DatabaseError earlier = connect_error(PQerrorMessage(connection));
            const std::string reasons = earlier.what();
            throw DatabaseError(error.kind(), earlier.sqlstate(),
                                reasons + (reasons.empty() ? "" : "\n") +
                                    "connection to server at \"" + host.address_or_name() +
                                    "\", port " + host.port + " failed: no answer in time");
        }
        status = PQconnectPoll(connection);
    }
}

PgConnection connect_to_any_host(const DatabaseSettings& settings, Deadline& deadline) {
    PgConnection connection = start_connecting(settings, {});
    std::vector<Host> hosts = hosts_of(connection.get());
    std::string reasons;
    std::string sqlstate;
    for (;;) {
        PQsetErrorVerbosity(connection.get(), PQERRORS_VERBOSE);
        try {
            finish_connecting(connection.get(), hosts.size(), deadline);
            PQsetErrorVerbosity(connection.get(), PQERRORS_DEFAULT);
            return connection;
        } catch (const DatabaseError& error) {
            reasons += (reasons.empty() ? "" : "\n") + std::string(error.what());
            if (!error.sqlstate().empty() && sqlstate != kTooManyConnections) {
                sqlstate = error.sqlstate();
            }
            const Host failed = current_host(connection.get());
            const std::size_t skipped = std::erase_if(hosts, [&](const Host& host) {
                return host.address_or_name() == failed.address_or_name() &&
                       host.port == failed.port;
            });
            if (skipped == 0 || hosts.empty() || deadline.passed()) {
                throw DatabaseError(error.kind(), sqlstate, reasons);
            }
        }
        connection = start_connecting(settings, hosts);
    }
}

void require_supported(const Connection& connection) {
    const int version = connection.server_version();
    if (version != 0 && version < kMinVersion) {
        throw DatabaseError(DatabaseError::Kind::statement_failed, "",
                            "the server is PostgreSQL " + std::to_string(version / 10000) +
                                ": too old, 12 or later is required");
    }
}

void set_up_session(Connection& connection, const DatabaseSettings& settings, Deadline deadline) {
    // One generic plan serves all parameters: planning costs more than running, and
    // sql/list_webhooks.sql is written for it. A plan made while a table was small must still be
    // fast when it is large, so it must not use sequential scans. The other settings replace the
    // settings of the role. Qualified names prevent objects in the search path from hiding
    // PostgreSQL's own (CVE-2018-1058).
    const auto setting = [](const char* name, const std::string& value) {
        return std::string("pg_catalog.set_config('") + name + "', '" + value + "', false), ";
    };
    // A hot standby rejects SERIALIZABLE, even as the default.
    std::string session = "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT ";
    session += setting("default_transaction_isolation", "read committed");
    session += setting("plan_cache_mode", "force_generic_plan");
    session += setting("enable_seqscan", "off");
    session += setting("jit", "off");
    session += setting("default_transaction_read_only", "on");
    session += setting("statement_timeout", std::to_string(settings.budget.count()));
    // The other half of the budget is for the statement itself. LockBreaker handles later requests.
    session += setting("lock_timeout", std::to_string(settings.budget.count() / 2));
    if (connection.server_version() >= kConnectionCheckVersion) {
        session += setting("client_connection_check_interval", "500");
    }
    // A pooler that assigns a server to each transaction reports a process ID of its own. Set
    // nothing then: the settings would apply to the next client of that server connection.
    session += "true WHERE pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) " +
               std::to_string(connection.backend_pid()) + "; COMMIT";
    constexpr std::size_t kStatements = 3;
    constexpr std::size_t kSelect = 1;
    const std::vector<Result> results = connection.execute(session, kStatements, deadline);
    if (results.at(kSelect).rows() == 0) {
        connection.set_uses_pooler();
    }
}

/// Adds why the password file gave no password where libpq only says that it has none.
DatabaseError with_password_file(const DatabaseError& error, const std::string& file) {
    std::string message = error.what();
    if (!file.empty() && message.find("no password supplied") != std::string::npos) {
        if (const std::string reason = password_file_error(file); !reason.empty()) {
            message += " (" + file + " " + reason + ")";
        }
    }
    return {error.kind(), error.sqlstate(), message};
}

/// Sets up what `establish` connects. If the server closes the new connection during that, connects
/// once more: another host may be available.
template <typename Establish>
std::unique_ptr<Connection> connect_with(const Establish& establish,
                                         const DatabaseSettings& settings,
                                         const Deadline& deadline) {
    for (bool repeat = true;; repeat = false) {
        std::unique_ptr<Connection> connection;
        try {
            connection = std::make_unique<Connection>(establish());
        } catch (const DatabaseError& error) {
            throw with_password_file(error, settings.password_file);
        }
        try {
            require_supported(*connection);
            set_up_session(*connection, settings, deadline);
            return connection;
        } catch (const DatabaseError& error) {
            if (!repeat || error.kind() != DatabaseError::Kind::unreachable) {
                throw;
            }
        }
    }
}

}  // namespace

std::unique_ptr<Connection> connect(const DatabaseSettings& settings, Deadline deadline) {
    return connect_with([&] { return connect_to_any_host(settings, deadline); }, settings,
                        deadline);
}

std::unique_ptr<Connection> connect_to_host(const DatabaseSettings& settings, const Host& host,
                                            Deadline deadline) {
    const auto establish = [&] {
        PgConnection connection = start_connecting_to(settings, host);
        PQsetErrorVerbosity(connection.get(), PQERRORS_VERBOSE);
        finish_connecting(connection.get(), 1, deadline);
        PQsetErrorVerbosity(connection.get(), PQERRORS_DEFAULT);
        return connection;
    };
    return connect_with(establish, settings, deadline);
}

}  // namespace kheops
