// SPDX-License-Identifier: MIT

// The session settings of a connection, for any settings of the database and the role.

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "database/connect.hpp"
#include "support/database.hpp"
#include "support/database_proxy.hpp"

namespace kheops::test {
namespace {

constexpr Statement kSettings = {
    "settings",
    "SELECT pg_catalog.string_agg(name || '=' || setting, ' ' ORDER BY name) "
    "FROM pg_catalog.pg_settings "
    "WHERE name IN "
    "('default_transaction_read_only', 'default_transaction_isolation', 'jit', 'lock_timeout', "
    "'plan_cache_mode', 'statement_timeout')"};

constexpr const char* kExpectedSettings =
    "default_transaction_isolation=read committed default_transaction_read_only=on jit=off "
    "lock_timeout=6172 plan_cache_mode=force_generic_plan "
    "statement_timeout=12345";

/// Runs a statement on a new connection and returns its only value.
std::string query(const DatabaseSettings& settings, const Statement& statement) {
    const Deadline deadline(Clock::now() + std::chrono::seconds(30));
    std::string value;
    connect(settings, deadline)->run(statement, {}, deadline, [&](const Result& result) {
        value = result.text(0, 0);
    });
    return value;
}

DatabaseSettings settings_of(const std::string& connection) {
    DatabaseSettings settings;
    settings.connection = connection;
    settings.budget = std::chrono::milliseconds(12345);
    return settings;
}

/// This process's socket of the only TCP connection to `port`.
int socket_to(std::uint16_t port) {
    for (int descriptor = 0; descriptor < ::getdtablesize(); ++descriptor) {
        sockaddr_in peer = {};
        socklen_t size = sizeof peer;
        if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) == 0 &&
            peer.sin_family == AF_INET && ntohs(peer.sin_port) == port) {
            return descriptor;
        }
    }
    throw std::runtime_error("no connection to port " + std::to_string(port));
}

int option_of(int socket, int level, int option) {
    int value = 0;
    socklen_t size = sizeof value;
    EXPECT_EQ(::getsockopt(socket, level, option, &value, &size), 0);
    return value;
}

TEST(Session, OverridesTheSettingsOfTheDatabase) {
    TestDatabase database;
    for (const char* setting :
         {"default_transaction_read_only = off", "jit = on", "plan_cache_mode = force_custom_plan",
          "statement_timeout = 0", "lock_timeout = 0",
          "default_transaction_isolation = serializable"}) {
        database.execute("ALTER DATABASE \"" + database.name() + "\" SET " + setting);
    }
    EXPECT_EQ(query(settings_of(database.conninfo()), kSettings), kExpectedSettings);
}

TEST(Session, IsSetUpWithoutFunctionsAndOperatorsOfTheSearchPath) {
    TestDatabase database;
    database.execute(
        "CREATE FUNCTION public.pg_backend_pid() RETURNS integer LANGUAGE sql AS 'SELECT -1';"
        "CREATE FUNCTION public.set_config(text, text, boolean) RETURNS text LANGUAGE sql "
        "AS 'SELECT $2';"
        "CREATE FUNCTION public.never(integer, integer) RETURNS boolean LANGUAGE sql "
        "AS 'SELECT false';"
        "CREATE OPERATOR public.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = public.never);"
        "ALTER DATABASE \"" +
        database.name() + "\" SET search_path = public, pg_catalog");
    EXPECT_EQ(query(settings_of(database.conninfo()), kSettings), kExpectedSettings);
}

TEST(Session, TextIsUtf8InADatabaseOfAnotherEncoding) {
    TestDatabase administration;
    const std::string latin = administration.name() + "_latin1";
    administration.execute("CREATE DATABASE " + latin + " ENCODING 'LATIN1' TEMPLATE template0");
    constexpr Statement kUmlaut = {"umlaut", "SELECT pg_catalog.chr(228)"};
    EXPECT_EQ(query(settings_of(administration.conninfo() + " dbname=" + latin), kUmlaut),
              "\xC3\xA4");
    // Even if the connection string has another client_encoding.
    EXPECT_EQ(
        query(settings_of(administration.conninfo() + " client_encoding=LATIN1 dbname=" + latin),
              kUmlaut),
        "\xC3\xA4");
    administration.execute("DROP DATABASE " + latin);
}

TEST(Session, TcpKeepaliveHasOurDefaultsUnlessTheConnectionStringSetsIt) {
    const TestDatabase database;
    const DatabaseProxy proxy(database.host() + "/.s.PGSQL.5432");
    const std::string over_tcp = "host=127.0.0.1 port=" + std::to_string(proxy.port()) +
                                 " user=postgres dbname=" + database.name();
    for (const auto& [more, idle] : {std::pair("", 30), std::pair(" keepalives_idle=77", 77)}) {
        const auto connection = connect(settings_of(over_tcp + more),
                                        Deadline(Clock::now() + std::chrono::seconds(30)));
        const int socket = socket_to(proxy.port());
        EXPECT_EQ(option_of(socket, SOL_SOCKET, SO_KEEPALIVE), 1);
        EXPECT_EQ(option_of(socket, IPPROTO_TCP, TCP_KEEPIDLE), idle);
        EXPECT_EQ(option_of(socket, IPPROTO_TCP, TCP_KEEPINTVL), 10);
        EXPECT_EQ(option_of(socket, IPPROTO_TCP, TCP_KEEPCNT), 3);
    }
}

}  // namespace
}  // namespace kheops::test
