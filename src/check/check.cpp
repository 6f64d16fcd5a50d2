// SPDX-License-Identifier: MIT
#include "check/check.hpp"

#include <unistd.h>

#include <algorithm>

#include "check/database_check.hpp"
#include "check/finding.hpp"
#include "check/key_check.hpp"
#include "check/settings_check.hpp"
#include "check/socket_check.hpp"
#include "log.hpp"

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

/// What was found can quote a server, which must not begin another line or the remedy.
std::string line_of(const Finding& finding) {
    std::string text = finding.found;
    if (!finding.remedy.empty()) {
        std::ranges::replace(text, ';', ',');
        text += "; " + finding.remedy;
    }
    return name_of(finding.grade) + std::string(": ") + in_one_line(text);
}

}  // namespace

bool check_installation(const std::string& settings_file, const KeyTimes& key_times,
                        std::ostream& out) {
    bool is_good = true;
    const Report report = [&](const Finding& finding) {
        is_good = is_good && finding.grade != Finding::Grade::problem;
        out << line_of(finding) << std::endl;  // at once: the next check may take seconds
    };

    // Root can read what the worker cannot, and peer authentication admits the worker's user only.
    if (::geteuid() == 0) {
        report({Finding::Grade::warning,
                "user root: the check finds what root would find, and not the worker",
                "run it as the user of the worker: runuser -u kheops_webhooks -- kheops-webhooks "
                "--check --settings " +
                    (settings_file.empty() ? "/etc/kheops-webhooks/environment" : settings_file)});
    }
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
