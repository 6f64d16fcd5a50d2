// SPDX-License-Identifier: MIT
#include "log.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "text/utf8.hpp"

namespace kheops {

namespace {

/// U+0080 to U+009F, which UTF-8 writes as C2 80 to C2 9F, move the cursor of some terminals.
bool is_c1_control(std::string_view rest) {
    return rest.size() >= 2 && rest[0] == '\xC2' && static_cast<unsigned char>(rest[1]) < 0xA0;
}

bool is_bare(std::string_view value) {
    for (size_t i = 0; i < value.size(); ++i) {
        const char c = value[i];
        const bool control = (c >= 0 && c < 0x20) || c == 0x7F || is_c1_control(value.substr(i));
        if (control || c == ' ' || c == '"') {
            return false;
        }
    }
    return !value.empty() && is_utf8(value);
}

void append_escape(std::string& out, unsigned char code) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    out += "\\u00";
    out += kDigits[code >> 4U];
    out += kDigits[code & 0xFU];
}

}  // namespace

std::string log_value(std::string_view value) {
    if (is_bare(value)) {
        return std::string(value);
    }
    // Octets that are no UTF-8 are shown by their codes: a log is read to find out what came.
    const bool utf8 = is_utf8(value);
    std::string quoted = "\"";
    for (size_t i = 0; i < value.size(); ++i) {
        const auto c = static_cast<unsigned char>(value[i]);
        if (c == '"' || c == '\\') {
            quoted += '\\';
            quoted += value[i];
        } else if (c < 0x20 || c == 0x7F || (c >= 0x80 && !utf8)) {
            append_escape(quoted, c);
        } else if (is_c1_control(value.substr(i))) {
            append_escape(quoted, static_cast<unsigned char>(value[++i]));
        } else {
            quoted += value[i];
        }
    }
    return quoted + '"';
}

void Log::event(LogLevel level, std::string_view event, const LogPairs& pairs) const {
    LogPairs all = {{"event", std::string(event)},
                    {"level", std::string(kLogLevelNames.at(static_cast<size_t>(level)))}};
    all.insert(all.end(), pairs.begin(), pairs.end());
    line(level, all);
}

void Log::line(LogLevel level, const LogPairs& pairs) const {
    if (level > level_) {
        return;
    }
    std::string text;
    for (const auto& [key, value] : pairs) {
        text += text.empty() ? "" : " ";
        text += key;
        text += '=';
        text += log_value(value);
    }
    text += '\n';
    // A log that cannot be written is no reason to refuse a request.
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace kheops
