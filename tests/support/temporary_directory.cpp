// SPDX-License-Identifier: MIT
#include "support/temporary_directory.hpp"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace kheops::test {

TemporaryDirectory::TemporaryDirectory() : path_("/tmp/kheops-test.XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) {
        throw std::system_error(errno, std::generic_category(), "mkdtemp " + path_);
    }
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace kheops::test
