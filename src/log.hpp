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

/// Lines of `key=value` on standard error, at most 4,096 octets each and written at once, so that
/// lines of several threads and processes never mix. Tokens and secrets are never given to it.
namespace kheops {

enum class LogLevel { error, warning, info, debug };

/// The levels by name, in the order of LogLevel.
inline constexpr std::array<std::string_view, 4> kLogLevelNames = {"error", "warning", "info",
                                                                   "debug"};

/// The most characters that a value may have (contract section 8).
inline constexpr std::size_t kMaxLogCharacters = 256;

/// One `key=value`. Keys are short literals.
struct LogPair {
    LogPair(std::string_view name, std::string text, std::size_t max = kMaxLogCharacters)
        : key(name), value(std::move(text)), max_characters(max) {}

    std::string_view key;
    std::string value;
    std::size_t max_characters;  ///< a longer value is cut and ends in `…`
};

/// At most some twenty of them make a line.
using LogPairs = std::vector<LogPair>;

/// `value` as it stands behind `key=`: bare, or as a JSON string where it is empty or holds a
/// space, a quote, a control character or invalid UTF-8, so that no value can forge another pair or
/// line. Spaces and controls are those of Unicode, with the invisible characters that reorder what
/// is shown. A value of more than `max_characters` is cut and ends in `…`.
[[nodiscard]] std::string log_value(std::string_view value,
                                    std::size_t max_characters = kMaxLogCharacters);

/// Where the lines go and which are wanted. Safe to use from several threads.
///
/// A line that cannot be written at once is dropped and counted. `event=log_dropped` tells the
/// number, whatever the level, before the next line that can be written or at the destruction. Only
/// two things can still delay a writer: a slow disk, and another process that fills the same pipe
/// at the same moment where this one may not open the pipe again.
class Log {
  public:
    explicit Log(LogLevel level);
    ~Log();
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;

    /// Writes `event=… key=value …` if `level` is wanted.
    void event(LogLevel level, std::string_view event, const LogPairs& pairs = {}) const;

    /// Writes the pairs as they are, for the one line of a request, if `level` is wanted.
    void line(LogLevel level, const LogPairs& pairs) const;

    /// Writes `kheops-webhooks: text`, whatever the level: why the program ends.
    void message(std::string_view text) const;

  private:
    /// Writes a line with its newline or counts it as dropped.
    void write_or_drop(std::string_view line) const;
    /// The line that tells how many were dropped.
    [[nodiscard]] std::string dropped_line() const;
    /// False when not all of it was written.
    [[nodiscard]] bool write_now(std::string_view text) const;

    LogLevel level_;
    bool is_socket_ = false;
    bool may_block_ = false;  // a pipe or terminal that could not be opened again
    Descriptor own_;          // standard error opened again, so that O_NONBLOCK is ours alone

    /// Held while a line is written, which waits for nobody.
    mutable std::mutex mutex_;
    mutable std::uint64_t dropped_ = 0;
    mutable bool is_torn_ = false;  // a part of a line was written, without its end
};

}  // namespace kheops
