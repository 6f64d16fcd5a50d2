// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Lines of `key=value` on standard error, one write each, so that lines of several threads and
/// processes never mix. Tokens and secrets are never given to it.
namespace kheops {

enum class LogLevel { error, warning, info, debug };

/// The levels by name, in the order of LogLevel.
inline constexpr std::array<std::string_view, 4> kLogLevelNames = {"error", "warning", "info",
                                                                   "debug"};

using LogPairs = std::vector<std::pair<std::string_view, std::string>>;

/// `value` as it stands behind `key=`: bare, or as a JSON string where it is empty or holds a
/// space, a quote, a control character or invalid UTF-8, so that no value can forge another pair or
/// line.
[[nodiscard]] std::string log_value(std::string_view value);

/// Where the lines go and which are wanted. Safe to use from several threads.
class Log {
  public:
    explicit Log(LogLevel level) : level_(level) {}

    /// Writes `event=… key=value …` if `level` is wanted.
    void event(LogLevel level, std::string_view event, const LogPairs& pairs = {}) const;

    /// Writes the pairs as they are, for the one line of a request, if `level` is wanted.
    void line(LogLevel level, const LogPairs& pairs) const;

  private:
    LogLevel level_;
};

}  // namespace kheops
