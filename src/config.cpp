// SPDX-License-Identifier: MIT
#include "config.hpp"

#include <sched.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>

#include "provider/download.hpp"
#include "token/key_file.hpp"

namespace kheops {

namespace {

constexpr const char* kDatabase = "KHEOPS_WEBHOOKS_DATABASE";
constexpr const char* kAuthDbUrl = "KHEOPS_AUTHDB_URL";
constexpr const char* kAuthDbName = "KHEOPS_AUTHDB_NAME";
constexpr const char* kAuthDbUser = "KHEOPS_AUTHDB_USER";
constexpr const char* kAuthDbPasswordFile = "/run/secrets/kheops_authdb_pass";
constexpr const char* kKeyFile = "KHEOPS_WEBHOOKS_JWKS";
constexpr const char* kKeyFileAllowed = "must name a file with a JWK Set or public keys in PEM";
constexpr const char* kProvider = "KHEOPS_OIDC_PROVIDER";
constexpr const char* kAuthProvider = "KHEOPS_AUTH_OIDC_PROVIDER";
constexpr const char* kProviderHttp = "KHEOPS_WEBHOOKS_PROVIDER_HTTP";
constexpr const char* kKeysMaxAge = "KHEOPS_WEBHOOKS_KEYS_MAX_AGE";
constexpr const char* kKeysCache = "KHEOPS_WEBHOOKS_KEYS_CACHE";
constexpr const char* kIssuer = "KHEOPS_WEBHOOKS_ISSUER";
constexpr const char* kAudience = "KHEOPS_WEBHOOKS_AUDIENCE";
constexpr const char* kScope = "KHEOPS_OAUTH_SCOPE";
constexpr const char* kThreads = "KHEOPS_WEBHOOKS_THREADS";
constexpr const char* kTimeout = "KHEOPS_WEBHOOKS_TIMEOUT";
constexpr const char* kLog = "KHEOPS_WEBHOOKS_LOG";

[[noreturn]] void refuse(const std::string& variable, const std::string& value,
                         const std::string& allowed) {
    throw ConfigError(variable + "=" + log_value(value) + ": " + allowed);
}

/// A whole number or a plain decimal fraction, and nothing else.
template <typename Number, typename... Format>
std::optional<Number> parse_number(const std::string& text, Format... format) {
    Number number{};
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number, format...);
    return error == std::errc() && stop == end ? std::optional(number) : std::nullopt;
}

constexpr unsigned kMostThreads = 256;

/// Those that the process may use; 0 where the kernel does not tell.
unsigned processors() {
    cpu_set_t usable;
    return ::sched_getaffinity(0, sizeof usable, &usable) == 0
               ? static_cast<unsigned>(CPU_COUNT(&usable))
               : 0;
}

unsigned read_threads(const Variables& variables) {
    if (!variables.is_set(kThreads)) {
        return default_threads(processors());
    }
    const auto threads = parse_number<unsigned>(variables[kThreads]);
    if (!threads || *threads < 1 || *threads > kMostThreads) {
        refuse(kThreads, variables[kThreads], "must be a whole number from 1 to 256");
    }
    return *threads;
}

std::chrono::milliseconds read_timeout(const Variables& variables) {
    const auto seconds = variables.is_set(kTimeout)
                             ? parse_number<double>(variables[kTimeout], std::chars_format::fixed)
                             : 5.0;
    if (!seconds || !(*seconds >= 0.1 && *seconds <= 300)) {
        refuse(kTimeout, variables[kTimeout], "must be seconds from 0.1 to 300, such as 2.5");
    }
    return std::chrono::round<std::chrono::milliseconds>(std::chrono::duration<double>(*seconds));
}

LogLevel read_log_level(const Variables& variables) {
    if (!variables.is_set(kLog)) {
        return LogLevel::info;
    }
    const auto* name = std::find(kLogLevelNames.begin(), kLogLevelNames.end(), variables[kLog]);
    if (name == kLogLevelNames.end()) {
        refuse(kLog, variables[kLog], "must be error, warning, info or debug");
    }
    return static_cast<LogLevel>(name - kLogLevelNames.begin());
}

/// A connection string may hold a password, so no message shows one.
void require_connection(const char* variable, const DatabaseSettings& settings) {
    if (const std::optional<std::string> refusal = Database::refusal_of(settings)) {
        throw ConfigError(
            std::string(variable) +
            ": must be a connection string or URI that libpq accepts, together with its own PG* "
            "variables and files, such as postgresql://user@host/database (values not shown): " +
            *refusal);
    }
}

DatabaseSettings read_database(const Variables& variables) {
    DatabaseSettings settings;
    settings.connection = variables[kDatabase];
    const std::array<const char*, 3> kheops = {kAuthDbUrl, kAuthDbName, kAuthDbUser};
    const auto is_set = [&variables](const char* name) { return variables.is_set(name); };
    if (!settings.connection.empty() || std::none_of(kheops.begin(), kheops.end(), is_set)) {
        require_connection(kDatabase, settings);
        return settings;
    }
    const auto* missing = std::find_if_not(kheops.begin(), kheops.end(), is_set);
    if (missing != kheops.end()) {
        refuse(*missing, "",
               "must be set where one of KHEOPS_AUTHDB_URL, KHEOPS_AUTHDB_NAME and "
               "KHEOPS_AUTHDB_USER is");
    }
    settings.connection = variables[kAuthDbUrl];
    if (!settings.connection.starts_with("postgresql://") &&
        !settings.connection.starts_with("postgres://")) {
        throw ConfigError(std::string(kAuthDbUrl) +
                          ": must look like postgresql://host:5432 (value not shown)");
    }
    settings.name = variables[kAuthDbName];
    settings.user = variables[kAuthDbUser];
    settings.password_file = kAuthDbPasswordFile;
    require_connection(kAuthDbUrl, settings);
    return settings;
}

/// The provider's variable that counts; null where none is set.
const char* provider_variable(const Variables& variables) {
    for (const char* name : {kAuthProvider, kProvider}) {
        if (variables.is_set(name)) {
            return name;
        }
    }
    return nullptr;
}

bool read_provider_http(const Variables& variables) {
    const std::string value = variables[kProviderHttp];
    if (!value.empty() && value != "allow") {
        refuse(kProviderHttp, value, "must be allow, or not be set");
    }
    return !value.empty();
}

std::string read_provider_url(const char* variable, const Variables& variables, bool allow_http) {
    std::string url = variables[variable];
    const std::optional<Transport> transport = transport_of(url);
    if (!transport && url.find('@') != std::string::npos) {  // a password may stand before it
        throw ConfigError(
            std::string(variable) +
            ": must be the provider's URL without a user name and a password, such as "
            "https://keycloak.example/realms/kheops (value not shown)");
    }
    if (!transport || url.find_first_of("?#") != std::string::npos) {
        refuse(variable, url,
               "must be the provider's URL, such as https://keycloak.example/realms/kheops");
    }
    if (transport == Transport::open && !allow_http) {
        refuse(variable, url,
               "must be https, or http to this machine; KHEOPS_WEBHOOKS_PROVIDER_HTTP=allow lets "
               "anyone on the network between decide which tokens are good");
    }
    return url.ends_with('/') ? url.substr(0, url.size() - 1) : url;
}

/// Keys that are fetched in time, and once missed, are never too old.
std::chrono::seconds read_keys_max_age(const Variables& variables, const KeyTimes& times) {
    constexpr unsigned kDay = 86400;
    constexpr unsigned kMost = 30 * kDay;
    if (!variables.is_set(kKeysMaxAge)) {
        return std::chrono::seconds(kDay);
    }
    const auto least = std::chrono::ceil<std::chrono::seconds>(2 * times.shortest_refresh).count();
    const auto seconds = parse_number<unsigned>(variables[kKeysMaxAge]);
    if (!seconds || *seconds < least || *seconds > kMost) {
        refuse(
            kKeysMaxAge, variables[kKeysMaxAge],
            "must be whole seconds from " + std::to_string(least) + " to " + std::to_string(kMost));
    }
    return std::chrono::seconds(*seconds);
}

ProviderSettings read_provider(const char* variable, const Variables& variables,
                               const KeyTimes& times, unsigned threads) {
    const bool allow_http = read_provider_http(variables);
    return {.provider = {.url = read_provider_url(variable, variables, allow_http),
                         .issuer = variables[kIssuer],
                         .allow_http = allow_http},
            .times = times,
            .max_age = read_keys_max_age(variables, times),
            .cache_file = variables[kKeysCache],
            .most_waiting = std::max(1U, threads / 2)};
}

std::string read_key_file(const Variables& variables) {
    if (!variables.is_set(kKeyFile)) {
        refuse(kKeyFile, "",
               std::string(kKeyFileAllowed) + ", or KHEOPS_OIDC_PROVIDER must be a provider's URL");
    }
    if (!variables.is_set(kIssuer)) {
        refuse(kIssuer, "",
               "must be the issuer (iss) of the tokens, as KHEOPS_WEBHOOKS_JWKS is set");
    }
    return variables[kKeyFile];
}

TokenRules read_token_rules(const Variables& variables) {
    const std::string scope = variables[kScope];
    if (scope.find(' ') != std::string::npos) {
        refuse(kScope, scope, "must be one word");
    }
    return {.audience = variables[kAudience], .scope = scope};
}

}  // namespace

unsigned default_threads(unsigned processors) {
    constexpr unsigned kFewest = 4;
    // Some of them wait for the database.
    return std::clamp(2 * processors, kFewest, kMostThreads);
}

Config read_config(const Variables& variables, const KeyTimes& key_times) {
    Config config;
    config.log_level = read_log_level(variables);
    config.threads = read_threads(variables);
    config.timeout = read_timeout(variables);
    config.database = read_database(variables);
    config.database.statement_timeout = config.timeout;
    if (const char* provider = provider_variable(variables)) {
        config.provider = read_provider(provider, variables, key_times, config.threads);
        if (variables.is_set(kKeyFile)) {
            refuse(provider, variables[provider],
                   "must not be set beside KHEOPS_WEBHOOKS_JWKS: one of them says where keys are");
        }
    } else {
        config.key_file = read_key_file(variables);
    }
    config.issuer = variables[kIssuer];
    config.token_rules = read_token_rules(variables);
    return config;
}

std::unique_ptr<KeySource> open_keys(const Config& config, const Log& log) {
    if (config.key_file.empty()) {
        return std::make_unique<ProviderKeys>(config.provider, log);
    }
    try {
        return std::make_unique<FileKeys>(config.key_file, config.issuer, log);
    } catch (const KeySetError& error) {
        refuse(kKeyFile, config.key_file, std::string(error.what()) + "; " + kKeyFileAllowed);
    }
}

std::string config_help() {
    return R"(Settings are environment variables; an empty one counts as not set.

  KHEOPS_WEBHOOKS_DATABASE  libpq connection string or URI, several hosts allowed
                            (default: libpq's own PG* variables and files)
  KHEOPS_AUTHDB_URL, KHEOPS_AUTHDB_NAME, KHEOPS_AUTHDB_USER
                            Kheops' own settings, used where the one above is not set; the
                            password is read from /run/secrets/kheops_authdb_pass
  KHEOPS_OIDC_PROVIDER      URL of the OpenID Connect provider that signs the tokens; its keys are
                            fetched and kept fresh (KHEOPS_AUTH_OIDC_PROVIDER wins where it is set)
  KHEOPS_WEBHOOKS_JWKS      instead of a provider: file with a JWK Set, or public keys or
                            certificates in PEM; read again at SIGHUP
  KHEOPS_WEBHOOKS_ISSUER    what a token's iss must equal (default: the provider's issuer; required
                            with KHEOPS_WEBHOOKS_JWKS)
  KHEOPS_WEBHOOKS_KEYS_MAX_AGE
                            whole seconds, 600 to 2592000, for which a provider's keys serve while it
                            is down (default: 86400)
  KHEOPS_WEBHOOKS_KEYS_CACHE
                            file that keeps a provider's keys for a restart (default: none)
  KHEOPS_WEBHOOKS_PROVIDER_HTTP
                            allow: the provider may be reached by http on another machine
                            (default: only https, or http to this machine)
  KHEOPS_WEBHOOKS_AUDIENCE  what a token's aud must contain (default: not checked)
  KHEOPS_OAUTH_SCOPE        what a token's scope must contain (default: not checked)
  KHEOPS_WEBHOOKS_THREADS   requests served at once, each on its own database connection, 1 to
                            256 (default: twice the processors, at least 4)
  KHEOPS_WEBHOOKS_TIMEOUT   one request's whole budget in seconds, 0.1 to 300 (default: 5)
  KHEOPS_WEBHOOKS_LOG       error, warning, info or debug (default: info)
)";
}

}  // namespace kheops
