// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "descriptor.hpp"

/// Lines of `key=value` on standard error. A line is one write() of at most 4,096 octets, so that
/// lines of several threads and processes never mix. Callers never log tokens or secrets.
namespace kheops {

enum class LogLevel { error, warning, info, debug };

/// The levels by name, in the order of LogLevel.
inline constexpr std::array<std::string_view, 4> kLogLevelNames = {"error", "warning", "info",
                                                                   "debug"};

/// The maximum number of characters of a value (contract section 8).
inline constexpr std::size_t kMaxLogCharacters = 256;

/// One `key=value`. The key is a short literal; it is not copied.
struct LogPair {
    LogPair(std::string_view name, std::string text, std::size_t max = kMaxLogCharacters)
        : key(name), value(std::move(text)), max_characters(max) {}

    std::string_view key;
    std::string value;
    std::size_t max_characters;  ///< a longer value is cut and ends in `…`
};

/// The pairs of a line, at most about twenty.
using LogPairs = std::vector<LogPair>;

/// Returns the text to write after `key=`: `value` itself, or a JSON string if it is empty or holds
/// a space, a quote, a control character or invalid UTF-8, so that no value can forge another pair
/// or line. Spaces and control characters include all of Unicode's and invisible characters that
/// reorder the text. A value of more than `max_characters` is cut and ends in `…`.
[[nodiscard]] std::string log_value(std::string_view value,
                                    std::size_t max_characters = kMaxLogCharacters);

/// Returns `value` as log_value() writes it, but always as a JSON string, to be a part of a longer
/// value.
[[nodiscard]] std::string log_quoted(std::string_view value, std::size_t max_characters = 100);

/// Returns `text` with a space in place of each control character, also of those of Unicode that
/// log_value() escapes, and of each octet that is not UTF-8.
[[nodiscard]] std::string in_one_line(std::string_view text);

/// Writes lines to standard error. Safe to use from several threads. Drops and counts a line that
/// it cannot write at once. `event=log_dropped` reports the number, at any level, before the next
/// line that can be written or in the destructor. Two things can still delay a caller: a slow disk,
/// and another process that fills the same pipe at the same moment, if this process could not open
/// the pipe again.
class Log {
  public:
    /// Does not write lines that are less severe than `level`.
    explicit Log(LogLevel level);
    ~Log();
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;

    /// Writes `event=… level=… key=value …`.
    void event(LogLevel level, std::string_view event, const LogPairs& pairs = {}) const;

    /// Writes only the pairs, for the line of a request.
    void line(LogLevel level, const LogPairs& pairs) const;

    /// Writes `kheops-webhooks: text` at any level: the reason why the program ends.
    void message(std::string_view text) const;

    /// How many lines have been dropped in all.
    [[nodiscard]] std::uint64_t dropped_lines() const;

  private:
    /// Writes a line, which ends in a newline, or counts it as dropped.
    void write_or_drop(std::string_view line) const;
    /// The line that reports the number of dropped lines.
    [[nodiscard]] std::string dropped_line() const;
    /// Returns false if not all of the text could be written at once.
    [[nodiscard]] bool try_write(std::string_view text) const;

    LogLevel level_;
    bool is_socket_ = false;
    bool may_block_ = false;  // a pipe or terminal that could not be opened again
    Descriptor own_;          // standard error opened again, for an O_NONBLOCK of our own

    /// Held during one write, which does not wait.
    mutable std::mutex mutex_;
    mutable std::uint64_t dropped_ = 0;  // since the last line that was written
    mutable std::uint64_t dropped_in_all_ = 0;
    mutable bool line_incomplete_ = false;  // the last write ended within a line
};

}  // namespace kheops
