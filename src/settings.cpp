// SPDX-License-Identifier: MIT
#include "settings.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>

namespace kheops {

namespace {

std::string help_line(const char* label, const char* text) {
    return *text == '\0' ? "" : std::string("      ") + label + text + '\n';
}

/// The smallest number of characters to insert, delete and replace that makes the names equal
/// (Levenshtein).
std::size_t edit_distance(std::string_view from, std::string_view to) {
    // The distances from the characters of `from` so far to each beginning of `to`.
    std::vector<std::size_t> distances(to.size() + 1);
    std::iota(distances.begin(), distances.end(), std::size_t{0});
    for (const char c : from) {
        std::size_t diagonal = distances[0]++;
        for (std::size_t i = 0; i < to.size(); ++i) {
            const std::size_t replaced = diagonal + (c == to[i] ? 0 : 1);
            diagonal = distances[i + 1];
            distances[i + 1] = std::min({replaced, diagonal + 1, distances[i] + 1});
        }
    }
    return distances.back();
}

/// Empty if no name is similar.
std::string nearest_setting(std::string_view name) {
    constexpr std::size_t kMaxDistance = 2;
    constexpr std::size_t kMaxSize = 64;  // longer ones are similar to none
    std::string nearest;
    std::size_t least = kMaxDistance + 1;
    for (const Setting& setting : kSettings) {
        const std::size_t distance =
            name.size() > kMaxSize ? least : edit_distance(name, setting.name);
        if (distance < least) {
            least = distance;
            nearest = setting.name;
        }
    }
    return nearest;
}

}  // namespace

std::vector<UnknownSetting> unknown_settings(const std::vector<std::string>& names) {
    // A parameter of a request (contract section 11): as plain CGI, it is in the environment.
    constexpr std::string_view kOperator = "KHEOPS_WEBHOOKS_OPERATOR";
    std::vector<UnknownSetting> unknown;
    for (const std::string& name : names) {
        if (!name.starts_with("KHEOPS_") || name == kOperator ||
            std::ranges::find(kSettings, name, &Setting::name) != kSettings.end()) {
            continue;
        }
        std::string nearest = nearest_setting(name);
        if (name.starts_with("KHEOPS_WEBHOOKS_") || !nearest.empty()) {
            unknown.push_back({name, std::move(nearest)});
        }
    }
    return unknown;
}

std::string settings_help() {
    std::string help = "Settings are environment variables; an empty one counts as not set.\n";
    for (const Setting& setting : kSettings) {
        help += std::string("\n  ") + setting.name + '\n' + help_line("", setting.meaning) +
                help_line("must be: ", setting.allowed) +
                help_line("default: ", setting.default_value);
    }
    return help;
}

}  // namespace kheops
