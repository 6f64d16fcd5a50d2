// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "deadline.hpp"
#include "variables.hpp"

namespace kheops {

/// Notifies the service manager that started the program, by the protocol of systemd's sd_notify(3)
/// and sd_watchdog_enabled(3). Does nothing if there is none; ignores errors of sending. Not
/// thread-safe. Does not use libsystemd, which needs a cryptography and three compression
/// libraries, to send one datagram.
class ServiceManager {
  public:
    /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
    explicit ServiceManager(const Variables& environment);

    /// Reports that the program serves requests.
    void notify_ready() const { send("READY=1"); }
    /// Reports that the program stops within `max_duration`, even if TimeoutStopSec is shorter.
    void notify_stopping(std::chrono::microseconds max_duration) const {
        send("STOPPING=1\nEXTEND_TIMEOUT_USEC=" + std::to_string(max_duration.count()));
    }

    /// Reports that the caller's loop runs. Call it in each turn, with the current time; it sends
    /// at most four pings per watchdog interval.
    void ping_watchdog(Clock::time_point now);
    /// Returns the maximum time that a turn of the loop may wait; empty without a watchdog.
    [[nodiscard]] std::optional<std::chrono::milliseconds> max_wait() const;

  private:
    void send(std::string_view state) const;

    std::string address_;  // of the manager's socket; empty: no manager
    std::optional<std::chrono::milliseconds> watchdog_;
    Clock::time_point last_ping_;
};

}  // namespace kheops
