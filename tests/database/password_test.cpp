// SPDX-License-Identifier: MIT

// The password file of Kheops' own settings (contract section 7): read at each connect.

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include "database/postgres.hpp"
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
    std::string ask(Database& database) {
        std::string user;
        try {
            const Deadline deadline(Clock::now() + std::chrono::seconds(30));
            database.query(kWhoAmI, {}, deadline,
                           [&](const Result& result) { user = result.text(0, 0); });
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
    Log log_{LogLevel::error};
    DatabaseHealth health_{log_};
    DatabaseSettings settings_{.connection = "postgresql:///?host=" + database_.host(),
                               .name = database_.name(),
                               .user = role_,
                               .password_file = directory_.file("password")};
};

TEST_F(Password, IsReadAtEachConnect) {
    Database database(settings_, health_);
    write_password("wrong\n");
    await("the server asks for passwords", [&] { return ask(database).empty(); });
    write_password("right\n");
    EXPECT_EQ(ask(database), role_);
}

TEST_F(Password, WithoutItsFileNoneIsSent) {
    Database database(settings_, health_);
    await("the server asks for passwords", [&] {
        Database fresh(settings_, health_);
        return ask(fresh).empty();
    });
    EXPECT_EQ(ask(database), "");
    write_password("right");
    EXPECT_EQ(ask(database), role_);
}

TEST_F(Password, IsNotWaitedForWhereItsFileIsAPipe) {
    await("the server asks for passwords", [&] {
        Database fresh(settings_, health_);
        return ask(fresh).empty();
    });
    ASSERT_EQ(::mkfifo(directory_.file("password").c_str(), 0600), 0);
    Database database(settings_, health_);
    EXPECT_EQ(ask(database), "");
}

}  // namespace
}  // namespace kheops::test
