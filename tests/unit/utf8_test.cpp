// SPDX-License-Identifier: MIT
#include "text/utf8.hpp"

#include <gtest/gtest.h>

#include <string_view>
#include <tuple>
#include <vector>

namespace kheops {
namespace {

using namespace std::string_view_literals;

TEST(Utf8, AcceptsEachLengthAtItsBounds) {
    for (const std::string_view text :
         {""sv, "a"sv, "\0"sv, "\x7F"sv, "\xC2\x80"sv, "\xDF\xBF"sv, "\xE0\xA0\x80"sv,
          "\xED\x9F\xBF"sv, "\xEE\x80\x80"sv, "\xEF\xBF\xBF"sv, "\xF0\x90\x80\x80"sv,
          "\xF4\x8F\xBF\xBF"sv, "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z"sv}) {
        EXPECT_TRUE(is_utf8(text)) << testing::PrintToString(text);
    }
}

TEST(Utf8, RefusesOverlongForms) {
    for (const std::string_view text :
         {"\xC0\x80"sv, "\xC1\xBF"sv, "\xE0\x9F\xBF"sv, "\xF0\x8F\xBF\xBF"sv}) {
        EXPECT_FALSE(is_utf8(text)) << testing::PrintToString(text);
    }
}

TEST(Utf8, RefusesSurrogatesAndCodePointsAbove10FFFF) {
    for (const std::string_view text : {"\xED\xA0\x80"sv, "\xED\xBF\xBF"sv, "\xF4\x90\x80\x80"sv,
                                        "\xF5\x80\x80\x80"sv, "\xF8\x88\x80\x80\x80"sv, "\xFF"sv}) {
        EXPECT_FALSE(is_utf8(text)) << testing::PrintToString(text);
    }
}

TEST(Utf8, RefusesIncompleteSequences) {
    for (const std::string_view text :
         {"\x80"sv, "a\xBF"sv, "\xC3"sv, "\xE2\x82"sv, "\xF0\x9F\x98"sv, "\xC3(\xA9"sv,
          "\xE2\x82z"sv, "\xC3\xA9\xA9"sv}) {
        EXPECT_FALSE(is_utf8(text)) << testing::PrintToString(text);
    }
}

TEST(Utf8, FirstCharacterGivesCodePointAndLength) {
    const std::vector<std::tuple<std::string_view, std::uint32_t, size_t>> cases = {
        {"A", 'A', 1},
        {"\x7F\x80", 0x7F, 1},
        {"\xC3\xA9x", 0xE9, 2},
        {"\xE2\x80\xA8", 0x2028, 3},
        {"\xF4\x8F\xBF\xBF\xFF", 0x10FFFF, 4},
    };
    for (const auto& [text, code_point, octets] : cases) {
        EXPECT_EQ(first_character(text).code_point, code_point);
        EXPECT_EQ(first_character(text).octets, octets);
    }
    for (const std::string_view text : {"\x80x", "\xC3", "\xED\xA0\x80", "\xFF", "\xC0\xAF"}) {
        EXPECT_EQ(first_character(text).octets, 0U);
    }
}

TEST(Utf8, ABeginningEndsWithAWholeCharacter) {
    const std::string text = "a\u00E9\u20AC";  // 1, 2 and 3 octets
    EXPECT_EQ(beginning_of(text, 6), text);
    EXPECT_EQ(beginning_of(text, 5), "a\u00E9");
    EXPECT_EQ(beginning_of(text, 3), "a\u00E9");
    EXPECT_EQ(beginning_of(text, 2), "a");
    EXPECT_EQ(beginning_of(text, 0), "");
}

}  // namespace
}  // namespace kheops
