// SPDX-License-Identifier: MIT
#include "support/notify_socket.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <system_error>

namespace kheops::test {

NotifySocket::NotifySocket(const std::string& address)
    : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un place = {};
    place.sun_family = AF_UNIX;
    address.copy(static_cast<char*>(place.sun_path), sizeof place.sun_path);
    if (address.front() == '@') {
        place.sun_path[0] = '\0';
    }
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
    if (::bind(socket_.number(), reinterpret_cast<const sockaddr*>(&place), size) != 0) {
        throw std::system_error(errno, std::generic_category(), "binding " + address);
    }
    const timeval timeout = {.tv_sec = 30, .tv_usec = 0};
    ::setsockopt(socket_.number(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
}

std::string NotifySocket::receive() {
    const std::string message = receive_with(0);
    if (message.empty()) {
        throw std::system_error(errno, std::generic_category(), "no message to systemd");
    }
    return message;
}

std::string NotifySocket::receive_now() {
    return receive_with(MSG_DONTWAIT);
}

std::string NotifySocket::receive_with(int flags) {
    std::array<char, 4096> octets{};
    const ssize_t count = ::recv(socket_.number(), octets.data(), octets.size(), flags);
    return count > 0 ? std::string(octets.data(), static_cast<size_t>(count)) : "";
}

}  // namespace kheops::test
