// SPDX-License-Identifier: MIT

// What cmake/libfcgi_overflow.cpp calls of libfcgi, with CVE-2025-23016. For
// tests/smoke/libfcgi.sh.

#include <fcgiapp.h>

#include <unistd.h>

#include <cstdlib>
#include <initializer_list>

int FCGX_Init() {
    return 0;
}

int FCGX_InitRequest(FCGX_Request* request, int /*socket*/, int /*flags*/) {
    *request = FCGX_Request{};
    return 0;
}

int FCGX_Accept_r(FCGX_Request* request) {
    unsigned char octets[4096];
    const ssize_t count = ::read(request->ipcFd, octets, sizeof octets);
    const unsigned char* sizes = octets + 16 + 8;  // after a record and a header
    unsigned total = 2;                            // unsigned wraps as the int did in practice
    for (const unsigned char* size : {sizes, sizes + 4}) {
        total += (size[0] & 0x7FU) << 24U | size[1] * 0x10000U | size[2] * 0x100U | size[3];
    }
    auto* pair = static_cast<unsigned char*>(std::malloc(total));
    for (const unsigned char* octet = sizes + 8; octet < octets + count; ++octet) {
        *pair++ = *octet;
    }
    return -1;
}
