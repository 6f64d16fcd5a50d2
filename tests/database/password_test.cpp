// SPDX-License-Identifier: MIT

// The password file of Kheops' own settings (contract section 7): read at each connect.

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

constexpr Statement kWhoAmI = {"who_am_i", "SELECT current_user::text"};

class Password : public testing::Test {
  protected:
    Password() {
        database_.execute("CREATE ROLE " + role_ +
                          " LOGIN PASSWORD 'right' IN ROLE needs_password");
    }
    ~Password() override { database_.execute("DROP ROLE " + role_); }

    /// Who the server says is connected; empty when it does not let us in.
    std::string ask() {
        std::string user;
        try {
            const Deadline deadline(Clock::now() + std::chrono::seconds(30));
            connect(settings_, deadline)->run(kWhoAmI, {}, deadline, [&](const Result& result) {
                user = result.text(0, 0);
            });
        } catch (const DatabaseError&) {
            return "";
        }
        return user;
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

TEST_F(Password, IsReadAtEachConnect) {
    write_password("wrong\n");
    await("the server asks for passwords", [&] { return ask().empty(); });
    write_password("right\n");
    EXPECT_EQ(ask(), role_);
}

TEST_F(Password, WithoutItsFileNoneIsSent) {
    await("the server asks for passwords", [&] { return ask().empty(); });
    EXPECT_EQ(ask(), "");
    write_password("right");
    EXPECT_EQ(ask(), role_);
}

TEST_F(Password, IsNotWaitedForWhereItsFileIsAPipe) {
    await("the server asks for passwords", [&] { return ask().empty(); });
    ASSERT_EQ(::mkfifo(directory_.file("password").c_str(), 0600), 0);
    EXPECT_EQ(ask(), "");
}

}  // namespace
}  // namespace kheops::test
