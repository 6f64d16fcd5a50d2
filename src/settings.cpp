// SPDX-License-Identifier: MIT
#include "settings.hpp"

namespace kheops {

namespace {

std::string help_line(const char* label, const char* text) {
    return *text == '\0' ? "" : std::string("      ") + label + text + '\n';
}

}  // namespace

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
