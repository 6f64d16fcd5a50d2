// SPDX-License-Identifier: MIT
#include "check/socket_check.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "check/accounts.hpp"
#include "support/files.hpp"
#include "support/sockets.hpp"
#include "support/temporary_directory.hpp"

namespace kheops::test {
namespace {

class SocketUnit : public testing::Test {
  protected:
    SocketUnit() {
        // nginx reaches the socket, which belongs to this user and its group.
        ::chmod(directory_.path().c_str(), 0711);
        ::mkdir(processes_.c_str(), 0700);
        write_file(unit_, "[Socket]\n# ListenStream=/comment\n ListenStream = " + socket_ + "\n");
    }

    /// The grades and the beginnings of what is found, one line for each.
    [[nodiscard]] std::string findings(const std::vector<std::string>& files) const {
        std::string text;
        check_socket_unit(files, processes_, [&text](const Finding& finding) {
            text += std::to_string(static_cast<int>(finding.grade)) + " " + finding.found + "\n";
            EXPECT_EQ(finding.remedy.empty(), finding.grade == Finding::Grade::ok);
        });
        return text;
    }

    /// A process as /proc/PID/status shows it.
    void run(const std::string& pid, const std::string& name, uid_t user, gid_t group) const {
        const std::string directory = processes_ + "/" + pid;
        const std::string ids = std::to_string(user);
        ::mkdir(directory.c_str(), 0700);
        write_file(directory + "/status", "Name:\t" + name + "\nUmask:\t0022\nUid:\t" + ids + "\t" +
                                              ids + "\t" + ids + "\t" + ids +
                                              "\nGid:\t7\t7\t7\t7\nGroups:\t8 " +
                                              std::to_string(group) + " \n");
    }

    /// What is found of a socket with a listener and this mode.
    [[nodiscard]] std::string findings_of_mode(mode_t mode) const {
        const Descriptor listener = listen_unix(socket_);
        ::chmod(socket_.c_str(), mode);
        return findings({unit_});
    }

    TemporaryDirectory directory_;
    const std::string processes_ = directory_.file("proc");
    // With a space, which /proc/net/unix does not escape.
    const std::string socket_ = directory_.file("a socket");
    const std::string unit_ = directory_.file("unit");
    const std::string owner_ = user_in_words(::geteuid());
    const std::string group_ = group_in_words(::getegid());
    static constexpr uid_t kNginx = 424242;  // not in the user database
    static constexpr uid_t kOther = 434343;
};

TEST_F(SocketUnit, WithAListenerIsGood) {
    EXPECT_EQ(findings_of_mode(0600), "0 socket \"" + socket_ + "\": a process listens on it, " +
                                          owner_ + " can connect to it\n");
    EXPECT_EQ(findings_of_mode(0660), "0 socket \"" + socket_ + "\": a process listens on it, " +
                                          owner_ + " and " + group_ + " can connect to it\n");
}

TEST_F(SocketUnit, ThatARunningNginxCanConnectToIsGood) {
    run("10", "nginx", 0, 0);
    run("11", "nginx", kNginx, ::getegid());
    run("12", "nginx", kOther, kOther);  // one of another container
    EXPECT_EQ(findings_of_mode(0660), "0 socket \"" + socket_ + "\": a process listens on it, " +
                                          owner_ + " and " + group_ +
                                          " can connect to it, so can nginx\n");
}

TEST_F(SocketUnit, ThatNoRunningNginxCanConnectToIsAWarning) {
    run("10", "nginx", 0, 0);
    run("11", "nginx", kNginx, kOther);
    run("12", "not nginx", kOther, ::getegid());
    const std::string warning =
        " can connect to it, but no running nginx can, which runs as the user with the number " +
        std::to_string(kNginx) + "\n";
    EXPECT_EQ(findings_of_mode(0660),
              "1 socket \"" + socket_ + "\": " + owner_ + " and " + group_ + warning);

    run("11", "nginx", kNginx, ::getegid());
    EXPECT_EQ(findings_of_mode(0600), "1 socket \"" + socket_ + "\": " + owner_ + warning);
    ::chmod(directory_.path().c_str(), 0700);  // which nginx cannot enter
    EXPECT_EQ(findings_of_mode(0660),
              "1 socket \"" + socket_ + "\": " + owner_ + " and " + group_ + warning);
}

TEST_F(SocketUnit, WithoutAListenerIsAProblem) {
    const std::string problem = "2 socket \"" + socket_ + "\": no process listens on it\n";
    EXPECT_EQ(findings({unit_}), problem);
    // The file of the socket and a connection outlive their listener.
    Descriptor listener = listen_unix(socket_);
    const Descriptor client = connect_unix(socket_);
    const Descriptor accepted(::accept4(listener.number(), nullptr, nullptr, SOCK_CLOEXEC));
    ASSERT_GE(accepted.number(), 0);
    { const Descriptor closed = std::move(listener); }
    EXPECT_EQ(findings({unit_}), problem);
}

TEST_F(SocketUnit, ThatEveryUserCanConnectToIsAWarning) {
    const Descriptor listener = listen_unix(socket_);
    ::chmod(socket_.c_str(), 0666);
    EXPECT_EQ(findings({unit_}),
              "1 socket \"" + socket_ + "\": every user of this machine can connect to it\n");
}

TEST_F(SocketUnit, IsReadWithItsDropIns) {
    const std::string added = directory_.file("10");
    const std::string reset = directory_.file("20");
    write_file(added, "[Socket]\nListenStream=/no/socket\n");
    write_file(reset, "[Socket]\nListenStream=\nListenStream=/no/other\nListenStream=8000\n");
    EXPECT_EQ(findings({unit_, added}), "2 socket \"" + socket_ +
                                            "\": no process listens on it\n"
                                            "2 socket /no/socket: no process listens on it\n");
    EXPECT_EQ(findings({unit_, added, reset}), "2 socket /no/other: no process listens on it\n");
}

TEST_F(SocketUnit, ThatCannotBeReadIsSkipped) {
    EXPECT_EQ(findings({directory_.file("none")}), "");
    EXPECT_EQ(findings({}), "");
}

}  // namespace
}  // namespace kheops::test
