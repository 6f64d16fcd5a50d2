// SPDX-License-Identifier: MIT

// The worker writes no file and needs no capability, and no network if its database and keys are on
// this machine. In the tests' sandbox the kernel ends it at the first forbidden call.

#include <gtest/gtest.h>

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <vector>

#include "support/await.hpp"
#include "support/database.hpp"
#include "support/fastcgi_client.hpp"
#include "support/files.hpp"
#include "support/sockets.hpp"
#include "support/temporary_directory.hpp"
#include "support/test_keys.hpp"
#include "support/test_worker.hpp"

namespace kheops::test {
namespace {

constexpr const char* kList = "/albums/DemoAlbum1/webhooks";

/// What no program may call in the sandbox, whatever the arguments are.
constexpr std::array kForbiddenCalls = {
    SYS_openat2, SYS_bind,      SYS_mkdirat,  SYS_unlinkat, SYS_renameat2,
    SYS_linkat,  SYS_symlinkat, SYS_truncate, SYS_fchmodat, SYS_fchownat,
#ifdef SYS_open  // a newer architecture has the calls above only
    SYS_creat,   SYS_mkdir,     SYS_unlink,   SYS_rename,   SYS_link,
    SYS_symlink, SYS_chmod,     SYS_chown,
#endif
};

/// What a program may call unless this argument, counted from 0, has one of these bits.
struct RestrictedCall {
    unsigned number;
    unsigned argument;
    unsigned forbidden;
};

constexpr unsigned kWriting = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;

constexpr std::array kRestrictedCalls = {
    RestrictedCall{SYS_openat, 2, kWriting},
#ifdef SYS_open
    RestrictedCall{SYS_open, 1, kWriting},
#endif
    // AF_UNIX is 1, and every other family of sockets has another bit.
    RestrictedCall{SYS_socket, 0, ~unsigned{AF_UNIX}},
};

std::vector<sock_filter> sandbox() {
    const auto load = [](std::size_t offset) -> sock_filter {
        return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(offset));
    };
    const auto skip_unless_call = [](unsigned number, unsigned char skipped) -> sock_filter {
        return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, skipped);
    };
    constexpr sock_filter kKill = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    constexpr sock_filter kAllow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    // Where the lower half of an argument is; the filter checks only that.
    constexpr std::size_t kLow = std::endian::native == std::endian::little ? 0 : 4;

    std::vector<sock_filter> filter = {load(offsetof(seccomp_data, nr))};
    for (const unsigned number : kForbiddenCalls) {
        filter.insert(filter.end(), {skip_unless_call(number, 1), kKill});
    }
    for (const RestrictedCall& call : kRestrictedCalls) {
        filter.insert(filter.end(),
                      {skip_unless_call(call.number, 4),
                       load(offsetof(seccomp_data, args) + 8 * call.argument + kLow),
                       BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, call.forbidden, 0, 1), kKill, kAllow});
    }
    filter.push_back(kAllow);
    return filter;
}

/// Made before any fork: the child must not allocate memory.
const std::vector<sock_filter> kSandbox = sandbox();

/// The user of the program where the test runs as root: one that the database accepts.
uid_t sandbox_user = 0;

/// Drops root's rights, and forbids calls that write files or reach other machines.
void enter_sandbox() {
    if (::geteuid() == 0 && ::setresuid(sandbox_user, sandbox_user, sandbox_user) != 0) {
        ::_exit(126);
    }
    const sock_fprog program = {.len = static_cast<unsigned short>(kSandbox.size()),
                                .filter = const_cast<sock_filter*>(kSandbox.data())};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        ::_exit(126);
    }
}

/// The exit status of a command in the sandbox.
int exit_status_of(const std::vector<std::string>& arguments) {
    ChildProcess command({.arguments = arguments, .before_start = enter_sandbox});
    return command.wait();
}

TEST(Rights, SandboxEndsForbiddenCalls) {
    const TemporaryDirectory directory;
    EXPECT_EQ(exit_status_of({"sh", "-c", "exit 3"}), 3);
    EXPECT_EQ(exit_status_of({"sh", "-c", "echo > " + directory.file("new")}), 128 + SIGSYS);
    const auto create_socket = [](int family) {
        return exit_status_of({"perl", "-e", "socket(S, " + std::to_string(family) + ", 1, 0)"});
    };
    EXPECT_EQ(create_socket(AF_UNIX), 0);
    EXPECT_EQ(create_socket(AF_INET), 128 + SIGSYS);
}

TEST(Rights, WorkerServesReadOnlyAndOffline) {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "ThreadSanitizer itself writes a file when the program starts";
#endif
    const TestDatabase database({"sql/schema.sql", "sql/example-data.sql"});
    const TemporaryDirectory directory;
    const std::string socket = directory.file("worker.sock");
    const std::string keys = directory.file("keys.json");
    const std::string log = directory.file("log");
    const std::string program = directory.file("kheops-webhooks");
    write_file(keys, test_key_set());
    // Only root may be able to read the build tree.
    std::filesystem::copy_file(worker_program(WorkerBuild::standard), program);
    if (::geteuid() == 0) {
        struct stat host = {};
        ASSERT_EQ(::stat(database.host().c_str(), &host), 0);
        sandbox_user = host.st_uid;
        for (const std::string& path : {directory.path(), keys, program}) {
            ASSERT_EQ(::chown(path.c_str(), sandbox_user, static_cast<gid_t>(-1)), 0);
        }
    }
    const Descriptor listener = listen_unix(socket);
    ChildProcess worker({.arguments = {program},
                         .environment = worker_environment(
                             {{"KHEOPS_WEBHOOKS_DATABASE", database.conninfo()}}, keys),
                         .standard_input = listener.number(),
                         .standard_error = log,
                         .before_start = enter_sandbox});

    FastCgiClient client(socket);
    const auto expect_list = [&] {
        client.send(fastcgi_request(get_parameters(kList, mint_token("alice")), true));
        EXPECT_EQ(status_of(client.receive_answer()), 200) << read_file(log);
    };
    expect_list();
    const std::string status = read_file("/proc/" + std::to_string(worker.pid()) + "/status");
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
        EXPECT_NE(status.find(std::string(set) + ":\t0000000000000000\n"), std::string::npos)
            << status;
    }
    write_file(keys, "no key set");
    worker.signal(SIGHUP);
    await("the key file is read again",
          [&] { return read_file(log).find("event=keys_not_reloaded") != std::string::npos; });
    expect_list();
    worker.terminate();
    EXPECT_EQ(worker.wait(), 0) << read_file(log);
}

}  // namespace
}  // namespace kheops::test
