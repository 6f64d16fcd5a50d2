// SPDX-License-Identifier: MIT

// Runs a fuzz target over the files of a directory, in builds without libFuzzer.

#include <filesystem>
#include <iostream>

#include "fuzz/target.hpp"
#include "support/files.hpp"

int main(int count, char** arguments) {
    if (count != 2) {
        std::cerr << "usage: " << arguments[0] << " DIRECTORY\n";
        return 2;
    }
    size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(arguments[1])) {
        const std::string octets = kheops::test::read_file(entry.path());
        std::cerr << entry.path().filename().string() << '\n';
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(octets.data()), octets.size());
        ++files;
    }
    return files > 0 ? 0 : 1;
}
