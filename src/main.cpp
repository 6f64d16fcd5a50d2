// SPDX-License-Identifier: MIT

// Handles the command line, detects how the program was started, and returns the exit status.

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <system_error>

#include "config.hpp"
#include "key_times.hpp"
#include "log.hpp"
#include "open_keys.hpp"
#include "server/cgi.hpp"
#include "server/worker.hpp"
#include "settings.hpp"
#include "token/access_token.hpp"
#include "variables.hpp"

namespace {

constexpr int kUsageError = 2;

/// Whether a descriptor is a listening socket, which a FastCGI worker has as descriptor 0.
bool is_listening(int descriptor) {
    int listening = 0;
    socklen_t size = sizeof listening;
    return ::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 &&
           listening != 0;
}

void print_help() {
    std::cout << R"(kheops-webhooks answers GET /albums/{album_id}/webhooks from a Kheops database.

Start it in one of two ways:
  as a FastCGI worker, with a listening socket as descriptor 0, for example
      spawn-fcgi -n -s /run/kheops-webhooks/worker.sock -- kheops-webhooks
  as plain CGI, by a web server, with one request in its environment

  --help     print this text
  --version  print the version

)" << kheops::settings_help()
              << R"(
Exit status: 0 stopped by SIGTERM or SIGINT, or one CGI request answered; 1 listening socket lost,
or another failure; 2 wrong command line or setting.
)";
}

/// Logs why the program ends, at any log level.
void report(const std::string& reason) {
    kheops::Log(kheops::LogLevel::error).message(reason);
}

int report_usage_error(const std::string& reason) {
    report(
        reason +
        "; it needs a listening socket as descriptor 0 (FastCGI) or a request in its environment "
        "(CGI); see kheops-webhooks --help");
    return kUsageError;
}

/// Opens /dev/null as each closed descriptor from 0 to 2. A FastCGI worker may start with
/// descriptors 1 and 2 closed: a socket could get number 2, and the log would go to it. Throws
/// std::system_error if /dev/null cannot be opened.
void open_standard_descriptors() {
    for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(descriptor, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) < 0) {
            throw std::system_error(errno, std::generic_category(), "opening /dev/null");
        }
    }
}

/// A core dump would hold tokens and the database's password. RLIMIT_CORE is not enough: the kernel
/// ignores it when it pipes core dumps to a program (core(5)).
void forbid_core_dumps() {
    ::prctl(PR_SET_DUMPABLE, 0);
}

int run() {
    forbid_core_dumps();
    const bool is_worker = is_listening(STDIN_FILENO);
    if (!is_worker && !kheops::is_cgi_request()) {
        return report_usage_error("started by hand");
    }
    try {
        std::optional<kheops::ConfigError> first_error;
        const kheops::Config config =
            kheops::read_config(kheops::environment_variables(), kheops::kKeyTimes,
                                [&first_error](const kheops::ConfigError& error) {
                                    if (!first_error) {
                                        first_error = error;
                                    }
                                });
        if (first_error) {
            throw kheops::ConfigError(*first_error);
        }
        const kheops::Log log(config.log_level);
        std::unique_ptr<kheops::KeySource> keys = kheops::open_keys(config, log);
        const kheops::TokenVerifier tokens(*keys, config.token_rules);
        if (is_worker) {
            const int status = kheops::run_worker(STDIN_FILENO, config, *keys, tokens, log);
            keys.reset();  // ends its threads before the last log line
            log.event(kheops::LogLevel::info, "stopped");
            return status;
        }
        kheops::answer_as_cgi(config, tokens, log);
        return EXIT_SUCCESS;
    } catch (const kheops::ConfigError& error) {
        const std::string id = is_worker ? "" : kheops::answer_fault_as_cgi();
        report(std::string(error.what()) + (id.empty() ? "" : " (log id " + id + ")"));
        return kUsageError;
    }
}

}  // namespace

int main(int count, char** arguments) {
    // Ignore SIGPIPE before the first write, so that a write without a reader fails with EPIPE.
    static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
    try {
        open_standard_descriptors();
        // A web server passes a query without `=` as arguments (RFC 3875 section 4.4).
        if (count <= 1 || kheops::is_cgi_request()) {
            return run();
        }
        const std::string option = arguments[1];
        if (count == 2 && option == "--help") {
            print_help();
            return EXIT_SUCCESS;
        }
        if (count == 2 && option == "--version") {
            std::cout << "kheops-webhooks " << KHEOPS_VERSION << '\n';
            return EXIT_SUCCESS;
        }
        return report_usage_error("unknown argument '" + option + "'");
    } catch (const std::exception& error) {
        report(error.what());
        return EXIT_FAILURE;
    }
}
