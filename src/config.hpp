// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>

#include "database/postgres.hpp"
#include "log.hpp"
#include "token/access_token.hpp"

namespace kheops {

/// The program's settings (contract section 7).
struct Config {
    DatabaseSettings database;
    std::string key_file;  ///< a JWK Set, or public keys or certificates in PEM
    TokenRules token_rules;
    unsigned threads = 4;                     ///< requests served at once
    std::chrono::milliseconds timeout{5000};  ///< one request's whole budget
    LogLevel log_level = LogLevel::info;
};

/// A setting is wrong. what() is one line that names the variable, its value and what is allowed.
class ConfigError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// Looks an environment variable up; null when it is not set.
using Environment = std::function<const char*(const char* name)>;

/// Reads and checks all variables; an empty one counts as not set. Throws ConfigError.
[[nodiscard]] Config read_config(const Environment& environment);

/// Reads and parses the key file, and tells the log which of its keys are left out. Throws
/// ConfigError when the file cannot be read or no key in it can be used.
[[nodiscard]] std::shared_ptr<const KeySet> load_keys(const Config& config, const Log& log);

/// The variables, their defaults and meanings, for --help.
[[nodiscard]] std::string config_help();

}  // namespace kheops
