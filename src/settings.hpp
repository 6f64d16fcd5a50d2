// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace kheops {

/// An environment variable that configures the program (contract section 7).
struct Setting {
    const char* name;
    /// The default value, or a description of it; empty: no default.
    const char* default_value;
    const char* allowed;  ///< what the value must be; empty: any text. Error messages quote it
    const char* meaning;  ///< for --help
};

/// All settings, in the order of --help. tests/smoke/settings.sh compares README's table and the
/// manual page with their names, defaults and allowed values.
inline constexpr std::array<Setting, 16> kSettings = {{
    {"KHEOPS_WEBHOOKS_DATABASE", "libpq's own PG* variables and files",
     "a connection string or URI of libpq; several hosts are allowed",
     "the database, and the role that logs in; write @ and / in a password of a URI as %40 "
     "and %2F"},
    {"KHEOPS_AUTHDB_URL", "", "a URL such as postgresql://host:5432",
     "the database server: Kheops' own setting, used if KHEOPS_WEBHOOKS_DATABASE is not set"},
    {"KHEOPS_AUTHDB_NAME", "", "", "the name of the database on that server"},
    {"KHEOPS_AUTHDB_USER", "", "",
     "the role; its password is read from /run/secrets/kheops_authdb_pass at each connect"},
    {"KHEOPS_OIDC_PROVIDER", "",
     "the provider's URL, such as https://keycloak.example/realms/kheops",
     "the OpenID Connect provider that signs the tokens; its keys are fetched and refreshed"},
    {"KHEOPS_AUTH_OIDC_PROVIDER", "",
     "the provider's URL, such as https://keycloak.example/realms/kheops",
     "the same setting under another name of Kheops; it takes precedence if both are set"},
    {"KHEOPS_WEBHOOKS_JWKS", "",
     "a file of at most 1 MiB with a JWK Set, or public keys or certificates in PEM",
     "the keys that verify tokens, in place of a provider; read again at SIGHUP"},
    {"KHEOPS_WEBHOOKS_ISSUER", "the provider's issuer", "the issuer (iss) of the tokens",
     "the required value of a token's iss; must be set with KHEOPS_WEBHOOKS_JWKS"},
    {"KHEOPS_WEBHOOKS_KEYS_MAX_AGE", "86400", "whole seconds from 600 to 2592000",
     "how long the worker uses a provider's keys while the provider is down"},
    {"KHEOPS_WEBHOOKS_KEYS_CACHE", "", "the name of a file",
     "where the worker keeps a provider's keys, for a restart while the provider is down"},
    {"KHEOPS_WEBHOOKS_PROVIDER_HTTP", "", "allow, or not be set",
     "whether the worker may use http without TLS to a provider on another machine"},
    {"KHEOPS_WEBHOOKS_AUDIENCE", "not checked", "", "a value that a token's aud must contain"},
    {"KHEOPS_OAUTH_SCOPE", "not checked", "one word", "a word that a token's scope must contain"},
    {"KHEOPS_WEBHOOKS_THREADS", "twice the processors, at least 4", "a whole number from 1 to 256",
     "how many requests the worker serves at the same time"},
    {"KHEOPS_WEBHOOKS_TIMEOUT", "5", "seconds from 0.1 to 300, such as 2.5",
     "the time that a request may take in all, the database included; nginx must wait longer"},
    {"KHEOPS_WEBHOOKS_LOG", "info", "error, warning, info or debug",
     "the lowest level that is logged"},
}};

/// Returns the setting of that name. Does not compile for an unknown name.
consteval const Setting& setting(std::string_view name) {
    for (const Setting& known : kSettings) {
        if (known.name == name) {
            return known;
        }
    }
    throw std::logic_error("no such setting");
}

/// An environment variable that looks like a setting of this program, but is none.
struct UnknownSetting {
    std::string name;
    std::string nearest;  ///< the setting with the most similar name; empty: none is similar
};

/// Returns which names are those of unknown settings: those that begin with KHEOPS_WEBHOOKS_, and
/// those that begin with KHEOPS_ and are similar to the name of a setting.
[[nodiscard]] std::vector<UnknownSetting> unknown_settings(const std::vector<std::string>& names);

/// All settings with their meanings, allowed values and defaults, for --help.
[[nodiscard]] std::string settings_help();

}  // namespace kheops
