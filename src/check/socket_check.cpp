// SPDX-License-Identifier: MIT
#include "check/socket_check.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <system_error>

#include "descriptor.hpp"
#include "log.hpp"
#include "text/ascii.hpp"

namespace kheops {

namespace {

using Grade = Finding::Grade;

constexpr std::string_view kSpace = " \t\r";

/// The paths of the unit's ListenStream=; an empty one resets the list (systemd.socket(5)).
std::vector<std::string> paths_in(const std::vector<std::string>& files) {
    std::vector<std::string> paths;
    for (const std::string& file : files) {
        std::ifstream unit(file);
        for (std::string line; std::getline(unit, line);) {
            const std::size_t equals = line.find('=');
            if (equals == std::string::npos ||
                trimmed(std::string_view(line).substr(0, equals), kSpace) != "ListenStream") {
                continue;
            }
            const std::string_view value =
                trimmed(std::string_view(line).substr(equals + 1), kSpace);
            if (value.empty()) {
                paths.clear();
            } else if (value.starts_with('/')) {
                paths.emplace_back(value);
            }
        }
    }
    return paths;
}

/// Whether a process listens on the Unix socket of that path (proc(5), /proc/net/unix).
bool has_listener(const std::string& path) {
    constexpr unsigned long kAccepts = 0x10000;  // the kernel's __SO_ACCEPTCON
    std::ifstream sockets("/proc/net/unix");
    for (std::string line; std::getline(sockets, line);) {
        std::istringstream columns(line);
        std::string ignored;
        unsigned long flags = 0;
        std::string name;
        columns >> ignored >> ignored >> ignored >> std::hex >> flags >> ignored >> ignored >>
            ignored;
        std::getline(columns >> std::ws, name);
        if ((flags & kAccepts) != 0 && name == path) {
            return true;
        }
    }
    return false;
}

void check_path(const std::string& path, const Report& report) {
    const std::string subject = "socket " + log_value(path);
    struct stat status {};
    if (!has_listener(path) || ::stat(path.c_str(), &status) != 0) {
        report({Grade::problem, subject + ": no process listens on it",
                "run systemctl enable --now kheops-webhooks.socket, and systemctl status "
                "kheops-webhooks.socket if that fails"});
    } else if ((status.st_mode & S_IWOTH) != 0) {
        report(
            {Grade::warning, subject + ": every user of this machine can connect to it",
             "set SocketMode=0660 and SocketGroup= to nginx's group in kheops-webhooks.socket, as "
             "the worker trusts whoever connects as it trusts nginx"});
    } else {
        report({Grade::ok, subject + ": a process listens on it", ""});
    }
}

/// The files of kheops-webhooks.socket; empty if systemd does not start it when the machine starts,
/// or did not start this machine (sd_booted(3)): a container has the unit of the package too.
std::vector<std::string> unit_files() {
    constexpr const char* kEnabled =
        "/etc/systemd/system/sockets.target.wants/kheops-webhooks.socket";
    constexpr const char* kDropIns = "/etc/systemd/system/kheops-webhooks.socket.d";
    std::error_code error;
    if (!std::filesystem::is_directory("/run/systemd/system", error) ||
        !std::filesystem::exists(kEnabled, error)) {
        return {};
    }
    std::vector<std::string> files;
    for (std::filesystem::directory_iterator entry(kDropIns, error), end; !error && entry != end;
         entry.increment(error)) {
        if (entry->path().extension() == ".conf") {
            files.push_back(entry->path());
        }
    }
    std::ranges::sort(files);
    files.insert(files.begin(), kEnabled);
    return files;
}

}  // namespace

void check_socket(const Report& report) {
    if (is_listening(STDIN_FILENO)) {
        report({Grade::ok, "socket: descriptor 0 is a listening socket", ""});
    } else {
        check_socket_unit(unit_files(), report);
    }
}

void check_socket_unit(const std::vector<std::string>& files, const Report& report) {
    for (const std::string& path : paths_in(files)) {
        check_path(path, report);
    }
}

}  // namespace kheops
