// SPDX-License-Identifier: MIT
#include "http/accept.hpp"

#include <gtest/gtest.h>

namespace kheops {
namespace {

TEST(Accept, AnAbsentOrEmptyHeaderAllowsEverything) {
    EXPECT_EQ(accepts_json(""), true);
    EXPECT_EQ(accepts_json(" \t"), true);
    EXPECT_EQ(accepts_json(" , ,"), true);
}

TEST(Accept, MatchingRangesAllowJson) {
    for (const char* header :
         {"application/json", "*/*", "application/*", "APPLICATION/JSON", "Application/*",
          "text/html, application/json", "text/html,application/json;q=0.5",
          "application/json, text/plain, */*", "application/json;charset=utf-8",
          "application/json ; charset=\"a\\\"b,c\" ; q=1", "text/html, */*;q=0.1",
          "application/json;", "application/json;;q=0.001", ",application/json,"}) {
        EXPECT_EQ(accepts_json(header), true) << header;
    }
}

// Java's HttpURLConnection, the first one up to version 17.0.11.
TEST(Accept, TheDefaultsOfOldJavaClientsAllowJson) {
    EXPECT_EQ(accepts_json("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"), true);
    EXPECT_EQ(accepts_json("text/html, image/gif, image/jpeg, */*; q=0.2"), true);
}

TEST(Accept, ALoneAsteriskIsAnyType) {
    EXPECT_EQ(accepts_json("*"), true);
    EXPECT_EQ(accepts_json("text/html, *;q=0.1"), true);
    EXPECT_EQ(accepts_json("*;q=0"), false);
    EXPECT_EQ(accepts_json("*, application/json;q=0"), false);
    for (const char* header :
         {"**", "*a", "*;q", "* *", "*/", "/*", "application", "text/html, x"}) {
        EXPECT_EQ(accepts_json(header), std::nullopt) << header;
    }
}

TEST(Accept, AWeightMayBeginWithItsPoint) {
    EXPECT_EQ(accepts_json("application/json;q=.5"), true);
    EXPECT_EQ(accepts_json("application/json;q=.001"), true);
    EXPECT_EQ(accepts_json("application/json;q=.0"), false);
    EXPECT_EQ(accepts_json("application/json;q=.000, */*"), false);
}

// They are joined with commas (RFC 9110 section 5.3).
TEST(Accept, SeveralHeadersAreOneList) {
    EXPECT_EQ(accepts_json("text/html, application/json"), true);
    EXPECT_EQ(accepts_json("text/html,application/json;q=0"), false);
}

TEST(Accept, OtherRangesRefuseJson) {
    for (const char* header : {"text/html", "application/xml", "application/vnd.api+json",
                               "application/jsonx", "*/json", "text/*"}) {
        EXPECT_EQ(accepts_json(header), false) << header;
    }
}

TEST(Accept, AWeightOfZeroRefusesJson) {
    for (const char* header : {"application/json;q=0", "application/json;Q=0.000", "*/*;q=0",
                               "application/json;q=0, text/html"}) {
        EXPECT_EQ(accepts_json(header), false) << header;
    }
}

TEST(Accept, TheMostSpecificRangeDecides) {
    EXPECT_EQ(accepts_json("application/json;q=0, */*"), false);
    EXPECT_EQ(accepts_json("*/*, application/*;q=0"), false);
    EXPECT_EQ(accepts_json("*/*;q=0, application/*;q=0, application/json;q=0.1"), true);
    EXPECT_EQ(accepts_json("application/json;q=0, application/json;q=0.2"), true);
    EXPECT_EQ(accepts_json("application/json;q=0.2, application/json;q=0"), true);
    EXPECT_EQ(accepts_json("*/*, */*;q=0, text/html"), true);
    EXPECT_EQ(accepts_json("application/*;q=0.1, */*, application/*;q=0"), true);
}

TEST(Accept, AMalformedHeaderHasNoResult) {
    for (const char* header :
         {"garbage", "application/", "/json", "application/json;q=2", "application/json;q=1.001",
          "application/json;q=0.1234", "application/json;q=", "application/json;q=x",
          "application/json;q=.", "application/json;q=.1234", "application/json;q=.x",
          "application/json;q=-1", "application/json;charset", "application/json text/html",
          "application/json;a=\"open", "a b/c", "(application/json)", "application/json;q=0,5;"}) {
        EXPECT_EQ(accepts_json(header), std::nullopt) << header;
    }
}

}  // namespace
}  // namespace kheops
