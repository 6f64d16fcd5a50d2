// SPDX-License-Identifier: MIT
#pragma once

#include "http/message.hpp"
#include "log.hpp"
#include "server/metrics.hpp"

namespace kheops {

/// Answers a request of the operator (contract section 11): `/metrics`, `/health`, any other path
/// with 404. Logs it at level debug; it does not count as a request. Does not wait.
[[nodiscard]] Response answer_operator(const Request& request, const Metrics& metrics,
                                       const WorkerState& state, const Log& log);

}  // namespace kheops
