// SPDX-License-Identifier: MIT

// The requests in tests/recorded/, which the Kheops server answered from the same data. Where the
// contract asks for another answer, a case holds the status to expect and the reason.

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "support/psql.hpp"
#include "support/test_site.hpp"
#include "text/json.hpp"

namespace kheops::test {
namespace {

/// The member of that name as text; nothing when it is null or absent.
std::optional<std::string> text_in(const json::View& object, const char* name) {
    const auto member = object.member(name);
    return member ? member->string() : std::nullopt;
}

int status_to_expect(const json::View& recorded) {
    const auto contract = recorded.member("contract");
    return static_cast<int>(*(contract ? *contract : recorded).member("status")->number());
}

HttpAnswer ask(TestSite& site, const json::View& recorded) {
    HttpHeaders headers;
    if (recorded.member("token")->is_object()) {
        headers = site.authorization(text_in(*recorded.member("token"), "sub").value());
    }
    if (const auto accept = text_in(*recorded.member("headers"), "Accept")) {
        headers.emplace_back("Accept", *accept);
    }
    return site.fetch(text_in(recorded, "method").value(), text_in(recorded, "target").value(),
                      headers);
}

/// As compact JSON, members in their order, so that the texts of equal values are equal.
std::string normalized(const std::string& body) {
    const auto value = json::parse(body);
    return value ? value->text() : "not JSON: " + body;
}

void expect_all_answered(TestSite& site) {
    std::ifstream file(std::string(KHEOPS_SOURCE_DIR) + "/tests/recorded/cases.json");
    std::ostringstream text;
    text << file.rdbuf();
    const auto cases = json::parse(text.str());
    ASSERT_TRUE(cases);
    ASSERT_EQ(cases->view().elements().size(), 293U);

    for (const json::View& recorded : cases->view().elements()) {
        const std::string method = text_in(recorded, "method").value();
        SCOPED_TRACE(text_in(recorded, "name").value() + ": " + method + " " +
                     text_in(recorded, "target").value());
        const HttpAnswer answer = ask(site, recorded);
        EXPECT_EQ(answer.status, status_to_expect(recorded)) << answer.body;
        EXPECT_EQ(answer.header("X-Total-Count"),
                  text_in(*recorded.member("response_headers"), "x-total-count").value_or(""));

        const std::optional<std::string> body = text_in(recorded, "body");
        if (method == "HEAD") {
            EXPECT_EQ(answer.body, "");
        } else if (body && !recorded.member("contract")) {
            EXPECT_EQ(normalized(answer.body), normalized(*body));
        } else {  // the Kheops server sent a page of HTML
            EXPECT_TRUE(json::parse(answer.body)) << answer.body;
        }
    }
}

TEST(RecordedCases, AreAnsweredAsKheopsOrTheContractDoes) {
    TestSite site({"sql/schema.sql", "tests/recorded/seed.sql"});
    expect_all_answered(site);
    EXPECT_FALSE(site.used_accelerated_statement());
}

TEST(RecordedCases, AreAnsweredTheSameWithAccelerateSql) {
    TestSite site({"sql/schema.sql", "tests/recorded/seed.sql"});
    expect_script("sql/accelerate.sql", site.database(), "the list is accelerated");
    expect_all_answered(site);
    EXPECT_TRUE(site.used_accelerated_statement());
}

}  // namespace
}  // namespace kheops::test
