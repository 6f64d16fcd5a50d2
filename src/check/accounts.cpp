// SPDX-License-Identifier: MIT
#include "check/accounts.hpp"

#include <grp.h>
#include <pwd.h>

#include <array>

namespace kheops {

namespace {

constexpr std::size_t kEntrySize = 65536;  // a group's entry lists its members

}  // namespace

std::string user_in_words(uid_t user) {
    passwd entry{};
    passwd* found = nullptr;
    std::array<char, kEntrySize> buffer{};
    return "the user " + (::getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) == 0 &&
                                  found != nullptr
                              ? std::string(entry.pw_name)
                              : "with the number " + std::to_string(user));
}

std::string group_in_words(gid_t group) {
    ::group entry{};
    ::group* found = nullptr;
    std::array<char, kEntrySize> buffer{};
    return "the group " + (::getgrgid_r(group, &entry, buffer.data(), buffer.size(), &found) == 0 &&
                                   found != nullptr
                               ? std::string(entry.gr_name)
                               : "with the number " + std::to_string(group));
}

}  // namespace kheops
