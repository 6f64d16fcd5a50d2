// SPDX-License-Identifier: MIT
#include "support/files.hpp"

#include <fstream>
#include <iterator>
#include <stdexcept>

namespace kheops::test {

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        throw std::runtime_error("cannot read " + path);
    }
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string read_source(const std::string& path) {
    return read_file(std::string(KHEOPS_SOURCE_DIR) + "/" + path);
}

void write_file(const std::string& path, const std::string& content) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << content << std::flush;
    if (!file) {
        throw std::runtime_error("cannot write " + path);
    }
}

}  // namespace kheops::test
