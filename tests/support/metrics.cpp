// SPDX-License-Identifier: MIT
#include "support/metrics.hpp"

#include <fcntl.h>

#include <sstream>
#include <stdexcept>
#include <vector>

#include "descriptor.hpp"
#include "support/files.hpp"
#include "support/process.hpp"
#include "support/temporary_directory.hpp"

namespace kheops::test {

double metric(const std::string& text, const std::string& name) {
    std::istringstream lines(text);
    std::vector<double> values;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(name + ' ')) {
            values.push_back(std::stod(line.substr(name.size() + 1)));
        }
    }
    if (values.size() != 1) {
        throw std::runtime_error(std::to_string(values.size()) + " values of " + name + " in:\n" +
                                 text);
    }
    return values.front();
}

std::string promtool_findings(const std::string& text) {
    const TemporaryDirectory directory;
    write_file(directory.file("metrics"), text);
    const Descriptor input(::open(directory.file("metrics").c_str(), O_RDONLY | O_CLOEXEC));
    ChildProcess promtool({.arguments = {"promtool", "check", "metrics"},
                           .standard_input = input.number(),
                           .standard_output = directory.file("output"),
                           .standard_error = directory.file("output")});
    const int status = promtool.wait();
    return read_file(directory.file("output")) +
           (status == 0 ? "" : "exit status " + std::to_string(status) + '\n');
}

bool is_installed(const std::string& program) {
    return ChildProcess({.arguments = {program, "--version"},
                         .standard_output = "/dev/null",
                         .standard_error = "/dev/null"})
               .wait() == 0;
}

}  // namespace kheops::test
