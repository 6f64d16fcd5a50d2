// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "database/connection_pool.hpp"
#include "server/exchange.hpp"
#include "token/key_source.hpp"

namespace kheops {

/// The present state of a worker, for the operator (contract section 11).
struct WorkerState {
    std::size_t requests_active = 0;   ///< that serving threads are answering
    std::size_t requests_waiting = 0;  ///< admitted, without a thread
    std::size_t connections_open = 0;  ///< of web servers
    ConnectionPool::Status database = {};
    bool is_accelerated = false;  ///< sql/accelerate.sql is in force
    KeyStatus keys = {};
    std::uint64_t log_lines_dropped = 0;
};

/// Counts the requests of a worker and writes its metrics. The only file that uses prometheus-cpp.
/// Safe to use from several threads.
class Metrics {
  public:
    /// Takes the present time for that of the process's start.
    Metrics();
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    /// Counts a request that a thread took in time.
    void count_answered(const Answer& answer);
    /// Counts a request that was refused as all threads were busy. Its waiting is not that for a
    /// thread, which it did not get.
    void count_refused(const Answer& answer);

    /// Returns what was counted, that state and what the process uses, in Prometheus' text format
    /// 0.0.4. Does not wait.
    [[nodiscard]] std::string text(const WorkerState& state) const;

  private:
    struct Counts;

    std::unique_ptr<Counts> counts_;
    double started_;  // seconds since the epoch
};

}  // namespace kheops
