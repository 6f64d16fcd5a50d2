// SPDX-License-Identifier: MIT
#include "support/database_proxy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
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

DatabaseProxy::DatabaseProxy(const std::string& socket_path, const std::string& ip)
    : socket_path_(socket_path),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::inet_addr(ip.c_str());
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_.number(), generic, size) != 0 ||
        ::listen(listener_.number(), SOMAXCONN) != 0 ||
        ::getsockname(listener_.number(), generic, &size) != 0) {
        throw std::system_error(errno, std::generic_category(), "listening for a database's wire");
    }
    port_ = ntohs(address.sin_port);
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
        const bool silent = state == State::stalled;
        if (state == State::dropping) {
            for (Line& line : lines_) {
                forgotten_.push_back(std::move(line.client));
            }
        }
        if (state == State::dropping || state == State::closing) {
            lines_.clear();  // the server is told, so that its connections are free again
        }
        // While silent, even the kernel's queue of connections is left alone.
        std::vector<pollfd> watched = {
            {.fd = wake_.number(), .events = POLLIN, .revents = 0},
            {.fd = silent ? -1 : listener_.number(), .events = POLLIN, .revents = 0},
        };
        for (const Line& line : lines_) {
            watched.push_back(
                {.fd = silent ? -1 : line.client.number(), .events = POLLIN, .revents = 0});
            watched.push_back(
                {.fd = silent ? -1 : line.server.number(), .events = POLLIN, .revents = 0});
        }
        ::poll(watched.data(), watched.size(), -1);

        std::uint64_t times = 0;
        [[maybe_unused]] const ssize_t count = ::read(wake_.number(), &times, sizeof times);
        size_t at = 2;
        for (auto line = lines_.begin(); line != lines_.end(); at += 2) {
            const bool whole =
                (watched.at(at).revents == 0 || carry(line->client, line->server)) &&
                (watched.at(at + 1).revents == 0 || carry(line->server, line->client));
            line = whole ? std::next(line) : lines_.erase(line);
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
        forgotten_.push_back(std::move(client));
        return;
    }
    try {
        lines_.push_back({std::move(client), connect_unix(socket_path_)});
    } catch (const std::system_error&) {
        // The server is not there: nor is this connection.
    }
}

bool DatabaseProxy::carry(const Descriptor& from, const Descriptor& to) {
    std::array<char, 65536> octets{};
    const ssize_t count = ::recv(from.number(), octets.data(), octets.size(), 0);
    return count > 0 &&
           ::send(to.number(), octets.data(), static_cast<size_t>(count), MSG_NOSIGNAL) == count;
}

}  // namespace kheops::test
