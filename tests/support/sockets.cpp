// SPDX-License-Identifier: MIT
#include "support/sockets.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace kheops::test {

namespace {

sockaddr_un unix_address(const std::string& path) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        throw std::system_error(ENAMETOOLONG, std::generic_category(), path);
    }
    path.copy(address.sun_path, path.size());
    return address;
}

Descriptor unix_socket() {
    return Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

}  // namespace

Descriptor listen_unix(const std::string& path) {
    const sockaddr_un address = unix_address(path);
    Descriptor listener = unix_socket();
    ::unlink(path.c_str());
    if (listener.number() < 0 ||
        ::bind(listener.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
            0 ||
        ::listen(listener.number(), SOMAXCONN) != 0) {
        throw std::system_error(errno, std::generic_category(), "listening on " + path);
    }
    return listener;
}

Descriptor connect_unix(const std::string& path) {
    const sockaddr_un address = unix_address(path);
    Descriptor connection = unix_socket();
    if (connection.number() < 0 ||
        ::connect(connection.number(), reinterpret_cast<const sockaddr*>(&address),
                  sizeof address) != 0) {
        throw std::system_error(errno, std::generic_category(), "connecting to " + path);
    }
    return connection;
}

std::string exchange_unix(const std::string& path, const std::string& octets) {
    const Descriptor connection = connect_unix(path);
    const auto size = static_cast<ssize_t>(octets.size());
    std::string received;
    std::array<char, 4096> part = {};
    ssize_t count = 0;
    if (::send(connection.number(), octets.data(), octets.size(), MSG_NOSIGNAL) == size) {
        while ((count = ::recv(connection.number(), part.data(), part.size(), 0)) > 0) {
            received.append(part.data(), static_cast<size_t>(count));
        }
        if (count == 0) {
            return received;
        }
    }
    throw std::system_error(errno, std::generic_category(), "an exchange over " + path);
}

Descriptor bind_tcp(const std::string& address, std::uint16_t port) {
    Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    sockaddr_in name = {};
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    name.sin_addr.s_addr = ::inet_addr(address.c_str());
    if (::setsockopt(socket.number(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0 ||
        ::bind(socket.number(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) {
        throw std::system_error(errno, std::generic_category(), "binding a port of " + address);
    }
    return socket;
}

std::uint16_t port_of(const Descriptor& socket) {
    sockaddr_in name = {};
    socklen_t size = sizeof name;
    if (::getsockname(socket.number(), reinterpret_cast<sockaddr*>(&name), &size) != 0) {
        throw std::system_error(errno, std::generic_category(), "getsockname");
    }
    return ntohs(name.sin_port);
}

Ends make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        throw std::system_error(errno, std::generic_category(), "pipe2");
    }
    return {Descriptor(ends[1]), Descriptor(ends[0])};
}

Ends make_socket_pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        throw std::system_error(errno, std::generic_category(), "socketpair");
    }
    return {Descriptor(ends[0]), Descriptor(ends[1])};
}

}  // namespace kheops::test
