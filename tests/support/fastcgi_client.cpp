// SPDX-License-Identifier: MIT
#include "support/fastcgi_client.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

#include "support/sockets.hpp"

namespace kheops::test {

namespace {

constexpr size_t kMaxRecord = 65535;

std::string size_octets(size_t size) {
    if (size < 128) {
        return std::string(1, static_cast<char>(size));
    }
    return {static_cast<char>(size >> 24 | 0x80), static_cast<char>(size >> 16),
            static_cast<char>(size >> 8), static_cast<char>(size)};
}

/// A stream as records; the empty record at the end closes it.
std::string stream(unsigned char type, const std::string& content) {
    std::string records;
    for (size_t at = 0; at < content.size(); at += kMaxRecord) {
        records += fastcgi_record(type, content.substr(at, kMaxRecord));
    }
    return records + fastcgi_record(type, "");
}

}  // namespace

std::string fastcgi_pair(const std::string& name, const std::string& value) {
    return size_octets(name.size()) + size_octets(value.size()) + name + value;
}

std::string fastcgi_record(unsigned char type, const std::string& content, unsigned request,
                           unsigned char padding) {
    return std::string{'\x01',
                       static_cast<char>(type),
                       static_cast<char>(request >> 8),
                       static_cast<char>(request),
                       static_cast<char>(content.size() >> 8),
                       static_cast<char>(content.size()),
                       static_cast<char>(padding),
                       '\0'} +
           content + std::string(padding, 'p');
}

std::string fastcgi_request(const Parameters& parameters, bool keep, const std::string& body) {
    std::string pairs;
    for (const auto& [name, value] : parameters) {
        pairs += fastcgi_pair(name, value);
    }
    const std::string begin = {'\0', '\x01', static_cast<char>(keep ? 1 : 0), 0, 0, 0, 0, 0};
    return fastcgi_record(kFastCgiBegin, begin) + stream(kFastCgiParameters, pairs) +
           stream(kFastCgiBody, body);
}

Parameters get_parameters(const std::string& path_and_query, const std::string& token) {
    const size_t question = path_and_query.find('?');
    Parameters parameters = {{"REQUEST_METHOD", "GET"},
                             {"PATH_INFO", path_and_query.substr(0, question)},
                             {"REMOTE_ADDR", "192.0.2.1"}};
    if (question != std::string::npos) {
        parameters.emplace_back("QUERY_STRING", path_and_query.substr(question + 1));
    }
    if (!token.empty()) {
        parameters.emplace_back("HTTP_AUTHORIZATION", "Bearer " + token);
    }
    return parameters;
}

FastCgiClient::FastCgiClient(const std::string& socket_path) : socket_(connect_unix(socket_path)) {
    const timeval timeout = {.tv_sec = 30, .tv_usec = 0};
    ::setsockopt(socket_.number(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    ::setsockopt(socket_.number(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
}

void FastCgiClient::enlarge_send_buffer() {
    constexpr int kSize = 1 << 20U;  // the kernel may give less
    ::setsockopt(socket_.number(), SOL_SOCKET, SO_SNDBUF, &kSize, sizeof kSize);
}

void FastCgiClient::send(const std::string& octets) {
    for (size_t sent = 0; sent < octets.size();) {
        const ssize_t count =
            ::send(socket_.number(), octets.data() + sent, octets.size() - sent, MSG_NOSIGNAL);
        if (count < 0) {
            throw std::system_error(errno, std::generic_category(), "sending to the worker");
        }
        sent += static_cast<size_t>(count);
    }
}

void FastCgiClient::finish_sending() {
    ::shutdown(socket_.number(), SHUT_WR);
}

std::string FastCgiClient::read(size_t size) {
    std::string octets(size, '\0');
    size_t got = 0;
    while (got < size) {
        const ssize_t count = ::recv(socket_.number(), octets.data() + got, size - got, 0);
        if (count < 0 && errno != ECONNRESET) {
            throw std::system_error(errno, std::generic_category(), "receiving from the worker");
        }
        if (count <= 0) {
            break;
        }
        got += static_cast<size_t>(count);
    }
    octets.resize(got);
    return octets;
}

std::string FastCgiClient::receive_answer() {
    std::string output;
    for (;;) {
        const std::string header = read(8);
        if (header.size() < 8) {
            throw std::runtime_error("the connection ended within an answer");
        }
        const auto octet = [&header](size_t at) { return static_cast<unsigned char>(header[at]); };
        const size_t size = static_cast<size_t>(octet(4)) << 8U | octet(5);
        const std::string content = read(size + octet(6)).substr(0, size);
        if (octet(1) == kFastCgiOutput) {
            output += content;
        } else if (octet(1) == kFastCgiEnd) {
            return output;
        }
    }
}

void FastCgiClient::await_close() {
    while (!read(4096).empty()) {
    }
}

bool FastCgiClient::is_closed() {
    char octet = 0;
    const ssize_t count = ::recv(socket_.number(), &octet, 1, MSG_PEEK | MSG_DONTWAIT);
    return count == 0 || (count < 0 && errno != EAGAIN);
}

int status_of(const std::string& answer) {
    constexpr const char* kLine = "Status: ";
    return answer.rfind(kLine, 0) == 0 ? std::atoi(answer.c_str() + std::string(kLine).size()) : 0;
}

}  // namespace kheops::test
