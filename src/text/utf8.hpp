// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace kheops {

/// Whether `octets` are well-formed UTF-8 (RFC 3629): no overlong form, no surrogate, nothing above
/// U+10FFFF. U+0000 is well-formed.
[[nodiscard]] bool is_utf8(std::string_view octets);

}  // namespace kheops
