// SPDX-License-Identifier: MIT
#include "server/service_manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>

#include "descriptor.hpp"

namespace kheops {

namespace {

/// Returns the watchdog's interval; empty if it is off or watches another process.
std::optional<std::chrono::milliseconds> watchdog_interval(const Variables& environment) {
    const std::string text = environment["WATCHDOG_USEC"];
    const std::string process = environment["WATCHDOG_PID"];
    std::int64_t microseconds = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), microseconds);
    if (parsed.ec != std::errc() || microseconds <= 0 ||
        (!process.empty() && process != std::to_string(::getpid()))) {
        return std::nullopt;
    }
    return std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::microseconds(microseconds));
}

}  // namespace

ServiceManager::ServiceManager(const Variables& environment)
    : address_(environment["NOTIFY_SOCKET"]), watchdog_(watchdog_interval(environment)) {}

void ServiceManager::ping_watchdog(Clock::time_point now) {
    if (watchdog_ && now - last_ping_ >= *watchdog_ / 4) {
        last_ping_ = now;
        send("WATCHDOG=1");
    }
}

std::optional<std::chrono::milliseconds> ServiceManager::max_wait() const {
    constexpr std::chrono::milliseconds kMinWait(1);
    return watchdog_ ? std::optional(std::max(*watchdog_ / 2, kMinWait)) : std::nullopt;
}

void ServiceManager::send(std::string_view state) const {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    if (address_.empty() || address_.size() > sizeof address.sun_path) {
        return;
    }
    address_.copy(static_cast<char*>(address.sun_path), address_.size());
    if (address_.front() == '@') {
        address.sun_path[0] = '\0';  // the abstract namespace (unix(7))
    }
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
    const Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ::sendto(socket.number(), state.data(), state.size(), MSG_NOSIGNAL,
             reinterpret_cast<const sockaddr*>(&address), size);
}

}  // namespace kheops
