// SPDX-License-Identifier: MIT
#include "webhook_filter.hpp"

#include <gtest/gtest.h>

#include "http/message.hpp"

namespace kheops {
namespace {

/// The reason that the log gets; empty if the query is accepted.
std::string reason_of(const std::string& query) {
    try {
        static_cast<void>(filter_in_query(query));
    } catch (const HttpError& error) {
        return error.reason();
    }
    return "";
}

/// The detail of the refusal; empty when the query is accepted.
std::string refusal_of(const std::string& query) {
    try {
        static_cast<void>(filter_in_query(query));
    } catch (const HttpError& error) {
        EXPECT_EQ(error.status(), 400);
        EXPECT_EQ(error.message(), "Bad Query Parameter");
        return error.detail();
    }
    return "";
}

TEST(WebhookFilter, WithoutParametersEverythingIsListed) {
    for (const char* query : {"", "album=x&includefield=y", "limit=&offset=", "limit&offset"}) {
        const WebhookFilter filter = filter_in_query(query);
        EXPECT_EQ(filter.limit, std::nullopt) << query;
        EXPECT_EQ(filter.offset, 0) << query;
        EXPECT_EQ(filter.url, std::nullopt) << query;
    }
}

TEST(WebhookFilter, NumbersMayHaveASignAndLeadingZeros) {
    EXPECT_EQ(filter_in_query("limit=0").limit, 0);
    EXPECT_EQ(filter_in_query("limit=007").limit, 7);
    EXPECT_EQ(filter_in_query("limit=%2B7").limit, 7);
    EXPECT_EQ(filter_in_query("limit=-0").limit, 0);
    EXPECT_EQ(filter_in_query("limit=2147483647").limit, 2147483647);
    EXPECT_EQ(filter_in_query("limit=" + std::string(500, '0') + "5").limit, 5);
    EXPECT_EQ(filter_in_query("offset=2147483647").offset, 2147483647);
}

TEST(WebhookFilter, InvalidNumbersAreRefused) {
    for (const char* value :
         {"abc", "1.5", "1e3", "0x10", "2147483648", "99999999999999999999", "%203", "3+", "+3",
          "%00", "-1", "-", "%2B", "--1", "%2B-1", "%D9%A3", "1;offset=1", "1%00"}) {
        EXPECT_EQ(refusal_of(std::string("limit=") + value),
                  "'limit' must be a whole number from 0 to 2147483647")
            << value;
        EXPECT_EQ(refusal_of(std::string("offset=") + value),
                  "'offset' must be a whole number from 0 to 2147483647")
            << value;
    }
}

TEST(WebhookFilter, AUrlIsUsedUnchanged) {
    EXPECT_EQ(filter_in_query("url=").url, "");
    EXPECT_EQ(filter_in_query("url").url, "");
    EXPECT_EQ(filter_in_query("url=%F0%9F%98%80").url, "\xF0\x9F\x98\x80");
}

TEST(WebhookFilter, AUrlThatTheDatabaseCannotHoldIsRefused) {
    for (const char* value : {"%00", "a%00b", "%FF", "%C3", "%ED%A0%80", "%C0%AF"}) {
        EXPECT_EQ(refusal_of(std::string("url=") + value),
                  "'url' must be percent-encoded UTF-8 without U+0000")
            << value;
    }
}

TEST(WebhookFilter, TheReasonNamesTheValueSeen) {
    EXPECT_EQ(reason_of("limit=abc"),
              R"(limit is "abc", expected a whole number from 0 to 2147483647)");
    EXPECT_EQ(reason_of("offset=-1%0A"),
              R"(offset is "-1\u000a", expected a whole number from 0 to 2147483647)");
    EXPECT_EQ(reason_of("url=a%FF"),
              R"(url is "a\u00ff", expected percent-encoded UTF-8 without U+0000)");
    EXPECT_EQ(reason_of("limit=" + std::string(10'000, '9')),
              "limit is \"" + std::string(99, '9') +
                  "\u2026\", expected a whole number from 0 to 2147483647");
}

TEST(WebhookFilter, OnlyTheFirstOfARepeatedParameterIsRead) {
    EXPECT_EQ(filter_in_query("limit=3&limit=abc&url=x&url=%FF").limit, 3);
}

}  // namespace
}  // namespace kheops
