// SPDX-License-Identifier: MIT
#pragma once

#include <memory>

#include "config.hpp"
#include "log.hpp"
#include "token/key_source.hpp"

namespace kheops {

/// The configured source of keys; `log`, which hears of keys that are left out, outlives it. Throws
/// ConfigError when the key file cannot be read or no key in it can be used; what a provider has is
/// found out later.
[[nodiscard]] std::unique_ptr<KeySource> open_keys(const Config& config, const Log& log);

}  // namespace kheops
