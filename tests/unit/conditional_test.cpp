// SPDX-License-Identifier: MIT
#include "http/conditional.hpp"

#include <gtest/gtest.h>

namespace kheops {
namespace {

constexpr const char* kTag = "\"abc\"";

TEST(Conditional, ATagIsStrongAndHasTheFirst16OctetsOfTheDigest) {
    EXPECT_EQ(entity_tag("0123456789abcdefghijklmnopqrstuv"),
              "\"30313233343536373839616263646566\"");
    EXPECT_EQ(entity_tag(std::string(32, '\xFE')),
              "\"" + std::string("fefefefefefefefe") + "fefefefefefefefe" + "\"");
}

TEST(Conditional, AnAbsentOrEmptyHeaderMatchesNothing) {
    for (const char* header : {"", " ", "\t", ",", " , ,"}) {
        EXPECT_FALSE(matches(header, kTag)) << header;
    }
}

TEST(Conditional, TheTagMatchesAloneAndInAList) {
    for (const char* header :
         {"\"abc\"", " \"abc\"\t", "\"x\", \"abc\"", "\"abc\",\"x\"", "\"x\",\t\"abc\" ,\"y\"",
          ",\"abc\"", "\"abc\",", " , ,\"x\",, \"abc\" , ", "\"\", \"abc\"", "\"a,b\",\"abc\"",
          "\"\xC3\xA9\", \"abc\"", "\"back\\slash\", \"abc\""}) {
        EXPECT_TRUE(matches(header, kTag)) << header;
    }
}

// nginx weakens the tag of an answer that it compresses.
TEST(Conditional, TheComparisonIsWeak) {
    EXPECT_TRUE(matches("W/\"abc\"", kTag));
    EXPECT_TRUE(matches("W/\"x\", W/\"abc\"", kTag));
    EXPECT_TRUE(matches("\"x\",W/\"abc\",\"y\"", kTag));
}

TEST(Conditional, AnAsteriskMatchesAlone) {
    EXPECT_TRUE(matches("*", kTag));
    EXPECT_TRUE(matches(" *\t", kTag));
    for (const char* header : {"**", "*,*", "*, \"abc\"", "\"abc\", *", "\"*\"", "W/*"}) {
        EXPECT_FALSE(matches(header, kTag)) << header;
    }
}

TEST(Conditional, OtherTagsDoNotMatch) {
    for (const char* header : {"\"ab\"", "\"abcd\"", "\"ABC\"", "\"x\", \"y\"", "\"\"", "\"W/abc\"",
                               "\"abc,x\"", "\" abc\""}) {
        EXPECT_FALSE(matches(header, kTag)) << header;
    }
}

TEST(Conditional, AMalformedHeaderMatchesNothing) {
    for (const char* header : {"abc",
                               "\"abc",
                               "abc\"",
                               "\"",
                               "w/\"abc\"",
                               "W/ \"abc\"",
                               "W\"abc\"",
                               "W/abc",
                               "W/",
                               "\"abc\" \"x\"",
                               "\"abc\"x",
                               "\"abc\", x",
                               "x, \"abc\"",
                               "\"abc\", \"x",
                               "\"abc\";q=1",
                               "\"abc\"\"x\"",
                               "\"a b\", \"abc\"",
                               "\"a\tb\", \"abc\"",
                               "\"\x7F\", \"abc\"",
                               "W/W/\"abc\"",
                               "'abc'",
                               "\"abc\"\n"}) {
        EXPECT_FALSE(matches(header, kTag)) << header;
    }
}

}  // namespace
}  // namespace kheops
