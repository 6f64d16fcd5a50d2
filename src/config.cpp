// SPDX-License-Identifier: MIT
#include "config.hpp"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

#include "provider/download.hpp"

namespace kheops {

namespace {

constexpr const Setting& kDatabase = setting("KHEOPS_WEBHOOKS_DATABASE");
constexpr const Setting& kAuthDbUrl = setting("KHEOPS_AUTHDB_URL");
constexpr const Setting& kAuthDbName = setting("KHEOPS_AUTHDB_NAME");
constexpr const Setting& kAuthDbUser = setting("KHEOPS_AUTHDB_USER");
constexpr const Setting& kKeyFile = setting("KHEOPS_WEBHOOKS_JWKS");
constexpr const Setting& kProvider = setting("KHEOPS_OIDC_PROVIDER");
constexpr const Setting& kAuthProvider = setting("KHEOPS_AUTH_OIDC_PROVIDER");
constexpr const Setting& kProviderHttp = setting("KHEOPS_WEBHOOKS_PROVIDER_HTTP");
constexpr const Setting& kKeysMaxAge = setting("KHEOPS_WEBHOOKS_KEYS_MAX_AGE");
constexpr const Setting& kKeysCache = setting("KHEOPS_WEBHOOKS_KEYS_CACHE");
constexpr const Setting& kIssuer = setting("KHEOPS_WEBHOOKS_ISSUER");
constexpr const Setting& kAudience = setting("KHEOPS_WEBHOOKS_AUDIENCE");
constexpr const Setting& kScope = setting("KHEOPS_OAUTH_SCOPE");
constexpr const Setting& kThreads = setting("KHEOPS_WEBHOOKS_THREADS");
constexpr const Setting& kTimeout = setting("KHEOPS_WEBHOOKS_TIMEOUT");
constexpr const Setting& kLog = setting("KHEOPS_WEBHOOKS_LOG");

constexpr const char* kAuthDbPasswordFile = "/run/secrets/kheops_authdb_pass";

[[noreturn]] void refuse(const Setting& setting, const std::string& value) {
    throw ConfigError(setting, value, std::string("must be ") + setting.allowed);
}

/// For a setting whose default_value is a value and not a description.
std::string value_or_default(const Variables& variables, const Setting& setting) {
    return variables.is_set(setting.name) ? variables[setting.name] : setting.default_value;
}

/// Parses a whole number or a decimal fraction; empty for anything else.
template <typename Number, typename... Format>
std::optional<Number> parse_number(const std::string& text, Format... format) {
    Number number{};
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number, format...);
    return error == std::errc() && stop == end ? std::optional(number) : std::nullopt;
}

constexpr unsigned kMaxThreads = 256;

/// The number of processors that this process may use; 0 if unknown.
unsigned processor_count() {
    cpu_set_t usable;
    return ::sched_getaffinity(0, sizeof usable, &usable) == 0
               ? static_cast<unsigned>(CPU_COUNT(&usable))
               : 0;
}

unsigned read_threads(const Variables& variables) {
    if (!variables.is_set(kThreads.name)) {
        return default_threads(processor_count());
    }
    const auto threads = parse_number<unsigned>(variables[kThreads.name]);
    if (!threads || *threads < 1 || *threads > kMaxThreads) {
        refuse(kThreads, variables[kThreads.name]);
    }
    return *threads;
}

std::chrono::milliseconds read_timeout(const Variables& variables) {
    const std::string value = value_or_default(variables, kTimeout);
    const auto seconds = parse_number<double>(value, std::chars_format::fixed);
    if (!seconds || !(*seconds >= 0.1 && *seconds <= 300)) {
        refuse(kTimeout, value);
    }
    return std::chrono::round<std::chrono::milliseconds>(std::chrono::duration<double>(*seconds));
}

LogLevel read_log_level(const Variables& variables) {
    const std::string value = value_or_default(variables, kLog);
    const auto* name = std::find(kLogLevelNames.begin(), kLogLevelNames.end(), value);
    if (name == kLogLevelNames.end()) {
        refuse(kLog, value);
    }
    return static_cast<LogLevel>(name - kLogLevelNames.begin());
}

/// Throws ConfigError if libpq rejects the settings. Shows no value: it may hold a password.
void require_connection(const Setting& setting, const DatabaseSettings& settings) {
    if (const std::optional<std::string> refusal = conninfo_error(settings)) {
        throw ConfigError(
            setting,
            "must be a connection string or URI that libpq accepts, together with its own PG* "
            "variables and files, such as postgresql://user@host/database (values not shown): " +
                *refusal);
    }
}

/// Kheops' own settings, of which at least one is set.
DatabaseSettings read_authdb(const Variables& variables, const OnConfigError& on_error) {
    bool complete = true;
    for (const Setting* setting : {&kAuthDbUrl, &kAuthDbName, &kAuthDbUser}) {
        if (!variables.is_set(setting->name)) {
            on_error(ConfigError(*setting, "",
                                 "must be set where one of KHEOPS_AUTHDB_URL, KHEOPS_AUTHDB_NAME "
                                 "and KHEOPS_AUTHDB_USER is"));
            complete = false;
        }
    }
    DatabaseSettings settings;
    settings.connection = variables[kAuthDbUrl.name];
    if (!settings.connection.empty() && !settings.connection.starts_with("postgresql://") &&
        !settings.connection.starts_with("postgres://")) {
        throw ConfigError(kAuthDbUrl, "must look like postgresql://host:5432 (value not shown)");
    }
    settings.name = variables[kAuthDbName.name];
    settings.user = variables[kAuthDbUser.name];
    settings.password_file = kAuthDbPasswordFile;
    if (complete) {
        require_connection(kAuthDbUrl, settings);
    }
    return settings;
}

DatabaseSettings read_database(const Variables& variables, const OnConfigError& on_error) {
    const bool has_authdb = variables.is_set(kAuthDbUrl.name) ||
                            variables.is_set(kAuthDbName.name) ||
                            variables.is_set(kAuthDbUser.name);
    if (has_authdb && !variables.is_set(kDatabase.name)) {
        return read_authdb(variables, on_error);
    }
    DatabaseSettings settings;
    settings.connection = variables[kDatabase.name];
    require_connection(kDatabase, settings);
    return settings;
}

/// The variables, and what to do with a wrong one.
struct Reading {
    const Variables& variables;
    const OnConfigError& on_error;

    /// Calls `read` and reports a ConfigError that it throws.
    template <typename Read>
    void attempt(const Read& read) const {
        try {
            read();
        } catch (const ConfigError& error) {
            on_error(error);
        }
    }
};

/// The provider setting that applies; null if none is set.
const Setting* provider_setting(const Variables& variables) {
    for (const Setting* setting : {&kAuthProvider, &kProvider}) {
        if (variables.is_set(setting->name)) {
            return setting;
        }
    }
    return nullptr;
}

bool read_provider_http(const Variables& variables) {
    const std::string value = variables[kProviderHttp.name];
    if (!value.empty() && value != "allow") {
        refuse(kProviderHttp, value);
    }
    return !value.empty();
}

std::string read_provider_url(const Setting& setting, const Variables& variables) {
    std::string url = variables[setting.name];
    const std::optional<Transport> transport = transport_of(url);
    if (!transport && url.find('@') != std::string::npos) {  // a password may be before it
        throw ConfigError(setting,
                          "must be the provider's URL without a user name and a password, such as "
                          "https://keycloak.example/realms/kheops (value not shown)");
    }
    if (!transport || url.find_first_of("?#") != std::string::npos) {
        refuse(setting, url);
    }
    return url.ends_with('/') ? url.substr(0, url.size() - 1) : url;
}

/// Throws ConfigError. Names all that such a provider needs, so that one attempt shows it.
void require_tls(const Setting& setting, const Variables& variables) {
    std::string problem =
        "must be https, or http to this machine, unless KHEOPS_WEBHOOKS_PROVIDER_HTTP=allow is "
        "set, which lets anyone on the network between decide which tokens are good";
    if (!variables.is_set(kIssuer.name)) {
        problem +=
            "; KHEOPS_WEBHOOKS_ISSUER must be set too if tokens name the provider by another URL, "
            "and kheops-webhooks --check shows which issuer the provider names";
    }
    throw ConfigError(setting, variables[setting.name], problem);
}

/// At least twice min_refresh, so that keys do not expire when one fetch fails.
std::chrono::seconds read_keys_max_age(const Variables& variables, const KeyTimes& times) {
    constexpr unsigned kMaxAge = 30 * 86400;
    const auto min_age = std::chrono::ceil<std::chrono::seconds>(2 * times.min_refresh).count();
    const std::string value = value_or_default(variables, kKeysMaxAge);
    const auto seconds = parse_number<unsigned>(value);
    if (!seconds || *seconds < min_age || *seconds > kMaxAge) {
        throw ConfigError(kKeysMaxAge, value,
                          "must be whole seconds from " + std::to_string(min_age) + " to " +
                              std::to_string(kMaxAge));
    }
    return std::chrono::seconds(*seconds);
}

ProviderSettings read_provider(const Setting& setting, const Reading& reading,
                               const KeyTimes& times, unsigned threads) {
    const Variables& variables = reading.variables;
    ProviderSettings settings;
    Provider& provider = settings.provider;
    reading.attempt([&] { provider.allow_http = read_provider_http(variables); });
    reading.attempt([&] { provider.url = read_provider_url(setting, variables); });
    if (transport_of(provider.url) == Transport::plaintext && !provider.allow_http) {
        reading.attempt([&] { require_tls(setting, variables); });
        provider.allow_http = true;
    }
    reading.attempt([&] { settings.max_age = read_keys_max_age(variables, times); });
    if (variables.is_set(kKeyFile.name)) {
        constexpr const char* kProblem =
            "must not be set beside KHEOPS_WEBHOOKS_JWKS: one of them says where keys are";
        // A URL that is wrong may hold a password.
        reading.on_error(provider.url.empty()
                             ? ConfigError(setting, kProblem)
                             : ConfigError(setting, variables[setting.name], kProblem));
        provider.url.clear();
    }
    provider.issuer = variables[kIssuer.name];
    settings.times = times;
    settings.cache_file = variables[kKeysCache.name];
    settings.max_waiting = std::max(1U, threads / 2);
    return settings;
}

/// Empty if it is not set.
std::string read_key_file(const Reading& reading) {
    std::string file = reading.variables[kKeyFile.name];
    if (file.empty()) {
        reading.on_error(ConfigError(kKeyFile, "",
                                     std::string("must be ") + kKeyFile.allowed +
                                         ", or KHEOPS_OIDC_PROVIDER must be a provider's URL"));
    } else if (!reading.variables.is_set(kIssuer.name)) {
        reading.on_error(ConfigError(
            kIssuer, "",
            std::string("must be ") + kIssuer.allowed + ", as KHEOPS_WEBHOOKS_JWKS is set"));
    }
    return file;
}

TokenRules read_token_rules(const Variables& variables) {
    const std::string scope = variables[kScope.name];
    if (scope.find(' ') != std::string::npos) {
        refuse(kScope, scope);
    }
    return {.audience = variables[kAudience.name], .scope = scope};
}

}  // namespace

ConfigError::ConfigError(const Setting& setting, const std::string& value,
                         const std::string& problem)
    : std::runtime_error(std::string(setting.name) + "=" + log_value(value) + ": " + problem),
      name_(setting.name) {}

ConfigError::ConfigError(const Setting& setting, const std::string& problem)
    : std::runtime_error(std::string(setting.name) + ": " + problem), name_(setting.name) {}

ConfigError::ConfigError(const std::string& place, const std::string& problem)
    : std::runtime_error(place + ": " + problem), name_("") {}

unsigned default_threads(unsigned processors) {
    constexpr unsigned kMinThreads = 4;
    // More threads than processors, because some threads wait for the database.
    return std::clamp(2 * processors, kMinThreads, kMaxThreads);
}

Config read_config(const Variables& variables, const KeyTimes& key_times,
                   const OnConfigError& on_error) {
    const Reading reading{variables, on_error};
    Config config;
    reading.attempt([&] { config.log_level = read_log_level(variables); });
    reading.attempt([&] { config.threads = read_threads(variables); });
    reading.attempt([&] { config.timeout = read_timeout(variables); });
    reading.attempt([&] { config.database = read_database(variables, on_error); });
    config.database.budget = config.timeout;
    if (const Setting* provider = provider_setting(variables)) {
        config.provider = read_provider(*provider, reading, key_times, config.threads);
    } else {
        config.key_file = read_key_file(reading);
    }
    config.issuer = variables[kIssuer.name];
    reading.attempt([&] { config.token_rules = read_token_rules(variables); });
    return config;
}

}  // namespace kheops
