// SPDX-License-Identifier: MIT
#include "check/database_host.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "check/catalog.hpp"
#include "check/words.hpp"

namespace kheops {

namespace {

using Grade = Finding::Grade;

/// A standby this many seconds behind is reported: its lists are that old.
constexpr std::int64_t kMaxLag = 10;

constexpr Statement kRecovery = {"check_recovery", R"SQL(
SELECT pg_is_in_recovery(),
       EXISTS (SELECT FROM pg_stat_wal_receiver),
       CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE false END,
       coalesce(pg_last_wal_replay_lsn() < coalesce($1::pg_lsn, pg_last_wal_receive_lsn()), false),
       greatest(0, extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()))::bigint,
       pg_last_wal_receive_lsn()::text
)SQL"};

/// What a server says of its recovery.
struct Recovery {
    bool is_standby = false;
    bool receives = false;                ///< WAL from a primary, now
    bool is_paused = false;               ///< the replay
    bool is_behind = false;               ///< what was received is not all replayed
    std::optional<std::int64_t> age;      ///< seconds since the newest transaction replayed
    std::optional<std::string> received;  ///< the end of what was received

    [[nodiscard]] bool is_old() const { return !age || *age > kMaxLag; }
};

/// `received` is the end of WAL by which to say what is behind, by default all that was received.
Recovery read_recovery(Catalog& catalog, const std::optional<std::string>& received) {
    Recovery recovery;
    catalog.read(kRecovery, {received}, [&](const Result& result) {
        enum Column : int { kStandby, kReceives, kPaused, kBehind, kAge, kReceived };
        recovery.is_standby = result.boolean(0, kStandby);
        recovery.receives = result.boolean(0, kReceives);
        recovery.is_paused = result.boolean(0, kPaused);
        recovery.is_behind = result.boolean(0, kBehind);
        if (!result.is_null(0, kAge)) {
            recovery.age = result.count(0, kAge);
        }
        if (!result.is_null(0, kReceived)) {
            recovery.received = result.text(0, kReceived);
        }
    });
    return recovery;
}

Recovery recovery_of(Catalog& catalog) {
    Recovery recovery = read_recovery(catalog, std::nullopt);
    // After a primary was idle, the newest transaction replayed is old while the next one arrives:
    // the standby is behind only if it does not replay that within a moment.
    if (recovery.is_standby && recovery.receives && recovery.is_behind && recovery.is_old()) {
        std::this_thread::sleep_for(std::chrono::seconds(1));
        recovery = read_recovery(catalog, recovery.received);
    }
    return recovery;
}

Finding standby_finding(const std::string& base, const Recovery& recovery) {
    const std::string newest =
        recovery.age ? "its newest transaction is " + std::to_string(*recovery.age) + " s old"
                     : "it has replayed no transaction since it started";
    const std::string until_then =
        "; until then, name the primary in KHEOPS_WEBHOOKS_DATABASE (target_session_attrs=primary)";
    if (recovery.is_paused) {
        return {Grade::warning, base + ", standby: its replay is paused; " + newest,
                "run on it, as a superuser: SELECT pg_wal_replay_resume()"};
    }
    if (!recovery.receives && recovery.is_old()) {
        return {Grade::warning, base + ", standby: it receives nothing from its primary; " + newest,
                "start the primary, or correct primary_conninfo on the standby (its log says what "
                "fails)" +
                    until_then};
    }
    if (recovery.is_behind && recovery.is_old()) {
        return {Grade::warning, base + ", standby far behind its primary: " + newest,
                "find what delays the replay: recovery_min_apply_delay, a long query "
                "(pg_stat_activity) or a slow disk" +
                    until_then};
    }
    return {Grade::ok,
            base + ", standby, " +
                (recovery.is_behind && recovery.age ? std::to_string(*recovery.age) + " s behind"
                                                    : "up to date"),
            ""};
}

std::string version_of(const Connection& connection) {
    constexpr int kMajor = 10000;
    const int version = connection.server_version();
    return "PostgreSQL " + std::to_string(version / kMajor) + "." +
           std::to_string(version % kMajor);
}

std::string place_of(const Host& host) {
    return "database host " + host.address_or_name() + " port " + host.port;
}

/// Returns why the host failed. libpq names the server again in each line, by its address: left
/// out if there is one line.
std::string reason_of(const DatabaseError& error) {
    constexpr std::string_view kFailed = " failed: ";
    std::string reason = in_words(error);
    const std::string_view message = error.what();
    if (message.starts_with("connection to server ") &&
        message.find('\n') == std::string_view::npos) {
        const size_t failed = reason.find(kFailed);
        reason.erase(0, failed == std::string::npos ? 0 : failed + kFailed.size());
    }
    return reason;
}

/// Connects by `connect`. If the server has no connection left, tries again for a moment, as the
/// pool does: the server may not have noticed yet that an earlier connection was closed.
std::unique_ptr<Connection> connect_patiently(
    const DatabaseSettings& settings,
    const std::function<std::unique_ptr<Connection>(Deadline)>& connect) {
    constexpr int kMaxAttempts = 3;
    for (int attempt = 1;; ++attempt) {
        try {
            return connect(Deadline(Clock::now() + settings.budget));
        } catch (const DatabaseError& error) {
            if (!error.is_out_of_connections() || attempt == kMaxAttempts) {
                throw;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(200));
        }
    }
}

/// Returns what to do when a connection failed with `error`. SQLSTATEs come first: a server may
/// speak any language, and libpq's own messages have none.
std::string remedy_for(const DatabaseError& error, const DatabaseSettings& settings,
                       const DatabaseTarget& target) {
    const std::string role = sql_identifier(target.user);
    const std::string database = sql_identifier(target.database);
    const std::string password = settings.password_file.empty()
                                     ? "KHEOPS_WEBHOOKS_DATABASE, PGPASSWORD or the password file"
                                     : settings.password_file;
    const std::string_view message = error.what();
    const std::string& sqlstate = error.sqlstate();
    const auto says = [&](std::string_view word) {
        return message.find(word) != std::string_view::npos;
    };
    if (sqlstate == "28P01") {
        return "correct the password (" + password + "), or set it by \\password " + role +
               " in psql; a role that does not exist is answered in the same way: psql -d " +
               database + " -f sql/grants.sql makes kheops_webhooks";
    }
    if (sqlstate == "3D000") {
        return "name the database of Kheops (dbname= in KHEOPS_WEBHOOKS_DATABASE, or "
               "KHEOPS_AUTHDB_NAME); psql -l lists the databases";
    }
    if (sqlstate == "28000" && says("pg_hba.conf")) {
        return "put a line before those that reject it into pg_hba.conf of the server: host " +
               database + " " + role + " ADDRESS scram-sha-256 (for a socket: local " + database +
               " " + role + " peer), then run SELECT pg_reload_conf()";
    }
    if (sqlstate == "28000") {
        return "make the role: psql -d " + database +
               " -f sql/grants.sql makes kheops_webhooks; if it exists: ALTER ROLE " + role +
               " LOGIN, or, for peer authentication, map the system user in pg_ident.conf";
    }
    if (sqlstate == "42501") {
        return "run GRANT CONNECT ON DATABASE " + database + " TO " + role;
    }
    if (sqlstate == "55000") {
        return "run ALTER DATABASE " + database + " ALLOW_CONNECTIONS true";
    }
    if (error.is_out_of_connections()) {
        return "raise the limit that the message names: ALTER ROLE " + role +
               " CONNECTION LIMIT 40, ALTER DATABASE " + database +
               " CONNECTION LIMIT 100, or max_connections in postgresql.conf; SELECT usename, "
               "application_name, count(*) FROM pg_stat_activity GROUP BY 1, 2 shows who uses them";
    }
    if (sqlstate == "57P03") {
        return "wait until the server has started; if it does not, see its log (a standby needs "
               "hot_standby = on)";
    }
    if (says("too old")) {
        return "upgrade the server to PostgreSQL 12 or later (pg_upgrade)";
    }
    if (error.kind() == DatabaseError::Kind::timed_out) {
        return "start the host, let a firewall admit the port, or restart a server that hangs: "
               "pg_isready -h HOST -p PORT tells when it answers";
    }
    if (says("no password supplied")) {
        return "give a password: in " + password +
               (settings.password_file.empty() ? ""
                                               : ", which the worker's user must be able to read");
    }
    if (says("could not translate host name")) {
        return "correct the host's name, or DNS (getent hosts NAME looks it up); hostaddr= needs "
               "no lookup";
    }
    if (says("Connection refused")) {
        return "start PostgreSQL there, correct host and port, or add the address to "
               "listen_addresses in postgresql.conf";
    }
    if (says("No such file or directory")) {
        return "start PostgreSQL, or name the directory of its socket (unix_socket_directories) "
               "or its host in host=";
    }
    if (says("certificate") || says("SSL")) {
        return "make sslmode and sslrootcert in KHEOPS_WEBHOOKS_DATABASE fit ssl and "
               "ssl_cert_file of the server";
    }
    if (says("session is read-only")) {
        return "use target_session_attrs=primary in place of read-write, which rejects the role "
               "that sql/grants.sql makes: its transactions are read-only by default";
    }
    if (says("hot standby mode") || says("session is not read-only")) {
        return "name a host that target_session_attrs accepts, or change target_session_attrs in "
               "KHEOPS_WEBHOOKS_DATABASE";
    }
    if (sqlstate == "08P01" || says("received")) {
        return "correct host and port: what answers there is not PostgreSQL";
    }
    return "see the log of the server";
}

}  // namespace

bool check_host(const DatabaseSettings& settings, const DatabaseTarget& target, const Host& host,
                const Report& report) {
    std::unique_ptr<Connection> connection;
    try {
        connection = connect_patiently(
            settings, [&](Deadline deadline) { return connect_to_host(settings, host, deadline); });
    } catch (const DatabaseError& error) {
        report({Grade::problem, place_of(host) + ": " + reason_of(error),
                remedy_for(error, settings, target)});
        return false;
    }
    check_server(*connection, settings, place_of(host), report);
    return true;
}

void check_server(Connection& connection, const DatabaseSettings& settings,
                  const std::string& place, const Report& report) {
    const std::string base = place + ": " + version_of(connection);
    try {
        Catalog catalog(connection, settings.budget);
        const Recovery recovery = recovery_of(catalog);
        report(recovery.is_standby ? standby_finding(base, recovery)
                                   : Finding{Grade::ok, base + ", primary", ""});
    } catch (const DatabaseError& error) {
        report({Grade::ok, base + "; whether primary or standby is not known: " + in_words(error),
                ""});
    }
}

std::unique_ptr<Connection> connect_as_worker(const DatabaseSettings& settings,
                                              const DatabaseTarget& target, const Report& report) {
    try {
        return connect_patiently(settings,
                                 [&](Deadline deadline) { return connect(settings, deadline); });
    } catch (const DatabaseError& error) {
        report({Grade::problem, "database: the worker cannot connect: " + in_words(error),
                remedy_for(error, settings, target)});
        return nullptr;
    }
}

}  // namespace kheops
