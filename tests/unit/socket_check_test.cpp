// SPDX-License-Identifier: MIT
#include "check/socket_check.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <utility>

#include "support/files.hpp"
#include "support/sockets.hpp"
#include "support/temporary_directory.hpp"

namespace kheops::test {
namespace {

class SocketUnit : public testing::Test {
  protected:
    SocketUnit() {
        write_file(unit_, "[Socket]\n# ListenStream=/comment\n ListenStream = " + socket_ + "\n");
    }

    /// The grades and the beginnings of what is found, one line for each.
    [[nodiscard]] std::string findings(const std::vector<std::string>& files) const {
        std::string text;
        check_socket_unit(files, [&text](const Finding& finding) {
            text += std::to_string(static_cast<int>(finding.grade)) + " " + finding.found + "\n";
            EXPECT_EQ(finding.remedy.empty(), finding.grade == Finding::Grade::ok);
        });
        return text;
    }

    TemporaryDirectory directory_;
    // With a space, which /proc/net/unix does not escape.
    const std::string socket_ = directory_.file("a socket");
    const std::string unit_ = directory_.file("unit");
};

TEST_F(SocketUnit, WithAListenerIsGood) {
    const Descriptor listener = listen_unix(socket_);
    ::chmod(socket_.c_str(), 0660);
    EXPECT_EQ(findings({unit_}), "0 socket \"" + socket_ + "\": a process listens on it\n");
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
