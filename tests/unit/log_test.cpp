// SPDX-License-Identifier: MIT
#include "log.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/fsuid.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <thread>

#include "support/files.hpp"
#include "support/log_line.hpp"
#include "support/sockets.hpp"
#include "support/standard_error.hpp"
#include "support/temporary_directory.hpp"
#include "text/json.hpp"
#include "text/utf8.hpp"

namespace kheops {
namespace {

using namespace std::string_literals;
using test::Ends;
using test::make_pipe;
using test::make_socket_pair;
using test::StandardError;

std::string repeat(const std::string& text, size_t times) {
    std::string repeated;
    for (size_t i = 0; i < times; ++i) {
        repeated += text;
    }
    return repeated;
}

/// All octets that can be read now.
std::string drain(const Ends& ends) {
    ::fcntl(ends.reading.number(), F_SETFL, O_NONBLOCK);
    std::string octets;
    std::array<char, 4096> some{};
    for (;;) {
        const ssize_t count = ::read(ends.reading.number(), some.data(), some.size());
        if (count <= 0) {
            return octets;
        }
        octets.append(some.data(), static_cast<size_t>(count));
    }
}

/// Logs more than the pipe or socket holds, reads it and logs two more lines. Only whole lines were
/// written, and the number of dropped lines comes before these two.
void expect_drops_reported(const Ends& ends) {
    constexpr size_t kLines = 4000;
    const Log log(LogLevel::info);
    for (size_t i = 0; i < kLines; ++i) {
        log.line(LogLevel::info, {{"number", std::to_string(i)}, {"value", std::string(200, 'x')}});
    }
    const std::vector<std::string> written = test::log_lines(drain(ends));
    ASSERT_GT(written.size(), 10U);
    ASSERT_LT(written.size(), kLines);
    for (size_t i = 0; i < written.size(); ++i) {
        EXPECT_EQ(written[i], "number=" + std::to_string(i) + " value=" + std::string(200, 'x'));
    }
    log.line(LogLevel::info, {{"number", "last"}});
    log.line(LogLevel::info, {{"number", "after"}});
    EXPECT_EQ(log.dropped_lines(), kLines - written.size());
    EXPECT_EQ(drain(ends),
              "event=log_dropped level=warning lines=" + std::to_string(kLines - written.size()) +
                  "\nnumber=last\nnumber=after\n");
}

TEST(Log, PlainValuesAreNotQuoted) {
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
    EXPECT_EQ(log_value("a\xC2\x80"), R"("a\u0080")");
    EXPECT_EQ(log_value("a\xC2\x9F"), R"("a\u009f")");
    EXPECT_EQ(log_value("a\0b"s), R"("a\u0000b")");
    EXPECT_EQ(log_value("\xC3\xA9 \xE2\x82\xAC"), "\"\xC3\xA9 \xE2\x82\xAC\"");
    EXPECT_EQ(log_value(""), R"("")");
}

TEST(Log, APartOfAValueIsAlwaysQuotedAndCut) {
    EXPECT_EQ(log_quoted("plain"), R"("plain")");
    EXPECT_EQ(log_quoted(""), R"("")");
    EXPECT_EQ(log_quoted("a\", b\n"), R"("a\", b\u000a")");
    EXPECT_EQ(log_quoted("a\xFF"), R"("a\u00ff")");
    EXPECT_EQ(log_quoted("aé€", 3), R"("aé€")");
    EXPECT_EQ(log_quoted("aé€b", 3), R"("aé…")");
}

TEST(Log, InvalidUtf8IsWrittenAsEscapes) {
    EXPECT_EQ(log_value("a\xFF"), R"("a\u00ff")");
    EXPECT_EQ(log_value("\xC3\xA9\xC3"), R"("\u00c3\u00a9\u00c3")");
}

TEST(Log, EverySpaceAndInvisibleControlOfUnicodeIsQuoted) {
    for (const char* code :
         {"0085", "00a0", "061c", "1680", "180e", "2000", "2007", "200a", "200b", "200e", "200f",
          "2028", "2029", "202a", "202e", "202f", "205f", "2060", "2066", "2069", "3000", "feff"}) {
        const std::string escaped = R"("a\u)" + std::string(code) + "status=200\"";
        const std::string value = json::parse(escaped)->view().string().value();
        EXPECT_EQ(log_value(value), escaped);
    }
    // The code points next to these are not quoted.
    for (const char* value : {"\u00A1", "\u1681", "\u2010", "\u2027", "\u2030", "\u205E", "\u2070",
                              "\u3001", "\uFEFE", "\U0001F600"}) {
        EXPECT_EQ(log_value(value), value);
    }
}

TEST(Log, TextForATerminalStaysOnItsLine) {
    EXPECT_EQ(in_one_line("a \"b\" \\ \xC3\xA9 …"), "a \"b\" \\ \xC3\xA9 …");
    EXPECT_EQ(in_one_line("a\nb\tc\x1B[31m\x7F"), "a b c [31m ");
    EXPECT_EQ(in_one_line("a\u009B31m\u202Eb\u2028c\uFEFF"), "a 31m b c ");
    EXPECT_EQ(in_one_line("a\xFF\xC0\xA2\xE2\x80"), "a     ");
}

TEST(Log, AValueOfMoreThan256CharactersIsCut) {
    for (const char* character : {"x", "\u00E9", "\u20AC", "\U0001F600"}) {
        const std::string longest = repeat(character, 256);
        EXPECT_EQ(log_value(longest), longest);
        EXPECT_EQ(log_value(longest + character), repeat(character, 255) + "…");
        EXPECT_EQ(log_value(repeat(character, 100'000)), repeat(character, 255) + "…");
        EXPECT_EQ(log_value(longest, 64), repeat(character, 63) + "…");
    }
    EXPECT_EQ(log_value(repeat(" ", 257)), '"' + repeat(" ", 255) + "…\"");
    EXPECT_EQ(log_value(repeat("\"", 257)), '"' + repeat("\\\"", 255) + "…\"");
    EXPECT_EQ(log_value(repeat("\n", 257)), '"' + repeat("\\u000a", 255) + "…\"");
    // Each octet that is not UTF-8 is a character.
    EXPECT_EQ(log_value(repeat("\x80", 256)), '"' + repeat("\\u0080", 256) + '"');
    EXPECT_EQ(log_value(repeat("\x80", 257)), '"' + repeat("\\u0080", 255) + "…\"");
    // Text after the cut causes no quotes.
    EXPECT_EQ(log_value(repeat("x", 256) + "\xFF"), repeat("x", 255) + "…");
    EXPECT_EQ(log_value(repeat("x", 256) + " a"), repeat("x", 255) + "…");
}

TEST(Log, ALineHasAtMost4096OctetsAndKeepsItsShortValues) {
    for (const std::string& text : {"x"s, " "s, "\n"s, "\xFF"s, "\U0001F600"s, "\u2028"s}) {
        for (const size_t long_values : {3U, 5U, 11U}) {
            testing::internal::CaptureStderr();
            LogPairs pairs;
            for (size_t i = 0; i < long_values; ++i) {
                pairs.emplace_back("user", repeat(text, 30'000));
            }
            pairs.emplace_back("status", "200");
            pairs.emplace_back("id", repeat("i", 20));
            Log(LogLevel::info).line(LogLevel::info, pairs);
            const auto lines = test::log_lines(testing::internal::GetCapturedStderr());
            ASSERT_EQ(lines.size(), 1U);
            const auto parsed = test::parse_log_line(lines[0]);  // checks its length
            ASSERT_EQ(parsed.size(), pairs.size());
            EXPECT_TRUE(parsed[0].second.ends_with("…"));
            EXPECT_EQ(parsed[long_values], std::make_pair("status"s, "200"s));
            EXPECT_EQ(parsed[long_values + 1], std::make_pair("id"s, repeat("i", 20)));
        }
    }
}

TEST(Log, AMessageIsCutBetweenCharacters) {
    for (size_t shift = 0; shift < 4; ++shift) {
        testing::internal::CaptureStderr();
        Log(LogLevel::error).message(repeat("x", shift) + repeat("\U0001F600", 2000));
        const std::string line = testing::internal::GetCapturedStderr();
        EXPECT_LE(line.size(), 4096U);
        EXPECT_GT(line.size(), 4000U);
        EXPECT_TRUE(is_utf8(line));
        EXPECT_TRUE(line.ends_with("…\n"));
    }
}

TEST(Log, APipeThatNobodyReadsDelaysNothing) {
    const Ends ends = make_pipe();
    const StandardError redirected(ends.writing.number());
    expect_drops_reported(ends);
    EXPECT_EQ(::fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0) << "other processes share it";
}

// Such as a container engine's pipe, which root owns.
TEST(Log, APipeThatCannotBeReopenedDelaysNothing) {
    const Ends ends = make_pipe();
    const StandardError redirected(ends.writing.number());
    ASSERT_EQ(::fchmod(ends.writing.number(), 0), 0);
    const int before = ::setfsuid(65534);  // root could open it nevertheless
    expect_drops_reported(ends);
    ::setfsuid(static_cast<uid_t>(before));
}

TEST(Log, ASocketThatNobodyReadsDelaysNothing) {
    const Ends ends = make_socket_pair();
    const StandardError redirected(ends.writing.number());
    expect_drops_reported(ends);
}

TEST(Log, AStoppedTerminalDelaysNothing) {
    Ends ends;
    ends.reading = Descriptor(::posix_openpt(O_RDWR | O_NOCTTY));
    ASSERT_EQ(::grantpt(ends.reading.number()), 0);
    ASSERT_EQ(::unlockpt(ends.reading.number()), 0);
    const char* name = ::ptsname(ends.reading.number());
    ends.writing = Descriptor(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
    const StandardError redirected(ends.writing.number());
    const Log log(LogLevel::info);
    log.event(LogLevel::info, "before");
    ASSERT_EQ(::tcflow(ends.writing.number(), TCOOFF), 0);  // as ^S does
    log.event(LogLevel::info, "meanwhile");
    ASSERT_EQ(::tcflow(ends.writing.number(), TCOON), 0);
    log.event(LogLevel::info, "later");
    EXPECT_EQ(drain(ends),
              "event=before level=info\r\nevent=log_dropped level=warning lines=1\r\n"
              "event=later level=info\r\n");
}

TEST(Log, APartialLineIsEndedBeforeTheNext) {
    const test::TemporaryDirectory directory;
    const std::string path = directory.file("log");
    const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    static_cast<void>(std::signal(SIGXFSZ, SIG_IGN));
    rlimit before = {};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit full = {.rlim_cur = 40, .rlim_max = before.rlim_max};  // like a full disk
    {
        const StandardError redirected(file.number());
        const Log log(LogLevel::info);
        ::setrlimit(RLIMIT_FSIZE, &full);
        log.line(LogLevel::info, {{"whole", "1"}});
        log.line(LogLevel::info, {{"torn", std::string(100, 'x')}});
        log.line(LogLevel::info, {{"lost", "1"}});
        ::setrlimit(RLIMIT_FSIZE, &before);
        log.line(LogLevel::info, {{"whole", "2"}});
    }
    EXPECT_EQ(test::read_file(path), "whole=1\ntorn=" + std::string(27, 'x') +
                                         "\nevent=log_dropped level=warning lines=2\nwhole=2\n");
}

TEST(Log, DroppedLinesAreReportedAtTheEnd) {
    const Ends ends = make_pipe();
    const StandardError redirected(ends.writing.number());
    std::optional<Log> log(LogLevel::error);
    for (int i = 0; i < 1000; ++i) {
        log->event(LogLevel::error, "lost", {{"reason", std::string(200, 'x')}});
    }
    const size_t written = test::log_lines(drain(ends)).size();
    log.reset();
    EXPECT_EQ(drain(ends),
              "event=log_dropped level=warning lines=" + std::to_string(1000 - written) + '\n');
}

TEST(Log, LinesOfSeveralThreadsAreWholeAndAllAreCounted) {
    const Ends ends = make_pipe();
    constexpr int kThreads = 4;
    constexpr int kLines = 2000;
    size_t seen = 0;
    {
        const StandardError redirected(ends.writing.number());
        std::optional<Log> log(LogLevel::info);
        std::vector<std::thread> threads;
        for (int i = 0; i < kThreads; ++i) {
            threads.emplace_back([&log] {
                for (int line = 0; line < kLines; ++line) {
                    log->line(LogLevel::info, {{"value", std::string(250, 'x')}});
                }
            });
        }
        std::string all;
        for (int i = 0; i < 100; ++i) {
            all += drain(ends);
            std::this_thread::yield();
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        all += drain(ends);
        log.reset();
        all += drain(ends);
        for (const std::string& line : test::log_lines(all)) {
            if (line.starts_with("event=log_dropped ")) {
                seen += std::stoul(test::log_line_value(line, "lines"));
            } else {
                EXPECT_EQ(line, "value=" + std::string(250, 'x'));
                ++seen;
            }
        }
    }
    EXPECT_EQ(seen, size_t{kThreads * kLines});
}

TEST(Log, EachEventIsOneLine) {
    testing::internal::CaptureStderr();
    const Log log(LogLevel::info);
    log.event(LogLevel::error, "lost", {{"reason", "no route"}});
    log.event(LogLevel::debug, "unwanted");
    log.line(LogLevel::info, {{"user", "a"}, {"album", "b"}});
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              "event=lost level=error reason=\"no route\"\nuser=a album=b\n");
}

TEST(Log, LinesBelowTheLevelAreNotWritten) {
    testing::internal::CaptureStderr();
    const Log log(LogLevel::error);
    log.event(LogLevel::warning, "unwanted");
    log.line(LogLevel::info, {{"unwanted", "too"}});
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace kheops
