// SPDX-License-Identifier: MIT
#include "check/socket_check.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

#include "check/accounts.hpp"
#include "check/words.hpp"
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

/// A user as which a process runs, with all its groups.
struct Account {
    uid_t user = 0;
    std::vector<gid_t> groups;

    bool operator<(const Account& other) const {
        return std::tie(user, groups) < std::tie(other.user, other.groups);
    }
};

/// The accounts of nginx's processes but root, who may do everything; `processes` is /proc. Those
/// that this user may not see do not count.
std::set<Account> nginx_accounts(const std::string& processes) {
    std::set<Account> accounts;
    std::error_code error;
    for (std::filesystem::directory_iterator entry(processes, error), end; !error && entry != end;
         entry.increment(error)) {
        std::ifstream status(entry->path() / "status");  // proc(5)
        bool is_nginx = false;
        Account account;
        for (std::string line; std::getline(status, line);) {
            std::istringstream words(line);
            std::string key;
            words >> key;
            if (key == "Name:") {
                is_nginx = trimmed(std::string_view(line).substr(key.size()), kSpace) == "nginx";
            } else if (key == "Uid:") {
                words >> account.user >> account.user;  // the real one, the effective one
            } else if (key == "Gid:" || key == "Groups:") {
                for (gid_t group = 0; words >> group;) {
                    account.groups.push_back(group);
                }
            }
        }
        if (is_nginx && account.user != 0) {
            accounts.insert(std::move(account));
        }
    }
    return accounts;
}

/// Whether the mode grants the account this right, one of the bits of others: S_IWOTH, S_IXOTH.
bool grants(const struct stat& status, const Account& account, mode_t right) {
    constexpr unsigned kOwner = 6;
    constexpr unsigned kGroup = 3;
    if (account.user == status.st_uid) {
        return (status.st_mode & (right << kOwner)) != 0;
    }
    if (std::ranges::find(account.groups, status.st_gid) != account.groups.end()) {
        return (status.st_mode & (right << kGroup)) != 0;
    }
    return (status.st_mode & right) != 0;
}

/// Whether the account may connect to the socket (unix(7)). A directory that this user cannot look
/// at counts as one that the account may enter.
bool may_connect(const std::string& socket, const Account& account) {
    struct stat status {};
    if (::stat(socket.c_str(), &status) == 0 && !grants(status, account, S_IWOTH)) {
        return false;
    }
    for (auto path = std::filesystem::path(socket); path != path.parent_path();) {
        path = path.parent_path();
        if (::stat(path.c_str(), &status) == 0 && !grants(status, account, S_IXOTH)) {
            return false;
        }
    }
    return true;
}

void check_path(const std::string& path, const std::string& processes, const Report& report) {
    const std::string subject = "socket " + log_value(path);
    struct stat status {};
    if (!has_listener(path) || ::stat(path.c_str(), &status) != 0) {
        report({Grade::problem, subject + ": no process listens on it",
                "run systemctl enable --now kheops-webhooks.socket, and systemctl status "
                "kheops-webhooks.socket if that fails"});
        return;
    }
    if ((status.st_mode & S_IWOTH) != 0) {
        report(
            {Grade::warning, subject + ": every user of this machine can connect to it",
             "set SocketMode=0660 and SocketGroup= to nginx's group in kheops-webhooks.socket, as "
             "the worker trusts whoever connects as it trusts nginx"});
        return;
    }
    const std::string admitted =
        user_in_words(status.st_uid) +
        ((status.st_mode & S_IWGRP) != 0 ? " and " + group_in_words(status.st_gid)
                                         : std::string()) +
        " can connect to it";
    const std::set<Account> accounts = nginx_accounts(processes);
    const auto connects = [&path](const Account& account) { return may_connect(path, account); };
    if (accounts.empty()) {
        report({Grade::ok, subject + ": a process listens on it, " + admitted, ""});
    } else if (std::ranges::any_of(accounts, connects)) {
        report(
            {Grade::ok, subject + ": a process listens on it, " + admitted + ", so can nginx", ""});
    } else {
        std::vector<std::string> users;
        users.reserve(accounts.size());
        for (const Account& account : accounts) {
            users.push_back(user_in_words(account.user));
        }
        report({Grade::warning,
                subject + ": " + admitted + ", but no running nginx can, which runs as " +
                    enumeration(users),
                "write [Socket] and SocketGroup= with the group of nginx's user in systemctl edit "
                "kheops-webhooks.socket, and run systemctl restart kheops-webhooks.socket "
                "kheops-webhooks.service; until then nginx answers 502, or with the drop-in sends "
                "every request to Kheops"});
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
        check_socket_unit(unit_files(), "/proc", report);
    }
}

void check_socket_unit(const std::vector<std::string>& files, const std::string& processes,
                       const Report& report) {
    for (const std::string& path : paths_in(files)) {
        check_path(path, processes, report);
    }
}

}  // namespace kheops
