// SPDX-License-Identifier: MIT
#include "support/nginx.hpp"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include "support/files.hpp"
#include "support/sockets.hpp"

namespace kheops::test {

namespace {

constexpr const char* kProgram = "/usr/sbin/nginx";  // not on the PATH of ordinary users
constexpr int kMaxTries = 5;
constexpr std::chrono::seconds kStartTimeout(60);

/// A port of 127.0.0.1 that is free now. Another program may take it before nginx does.
std::uint16_t free_port() {
    return port_of(bind_tcp("127.0.0.1"));
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
    for (size_t at = text.find(from); at != std::string::npos;
         at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
}

/// A complete configuration. Its paths are relative to nginx's prefix.
std::string configuration(const std::string& http) {
    // Root's nginx runs its worker process as "nobody" by default, who cannot enter the test's
    // directories. For an ordinary user, nginx ignores the directive with a warning.
    const std::string user = ::geteuid() == 0 ? "user root;\n" : "";
    return user +
           "daemon off;\n"
           "worker_processes 1;\n"
           "pid nginx.pid;\n"
           "error_log error.log info;\n"
           "events { worker_connections 1000; }\n"
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
    std::string text = read_source("nginx/" + name);
    for (const auto& [from, to] : substitutions) {
        const size_t at = text.find(from);
        if (at == std::string::npos || text.find(from, at + 1) != std::string::npos) {
            throw std::runtime_error("nginx/" + name + " must contain exactly once: " + from);
        }
        text.replace(at, from.size(), to);
    }
    return text;
}

TestNginx::TestNginx(const std::string& http) {
    for (int tries = 1; !start(http); ++tries) {
        if (tries == kMaxTries) {
            throw std::runtime_error("nginx found no free port:\n" + error_log());
        }
    }
}

TestNginx::~TestNginx() {
    // After SIGKILL, nginx's worker process would go on running.
    process_->terminate();
    static_cast<void>(process_->ends_within(std::chrono::seconds(60)));
}

bool TestNginx::start(const std::string& http) {
    port_ = free_port();
    do {
        operator_port_ = free_port();
    } while (operator_port_ == port_);
    std::string text = configuration(http);
    replace_all(text, "@PORT@", std::to_string(port_));
    replace_all(text, "@OPERATOR_PORT@", std::to_string(operator_port_));
    write_file(directory_.file("nginx.conf"), text);
    write_file(directory_.file("error.log"), "");
    std::filesystem::create_directory(directory_.file("kheops-webhooks"));
    write_file(directory_.file("kheops-webhooks/kheops-errors.conf"),
               nginx_file("kheops-errors.conf", {}));

    const std::string log = directory_.file("error.log");
    process_ = std::make_unique<ChildProcess>(
        Command{.arguments = {kProgram, "-p", directory_.path() + '/', "-c",
                              directory_.file("nginx.conf"), "-e", log},
                .standard_error = directory_.file("stderr")});

    // nginx writes its PID file after it has begun to listen.
    const std::filesystem::path pid_file = directory_.file("nginx.pid");
    const auto timeout = std::chrono::steady_clock::now() + kStartTimeout;
    std::error_code error;
    while (std::filesystem::file_size(pid_file, error) == 0 || error) {
        if (process_->ends_within(std::chrono::milliseconds(5))) {
            if (error_log().find("Address already in use") != std::string::npos) {
                return false;
            }
            throw std::runtime_error("nginx did not start:\n" + error_log() +
                                     read_file(directory_.file("stderr")));
        }
        if (std::chrono::steady_clock::now() > timeout) {
            throw std::runtime_error("nginx wrote no PID file within 60 s:\n" + error_log());
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
