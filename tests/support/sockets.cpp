// SPDX-License-Identifier: MIT
#include "support/sockets.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <system_error>

namespace kheops::test {

Descriptor listen_unix(const std::string& path) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        throw std::system_error(ENAMETOOLONG, std::generic_category(), path);
    }
    path.copy(address.sun_path, path.size());

    Descriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ::unlink(path.c_str());
    if (listener.number() < 0 ||
        ::bind(listener.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
            0 ||
        ::listen(listener.number(), SOMAXCONN) != 0) {
        throw std::system_error(errno, std::generic_category(), "listening on " + path);
    }
    return listener;
}

}  // namespace kheops::test
