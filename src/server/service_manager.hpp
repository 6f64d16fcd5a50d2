// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "deadline.hpp"
#include "variables.hpp"

namespace kheops {

/// The service manager that started the program, where one did that wants to hear from it: the
/// protocol of systemd's sd_notify(3) and sd_watchdog_enabled(3). Spoken here and not by
/// libsystemd, which brings a cryptography and three compression libraries along for one datagram.
///
/// Where there is none, or it does not listen, nothing happens. For one thread.
class ServiceManager {
  public:
    /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
    explicit ServiceManager(const Variables& environment);

    /// The program serves now.
    void notify_ready() const { send("READY=1"); }
    /// It has begun to stop, which takes that long at most, however short TimeoutStopSec is.
    void notify_stopping(std::chrono::microseconds max_duration) const {
        send("STOPPING=1\nEXTEND_TIMEOUT_USEC=" + std::to_string(max_duration.count()));
    }

    /// Shows that the caller's loop turns; to be called at every turn, with the time. Tells the
    /// watchdog no more often than that needs, which is four times in its interval.
    void ping_watchdog(Clock::time_point now);
    /// How long the loop may wait before it turns again; nothing: as long as it likes.
    [[nodiscard]] std::optional<std::chrono::milliseconds> max_wait() const;

  private:
    void send(std::string_view state) const;

    std::string address_;  // empty: there is none
    std::optional<std::chrono::milliseconds> watchdog_;
    Clock::time_point last_ping_;
};

}  // namespace kheops
