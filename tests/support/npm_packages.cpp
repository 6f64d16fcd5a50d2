// SPDX-License-Identifier: MIT
#include "support/npm_packages.hpp"

#include <cstdlib>
#include <stdexcept>

#include "support/files.hpp"
#include "support/process.hpp"
#include "support/temporary_directory.hpp"

namespace kheops::test {

NpmPackages::NpmPackages(const std::string& folder)
    : place_(std::string(std::getenv("BUILD_DIR")) + "/tests/" + folder) {
    const std::string support = KHEOPS_SOURCE_DIR "/tests/support/";
    const TemporaryDirectory directory;
    ChildProcess installation(
        Command{.arguments = {support + "install-npm", support + folder, place_},
                .environment = own_environment(),
                .standard_output = directory.file("reason")});
    const int status = installation.wait(std::chrono::minutes(5));
    if (status == 77) {
        reason_to_skip_ = read_file(directory.file("reason"));
    } else if (status != 0) {
        throw std::runtime_error("install-npm " + folder + " failed");
    }
}

}  // namespace kheops::test
