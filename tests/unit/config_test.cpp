// SPDX-License-Identifier: MIT
#include "config.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

namespace kheops {
namespace {

using Settings = std::map<std::string, std::string>;

constexpr KeyTimes kTimes = {.cool_down = std::chrono::seconds(10),
                             .min_refresh = std::chrono::minutes(5),
                             .max_refresh = std::chrono::hours(1),
                             .fetch_timeout = std::chrono::seconds(10)};

const Settings kRequired = {{"KHEOPS_WEBHOOKS_JWKS", "/etc/keys.json"},
                            {"KHEOPS_WEBHOOKS_ISSUER", "https://issuer.example"}};

Settings with(Settings more) {
    more.insert(kRequired.begin(), kRequired.end());
    return more;
}

Config read(const Settings& set, const OnConfigError& on_error) {
    const Variables variables([&set](const char* name) {
        const auto found = set.find(name);
        return found == set.end() ? nullptr : found->second.c_str();
    });
    return read_config(variables, kTimes, on_error);
}

Config read(const Settings& set) {
    return read(set, [](const ConfigError& error) { ADD_FAILURE() << error.what(); });
}

std::vector<std::string> errors_of(const Settings& set) {
    std::vector<std::string> errors;
    static_cast<void>(
        read(set, [&errors](const ConfigError& error) { errors.emplace_back(error.what()); }));
    return errors;
}

/// The first error.
std::string error_of(const Settings& set) {
    const std::vector<std::string> errors = errors_of(set);
    return errors.empty() ? "" : errors.front();
}

TEST(Config, UnsetSettingsHaveDefaults) {
    const Config config =
        read(with({{"KHEOPS_WEBHOOKS_AUDIENCE", ""}, {"KHEOPS_OAUTH_SCOPE", ""}}));
    EXPECT_EQ(config.timeout.count(), 5000);
    EXPECT_EQ(config.database.budget.count(), 5000);
    EXPECT_EQ(config.log_level, LogLevel::info);
    EXPECT_EQ(config.key_file, "/etc/keys.json");
    EXPECT_EQ(config.issuer, "https://issuer.example");
    EXPECT_EQ(config.token_rules.audience, "");
    EXPECT_EQ(config.token_rules.scope, "");
    EXPECT_EQ(config.database.connection, "");
    EXPECT_EQ(config.database.password_file, "");
}

TEST(Config, DefaultThreadsAreTwiceTheProcessorsFrom4To256) {
    for (const auto& [processors, threads] : std::map<unsigned, unsigned>{
             {0, 4}, {1, 4}, {2, 4}, {3, 6}, {16, 32}, {127, 254}, {128, 256}, {1024, 256}}) {
        EXPECT_EQ(default_threads(processors), threads) << processors;
    }
    cpu_set_t usable;
    ASSERT_EQ(::sched_getaffinity(0, sizeof usable, &usable), 0);
    EXPECT_EQ(read(kRequired).threads, default_threads(static_cast<unsigned>(CPU_COUNT(&usable))));
}

TEST(Config, ValidValuesAreUsed) {
    const Config config = read(with({{"KHEOPS_WEBHOOKS_THREADS", "256"},
                                     {"KHEOPS_WEBHOOKS_TIMEOUT", "0.25"},
                                     {"KHEOPS_WEBHOOKS_LOG", "debug"},
                                     {"KHEOPS_WEBHOOKS_AUDIENCE", "loginConnect"},
                                     {"KHEOPS_OAUTH_SCOPE", "kheops"},
                                     {"KHEOPS_WEBHOOKS_DATABASE", "postgresql://a,b/kheops"}}));
    EXPECT_EQ(config.threads, 256U);
    EXPECT_EQ(config.timeout.count(), 250);
    EXPECT_EQ(config.log_level, LogLevel::debug);
    EXPECT_EQ(config.token_rules.audience, "loginConnect");
    EXPECT_EQ(config.token_rules.scope, "kheops");
    EXPECT_EQ(config.database.connection, "postgresql://a,b/kheops");
}

TEST(Config, KheopsDatabaseSettingsAreUsedWhereOursAreNotSet) {
    Settings set = with({{"KHEOPS_AUTHDB_URL", "postgresql://authdb:5432"},
                         {"KHEOPS_AUTHDB_NAME", "kheops"},
                         {"KHEOPS_AUTHDB_USER", "kheopsuser"}});
    const Config config = read(set);
    EXPECT_EQ(config.database.connection, "postgresql://authdb:5432");
    EXPECT_EQ(config.database.name, "kheops");
    EXPECT_EQ(config.database.user, "kheopsuser");
    EXPECT_EQ(config.database.password_file, "/run/secrets/kheops_authdb_pass");

    set["KHEOPS_WEBHOOKS_DATABASE"] = "host=other";
    EXPECT_EQ(read(set).database.connection, "host=other");
    EXPECT_EQ(read(set).database.user, "");
}

TEST(Config, AnInvalidValueIsReportedWithWhatIsAllowed) {
    const std::vector<std::pair<std::string, std::vector<std::string>>> wrong = {
        {"KHEOPS_WEBHOOKS_THREADS", {"0", "257", "-1", "x", "1.5", " 4", "99999999999"}},
        {"KHEOPS_WEBHOOKS_TIMEOUT",
         {"0", "0.09", "300.1", "-1", "5s", "nan", "inf", "1e1", "0x5", " 5"}},
        {"KHEOPS_WEBHOOKS_LOG", {"INFO", "verbose", "info "}},
        {"KHEOPS_OAUTH_SCOPE", {"two words"}},
    };
    for (const auto& [variable, values] : wrong) {
        for (const std::string& value : values) {
            const std::string error = error_of(with({{variable, value}}));
            EXPECT_EQ(error.find(variable + "=" + log_value(value) + ": must be "), 0U)
                << variable << "=" << value << " gave: " << error;
        }
    }
}

TEST(Config, MissingSettingsAreReported) {
    EXPECT_NE(error_of({}).find("KHEOPS_WEBHOOKS_JWKS="), std::string::npos);
    EXPECT_NE(error_of({{"KHEOPS_WEBHOOKS_JWKS", "a"}}).find("KHEOPS_WEBHOOKS_ISSUER="),
              std::string::npos);
    EXPECT_NE(
        error_of(with({{"KHEOPS_AUTHDB_URL", "postgresql://authdb"}})).find("KHEOPS_AUTHDB_NAME="),
        std::string::npos);
}

TEST(Config, AProviderBesideAKeyFileIsRejected) {
    EXPECT_NE(error_of(with({{"KHEOPS_OIDC_PROVIDER", "https://p.example"}}))
                  .find("KHEOPS_OIDC_PROVIDER=https://p.example: must not be set beside"),
              std::string::npos);
}

TEST(Config, AProviderNeedsNoOtherSetting) {
    const Config config = read({{"KHEOPS_OIDC_PROVIDER", "https://p.example/realms/kheops/"}});
    EXPECT_EQ(config.key_file, "");
    EXPECT_EQ(config.provider.provider.url, "https://p.example/realms/kheops");
    EXPECT_EQ(config.provider.provider.issuer, "");
    EXPECT_FALSE(config.provider.provider.allow_http);
    EXPECT_EQ(config.provider.max_age.count(), 86400);
    EXPECT_EQ(config.provider.cache_file, "");
    EXPECT_EQ(config.provider.max_waiting, config.threads / 2);
}

TEST(Config, ProviderSettingsAreUsed) {
    const Config config = read({{"KHEOPS_OIDC_PROVIDER", "https://p.example"},
                                {"KHEOPS_AUTH_OIDC_PROVIDER", "http://keycloak:8080/realms/k"},
                                {"KHEOPS_WEBHOOKS_PROVIDER_HTTP", "allow"},
                                {"KHEOPS_WEBHOOKS_ISSUER", "https://outside.example"},
                                {"KHEOPS_WEBHOOKS_KEYS_MAX_AGE", "600"},
                                {"KHEOPS_WEBHOOKS_KEYS_CACHE", "/var/lib/k/keys"},
                                {"KHEOPS_WEBHOOKS_THREADS", "1"}});
    EXPECT_EQ(config.provider.provider.url, "http://keycloak:8080/realms/k");
    EXPECT_EQ(config.provider.provider.issuer, "https://outside.example");
    EXPECT_TRUE(config.provider.provider.allow_http);
    EXPECT_EQ(config.provider.max_age.count(), 600);
    EXPECT_EQ(config.provider.cache_file, "/var/lib/k/keys");
    EXPECT_EQ(config.provider.max_waiting, 1U);
}

TEST(Config, InvalidProviderSettingsAreReported) {
    const std::vector<std::pair<std::string, std::vector<std::string>>> wrong = {
        {"KHEOPS_OIDC_PROVIDER",
         {"p.example", "ftp://p.example", "https://", "/realms", "https://p.example?x",
          "https://p.example#x", "http://p.example", "http://10.0.0.1", "http://127.0.0.1.example",
          "http://128.0.0.1", "http://[::2]"}},
        {"KHEOPS_WEBHOOKS_KEYS_MAX_AGE", {"599", "2592001", "-1", "1d", "600.5", " 600"}},
        {"KHEOPS_WEBHOOKS_PROVIDER_HTTP", {"yes", "1", "Allow"}},
    };
    for (const auto& [variable, values] : wrong) {
        for (const std::string& value : values) {
            Settings set = {{"KHEOPS_OIDC_PROVIDER", "https://p.example"}};
            set[variable] = value;
            const std::string error = error_of(set);
            EXPECT_EQ(error.find(variable + "=" + log_value(value) + ": must be "), 0U)
                << variable << "=" << value << " gave: " << error;
        }
    }
}

TEST(Config, AProviderUrlWithAUserIsRejectedAndNotShown) {
    for (const char* url :
         {"https://user:secret@p.example", "https://:secret@p.example", "http://:secret@127.0.0.1",
          "https://secret@p.example", "https://@p.example", "https://user:se/cret@p.example"}) {
        for (const char* key_file : {"", "keys.json"}) {
            const std::vector<std::string> errors =
                errors_of({{"KHEOPS_OIDC_PROVIDER", url}, {"KHEOPS_WEBHOOKS_JWKS", key_file}});
            ASSERT_FALSE(errors.empty());
            EXPECT_EQ(errors.front().find(
                          "KHEOPS_OIDC_PROVIDER: must be the provider's URL without a user"),
                      0U)
                << errors.front();
            for (const std::string& error : errors) {
                EXPECT_EQ(error.find("cret"), std::string::npos) << error;
            }
        }
    }
}

TEST(Config, HttpToThisMachineIsAllowed) {
    for (const char* url : {"http://localhost:8080/realms/k", "http://127.0.0.1",
                            "http://127.9.8.7", "http://[::1]:8080"}) {
        EXPECT_EQ(error_of({{"KHEOPS_OIDC_PROVIDER", url}}), "");
    }
}

TEST(Config, HttpToAnotherMachineIsReportedWithAllThatItNeeds) {
    Settings set = {{"KHEOPS_AUTHDB_URL", "postgresql://kheopspostgres:5432"},
                    {"KHEOPS_AUTHDB_NAME", "kheops"},
                    {"KHEOPS_AUTHDB_USER", "kheopsuser"},
                    {"KHEOPS_OIDC_PROVIDER", "http://keycloak:8080/auth/realms/kheops"}};
    const std::vector<std::string> errors = errors_of(set);
    ASSERT_EQ(errors.size(), 1U);
    for (const char* part :
         {"KHEOPS_OIDC_PROVIDER=http://keycloak:8080/auth/realms/kheops: must be https",
          "KHEOPS_WEBHOOKS_PROVIDER_HTTP=allow", "KHEOPS_WEBHOOKS_ISSUER must be set too if"}) {
        EXPECT_NE(errors[0].find(part), std::string::npos) << errors[0];
    }

    set.emplace("KHEOPS_WEBHOOKS_ISSUER", "https://kheops.example/auth/realms/kheops");
    EXPECT_NE(error_of(set).find("KHEOPS_WEBHOOKS_PROVIDER_HTTP=allow"), std::string::npos);
    EXPECT_EQ(error_of(set).find("KHEOPS_WEBHOOKS_ISSUER"), std::string::npos) << error_of(set);

    set.emplace("KHEOPS_WEBHOOKS_PROVIDER_HTTP", "allow");
    EXPECT_EQ(error_of(set), "");
}

TEST(Config, AProviderOverHttpStaysInTheResult) {
    const Config config = read({{"KHEOPS_OIDC_PROVIDER", "http://keycloak:8080/realms/kheops"}},
                               [](const ConfigError&) {});
    EXPECT_EQ(config.provider.provider.url, "http://keycloak:8080/realms/kheops");
    EXPECT_TRUE(config.provider.provider.allow_http);
}

TEST(Config, AConnectionStringIsNeverShown) {
    for (const char* connection : {"host=a passwordsecret", "postgresql://u:secret@[x/db",
                                   "postgresql://u:secret@h/db?nosuch=secret"}) {
        const std::string error = error_of(with({{"KHEOPS_WEBHOOKS_DATABASE", connection}}));
        EXPECT_EQ(error.find("KHEOPS_WEBHOOKS_DATABASE: must be "), 0U) << error;
        EXPECT_EQ(error.find("secret"), std::string::npos) << error;
    }
    const std::string error = error_of(with({{"KHEOPS_AUTHDB_URL", "jdbc:postgresql://u:secret@h"},
                                             {"KHEOPS_AUTHDB_NAME", "n"},
                                             {"KHEOPS_AUTHDB_USER", "u"}}));
    EXPECT_EQ(error.find("KHEOPS_AUTHDB_URL: must look like "), 0U) << error;
    EXPECT_EQ(error.find("secret"), std::string::npos) << error;
}

TEST(Config, WhatLibpqRejectsIsReportedWithoutItsValue) {
    const std::vector<std::pair<std::string, std::string>> wrong = {
        {"host=a,b,c port=1,2", "could not match 2 port numbers to 3 hosts"},
        {"postgresql://a:1,b:2,c/kheops?port=1,2", "could not match 2 port numbers to 3 hosts"},
        {"host=a,b hostaddr=127.0.0.1", "could not match 2 host names to 1 hostaddr values"},
        {"host=a hostaddr=127.0.0.1,127.0.0.2", "could not match 1 host names to 2 hostaddr"},
        {"host=a sslmode=secret", "invalid sslmode value"},
        {"host=a sslmode=require,password=secret", "invalid sslmode value"},
        {"host=a target_session_attrs=secret", "invalid target_session_attrs value"},
        {"host=a channel_binding=secret", "invalid channel_binding value"},
        {"host=a gssencmode=secret", "invalid gssencmode value"},
        {"host=a ssl_min_protocol_version=secret", "invalid ssl_min_protocol_version value"},
        {"host=a ssl_max_protocol_version=secret", "invalid ssl_max_protocol_version value"},
        {"host=a,b port=5432password=secret", "port is not a number from 1 to 65535"},
        {"host=a,b port=1,65536", "port is not a number from 1 to 65535"},
        {"host=a port=0", "port is not a number from 1 to 65535"},
        {"host=a connect_timeout=5secret", "connect_timeout is not an integer"},
        {"host=a keepalives=secret", "keepalives is not an integer"},
        {"host=a keepalives_idle=secret", "keepalives_idle is not an integer"},
        {"host=a keepalives_interval=secret", "keepalives_interval is not an integer"},
        {"host=a keepalives_count=99999999999", "keepalives_count is not an integer"},
        {"host=a tcp_user_timeout=secret", "tcp_user_timeout is not an integer"},
        {"service=secret", "service"},
        {"postgresql://u:p@secret@h/db", "a host contains @"},
        {"postgresql://u:5432/secret@h/db", "the path of the URI contains @"},
        {"postgres://h:/secret@h/db?user=u", "the path of the URI contains @"},
        {"service", "it cannot be parsed"},
    };
    for (const auto& [connection, reason] : wrong) {
        const std::string error = error_of(with({{"KHEOPS_WEBHOOKS_DATABASE", connection}}));
        EXPECT_EQ(error.find("KHEOPS_WEBHOOKS_DATABASE: must be "), 0U) << connection << error;
        EXPECT_NE(error.find("): "), std::string::npos) << error;
        EXPECT_NE(error.find(reason, error.find("): ")), std::string::npos) << error;
        EXPECT_EQ(error.find("secret"), std::string::npos) << error;
        EXPECT_EQ(error.find('\n'), std::string::npos) << error;
    }
}

TEST(Config, WhatLibpqAcceptsIsAcceptedWithoutANameLookup) {
    for (const char* connection :
         {"host=a", "host=a.invalid,b.invalid", "host=a,b port=1", "host=a,b port=1,2",
          "host=a,b port=1,", "host=a, port=5432", "host=, port=1,2",
          "hostaddr=127.0.0.1,127.0.0.2", "host=/no/such/directory,a",
          "host=/no/such@directory,@abstract", "host=a,b hostaddr=127.0.0.1,::1 port=65535",
          "host=a,b hostaddr=127.0.0.1,", "host=a connect_timeout=' 5 ' keepalives=0",
          "host=a sslmode=verify-full target_session_attrs=standby", "host=a gssencmode=disable",
          "postgresql://u:p@a:1,b:2/kheops?connect_timeout=-1",
          "postgresql://u:5%2F%40@a/d%40e?user=f@g", "postgresql://u@a?password=/@",
          "user=someone"}) {
        EXPECT_EQ(error_of(with({{"KHEOPS_WEBHOOKS_DATABASE", connection}})), "") << connection;
    }
}

TEST(Config, PgVariablesAreCheckedToo) {
    const Settings kheops = {{"KHEOPS_AUTHDB_URL", "postgresql://a"},
                             {"KHEOPS_AUTHDB_NAME", "n"},
                             {"KHEOPS_AUTHDB_USER", "u"}};
    const auto expect_refusal = [&](const char* variable, const char* value, const char* reason) {
        ::setenv(variable, value, 1);
        for (const std::string& error : {error_of(with({})), error_of(with(kheops))}) {
            EXPECT_NE(error.find("its own PG* variables and files"), std::string::npos) << error;
            EXPECT_NE(error.find(reason), std::string::npos) << error;
        }
        ::unsetenv(variable);
    };
    expect_refusal("PGSSLMODE", "bogus", "invalid sslmode value");
    expect_refusal("PGPORT", "1,2,3", "could not match 3 port numbers to 1 hosts");
    expect_refusal("PGCONNECT_TIMEOUT", "abc", "connect_timeout is not an integer");
    EXPECT_EQ(error_of(with({})), "");
    EXPECT_EQ(error_of(with(kheops)), "");
    Settings wrong = kheops;
    wrong["KHEOPS_AUTHDB_URL"] = "postgresql://a?sslmode=secret";
    EXPECT_EQ(error_of(with(wrong)).find("KHEOPS_AUTHDB_URL: must be "), 0U);
    EXPECT_EQ(error_of(with(wrong)).find("secret"), std::string::npos);
}

TEST(Config, AllWrongSettingsAreReported) {
    const std::vector<std::string> errors = errors_of({{"KHEOPS_WEBHOOKS_LOG", "loud"},
                                                       {"KHEOPS_WEBHOOKS_THREADS", "0"},
                                                       {"KHEOPS_AUTHDB_NAME", "kheops"},
                                                       {"KHEOPS_OIDC_PROVIDER", "p.example"},
                                                       {"KHEOPS_WEBHOOKS_KEYS_MAX_AGE", "1d"},
                                                       {"KHEOPS_WEBHOOKS_JWKS", "/etc/keys.json"},
                                                       {"KHEOPS_OAUTH_SCOPE", "two words"}});
    const std::vector<std::string> beginnings = {
        "KHEOPS_WEBHOOKS_LOG=loud: ",        "KHEOPS_WEBHOOKS_THREADS=0: ",
        "KHEOPS_AUTHDB_URL=\"\": ",          "KHEOPS_AUTHDB_USER=\"\": ",
        "KHEOPS_OIDC_PROVIDER=p.example: ",  "KHEOPS_WEBHOOKS_KEYS_MAX_AGE=1d: ",
        "KHEOPS_OIDC_PROVIDER: must not be", "KHEOPS_OAUTH_SCOPE=\"two words\": "};
    ASSERT_EQ(errors.size(), beginnings.size()) << testing::PrintToString(errors);
    for (std::size_t i = 0; i < errors.size(); ++i) {
        EXPECT_TRUE(errors[i].starts_with(beginnings[i])) << errors[i];
    }
}

TEST(Config, AWrongSettingHasItsDefaultInTheResult) {
    const Config config = read(with({{"KHEOPS_WEBHOOKS_LOG", "loud"},
                                     {"KHEOPS_WEBHOOKS_TIMEOUT", "never"},
                                     {"KHEOPS_OIDC_PROVIDER", "https://p.example"},
                                     {"KHEOPS_WEBHOOKS_KEYS_MAX_AGE", "1d"}}),
                               [](const ConfigError&) {});
    EXPECT_EQ(config.log_level, LogLevel::info);
    EXPECT_EQ(config.timeout.count(), 5000);
    EXPECT_EQ(config.provider.max_age.count(), 86400);
    // Set beside a key file: neither says where the keys are.
    EXPECT_EQ(config.provider.provider.url, "");
    EXPECT_EQ(config.key_file, "");
}

TEST(Config, AnInvalidValueIsReportedInTheWordsOfTheTable) {
    for (const auto& [name, value] :
         std::vector<std::pair<const char*, const char*>>{{"KHEOPS_WEBHOOKS_THREADS", "257"},
                                                          {"KHEOPS_WEBHOOKS_TIMEOUT", "301"},
                                                          {"KHEOPS_WEBHOOKS_LOG", "loud"},
                                                          {"KHEOPS_WEBHOOKS_KEYS_MAX_AGE", "599"},
                                                          {"KHEOPS_WEBHOOKS_PROVIDER_HTTP", "yes"},
                                                          {"KHEOPS_OAUTH_SCOPE", "two words"},
                                                          {"KHEOPS_OIDC_PROVIDER", "p.example"}}) {
        const auto* setting = std::ranges::find(kSettings, std::string_view(name), &Setting::name);
        ASSERT_NE(setting, kSettings.end()) << name;
        Settings set = {{"KHEOPS_OIDC_PROVIDER", "https://p.example"}};
        set[name] = value;
        EXPECT_EQ(error_of(set),
                  std::string(name) + "=" + log_value(value) + ": must be " + setting->allowed);
    }
}

TEST(Config, HelpListsEachSettingInLinesOfAtMost100Octets) {
    const std::string help = settings_help();
    for (const Setting& setting : kSettings) {
        EXPECT_NE(help.find(std::string("\n  ") + setting.name + "\n"), std::string::npos);
    }
    std::istringstream lines(help);
    for (std::string line; std::getline(lines, line);) {
        EXPECT_LE(line.size(), 100U) << line;
    }
}

}  // namespace
}  // namespace kheops
