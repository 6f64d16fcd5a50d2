// SPDX-License-Identifier: MIT
#pragma once

#include "config.hpp"
#include "log.hpp"
#include "token/access_token.hpp"

namespace kheops {

/// Serves FastCGI requests on the listening socket `listener` until SIGTERM or SIGINT arrives, then
/// finishes the active requests. Refreshes `keys`, which `tokens` uses, and reloads them at SIGHUP.
/// Returns the exit status: 0, or 1 if the listening socket was lost. Throws std::runtime_error
/// (std::system_error is one) if a call of the kernel or libfcgi fails.
[[nodiscard]] int run_worker(int listener, const Config& config, KeySource& keys,
                             const TokenVerifier& tokens, const Log& log);

/// Closes each connection that waits on the listening socket `listener`. A program that cannot
/// serve calls it before it ends: the web server learns at once that no worker runs, and systemd,
/// which starts the service for a waiting connection, does not start it again and again.
void close_waiting_connections(int listener);

}  // namespace kheops
