// SPDX-License-Identifier: MIT
#include "text/json.hpp"

#include <gtest/gtest.h>

namespace kheops {
namespace {

using namespace std::string_literals;

void expect_parsed(const std::string& text) {
    EXPECT_TRUE(json::parse(text)) << testing::PrintToString(text);
}

void expect_refused(const std::string& text) {
    EXPECT_FALSE(json::parse(text)) << testing::PrintToString(text);
}

std::string nested(std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
}

/// The value of a JSON string.
std::optional<std::string> parsed_string(const std::string& text) {
    const std::optional<json::Value> value = json::parse(text);
    return value ? value->view().string() : std::nullopt;
}

TEST(JsonParse, AcceptsTheSyntaxOfRfc8259) {
    for (const char* text :
         {"null", "true", "false", "\"\"", "[]", "{}", "0", "-0", "10", "-1.5", "1e5", "1E+5",
          "1.25e-05", " \t\r\n[ 1 , {\"a\" : [ ] } ]\n", "{\"\":1}", "\"\x7F\""}) {
        expect_parsed(text);
    }
}

TEST(JsonParse, RefusesNumbersInOtherForms) {
    for (const char* number :
         {"01",  "-01",  "00",   "1.",       ".5",        "-.5", "+1",    "1e",
          "1e+", "1.e5", "0x10", "-",        "--1",       "1-2", "1.2.3", "1e5e5",
          "inf", "nan",  "NaN",  "Infinity", "-Infinity", "1f"}) {
        expect_refused(number);
        expect_refused("[" + std::string(number) + "]");
        expect_refused("{\"a\":" + std::string(number) + "}");
    }
}

TEST(JsonParse, RefusesControlCharactersInStrings) {
    for (char c = 0; c < 0x20; ++c) {
        expect_refused("\""s + c + "\"");
        expect_refused("{\""s + c + "\":1}");
    }
}

TEST(JsonParse, RefusesControlCharactersAsWhiteSpace) {
    for (char c = 0; c < 0x20; ++c) {
        if (c != '\t' && c != '\n' && c != '\r') {
            expect_refused("[1"s + c + "]");
            expect_refused(c + "1"s);
            expect_refused("1"s + c);
        }
    }
    expect_refused("[\xC2\xA0]");
}

TEST(JsonParse, RefusesUnicodeZeroRawOrEscaped) {
    expect_refused(R"("\u0000")");
    expect_refused(R"("alice\u0000bob")");
    expect_refused(R"({"sub\u0000":1})");
    expect_refused("\"alice\0bob\""s);
    expect_refused("1\0"s);
    EXPECT_EQ(parsed_string(R"("\\u0000")"), "\\u0000");
    EXPECT_EQ(parsed_string(R"("\u0001")"), "\x01");
}

TEST(JsonParse, RefusesInvalidEscapes) {
    for (const char* text : {R"("\x41")", R"("\'")", R"("\u12")", R"("\u12g4")", R"("\uzzzz")",
                             R"("\u+123")", R"("\)", R"("\")", R"("\u00)"}) {
        expect_refused(text);
    }
}

TEST(JsonParse, DecodesEscapes) {
    EXPECT_EQ(parsed_string(R"("\"\\\/\b\f\n\r\t\u00e9\u20AC\ud83d\ude00")"),
              "\"\\/\b\f\n\r\t\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
}

TEST(JsonParse, RefusesUnpairedSurrogates) {
    for (const char* text :
         {R"("\ud83d")", R"("\ude00")", R"("\ud83d\u0041")", R"("\ud83dx")", R"("\ude00\ud83d")"}) {
        expect_refused(text);
    }
}

TEST(JsonParse, RefusesInvalidUtf8) {
    for (const char* text : {"\"\xFF\"", "\"\xC0\x80\"", "\"\xED\xA0\x80\"", "\"\xC3\""}) {
        expect_refused(text);
    }
}

TEST(JsonParse, RefusesAByteOrderMark) {
    expect_refused("\xEF\xBB\xBF{}");
}

TEST(JsonParse, RefusesTextAfterTheValue) {
    for (const char* text : {"{}{}", "{} x", "1 2", "[]]", "{}}", "null,", "nullx", "\"a\"\"b\""}) {
        expect_refused(text);
    }
}

TEST(JsonParse, RefusesOtherSyntax) {
    for (const char* text :
         {"",      " ",       "[1,]",  "[,1]",      "[1 2]",     "{\"a\":1,}", "{\"a\"}",
          "{a:1}", "{'a':1}", "{1:1}", "{\"a\" 1}", "[",         "{",          "\"a",
          "]",     "tru",     "True",  "// a\n1",   "/* a */ 1", "1 # a"}) {
        expect_refused(text);
    }
}

TEST(JsonParse, RefusesDuplicateNamesAtAnyDepth) {
    expect_refused(R"({"a":1,"a":1})");
    expect_refused(R"({"a":1,"b":2,"a":3})");
    expect_refused(R"({"a":1,"\u0061":2})");
    expect_refused(R"({"x":{"a":1,"a":2}})");
    expect_refused(R"([[{"x":[{"a":1,"b":{},"a":2}]}]])");
    expect_refused(R"({"":1,"":2})");
    expect_parsed(R"({"a":{"a":[{"a":1},{"a":1}]},"b":1})");
    expect_parsed(R"({"a":1,"A":2})");
}

TEST(JsonParse, Accepts64LevelsAndNoMore) {
    expect_parsed(nested(64));
    expect_refused(nested(65));
    expect_refused(nested(100'000));
    expect_parsed("[" + nested(63) + "," + nested(63) + "]");
    expect_parsed("\"" + std::string(100, '[') + "\"");
}

TEST(JsonView, FindsMembersByTheirExactName) {
    const auto value = json::parse(R"({"Sub":"a","SUB":"b","sub":"c","subs":"d"})");
    ASSERT_TRUE(value);
    EXPECT_EQ(value->view().member("sub")->string(), "c");
    EXPECT_EQ(value->view().member("Sub")->string(), "a");
    EXPECT_FALSE(value->view().member("sUb"));
    EXPECT_FALSE(value->view().member("su"));
    EXPECT_FALSE(value->view().member("sub\0"s));
}

TEST(JsonView, GettersOfOtherTypesReturnNothing) {
    const auto value = json::parse(R"([1, "1", true, null, {"a":1}])");
    ASSERT_TRUE(value);
    EXPECT_TRUE(value->view().is_array());
    EXPECT_FALSE(value->view().is_object());
    EXPECT_FALSE(value->view().member("a"));
    const std::vector<json::View> elements = value->view().elements();
    ASSERT_EQ(elements.size(), 5U);
    EXPECT_EQ(elements[0].number(), 1);
    EXPECT_EQ(elements[0].string(), std::nullopt);
    EXPECT_EQ(elements[1].number(), std::nullopt);
    EXPECT_EQ(elements[2].number(), std::nullopt);
    EXPECT_EQ(elements[3].string(), std::nullopt);
    EXPECT_TRUE(elements[4].is_object());
    EXPECT_TRUE(elements[4].elements().empty());
}

TEST(JsonView, NumbersOutOfRangeAreNullopt) {
    EXPECT_EQ(json::parse("1e308")->view().number(), 1e308);
    EXPECT_EQ(json::parse("1e400")->view().number(), std::nullopt);
    EXPECT_EQ(json::parse("-1e400")->view().number(), std::nullopt);
}

TEST(JsonValue, WritesMembersInTheOrderAdded) {
    json::Value list = json::Value::array();
    list.append(json::Value::number(0));
    list.append(json::Value::number(999'999'999'999'999));
    json::Value object = json::Value::object();
    object.add("b", json::Value::boolean(true));
    object.add("a", std::move(list));
    object.add("c", json::Value::string("x\"\\\n\x01/\xC3\xA9"));
    EXPECT_EQ(object.text(),
              "{\"b\":true,\"a\":[0,999999999999999],\"c\":\"x\\\"\\\\\\n\\u0001/\xC3\xA9\"}");
}

TEST(JsonView, GivesTheMembersInTheirOrderAndEachValueAsText) {
    const auto value = json::parse(R"({ "b": [1, "x"], "a": null, "c": 1700000000 })");
    const auto members = value->view().members();
    ASSERT_EQ(members.size(), 3U);
    EXPECT_EQ(members[0].first, "b");
    EXPECT_EQ(members[0].second.text(), R"([1,"x"])");
    EXPECT_EQ(members[1].first, "a");
    EXPECT_TRUE(members[1].second.is_null());
    EXPECT_EQ(members[2].second.text(), "1700000000");
    EXPECT_FALSE(members[2].second.is_null());
    EXPECT_TRUE(members[0].second.members().empty());
}

std::string beginning_of_json(const std::string& text, std::size_t max_octets) {
    const std::optional<json::Value> value = json::parse(text);
    return value ? value->view().beginning_of_text(max_octets) : "refused";
}

TEST(JsonView, GivesTheBeginningOfALongText) {
    EXPECT_EQ(beginning_of_json(R"([1,"x"])", 7), R"([1,"x"])");
    EXPECT_EQ(beginning_of_json(R"([1,"x"])", 6), R"([1,"x"…)");
    EXPECT_EQ(beginning_of_json(R"(["éé"])", 3), R"(["…)");
    std::string numbers = "[1";
    for (int i = 0; i < 10000; ++i) {
        numbers += ",0.1";
    }
    EXPECT_EQ(beginning_of_json(numbers + "]", 10), "[1,0.1,0.1…");
    EXPECT_EQ(beginning_of_json("[\"" + std::string(10000, 'a') + "\"]", 5), "[\"aaa…");
    EXPECT_EQ(beginning_of_json(R"({"a\n":{"b":[]},"c":null})", 99),
              R"({"a\n":{"b":[]},"c":null})");
    EXPECT_EQ(beginning_of_json(R"({"a":{"b":[]},"c":null})", 12), R"({"a":{"b":[]…)");
    EXPECT_EQ(beginning_of_json("{}", 0), "…");
}

}  // namespace
}  // namespace kheops
