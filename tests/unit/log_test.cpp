// SPDX-License-Identifier: MIT
#include "log.hpp"

#include <gtest/gtest.h>

namespace kheops {
namespace {

using namespace std::string_literals;

TEST(Log, PlainValuesStandBare) {
    for (const char* value : {"alice-sub", "192.0.2.1", "a=b", "\xC3\xA9lodie", "a\\b", "%"}) {
        EXPECT_EQ(log_value(value), value);
    }
}

TEST(Log, ValuesThatCouldForgeAPairOrALineAreQuoted) {
    EXPECT_EQ(log_value("a status=200"), R"("a status=200")");
    EXPECT_EQ(log_value("a\nuser=root"), R"("a\u000auser=root")");
    EXPECT_EQ(log_value("say \"a\\b\""), R"("say \"a\\b\"")");
    EXPECT_EQ(log_value("\x1B[2J\x7F"), R"("\u001b[2J\u007f")");
    EXPECT_EQ(log_value("\xC2\x9B"
                        "2J"),
              R"("\u009b2J")");
    EXPECT_EQ(log_value("a\0b"s), R"("a\u0000b")");
    EXPECT_EQ(log_value("\xC3\xA9 \xE2\x82\xAC"), "\"\xC3\xA9 \xE2\x82\xAC\"");
    EXPECT_EQ(log_value(""), R"("")");
}

TEST(Log, OctetsThatAreNoUtf8AreShownByTheirCodes) {
    EXPECT_EQ(log_value("a\xFF"), R"("a\u00ff")");
    EXPECT_EQ(log_value("\xC3\xA9\xC3"), R"("\u00c3\u00a9\u00c3")");
}

TEST(Log, OneLineForEachEvent) {
    testing::internal::CaptureStderr();
    const Log log(LogLevel::info);
    log.event(LogLevel::error, "lost", {{"reason", "no route"}});
    log.event(LogLevel::debug, "unwanted");
    log.line(LogLevel::info, {{"user", "a"}, {"album", "b"}});
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              "event=lost level=error reason=\"no route\"\nuser=a album=b\n");
}

TEST(Log, OnlyTheWantedLevelsAreWritten) {
    testing::internal::CaptureStderr();
    const Log log(LogLevel::error);
    log.event(LogLevel::warning, "unwanted");
    log.line(LogLevel::info, {{"unwanted", "too"}});
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace kheops
