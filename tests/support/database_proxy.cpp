// SPDX-License-Identifier: MIT
#include "support/database_proxy.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include "support/sockets.hpp"

namespace kheops::test {

DatabaseProxy::DatabaseProxy(const std::string& socket_path, const std::string& address)
    : socket_path_(socket_path),
      listener_(bind_tcp(address)),
      port_(port_of(listener_)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (::fcntl(listener_.number(), F_SETFL, O_NONBLOCK) != 0 ||
        ::listen(listener_.number(), SOMAXCONN) != 0) {
        throw std::system_error(errno, std::generic_category(), "listening for database clients");
    }
    thread_ = std::thread([this] { run(); });
}

DatabaseProxy::~DatabaseProxy() {
    stopping_ = true;
    set(State::closing);
    thread_.join();
}

void DatabaseProxy::set(State state) {
    state_ = state;
    constexpr std::uint64_t kOne = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_.number(), &kOne, sizeof kOne);
}

void DatabaseProxy::run() {
    while (!stopping_) {
        const State state = state_;
        const bool stalled = state == State::stalled;
        if (state == State::dropping) {
            for (Connection& connection : open_) {
                dropped_.push_back(std::move(connection.client));
            }
        }
        if (state == State::dropping || state == State::closing) {
            open_.clear();  // closes the server's connections, so that others can use its slots
        }
        // A stalled proxy does not accept either: connections wait in the kernel's queue.
        std::vector<pollfd> watched = {
            {.fd = wake_.number(), .events = POLLIN, .revents = 0},
            {.fd = stalled ? -1 : listener_.number(), .events = POLLIN, .revents = 0},
        };
        for (const Connection& connection : open_) {
            watched.push_back(
                {.fd = stalled ? -1 : connection.client.number(), .events = POLLIN, .revents = 0});
            watched.push_back(
                {.fd = stalled ? -1 : connection.server.number(), .events = POLLIN, .revents = 0});
        }
        ::poll(watched.data(), watched.size(), -1);

        std::uint64_t times = 0;
        [[maybe_unused]] const ssize_t count = ::read(wake_.number(), &times, sizeof times);
        size_t at = 2;
        for (auto pair = open_.begin(); pair != open_.end(); at += 2) {
            const bool open =
                (watched.at(at).revents == 0 || forward(pair->client, pair->server)) &&
                (watched.at(at + 1).revents == 0 || forward(pair->server, pair->client));
            pair = open ? std::next(pair) : open_.erase(pair);
        }
        if (watched.at(1).revents != 0) {
            accept_connection();
        }
    }
}

void DatabaseProxy::accept_connection() {
    Descriptor client(::accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC));
    if (client.number() < 0) {
        return;
    }
    ++connections_;
    if (state_ == State::closing) {
        return;
    }
    if (state_ == State::dropping) {
        dropped_.push_back(std::move(client));
        return;
    }
    try {
        open_.push_back({std::move(client), connect_unix(socket_path_)});
    } catch (const std::system_error&) {
        // The server does not run: close the client's connection.
    }
}

bool DatabaseProxy::forward(const Descriptor& from, const Descriptor& to) {
    std::array<char, 65536> octets{};
    const ssize_t count = ::recv(from.number(), octets.data(), octets.size(), 0);
    return count > 0 &&
           ::send(to.number(), octets.data(), static_cast<size_t>(count), MSG_NOSIGNAL) == count;
}

}  // namespace kheops::test
