// SPDX-License-Identifier: MIT
#pragma once

#include "config.hpp"
#include "log.hpp"
#include "token/access_token.hpp"

namespace kheops {

/// Serves FastCGI requests on the listening socket `listener` until SIGTERM or SIGINT, and then
/// those in hand. Meanwhile `keys`, by which `tokens` judges, are kept fresh, and reloaded at
/// SIGHUP. Returns the exit status: 0, or 1 when the listening socket was lost. Throws
/// std::system_error when the kernel refuses what it needs to begin.
[[nodiscard]] int run_worker(int listener, const Config& config, KeySource& keys,
                             const TokenVerifier& tokens, const Log& log);

}  // namespace kheops
