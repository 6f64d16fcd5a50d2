// SPDX-License-Identifier: MIT
#include "check/check.hpp"

#include <algorithm>

#include "check/database_check.hpp"
#include "check/finding.hpp"
#include "check/key_check.hpp"
#include "check/settings_check.hpp"
#include "check/socket_check.hpp"

namespace kheops {

namespace {

const char* name_of(Finding::Grade grade) {
    switch (grade) {
        case Finding::Grade::ok:
            return "ok";
        case Finding::Grade::warning:
            return "warning";
        case Finding::Grade::problem:
            break;
    }
    return "problem";
}

/// What was found can quote a server, which must not begin another line.
std::string in_one_line(std::string text) {
    const auto is_control = [](char c) { return (c >= '\0' && c < ' ') || c == '\x7F'; };
    std::ranges::replace_if(text, is_control, ' ');
    return text;
}

std::string line_of(const Finding& finding) {
    const std::string remedy = finding.remedy.empty() ? "" : "; " + finding.remedy;
    return name_of(finding.grade) + std::string(": ") + in_one_line(finding.found + remedy);
}

}  // namespace

bool check_installation(const std::string& settings_file, const KeyTimes& key_times,
                        std::ostream& out) {
    bool is_good = true;
    const Report report = [&](const Finding& finding) {
        is_good = is_good && finding.grade != Finding::Grade::problem;
        out << line_of(finding) << std::endl;  // at once: the next check may take seconds
    };

    if (const auto settings = check_settings(settings_file, key_times, report)) {
        check_keys(settings->config, report);
        check_socket(report);
        if (settings->has_database) {
            check_database(settings->config.database, settings->config.threads, report);
        }
    }
    return is_good;
}

}  // namespace kheops
