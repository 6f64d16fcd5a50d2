// SPDX-License-Identifier: MIT
#include "support/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace kheops::test {

namespace {

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (std::string& text : texts) {
        pointers.push_back(text.data());
    }
    pointers.push_back(nullptr);
    return pointers;
}

void open_as(int descriptor, const std::string& path) {
    if (!path.empty()) {
        const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        ::dup2(file, descriptor);
    }
}

}  // namespace

std::map<std::string, std::string> own_environment() {
    std::map<std::string, std::string> all;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        const std::string text = *variable;
        const size_t equals = text.find('=');
        all.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return all;
}

ChildProcess::ChildProcess(const Command& command) : name_(command.arguments.at(0)) {
    std::vector<std::string> arguments = command.arguments;
    std::vector<std::string> environment;
    for (const auto& [name, value] : command.environment) {
        environment.push_back(name + '=' + value);
    }
    const std::vector<char*> argv = pointers_to(arguments);
    const std::vector<char*> envp = pointers_to(environment);

    pid_ = ::fork();
    if (pid_ < 0) {
        throw std::system_error(errno, std::generic_category(), "fork");
    }
    if (pid_ == 0) {
        // Allocate nothing between fork and exec: another thread may have held malloc's lock.
        ::prctl(PR_SET_PDEATHSIG, SIGTERM);
        sigset_t none;
        sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        ::dup2(command.standard_input >= 0 ? command.standard_input
                                           : ::open("/dev/null", O_RDONLY | O_CLOEXEC),
               STDIN_FILENO);
        open_as(STDOUT_FILENO, command.standard_output);
        open_as(STDERR_FILENO, command.standard_error);
        if (command.error_descriptor >= 0) {
            ::dup2(command.error_descriptor, STDERR_FILENO);
        }
        if (command.before_start != nullptr) {
            command.before_start();
        }
        ::execvpe(argv[0], argv.data(), envp.data());
        const char* reason = ::strerrordesc_np(errno);
        for (const char* text :
             {"cannot start ", static_cast<const char*>(argv[0]), ": ", reason, "\n"}) {
            [[maybe_unused]] const ssize_t written =
                ::write(STDERR_FILENO, text, std::strlen(text));
        }
        ::_exit(127);
    }
    // glibc 2.36 declares pidfd_open() for C only.
    handle_ = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    if (handle_.number() < 0) {
        const int error = errno;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        throw std::system_error(error, std::generic_category(), "pidfd_open");
    }
}

ChildProcess::~ChildProcess() {
    if (!reaped_) {
        kill();
        ::waitpid(pid_, nullptr, 0);
    }
}

void ChildProcess::signal(int number) const {
    if (!reaped_) {
        ::kill(pid_, number);
    }
}

bool ChildProcess::ends_within(std::chrono::milliseconds timeout) const {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point end = Clock::now() + timeout;
    pollfd watched = {.fd = handle_.number(), .events = POLLIN, .revents = 0};
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
        const int count = ::poll(&watched, 1, static_cast<int>(std::max(left, decltype(left){0})));
        if (count >= 0 || errno != EINTR) {
            return count > 0;
        }
    }
}

int ChildProcess::wait(std::chrono::milliseconds timeout) {
    if (!reaped_) {
        if (!ends_within(timeout)) {
            throw std::runtime_error(name_ + " (process " + std::to_string(pid_) +
                                     ") still runs after " + std::to_string(timeout.count()) +
                                     " ms");
        }
        ::waitpid(pid_, &status_, 0);
        reaped_ = true;
    }
    return WIFSIGNALED(status_) ? 128 + WTERMSIG(status_) : WEXITSTATUS(status_);
}

bool ChildProcess::dumped_core() const {
    return reaped_ && WCOREDUMP(status_);
}

}  // namespace kheops::test
