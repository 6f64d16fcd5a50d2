// SPDX-License-Identifier: MIT

// The password file of Kheops' own settings (contract section 7), which is read at each connect.

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include "database/connect.hpp"
#include "support/await.hpp"
#include "support/database.hpp"
#include "support/files.hpp"
#include "support/temporary_directory.hpp"

namespace kheops::test {
namespace {

constexpr Statement kCurrentUser = {"current_user", "SELECT current_user::text"};

class Password : public testing::Test {
  protected:
    Password() {
        database_.execute("CREATE ROLE " + role_ +
                          " LOGIN PASSWORD 'right' IN ROLE needs_password");
    }
    ~Password() override { database_.execute("DROP ROLE " + role_); }

    /// The user of a new session; empty if the server rejects the connection.
    std::string connected_user() {
        std::string user;
        try {
            const Deadline deadline(Clock::now() + std::chrono::seconds(30));
            connect(settings_, deadline)
                ->run(kCurrentUser, {}, deadline,
                      [&](const Result& result) { user = result.text(0, 0); });
        } catch (const DatabaseError&) {
            return "";
        }
        return user;
    }

    /// What the log says of a connection that is refused.
    std::string refusal() {
        try {
            static_cast<void>(
                connect(settings_, Deadline(Clock::now() + std::chrono::seconds(30))));
        } catch (const DatabaseError& error) {
            return error.what();
        }
        return "";
    }

    void write_password(const std::string& password) {
        write_file(directory_.file("password"), password);
    }

    TestDatabase database_;
    TemporaryDirectory directory_;
    std::string role_ = "with_password_" + std::to_string(::getpid());
    DatabaseSettings settings_{.connection = "postgresql:///?host=" + database_.host(),
                               .name = database_.name(),
                               .user = role_,
                               .password_file = directory_.file("password")};
};

TEST_F(Password, FileIsReadAtEachConnect) {
    write_password("wrong\n");
    await("the server asks for passwords", [&] { return connected_user().empty(); });
    write_password("right\n");
    EXPECT_EQ(connected_user(), role_);
}

TEST_F(Password, IsNotSentWithoutTheFile) {
    await("the server asks for passwords", [&] { return connected_user().empty(); });
    EXPECT_EQ(connected_user(), "");
    EXPECT_NE(refusal().find("no password supplied (" + settings_.password_file +
                             " cannot be opened: No such file or directory)"),
              std::string::npos)
        << refusal();
    write_password("right");
    EXPECT_EQ(connected_user(), role_);
}

TEST_F(Password, AnEmptyFileIsNamed) {
    await("the server asks for passwords", [&] { return connected_user().empty(); });
    write_password("");
    EXPECT_NE(refusal().find("(" + settings_.password_file + " is empty)"), std::string::npos)
        << refusal();
}

TEST_F(Password, FileThatIsAPipeDoesNotBlock) {
    await("the server asks for passwords", [&] { return connected_user().empty(); });
    ASSERT_EQ(::mkfifo(directory_.file("password").c_str(), 0600), 0);
    EXPECT_EQ(connected_user(), "");
    EXPECT_NE(refusal().find("(" + settings_.password_file + " is not a regular file)"),
              std::string::npos)
        << refusal();
}

}  // namespace
}  // namespace kheops::test
