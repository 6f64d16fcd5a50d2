// SPDX-License-Identifier: MIT
#include "support/test_worker.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <cstdlib>
#include <stdexcept>

#include "support/await.hpp"
#include "support/files.hpp"
#include "support/log_reference.hpp"
#include "support/sockets.hpp"
#include "support/test_keys.hpp"

namespace kheops::test {

std::string worker_program(WorkerBuild build) {
    const char* variable =
        build == WorkerBuild::short_times ? "KHEOPS_WORKER_SHORT_TIMES" : "KHEOPS_WORKER";
    const char* program = std::getenv(variable);
    if (program == nullptr) {
        throw std::runtime_error(std::string(variable) +
                                 " must be the path of the worker's program; ctest sets it");
    }
    return program;
}

Settings worker_environment(const Settings& settings, const std::string& key_file) {
    Settings environment = settings;
    if (!settings.contains("KHEOPS_OIDC_PROVIDER") &&
        !settings.contains("KHEOPS_AUTH_OIDC_PROVIDER")) {
        environment.emplace("KHEOPS_WEBHOOKS_JWKS", key_file);
        environment.emplace("KHEOPS_WEBHOOKS_ISSUER", kTestIssuer);
    }
    for (const char* sanitizer : {"ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"}) {
        if (const char* options = std::getenv(sanitizer)) {
            environment.emplace(sanitizer, options);
        }
    }
    return environment;
}

TestWorker::TestWorker(const Settings& settings, WorkerBuild build)
    : listener_(listen_unix(socket_path())),
      command_{.arguments = {worker_program(build)},
               .environment = worker_environment(settings, directory_.file("keys.json")),
               .standard_input = listener_.number(),
               .standard_error = directory_.file("log")} {
    write_file(directory_.file("keys.json"), test_key_set());
    write_file(directory_.file("log"), "");
    process_ = std::make_unique<ChildProcess>(command_);
}

TestWorker::~TestWorker() {
    process_.reset();
    expect_documented(log());
}

int TestWorker::restart() {
    process_->terminate();
    const int status = process_->wait();
    process_ = std::make_unique<ChildProcess>(command_);
    return status;
}

std::string TestWorker::log() const {
    return read_file(directory_.file("log"));
}

void TestWorker::await_log(const std::string& text) const {
    try {
        await("the worker's log contains " + text,
              [&] { return log().find(text) != std::string::npos; });
    } catch (const std::runtime_error& error) {
        throw std::runtime_error(error.what() + std::string(":\n") + log());
    }
}

void TestWorker::shut_down_listener() const {
    ::shutdown(listener_.number(), SHUT_RDWR);
}

void TestWorker::make_listener_block() const {
    const int flags = ::fcntl(listener_.number(), F_GETFL);
    ::fcntl(listener_.number(), F_SETFL, flags & ~O_NONBLOCK);
}

bool TestWorker::listener_blocks() const {
    return (::fcntl(listener_.number(), F_GETFL) & O_NONBLOCK) == 0;
}

}  // namespace kheops::test
