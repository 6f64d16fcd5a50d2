// SPDX-License-Identifier: MIT
#include "text/base64url.hpp"

#include <gtest/gtest.h>

namespace kheops {
namespace {

using namespace std::string_literals;

TEST(Base64url, DecodesEveryLength) {
    EXPECT_EQ(decode_base64url(""), "");
    EXPECT_EQ(decode_base64url("Zg"), "f");
    EXPECT_EQ(decode_base64url("Zm8"), "fo");
    EXPECT_EQ(decode_base64url("Zm9v"), "foo");
    EXPECT_EQ(decode_base64url("Zm9vYg"), "foob");
    EXPECT_EQ(decode_base64url("AAAA"), "\0\0\0"s);
}

TEST(Base64url, DecodesMinusAndUnderscore) {
    EXPECT_EQ(decode_base64url("-_-_"), "\xFB\xFF\xBF");
    EXPECT_EQ(decode_base64url("__8"), "\xFF\xFF");
}

TEST(Base64url, RefusesPlusAndSlash) {
    EXPECT_EQ(decode_base64url("+_-_"), std::nullopt);
    EXPECT_EQ(decode_base64url("-/-_"), std::nullopt);
}

TEST(Base64url, RefusesPadding) {
    EXPECT_EQ(decode_base64url("Zg=="), std::nullopt);
    EXPECT_EQ(decode_base64url("Zm8="), std::nullopt);
    EXPECT_EQ(decode_base64url("="), std::nullopt);
}

TEST(Base64url, RefusesOtherCharacters) {
    for (const char* text :
         {" Zm9v", "Zm9v\n", "Zm 9v", "Zm\r\n9v", "Zm9.", "Zm9\x80", "Zm9\xFF"}) {
        EXPECT_EQ(decode_base64url(text), std::nullopt) << text;
    }
    EXPECT_EQ(decode_base64url("Zm9\0"s), std::nullopt);
}

TEST(Base64url, RefusesImpossibleLengths) {
    EXPECT_EQ(decode_base64url("A"), std::nullopt);
    EXPECT_EQ(decode_base64url("Zm9vA"), std::nullopt);
}

TEST(Base64url, RefusesUnusedBitsThatAreNotZero) {
    EXPECT_EQ(decode_base64url("Zh"), std::nullopt);
    EXPECT_EQ(decode_base64url("Zv"), std::nullopt);
    EXPECT_EQ(decode_base64url("Zm9"), std::nullopt);
    EXPECT_EQ(decode_base64url("Zm-"), std::nullopt);
}

}  // namespace
}  // namespace kheops
