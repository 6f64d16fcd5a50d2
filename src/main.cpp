// SPDX-License-Identifier: MIT

// Handles the command line, detects how the program was started, and returns the exit status.

#include <fcntl.h>
#include <getopt.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "check/check.hpp"
#include "config.hpp"
#include "descriptor.hpp"
#include "key_times.hpp"
#include "log.hpp"
#include "open_keys.hpp"
#include "server/cgi.hpp"
#include "server/worker.hpp"
#include "settings.hpp"
#include "settings_file.hpp"
#include "token/access_token.hpp"
#include "variables.hpp"

namespace {

constexpr int kUsageError = 2;

void print_help() {
    std::cout << R"(kheops-webhooks answers GET /albums/{album_id}/webhooks from a Kheops database.
`man kheops-webhooks` has examples, and says more about all that follows.

A web server or a service manager starts it, in one of two ways:
  as a FastCGI worker, with a listening socket as descriptor 0: `systemctl start kheops-webhooks`
      does so; without systemd, spawn-fcgi does
  as plain CGI, with one request in its environment; it has no options then

Options:

  --check            look at the settings, the keys, the socket and the database, and print what
                     to do about each problem. Run it as the user of the worker and, where the
                     worker's settings are in a file, with --settings
  --settings FILE    read settings from FILE too, in the form of systemd's EnvironmentFile; the
                     environment takes precedence
  --help             print this text
  --version          print the version

)" << kheops::settings_help()
              << R"(
Exit status:
  0  the worker was stopped by SIGTERM or SIGINT, or a CGI request was answered
  1  the worker lost its listening socket, or another failure
  2  the command line or a setting is wrong

Exit status of --check:
  0  no problem was found
  1  a problem was found; a wrong setting is one
  2  the command line is wrong
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
        "(CGI); with --check [--settings FILE] it checks the installation; see kheops-webhooks "
        "--help");
    return kUsageError;
}

/// The command line is wrong. what() says why.
class UsageError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct CommandLine {
    bool help = false;
    bool version = false;
    bool check = false;
    std::string settings_file;  // empty: none
};

/// Throws UsageError.
CommandLine parse_command_line(int count, char** arguments) {
    constexpr std::array<option, 5> kOptions = {{{"help", no_argument, nullptr, 'h'},
                                                 {"version", no_argument, nullptr, 'v'},
                                                 {"check", no_argument, nullptr, 'c'},
                                                 {"settings", required_argument, nullptr, 's'},
                                                 {}}};
    CommandLine line;
    ::opterr = 0;
    const auto next = [&] {
        // There is one thread. NOLINTNEXTLINE(concurrency-mt-unsafe)
        return ::getopt_long(count, arguments, ":", kOptions.data(), nullptr);
    };
    for (int found = next(); found >= 0; found = next()) {
        line.help = line.help || found == 'h';
        line.version = line.version || found == 'v';
        line.check = line.check || found == 'c';
        if (found == 's') {
            line.settings_file = ::optarg;
        }
        if (found == ':' || (found == 's' && line.settings_file.empty())) {
            throw UsageError("--settings without a file");
        }
        if (found == '?') {
            throw UsageError(std::string("unknown argument '") + arguments[::optind - 1] + "'");
        }
    }
    if (::optind < count) {
        throw UsageError(std::string("unknown argument '") + arguments[::optind] + "'");
    }
    if ((line.help || line.version) && count > 2) {
        throw UsageError("--help and --version stand alone");
    }
    return line;
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

void log_unknown_settings(const kheops::Log& log) {
    for (const auto& unknown : kheops::unknown_settings(kheops::environment_names())) {
        log.event(kheops::LogLevel::warning, "setting_unknown",
                  {{"name", unknown.name}, {"nearest", unknown.nearest}});
    }
}

/// Reports all of them, so that one attempt to start shows everything that is to be corrected. `id`
/// is that of the answer to a CGI request; empty for a worker. Returns the exit status.
int report_config_errors(const std::vector<kheops::ConfigError>& errors, const std::string& id) {
    constexpr std::size_t kMaxReported = 20;  // a settings file can be a file of something else
    const std::string suffix = id.empty() ? "" : " (log id " + id + ")";
    const std::size_t reported = std::min(errors.size(), kMaxReported);
    for (std::size_t i = 0; i < reported; ++i) {
        report(errors[i].what() + suffix);
    }
    if (reported < errors.size()) {
        report(std::to_string(errors.size() - reported) + " more wrong lines and settings" +
               suffix);
    }
    return kUsageError;
}

/// Starts as a worker or as plain CGI. `settings_file` is empty without one.
int run(const std::string& settings_file) {
    const bool is_worker = kheops::is_listening(STDIN_FILENO);
    if (!is_worker && !kheops::is_cgi_request()) {
        return report_usage_error("started by hand");
    }
    std::vector<kheops::ConfigError> errors;
    const auto keep = [&errors](const kheops::ConfigError& error) { errors.push_back(error); };
    const auto refuse = [&errors, is_worker] {
        if (is_worker) {
            kheops::close_waiting_connections(STDIN_FILENO);
        }
        return report_config_errors(errors, is_worker ? "" : kheops::answer_fault_as_cgi());
    };
    try {
        if (!settings_file.empty()) {
            kheops::load_settings_file(settings_file, keep);
        }
    } catch (const kheops::ConfigError& error) {  // then settings that it holds would seem missing
        keep(error);
        return refuse();
    }
    const kheops::Config config =
        kheops::read_config(kheops::environment_variables(), kheops::kKeyTimes, keep);
    const kheops::Log log(config.log_level);
    log_unknown_settings(log);  // first: a misspelt name can be why another one is missing
    std::unique_ptr<kheops::KeySource> keys;
    if (errors.empty() || !config.key_file.empty()) {
        try {
            keys = kheops::open_keys(config, log);
        } catch (const kheops::ConfigError& error) {
            keep(error);
        }
    }
    if (!errors.empty()) {
        return refuse();
    }
    const kheops::TokenVerifier tokens(*keys, config.token_rules);
    if (is_worker) {
        const int status = kheops::run_worker(STDIN_FILENO, config, *keys, tokens, log);
        keys.reset();  // ends its threads before the last log line
        log.event(kheops::LogLevel::info, "stopped");
        return status;
    }
    kheops::answer_as_cgi(config, tokens, log);
    return EXIT_SUCCESS;
}

}  // namespace

int main(int count, char** arguments) {
    // Ignore SIGPIPE before the first write, so that a write without a reader fails with EPIPE.
    static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
    try {
        open_standard_descriptors();
        forbid_core_dumps();
        // A web server passes a query without `=` as arguments (RFC 3875 section 4.4).
        if (kheops::is_cgi_request()) {
            return run("");
        }
        const CommandLine line = parse_command_line(count, arguments);
        if (line.help) {
            print_help();
            return EXIT_SUCCESS;
        }
        if (line.version) {
            std::cout << "kheops-webhooks " << KHEOPS_VERSION << '\n';
            return EXIT_SUCCESS;
        }
        if (line.check) {
            const bool is_good =
                kheops::check_installation(line.settings_file, kheops::kKeyTimes, std::cout);
            if (!std::cout) {
                throw std::runtime_error("standard output cannot be written");
            }
            return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
        }
        return run(line.settings_file);
    } catch (const UsageError& error) {
        return report_usage_error(error.what());
    } catch (const std::exception& error) {
        report(error.what());
        return EXIT_FAILURE;
    }
}
