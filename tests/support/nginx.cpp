// SPDX-License-Identifier: MIT
#include "support/nginx.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include "descriptor.hpp"
#include "support/files.hpp"

namespace kheops::test {

namespace {

constexpr const char* kProgram = "/usr/sbin/nginx";  // not on the PATH of ordinary users
constexpr int kTries = 5;
constexpr std::chrono::seconds kStartLimit(60);

/// A port of 127.0.0.1 that is free now, and may be taken by another program the next moment.
std::uint16_t free_port() {
    const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket.number(), generic, size) != 0 ||
        ::getsockname(socket.number(), generic, &size) != 0) {
        throw std::system_error(errno, std::generic_category(), "finding a free port");
    }
    return ntohs(address.sin_port);
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
    for (size_t at = text.find(from); at != std::string::npos;
         at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
}

/// A whole configuration, all of whose paths are under nginx's prefix.
std::string configuration(const std::string& http) {
    // The serving process would be "nobody" and could not enter the test's directories; for an
    // ordinary user the directive has no meaning, and nginx says so.
    const std::string user = ::geteuid() == 0 ? "user root;\n" : "";
    return user +
           "daemon off;\n"
           "worker_processes 1;\n"
           "pid nginx.pid;\n"
           "error_log error.log info;\n"
           // The benchmark's overload opens 2,000 connections, each with one to the worker.
           "worker_rlimit_nofile 8192;\n"
           "events { worker_connections 4096; }\n"
           "http {\n"
           "access_log off;\n"
           "client_body_temp_path body;\n"
           "fastcgi_temp_path fastcgi;\n"
           "proxy_temp_path proxy;\n"
           "scgi_temp_path scgi;\n"
           "uwsgi_temp_path uwsgi;\n" +
           http + "\n}\n";
}

}  // namespace

std::string nginx_file(const std::string& name, const std::vector<Substitution>& substitutions) {
    std::string text = read_file(std::string(KHEOPS_SOURCE_DIR "/nginx/") + name);
    for (const auto& [from, to] : substitutions) {
        const size_t at = text.find(from);
        if (at == std::string::npos || text.find(from, at + 1) != std::string::npos) {
            throw std::runtime_error("nginx/" + name + " must hold exactly once: " + from);
        }
        text.replace(at, from.size(), to);
    }
    return text;
}

TestNginx::TestNginx(const std::string& http) {
    for (int tries = 1; !start(http); ++tries) {
        if (tries == kTries) {
            throw std::runtime_error("nginx finds no free port:\n" + error_log());
        }
    }
}

TestNginx::~TestNginx() {
    // Killed, it would leave its serving process behind.
    process_->terminate();
    static_cast<void>(process_->ends_within(std::chrono::seconds(60)));
}

bool TestNginx::start(const std::string& http) {
    port_ = free_port();
    std::string text = configuration(http);
    replace_all(text, "@PORT@", std::to_string(port_));
    write_file(directory_.file("nginx.conf"), text);
    write_file(directory_.file("error.log"), "");

    const std::string log = directory_.file("error.log");
    process_ = std::make_unique<ChildProcess>(
        Command{.arguments = {kProgram, "-p", directory_.path() + '/', "-c",
                              directory_.file("nginx.conf"), "-e", log},
                .standard_error = directory_.file("stderr")});

    // nginx writes its process id once it listens.
    const std::filesystem::path id_file = directory_.file("nginx.pid");
    const auto give_up = std::chrono::steady_clock::now() + kStartLimit;
    std::error_code error;
    while (std::filesystem::file_size(id_file, error) == 0 || error) {
        if (process_->ends_within(std::chrono::milliseconds(5))) {
            if (error_log().find("Address already in use") != std::string::npos) {
                return false;
            }
            throw std::runtime_error("nginx does not start:\n" + error_log() +
                                     read_file(directory_.file("stderr")));
        }
        if (std::chrono::steady_clock::now() > give_up) {
            throw std::runtime_error("nginx does not get ready:\n" + error_log());
        }
    }
    return true;
}

std::string TestNginx::url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
}

std::string TestNginx::error_log() const {
    return read_file(directory_.file("error.log"));
}

}  // namespace kheops::test
