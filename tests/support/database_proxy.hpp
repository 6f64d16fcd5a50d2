// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <string>
#include <thread>

#include "descriptor.hpp"

namespace kheops::test {

/// A TCP line to a server on a Unix socket, which a test can spoil.
class DatabaseProxy {
  public:
    /// Listens on a free port of `address` and joins each connection with one to `socket_path`.
    explicit DatabaseProxy(const std::string& socket_path,
                           const std::string& address = "127.0.0.1");
    ~DatabaseProxy();
    DatabaseProxy(const DatabaseProxy&) = delete;
    DatabaseProxy& operator=(const DatabaseProxy&) = delete;

    [[nodiscard]] std::uint16_t port() const { return port_; }

    enum class State {
        forwarding,
        stalled,   ///< nothing goes through, in either direction; nobody is told
        dropping,  ///< the same, but those that are connected, or connect now, wait for ever
        closing,   ///< connections are closed, new ones as soon as they are made
    };
    /// What was held back while the wire was silent goes through when it is whole again. What was
    /// lost does not: packets that were lost often are sent again ever more rarely.
    void set(State state);

    /// How many connections have been made so far.
    [[nodiscard]] int connections() const { return connections_; }

  private:
    struct Line {
        Descriptor client;
        Descriptor server;
    };

    void run();
    void accept_connection();
    /// Carries what has come from one end to the other; false when either is gone.
    static bool carry(const Descriptor& from, const Descriptor& to);

    std::string socket_path_;
    std::uint16_t port_ = 0;
    Descriptor listener_;
    Descriptor wake_;  // an eventfd: the state has changed
    std::list<Line> lines_;
    std::list<Descriptor> forgotten_;  // clients that wait for ever
    std::atomic<State> state_ = State::forwarding;
    std::atomic<bool> stopping_ = false;
    std::atomic<int> connections_ = 0;
    std::thread thread_;
};

}  // namespace kheops::test
