// SPDX-License-Identifier: MIT
#include "variables.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace kheops {

Variables environment_variables() {
    return Variables([](const char* name) { return std::getenv(name); });
}

std::vector<std::string> environment_names() {
    std::vector<std::string> names;
    for (char** variable = ::environ; variable != nullptr && *variable != nullptr; ++variable) {
        const std::string text = *variable;
        names.push_back(text.substr(0, text.find('=')));
    }
    std::ranges::sort(names);
    return names;
}

void set_if_absent(const std::string& name, const std::string& value) {
    // Before a second thread starts. NOLINTNEXTLINE(concurrency-mt-unsafe)
    if (::setenv(name.c_str(), value.c_str(), 0) != 0) {
        throw std::system_error(errno, std::generic_category(), "setting " + name);
    }
}

}  // namespace kheops
