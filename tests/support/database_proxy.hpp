// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <string>
#include <thread>

#include "descriptor.hpp"

namespace kheops::test {

/// A TCP proxy before a server on a Unix socket. A test can make it fail.
class DatabaseProxy {
  public:
    /// Listens on a free port of `address` and connects each client to `socket_path`.
    explicit DatabaseProxy(const std::string& socket_path,
                           const std::string& address = "127.0.0.1");
    ~DatabaseProxy();
    DatabaseProxy(const DatabaseProxy&) = delete;
    DatabaseProxy& operator=(const DatabaseProxy&) = delete;

    [[nodiscard]] std::uint16_t port() const { return port_; }

    enum class State {
        forwarding,
        stalled,   ///< neither accepts nor forwards; `forwarding` delivers what has come meanwhile
        dropping,  ///< accepts, but never forwards: old and new connections hang for ever
        closing,   ///< closes all connections, new ones immediately after accepting them
    };
    /// `dropping` is like packet loss: TCP sends a lost packet again after longer and longer
    /// delays, so that a connection may still hang when the network works again.
    void set(State state);

    /// The number of connections made so far.
    [[nodiscard]] int connections() const { return connections_; }

  private:
    struct Connection {
        Descriptor client;
        Descriptor server;
    };

    void run();
    void accept_connection();
    /// Forwards the octets that have arrived; false if one end has closed the connection.
    static bool forward(const Descriptor& from, const Descriptor& to);

    std::string socket_path_;
    Descriptor listener_;
    std::uint16_t port_;
    Descriptor wake_;  // eventfd, written when the state changes
    std::list<Connection> open_;
    std::list<Descriptor> dropped_;  // clients that get no answer
    std::atomic<State> state_ = State::forwarding;
    std::atomic<bool> stopping_ = false;
    std::atomic<int> connections_ = 0;
    std::thread thread_;
};

}  // namespace kheops::test
