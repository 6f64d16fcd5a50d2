// SPDX-License-Identifier: MIT
#include "http/query.hpp"

#include <gtest/gtest.h>

namespace kheops {
namespace {

using namespace std::string_literals;

TEST(Query, DecodesTheFormEncoding) {
    EXPECT_EQ(query_parameter("url=https%3A%2F%2Fa.example%2F%3Fb%3D1%26c", "url"),
              "https://a.example/?b=1&c");
    EXPECT_EQ(query_parameter("url=a+b%2Bc", "url"), "a b+c");
    EXPECT_EQ(query_parameter("url=%C3%A9%00x", "url"), "\xC3\xA9\0x"s);
    EXPECT_EQ(query_parameter("url=a=b", "url"), "a=b");
    EXPECT_EQ(query_parameter("%75r%6C=x", "url"), "x");
}

TEST(Query, APercentWithoutTwoHexDigitsIsKept) {
    EXPECT_EQ(query_parameter("url=100%", "url"), "100%");
    EXPECT_EQ(query_parameter("url=%4", "url"), "%4");
    EXPECT_EQ(query_parameter("url=%zz%+1%-1", "url"), "%zz% 1%-1");
}

TEST(Query, WithoutANameTheOtherParametersStayAsSent) {
    EXPECT_EQ(query_without("a=%41+&offset=1&b&offset&%6Fffset=2&&=c&offsets=3&", "offset"),
              "a=%41+&b&=c&offsets=3");
    EXPECT_EQ(query_without("offset=1", "offset"), "");
    EXPECT_EQ(query_without("", "offset"), "");
}

TEST(Query, TheFirstOfSeveralIsUsed) {
    EXPECT_EQ(query_parameter("limit=1&limit=2", "limit"), "1");
    EXPECT_EQ(query_parameter("limit&limit=2", "limit"), "");
}

TEST(Query, OnlyAmpersandsSeparate) {
    EXPECT_EQ(query_parameter("limit=1;offset=1", "limit"), "1;offset=1");
    EXPECT_EQ(query_parameter("limit=1;offset=1", "offset"), std::nullopt);
    EXPECT_EQ(query_parameter("&&limit=1&", "limit"), "1");
}

TEST(Query, NamesMatchExactly) {
    EXPECT_EQ(query_parameter("Limit=1&limits=2&limi=3", "limit"), std::nullopt);
    EXPECT_EQ(query_parameter("", "limit"), std::nullopt);
    EXPECT_EQ(query_parameter("=x&", ""), "x");
}

}  // namespace
}  // namespace kheops
