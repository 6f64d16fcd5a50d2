// SPDX-License-Identifier: MIT
#include "bench/site.hpp"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "support/await.hpp"
#include "support/files.hpp"
#include "support/sockets.hpp"
#include "support/test_keys.hpp"

namespace kheops::bench {

namespace {

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    if (value == nullptr) {
        throw std::runtime_error(std::string(name) + " must be set; scripts/bench sets it");
    }
    return value;
}

/// Debian puts the program there, with its version in its name.
std::string php_fpm() {
    for (const auto& entry : std::filesystem::directory_iterator("/usr/sbin")) {
        if (entry.path().filename().string().starts_with("php-fpm")) {
            return entry.path();
        }
    }
    throw std::runtime_error("php-fpm is not installed");
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
    for (size_t at = text.find(from); at != std::string::npos;
         at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
}

std::string server_of(const Program& program, const std::string& socket) {
    std::string text = test::nginx_file(
        "kheops-webhooks.conf",
        {{"listen 127.0.0.1:8080;", "listen 127.0.0.1:@PORT@;"},
         {"server unix:/run/kheops-webhooks/worker.sock;", "server unix:" + socket + ";"},
         {"server_name _;", "server_name " + program.name + ";"},
         {"limit_req zone=kheops_webhooks burst=500 nodelay;", program.nginx_lines},
         {"fastcgi_read_timeout 10s;", "fastcgi_read_timeout 300s;"}});
    // Each server needs its own names for the upstream, the zone and the variables.
    replace_all(text, "kheops_webhooks", "bench_" + program.name);
    return text;
}

}  // namespace

Tokens::Tokens(std::size_t count) {
    const test::SigningKey key = test::SigningKey::rsa();
    test::write_file(key_file(), key.public_pem());
    const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    constexpr int kDay = 86400;
    for (size_t i = 0; i < count; ++i) {
        tokens_.push_back(test::sign_jws_with(
            key, "RS256",
            R"({"iss":")" + std::string(test::kTestIssuer) + R"(","sub":"admin","jti":")" +
                std::to_string(i) + R"(","exp":)" + std::to_string(now + kDay) + "}"));
    }
}

const std::string& Tokens::next() {
    return tokens_[next_++ % tokens_.size()];
}

Program worker(const std::string& name, const std::string& conninfo, test::Settings settings) {
    settings.emplace("KHEOPS_WEBHOOKS_DATABASE", conninfo);
    settings.emplace("KHEOPS_WEBHOOKS_ISSUER", test::kTestIssuer);
    settings.emplace("KHEOPS_WEBHOOKS_THREADS", std::to_string(kThreads));
    return {.name = name,
            .command = {.arguments = {environment("KHEOPS_WORKER")}, .environment = settings}};
}

Program minimal(const std::string& conninfo, const std::string& statement, const Tokens& tokens) {
    return {.name = "minimal",
            .command = {.arguments = {environment("KHEOPS_BENCH_MINIMAL"), conninfo,
                                      tokens.key_file(), statement, std::to_string(kThreads)}}};
}

Program php(const std::string& conninfo, const std::string& statement, const Tokens& tokens) {
    const std::string sources = KHEOPS_SOURCE_DIR "/tests/bench/";
    const auto parameter = [](const std::string& name, const std::string& value) {
        return "fastcgi_param " + name + " \"" + value + "\";\n";
    };
    return {.name = "php",
            .command = {.arguments = {php_fpm(), "--nodaemonize", "--allow-to-run-as-root",
                                      "--fpm-config", sources + "php-fpm.conf"},
                        .environment = {{"CHILDREN", std::to_string(kThreads)}}},
            .listens = true,
            .nginx_lines = parameter("SCRIPT_FILENAME", sources + "list.php") +
                           parameter("KHEOPS_DATABASE", conninfo) +
                           parameter("KHEOPS_STATEMENT", statement) +
                           parameter("KHEOPS_KEY", tokens.key_file())};
}

Site::Site(const std::vector<Program>& programs) {
    std::string http;
    for (const Program& program : programs) {
        if (!program.listens) {
            listeners_.emplace(program.name, test::listen_unix(socket_of(program.name)));
        }
        start(program);
        http += server_of(program, socket_of(program.name));
    }
    nginx_ = std::make_unique<test::TestNginx>(http);
}

Site::~Site() {
    for (const auto& [name, process] : running_) {
        process->terminate();
        static_cast<void>(process->ends_within(std::chrono::seconds(60)));
    }
}

void Site::start(const Program& program) {
    const std::string& name = program.name;
    test::Command command = program.command;
    command.standard_error = directory_.file(name + ".log");
    if (program.listens) {
        command.environment["SOCKET"] = socket_of(name);
    } else {
        command.standard_input = listeners_.at(name).number();
    }
    running_[name] = std::make_unique<test::ChildProcess>(command);
    if (program.listens) {
        test::await(name + " listens", [&] {
            if (!running_[name]->running()) {
                throw std::runtime_error(test::read_file(command.standard_error));
            }
            return std::filesystem::exists(socket_of(name));
        });
    }
}

std::string Site::socket_of(const std::string& name) const {
    return directory_.file(name + ".sock");
}

}  // namespace kheops::bench
