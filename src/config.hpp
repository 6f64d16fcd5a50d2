// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>

#include "database/connect.hpp"
#include "key_times.hpp"
#include "log.hpp"
#include "provider/provider_keys.hpp"
#include "settings.hpp"
#include "token/access_token.hpp"
#include "variables.hpp"

namespace kheops {

/// The program's settings (contract section 7).
struct Config {
    DatabaseSettings database;
    std::string key_file;  ///< a JWK Set, or public keys or certificates in PEM; empty: `provider`
    std::string issuer;    ///< empty: the provider's own
    ProviderSettings provider;
    TokenRules token_rules;
    unsigned threads = 4;                     ///< requests served at once
    std::chrono::milliseconds timeout{5000};  ///< the budget of one request
    LogLevel log_level = LogLevel::info;
};

/// A setting is wrong. what() is one line that names the variable, its value and what is allowed.
class ConfigError : public std::runtime_error {
  public:
    /// `problem` says what is wrong with the value, what it must be, or both.
    ConfigError(const Setting& setting, const std::string& value, const std::string& problem);
    /// The same without the value, which may hold a password.
    ConfigError(const Setting& setting, const std::string& problem);
    /// The settings file is wrong. `place` names the file and, if there is one, the line.
    ConfigError(const std::string& place, const std::string& problem);

    /// The name of the setting; empty for a settings file.
    [[nodiscard]] const char* name() const { return name_; }

  private:
    const char* name_;
};

/// Receives each wrong setting.
using OnConfigError = std::function<void(const ConfigError&)>;

/// Returns the default of KHEOPS_WEBHOOKS_THREADS. `processors` is 0 if the number is unknown.
[[nodiscard]] unsigned default_threads(unsigned processors);

/// Reads and checks all settings; an empty one counts as not set. `key_times` limits how often the
/// program asks a provider. Calls `on_error` for each wrong setting, in the order in which they are
/// read; such a setting has its default in the result. If a provider and a key file are both set,
/// the result has neither. A provider that is wrong only because it is reached by plain http stays
/// in the result, with allow_http, so that --check can ask it.
[[nodiscard]] Config read_config(const Variables& variables, const KeyTimes& key_times,
                                 const OnConfigError& on_error);

}  // namespace kheops
