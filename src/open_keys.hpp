// SPDX-License-Identifier: MIT
#pragma once

#include <memory>

#include "config.hpp"
#include "log.hpp"
#include "token/key_source.hpp"

namespace kheops {

/// Returns the configured source of keys. Logs skipped keys to `log`, which must outlive the
/// source. Throws ConfigError if the key file cannot be read or holds no usable key. Does not
/// contact a provider yet.
[[nodiscard]] std::unique_ptr<KeySource> open_keys(const Config& config, const Log& log);

}  // namespace kheops
