// SPDX-License-Identifier: MIT
#include "page_links.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <map>

#include "support/link_header.hpp"
#include "webhook_filter.hpp"

namespace kheops {
namespace {

constexpr std::int32_t kMax = std::numeric_limits<std::int32_t>::max();

std::string links_of(const std::string& query, std::int64_t total) {
    return page_links(query, filter_in_query(query), total);
}

/// The offset of each relation, for a query of `limit` and `offset`.
std::map<std::string, std::int64_t> offsets_of(std::int64_t limit, std::int64_t offset,
                                               std::int64_t total) {
    const std::string start = "?limit=" + std::to_string(limit) + "&offset=";
    std::map<std::string, std::int64_t> offsets;
    for (const auto& [relation, target] :
         test::parse_link_header(links_of(start.substr(1) + std::to_string(offset), total))) {
        EXPECT_TRUE(target.starts_with(start)) << target;
        offsets[relation] = std::stoll(target.substr(start.size()));
    }
    return offsets;
}

using Offsets = std::map<std::string, std::int64_t>;

TEST(PageLinks, WithoutALimitOrWithLimit0ThereAreNone) {
    for (const char* query : {"", "offset=3", "limit=", "limit=0", "limit=-0", "limit=&limit=10",
                              "Limit=10", "url=limit=10"}) {
        EXPECT_EQ(links_of(query, 100), "") << query;
    }
}

TEST(PageLinks, AMiddlePageHasAllFourInThisForm) {
    EXPECT_EQ(links_of("limit=10&offset=20", 45),
              "<?limit=10&offset=0>; rel=\"first\", <?limit=10&offset=10>; rel=\"prev\", "
              "<?limit=10&offset=30>; rel=\"next\", <?limit=10&offset=40>; rel=\"last\"");
}

TEST(PageLinks, TheFirstPageHasNoPrevAndTheLastNoNext) {
    EXPECT_EQ(offsets_of(10, 0, 45), (Offsets{{"first", 0}, {"next", 10}, {"last", 40}}));
    EXPECT_EQ(offsets_of(10, 40, 45), (Offsets{{"first", 0}, {"prev", 30}, {"last", 40}}));
    EXPECT_EQ(offsets_of(10, 0, 10), (Offsets{{"first", 0}, {"last", 0}}));
    EXPECT_EQ(offsets_of(10, 0, 11), (Offsets{{"first", 0}, {"next", 10}, {"last", 10}}));
    EXPECT_EQ(offsets_of(10, 10, 20), (Offsets{{"first", 0}, {"prev", 0}, {"last", 10}}));
    EXPECT_EQ(offsets_of(1, 0, 1), (Offsets{{"first", 0}, {"last", 0}}));
    EXPECT_EQ(offsets_of(10, 0, 0), (Offsets{{"first", 0}, {"last", 0}}));
}

TEST(PageLinks, PastTheEndPrevIsTheLastPage) {
    EXPECT_EQ(offsets_of(10, 100, 45), (Offsets{{"first", 0}, {"prev", 40}, {"last", 40}}));
    EXPECT_EQ(offsets_of(10, 50, 45), (Offsets{{"first", 0}, {"prev", 40}, {"last", 40}}));
    EXPECT_EQ(offsets_of(10, 40, 40), (Offsets{{"first", 0}, {"prev", 30}, {"last", 30}}));
    EXPECT_EQ(offsets_of(10, 100, 0), (Offsets{{"first", 0}, {"prev", 0}, {"last", 0}}));
    EXPECT_EQ(offsets_of(10, 5, 3), (Offsets{{"first", 0}, {"prev", 0}, {"last", 0}}));
}

TEST(PageLinks, BetweenTwoPagesNextStillEndsAtLast) {
    EXPECT_EQ(offsets_of(10, 5, 33),
              (Offsets{{"first", 0}, {"prev", 0}, {"next", 15}, {"last", 25}}));
    EXPECT_EQ(offsets_of(10, 15, 33),
              (Offsets{{"first", 0}, {"prev", 5}, {"next", 25}, {"last", 25}}));
    EXPECT_EQ(offsets_of(10, 33, 33), (Offsets{{"first", 0}, {"prev", 23}, {"last", 23}}));
}

// Every page of small lists: the links agree with what the pages contain.
TEST(PageLinks, EachLinkLeadsWhereItsNameSays) {
    for (std::int64_t total = 0; total <= 12; ++total) {
        for (std::int64_t limit = 1; limit <= 13; ++limit) {
            for (std::int64_t offset = 0; offset <= 15; ++offset) {
                SCOPED_TRACE(testing::Message() << total << " " << limit << " " << offset);
                Offsets links = offsets_of(limit, offset, total);
                EXPECT_EQ(links.at("first"), 0);
                EXPECT_EQ(links.contains("prev"), offset > 0);
                EXPECT_EQ(links.contains("next"), offset + limit < total);
                const std::int64_t last = links.at("last");
                EXPECT_TRUE(total == 0 || last < total);
                EXPECT_GE(last + limit, total);
                if (offset > 0) {
                    EXPECT_LT(links.at("prev"), offset);
                    EXPECT_TRUE(offset >= total || links.at("prev") + limit >= offset);
                    EXPECT_TRUE(offset < total || links.at("prev") == last);
                }
                std::int64_t page = offset;
                for (Offsets at = links; at.contains("next"); at = offsets_of(limit, page, total)) {
                    EXPECT_EQ(at.at("next"), page + limit);
                    page = at.at("next");
                }
                EXPECT_TRUE(offset >= total || page == last);
            }
        }
    }
}

TEST(PageLinks, NoneLeadsBeyondTheLargestOffset) {
    EXPECT_EQ(offsets_of(kMax, 0, 5), (Offsets{{"first", 0}, {"last", 0}}));
    EXPECT_EQ(offsets_of(kMax, kMax, 5), (Offsets{{"first", 0}, {"prev", 0}, {"last", 0}}));
    EXPECT_EQ(offsets_of(10, kMax, 45), (Offsets{{"first", 0}, {"prev", 37}, {"last", 37}}));
    const std::int64_t many = std::int64_t{3} * kMax;
    EXPECT_EQ(offsets_of(kMax, 0, many), (Offsets{{"first", 0}, {"next", kMax}, {"last", kMax}}));
    EXPECT_EQ(offsets_of(10, kMax - 5, many),
              (Offsets{{"first", 0}, {"prev", kMax - 15}, {"last", kMax - 5}}));
    EXPECT_EQ(offsets_of(10, kMax, many),
              (Offsets{{"first", 0}, {"prev", kMax - 10}, {"last", kMax}}));
}

TEST(PageLinks, OtherParametersAreKeptAsSent) {
    EXPECT_EQ(test::parse_link_header(
                  links_of("x=%c3%A9&limit=2&&url=https://a.example/?b=c+d&offset=0&flag", 5))
                  .at("next"),
              "?x=%c3%A9&limit=2&url=https://a.example/?b=c+d&flag&offset=2");
    EXPECT_EQ(test::parse_link_header(links_of("limit=2", 5)).at("next"), "?limit=2&offset=2");
    EXPECT_EQ(test::parse_link_header(links_of("%6Cimit=%32", 5)).at("next"),
              "?%6Cimit=%32&offset=2");
}

TEST(PageLinks, OfRepeatedParametersTheFirstCounts) {
    EXPECT_EQ(
        test::parse_link_header(links_of("limit=2&limit=3&offset=4&offset=1&%6Fffset=x&offset", 99))
            .at("next"),
        "?limit=2&limit=3&offset=6");
}

TEST(PageLinks, WhatAUriOrTheHeaderCannotContainIsPercentEncoded) {
    const std::string hostile =
        "a=>; rel=\"x\",<\r\nSet-Cookie: b\x01\x7F\xC3\xA9\xFF'()[]{}|\\^`#%%4%zz%4g%";
    EXPECT_EQ(test::parse_link_header(links_of("limit=1&" + hostile, 9)).at("next"),
              "?limit=1&a=%3E%3B%20rel=%22x%22%2C%3C%0D%0ASet-Cookie:%20b%01%7F%C3%A9%FF'()%5B%5D"
              "%7B%7D%7C%5C%5E%60%23%25%254%25zz%254g%25&offset=1");
}

// nginx's buffer for the headers of an answer holds 64 KiB.
TEST(PageLinks, AHeaderTooLargeForWebServersIsLeftOut) {
    std::string url;
    for (int i = 0; i < 1024; ++i) {
        url += "\xF0\x9F\x98\x80";
    }
    const std::string largest = links_of("limit=10&offset=2147483600&url=" + url, kMax);
    EXPECT_EQ(test::parse_link_header(largest).size(), 4U);
    EXPECT_GT(largest.size(), 48U * 1024);
    EXPECT_LE(largest.size(), 56U * 1024);
    EXPECT_EQ(links_of("limit=10&offset=20&x=" + std::string(14'400, 'x'), 100), "");
}

}  // namespace
}  // namespace kheops
