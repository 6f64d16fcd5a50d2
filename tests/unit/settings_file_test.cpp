// SPDX-License-Identifier: MIT

// The rules are those of systemd.exec(5), EnvironmentFile=.

#include "settings_file.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "support/files.hpp"
#include "support/temporary_directory.hpp"

namespace kheops {
namespace {

using Values = std::map<std::string, std::string>;

Values parse(std::string_view text) {
    return parse_settings(text, "/etc/settings", [&text](const ConfigError& error) {
        ADD_FAILURE() << error.what() << " in: " << text;
    });
}

/// The value of A in a text of that assignment only.
std::string value_of(const std::string& text) {
    const Values values = parse(text);
    return values.size() == 1 && values.contains("A") ? values.at("A") : "not one value of A";
}

/// What is reported, one line for each error.
std::string errors_in(std::string_view text) {
    std::string errors;
    static_cast<void>(parse_settings(text, "/etc/settings", [&errors](const ConfigError& error) {
        errors += error.what() + std::string("\n");
    }));
    return errors;
}

TEST(SettingsFile, EmptyLinesAndCommentsAreSkipped) {
    EXPECT_EQ(parse(""), Values());
    EXPECT_EQ(parse("\n \t\n#A=1\n;A=2\n  # A=3\n"), Values());
    EXPECT_EQ(parse("# it's \"open\nA=1\n"), (Values{{"A", "1"}}));
    EXPECT_EQ(parse("# ends in a backslash \\\nA=1\n"), (Values{{"A", "1"}}));
}

TEST(SettingsFile, ValuesLoseTheWhiteSpaceAroundThemOnly) {
    EXPECT_EQ(value_of("A=1"), "1");
    EXPECT_EQ(value_of("A=1\r\n"), "1");
    EXPECT_EQ(value_of("  A = \t a  b \t\n"), "a  b");
    EXPECT_EQ(value_of("A="), "");
    EXPECT_EQ(value_of("A= \t\n"), "");
    EXPECT_EQ(value_of("A==b=c"), "=b=c");
    EXPECT_EQ(value_of("A=a # no comment"), "a # no comment");
    EXPECT_EQ(value_of("A=$HOME ${HOME} %h"), "$HOME ${HOME} %h");
    EXPECT_EQ(value_of("A=\xC3\xA9\n"), "\xC3\xA9");
}

TEST(SettingsFile, BackslashesOutsideOfQuotesKeepTheNextCharacter) {
    EXPECT_EQ(value_of(R"(A=a\\b\"c\n)"), R"(a\b"cn)");
    EXPECT_EQ(value_of("A=\\ a\\ \n"), " a ");
    EXPECT_EQ(value_of("A=\\'a b\\'"), "'a b'");
    EXPECT_EQ(value_of("A=a\\\n  b\\\nc\n"), "a  bc");
    EXPECT_EQ(value_of("A=a \\\n\n"), "a ");
    EXPECT_EQ(value_of("A=a\\"), "a");
}

TEST(SettingsFile, SingleQuotesKeepEveryCharacter) {
    EXPECT_EQ(value_of("A='host=/run/postgresql dbname=kheops'"),
              "host=/run/postgresql dbname=kheops");
    EXPECT_EQ(value_of("A=  ' a '  \n"), " a ");
    EXPECT_EQ(value_of("A='a\nb # c\\'\n"), "a\nb # c\\");
    EXPECT_EQ(value_of("A=''"), "");
    EXPECT_EQ(value_of("A='a\\\nb'"), "a\\\nb");
}

TEST(SettingsFile, DoubleQuotesHaveTheEscapesOfTheShell) {
    EXPECT_EQ(value_of(R"(A="a \" \\ \` \$ \n \'")"), R"(a " \ ` $ \n \')");
    EXPECT_EQ(value_of("A=\"a\\\nb\nc\"\n"), "ab\nc");
    EXPECT_EQ(value_of("A=\" 'a' \""), " 'a' ");
}

TEST(SettingsFile, QuotesCountOnlyBeforeUnquotedText) {
    EXPECT_EQ(value_of("A=a'b'\"c\""), "a'b'\"c\"");
    EXPECT_EQ(value_of("A='a' \"b\"c d\n"), "abc d");
    EXPECT_EQ(value_of("A=\\\n'a'"), "'a'");
}

TEST(SettingsFile, TheLastValueOfANameCounts) {
    EXPECT_EQ(parse("A=1\nB=2\nA=3\n"), (Values{{"A", "3"}, {"B", "2"}}));
}

TEST(SettingsFile, MalformedLinesAreReportedByTheirNumberAndNotShown) {
    EXPECT_EQ(
        errors_in("A=1\n\nsecret\nB=2\n"),
        "settings file /etc/settings, line 3: must be NAME=value or a comment, but has no =\n");
    for (const char* name : {"", "1A", "export A", "A-B", "\xC3\x84",
                             "\xEF\xBB\xBF"
                             "A",
                             "A\xFF"}) {
        EXPECT_EQ(errors_in("A='\n\n'\n" + std::string(name) + "=secret"),
                  "settings file /etc/settings, line 4: must be NAME=value, but the name does not "
                  "consist of letters, digits and _\n")
            << name;
    }
    for (const char quote : {'\'', '"'}) {
        EXPECT_EQ(errors_in("A=1\\\n2\nB=" + std::string(1, quote) + "secret\nC=3\n"),
                  "settings file /etc/settings, line 3: must be NAME=value, but its quote is not "
                  "closed\n");
    }
    for (const std::string& value : {std::string("secret\xFF"), std::string("secret\0", 7)}) {
        EXPECT_EQ(errors_in("A=" + value),
                  "settings file /etc/settings, line 1: must be NAME=value, but the value is not "
                  "UTF-8 text\n");
    }
}

TEST(SettingsFile, LinesBesideAMalformedOneCount) {
    const Values values = parse_settings("A=1\nsecret\nB=2\n", "f", [](const ConfigError&) {});
    EXPECT_EQ(values, (Values{{"A", "1"}, {"B", "2"}}));
}

TEST(SettingsFile, TheEnvironmentTakesPrecedence) {
    const test::TemporaryDirectory directory;
    test::write_file(directory.file("settings"), "KT_SET=file\nKT_EMPTY=file\nKT_ABSENT=file\n");
    ::setenv("KT_SET", "environment", 1);
    ::setenv("KT_EMPTY", "", 1);
    load_settings_file(directory.file("settings"),
                       [](const ConfigError& error) { ADD_FAILURE() << error.what(); });
    EXPECT_STREQ(std::getenv("KT_SET"), "environment");
    EXPECT_STREQ(std::getenv("KT_EMPTY"), "");
    EXPECT_STREQ(std::getenv("KT_ABSENT"), "file");
}

TEST(SettingsFile, AFileThatCannotBeReadIsReported) {
    const test::TemporaryDirectory directory;
    test::write_file(directory.file("long"), std::string(1024 * 1024 + 1, '#'));
    for (const auto& [path, reason] :
         Values{{directory.file("none"), "cannot be opened: No such file or directory"},
                {directory.path(), "is not a regular file"},
                {directory.file("long"), "is longer than 1048576 octets"}}) {
        try {
            load_settings_file(path, [](const ConfigError&) {});
            ADD_FAILURE() << path;
        } catch (const ConfigError& error) {
            EXPECT_EQ(error.what(), "settings file " + path + ": " + reason);
        }
    }
}

}  // namespace
}  // namespace kheops
