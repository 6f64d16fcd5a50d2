// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <string>

namespace kheops {

/// Returns "the user NAME"; without an entry in the user database, its number.
[[nodiscard]] std::string user_in_words(uid_t user);

/// Returns "the group NAME"; without an entry in the group database, its number.
[[nodiscard]] std::string group_in_words(gid_t group);

}  // namespace kheops
