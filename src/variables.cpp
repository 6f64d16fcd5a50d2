// SPDX-License-Identifier: MIT
#include "variables.hpp"

#include <cstdlib>

namespace kheops {

Variables environment_variables() {
    return Variables([](const char* name) { return std::getenv(name); });
}

}  // namespace kheops
