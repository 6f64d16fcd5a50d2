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

/// Since PostgreSQL 14 the server can look, while a statement runs, whether its client is there.
constexpr int kFirstWithConnectionCheck = 140000;
constexpr int kFirstSupported = 120000;

/// How long one of several hosts may be silent before the next is tried; less where the budget is.
constexpr std::chrono::milliseconds kMaxForOneOfSeveralHosts(1000);

/// The host that libpq is busy with; without an address where it has a name.
Host current_host(pg_conn* connection) {
    const char* name = PQhost(connection);
    const char* port = PQport(connection);
    return {name != nullptr ? name : "", "", port != nullptr ? port : ""};
}

/// Takes the SQLSTATE out of a line of libpq's in its verbose form ("FATAL:  53300: too many …").
/// Empty where the server said nothing.
std::string take_sqlstate(std::string& line) {
    constexpr std::size_t kSize = 5;
    const std::string before = ":  ";
    const auto is_code = [](unsigned char c) {
        return std::isdigit(c) != 0 || std::isupper(c) != 0;
    };
    for (std::size_t at = line.find(before); at != std::string::npos;
         at = line.find(before, at + 1)) {
        const std::size_t begin = at + before.size();
        std::string code = line.substr(begin, kSize);
        if (code.size() == kSize && std::all_of(code.begin(), code.end(), is_code) &&
            line.compare(begin + kSize, 2, ": ") == 0) {
            line.erase(begin, kSize + 2);
            return code;
        }
    }
    return "";
}

/// Why the connection could not be made, by libpq's verbose message: the only form in which it
/// shows the SQLSTATE of a server that refuses a connection. Of several hosts', the SQLSTATE that
/// says that there is no connection left counts, or else the last.
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
        const std::string code = take_sqlstate(line);
        if (!code.empty() && sqlstate != kTooManyConnections) {
            sqlstate = code;
        }
        plain += line + '\n';
    }
    return {DatabaseError::Kind::unreachable, sqlstate, line_for_each_server(plain)};
}

/// Throws where none of the hosts would do, or one was silent for its share of the time.
void negotiate(pg_conn* connection, std::size_t hosts, Deadline& deadline) {
    const auto share =
        std::min(kMaxForOneOfSeveralHosts,
                 deadline.remaining() / static_cast<int>(std::max<std::size_t>(hosts, 1)));
    Host host;
    Deadline limit = deadline;
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (status != PGRES_POLLING_OK) {
        if (status == PGRES_POLLING_FAILED || PQstatus(connection) == CONNECTION_BAD) {
            throw connect_error(PQerrorMessage(connection));
        }
        // Where one refuses to be connected to, libpq itself goes on to the next.
        if (const Host now = current_host(connection); hosts > 1 && now != host) {
            host = now;
            limit = deadline.at_most(share);
        }
        try {
            wait_for_socket(connection, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, limit);
        } catch (const DatabaseError& error) {
            if (limit.is_abandoned()) {
                deadline = limit;
            }
            if (limit.is_abandoned() || hosts <= 1) {
                throw;
            }
            const DatabaseError before = connect_error(PQerrorMessage(connection));
            const std::string reasons = before.what();
            throw DatabaseError(error.kind(), before.sqlstate(),
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
            negotiate(connection.get(), hosts.size(), deadline);
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
    if (version != 0 && version < kFirstSupported) {
        throw DatabaseError(DatabaseError::Kind::statement_failed, "",
                            "the server is PostgreSQL " + std::to_string(version / 10000) +
                                ": too old, 12 or later is required");
    }
}

void set_session_up(Connection& connection, const DatabaseSettings& settings, Deadline deadline) {
    // One generic plan for all parameters: sql/list_webhooks.sql is written to be safe with it, and
    // planning costs more than running. The plan is kept, so that one which was made while a table
    // was small must serve when it is large: without scans of whole tables. The rest holds for this
    // role whatever its own settings are. Qualified names, so that nobody's objects in the search
    // path are taken for PostgreSQL's own (CVE-2018-1058).
    const auto setting = [](const char* name, const std::string& value) {
        return std::string("pg_catalog.set_config('") + name + "', '" + value + "', false), ";
    };
    // A hot standby has no snapshot for a transaction that is serializable by default.
    std::string session = "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT ";
    session += setting("default_transaction_isolation", "read committed");
    session += setting("plan_cache_mode", "force_generic_plan");
    session += setting("enable_seqscan", "off");
    session += setting("jit", "off");
    session += setting("default_transaction_read_only", "on");
    session += setting("statement_timeout", std::to_string(settings.budget.count()));
    // Half of the budget is left for the statement itself; see LockBreaker for the next ones.
    session += setting("lock_timeout", std::to_string(settings.budget.count() / 2));
    if (connection.server_version() >= kFirstWithConnectionCheck) {
        session += setting("client_connection_check_interval", "500");
    }
    // A pooler that gives each transaction another server tells its clients a process number of its
    // own. What is set there would be set for whoever comes next: nothing is.
    session += "true WHERE pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) " +
               std::to_string(connection.backend_pid()) + "; COMMIT";
    constexpr std::size_t kStatements = 3;
    constexpr std::size_t kSelect = 1;
    const std::vector<Result> results = connection.execute(session, kStatements, deadline);
    if (results.at(kSelect).rows() == 0) {
        connection.set_pooled();
    }
}

}  // namespace

std::unique_ptr<Connection> connect(const DatabaseSettings& settings, Deadline deadline) {
    // A server that ends the connection once it is made is no longer there at the second try;
    // another host may be.
    for (bool repeat = true;; repeat = false) {
        auto connection = std::make_unique<Connection>(connect_to_any_host(settings, deadline));
        try {
            require_supported(*connection);
            set_session_up(*connection, settings, deadline);
            return connection;
        } catch (const DatabaseError& error) {
            if (!repeat || error.kind() != DatabaseError::Kind::unreachable) {
                throw;
            }
        }
    }
}

}  // namespace kheops
