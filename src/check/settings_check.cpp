// SPDX-License-Identifier: MIT
#include "check/settings_check.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "log.hpp"
#include "settings.hpp"
#include "settings_file.hpp"
#include "variables.hpp"

namespace kheops {

namespace {

using Grade = Finding::Grade;

bool concerns_database(const ConfigError& error) {
    const std::string_view name = error.name();
    return name == setting("KHEOPS_WEBHOOKS_DATABASE").name || name.starts_with("KHEOPS_AUTHDB_");
}

void report_unknown(const UnknownSetting& unknown, const Report& report) {
    report({Grade::warning, log_value(unknown.name) + " is not a setting of this program",
            unknown.nearest.empty()
                ? "remove it, or write it as kheops-webhooks --help does"
                : "write " + unknown.nearest + " if that is meant, or remove it"});
}

bool nothing_is_set() {
    const Variables environment = environment_variables();
    return std::ranges::none_of(
        kSettings, [&](const Setting& known) { return environment.is_set(known.name); });
}

}  // namespace

std::optional<CheckedSettings> check_settings(const std::string& settings_file,
                                              const KeyTimes& key_times, const Report& report) {
    bool all_right = true;
    if (!settings_file.empty()) {
        try {
            constexpr std::size_t kMaxReported = 20;
            constexpr const char* kRemedy =
                "write it in the form of systemd's EnvironmentFile= (systemd.exec(5))";
            std::size_t wrong_lines = 0;
            load_settings_file(settings_file, [&](const ConfigError& error) {
                all_right = false;
                if (++wrong_lines <= kMaxReported) {
                    report({Grade::problem, error.what(), kRemedy});
                }
            });
            if (wrong_lines > kMaxReported) {
                report({Grade::problem,
                        "settings file " + log_value(settings_file) + ": " +
                            std::to_string(wrong_lines - kMaxReported) + " more wrong lines",
                        kRemedy});
            }
        } catch (const ConfigError& error) {
            report({Grade::problem, error.what(),
                    "name a file that the user of the worker can read, such as one of the group "
                    "kheops_webhooks with mode 640, and run the check as that user"});
            return std::nullopt;
        }
    }
    for (const UnknownSetting& unknown : unknown_settings(environment_names())) {
        report_unknown(unknown, report);
    }
    if (nothing_is_set()) {
        report({Grade::problem,
                "settings: none is set in the environment" +
                    (settings_file.empty() ? "" : " or in " + log_value(settings_file)),
                settings_file.empty()
                    ? "name the file of the settings, as the user of the worker: sudo -u "
                      "kheops_webhooks kheops-webhooks --check --settings "
                      "/etc/kheops-webhooks/environment"
                    : "write them there as NAME=value, without # and export in front of the name"});
        return std::nullopt;
    }
    CheckedSettings settings;
    settings.config =
        read_config(environment_variables(), key_times, [&](const ConfigError& error) {
            all_right = false;
            settings.has_database = settings.has_database && !concerns_database(error);
            report({Grade::problem, std::string("setting ") + error.what(),
                    "correct it, as the program does not start with it"});
        });
    if (all_right) {
        report({Grade::ok, "settings: every value is allowed", ""});
    }
    return settings;
}

}  // namespace kheops
