// SPDX-License-Identifier: MIT

// Databases whose encoding is not UTF-8.

#include <gtest/gtest.h>

#include "support/database.hpp"
#include "support/fastcgi_client.hpp"
#include "support/files.hpp"
#include "support/test_keys.hpp"
#include "support/test_worker.hpp"

namespace kheops::test {
namespace {

constexpr const char* kList = "/albums/DemoAlbum1/webhooks";
constexpr const char* kEuro = "%E2%82%AC";

class DatabaseEncoding : public testing::TestWithParam<const char*> {
  protected:
    DatabaseEncoding() {
        administration_.execute("CREATE DATABASE " + name_ + " ENCODING '" + GetParam() +
                                "' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
        TestConnection connection(conninfo());
        for (const char* file : {"sql/schema.sql", "sql/example-data.sql"}) {
            connection.execute(read_file(std::string(KHEOPS_SOURCE_DIR) + "/" + file));
        }
    }
    ~DatabaseEncoding() override { administration_.execute("DROP DATABASE " + name_); }

    [[nodiscard]] std::string conninfo() const {
        return administration_.conninfo() + " dbname=" + name_;
    }

    static std::string ask(const TestWorker& worker, const std::string& target,
                           const std::string& subject) {
        FastCgiClient client(worker.socket_path());
        client.send(fastcgi_request(get_parameters(target, mint_token(subject)), false));
        return client.receive_answer();
    }

    TestDatabase administration_;
    std::string name_ = administration_.name() + "_encoding";
};

TEST_P(DatabaseEncoding, CharacterOutsideTheEncodingMatchesNothing) {
    const TestWorker worker({{"KHEOPS_WEBHOOKS_DATABASE", conninfo()}});
    const std::string by_url = ask(worker, std::string(kList) + "?url=" + kEuro, "alice");
    EXPECT_EQ(status_of(by_url), 200) << by_url;
    EXPECT_NE(by_url.find("X-Total-Count: 0\r\n"), std::string::npos) << by_url;
    EXPECT_TRUE(by_url.ends_with("\r\n\r\n[]")) << by_url;
    EXPECT_EQ(status_of(ask(worker, std::string(kList) + "?url=" + kEuro, "bob")), 403);

    const std::string by_user = ask(worker, kList, "\xE2\x82\xAC");
    EXPECT_EQ(status_of(by_user), 404) << by_user;
    EXPECT_NE(by_user.find("User Not Found"), std::string::npos) << by_user;
    EXPECT_EQ(status_of(ask(worker, std::string(kList) + "?url=" + kEuro, "\xE2\x82\xAC")), 404);
    EXPECT_EQ(status_of(ask(worker, kList, "alice")), 200);
    EXPECT_EQ(worker.log().find("event=database"), std::string::npos) << worker.log();
}

INSTANTIATE_TEST_SUITE_P(One, DatabaseEncoding, testing::Values("LATIN1", "SQL_ASCII"));

class StoredText : public DatabaseEncoding {};

TEST_P(StoredText, ThatIsInvalidUtf8Gets500AndLogsItsSqlstate) {
    TestConnection(conninfo())
        .execute("SET client_encoding = SQL_ASCII; UPDATE webhooks SET name = E'\\xE4'");
    const TestWorker worker({{"KHEOPS_WEBHOOKS_DATABASE", conninfo()}});
    for (const std::string& query : {std::string(), std::string("?url=") + kEuro}) {
        if (!query.empty()) {
            TestConnection(conninfo())
                .execute(
                    "SET client_encoding = SQL_ASCII; UPDATE webhooks SET url = "
                    "E'\\xE2\\x82\\xAC'");
        }
        const std::string answer = ask(worker, kList + query, "alice");
        EXPECT_EQ(status_of(answer), 500) << answer;
        EXPECT_NE(answer.find("log id : "), std::string::npos) << answer;
    }
    worker.await_log("reason=\"SQLSTATE 22021: a stored text is not valid ");
    EXPECT_EQ(worker.log().find("event=database_lost"), std::string::npos) << worker.log();
}

INSTANTIATE_TEST_SUITE_P(One, StoredText, testing::Values("SQL_ASCII"));

}  // namespace
}  // namespace kheops::test
