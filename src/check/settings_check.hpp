// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "check/finding.hpp"
#include "config.hpp"
#include "key_times.hpp"

namespace kheops {

/// The settings as far as they are right; see read_config().
struct CheckedSettings {
    Config config;
    bool has_database = true;  ///< the settings of the database are right
};

/// Reads the settings as the program does, and reports all that are wrong and all that it does not
/// know. `settings_file` is a path; empty: the environment only. Null if the file cannot be read:
/// then nothing is known.
[[nodiscard]] std::optional<CheckedSettings> check_settings(const std::string& settings_file,
                                                            const KeyTimes& key_times,
                                                            const Report& report);

}  // namespace kheops
