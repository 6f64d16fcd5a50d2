// SPDX-License-Identifier: MIT
#include "check/database_check.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "check/acceleration.hpp"
#include "check/catalog.hpp"
#include "check/database_host.hpp"
#include "check/database_role.hpp"
#include "check/words.hpp"
#include "database/find_webhooks.hpp"

namespace kheops {

namespace {

using Grade = Finding::Grade;

std::string remedy_for_statement(const DatabaseError& error, bool has_rights) {
    if (error.sqlstate() == kLockNotAvailable) {
        return "wait for the session that holds a lock on a table, or end it: SELECT pid, query "
               "FROM pg_stat_activity WHERE pid IN (SELECT pid FROM pg_locks WHERE mode = "
               "'AccessExclusiveLock')";
    }
    if (error.kind() == DatabaseError::Kind::timed_out) {
        return "see what keeps the server busy (pg_stat_activity), or raise "
               "KHEOPS_WEBHOOKS_TIMEOUT";
    }
    return has_rights ? "run sql/grants.sql again, and see the log of the server"
                      : "correct what the lines about the role name";
}

/// Runs the statement of the list as the worker does. Returns the count that it reports, as
/// try_statement() does; std::nullopt if it fails.
std::optional<std::int64_t> check_statement(Catalog& catalog, bool has_rights,
                                            const Report& report) {
    try {
        const std::int64_t count =
            try_statement(catalog.connection(), kListWebhooks, catalog.deadline());
        report({Grade::ok, "statement: can be prepared and run", ""});
        return count;
    } catch (const DatabaseError& error) {
        const bool is_locked = error.sqlstate() == kLockNotAvailable;
        report(
            {Grade::problem,
             "statement: " + (is_locked ? "waits for a locked table" : "fails: " + in_words(error)),
             remedy_for_statement(error, has_rights)});
        return std::nullopt;
    }
}

constexpr Statement kTimeout = {"check_timeout",
                                "SELECT pg_catalog.current_setting('statement_timeout')"};

/// Reports what can be known of a pooler.
void check_pooler(Catalog& catalog, const Session& session, const Report& report) {
    std::string timeout;
    catalog.connection().run(kTimeout, {}, catalog.deadline(),
                             [&](const Result& result) { timeout = result.text(0, 0); });
    const std::string pooler =
        "pooler: there is one (such as PgBouncer) before the server: the worker prepares and sets "
        "nothing";
    if (timeout == "0") {
        report({Grade::warning,
                pooler + ", and the role has no statement_timeout: an abandoned statement runs on",
                "run ALTER ROLE " + session.role + " IN DATABASE " + session.database +
                    " SET statement_timeout = '10s'; sql/grants.sql does so"});
    } else {
        report({Grade::ok, pooler + "; the settings of the role apply", ""});
    }
}

}  // namespace

void check_database(const DatabaseSettings& settings, unsigned threads, const Report& report) {
    const DatabaseTarget target = target_of(settings);
    bool is_reachable = target.hosts.empty();
    for (const Host& host : target.hosts) {
        is_reachable = check_host(settings, target, host, report) || is_reachable;
    }
    if (!is_reachable) {
        return;
    }
    const std::unique_ptr<Connection> connection = connect_as_worker(settings, target, report);
    if (connection == nullptr) {
        return;
    }
    if (target.hosts.empty()) {
        check_server(*connection, settings, "database host, which libpq chose", report);
    }
    Catalog catalog(*connection, settings.budget);
    try {
        const Session session = read_session(catalog);
        if (connection->uses_pooler()) {
            check_pooler(catalog, session, report);
        }
        const bool has_rights = check_needed_rights(catalog, session, report);
        const std::optional<std::int64_t> count = check_statement(catalog, has_rights, report);
        check_excess_rights(catalog, session, report);
        check_search_path(catalog, session, report);
        if (connection->uses_pooler()) {
            report({Grade::ok,
                    "connections: the pooler's limits cannot be seen here: its default_pool_size "
                    "should be at least " +
                        std::to_string(threads) + ", one for each thread",
                    ""});
        } else {
            check_connections(catalog, session, threads, report);
        }
        if (count) {
            check_acceleration(catalog, session, *count, report);
        }
    } catch (const DatabaseError& error) {
        report({Grade::warning, "database: not all could be looked at: " + in_words(error),
                connection->uses_pooler()
                    ? "run the check without the pooler, by a connection to the server itself"
                    : "run the check again, and see the log of the server"});
    }
}

}  // namespace kheops
