// SPDX-License-Identifier: MIT
#include "log.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>

#include "text/utf8.hpp"

namespace kheops {

namespace {

/// The maximum size of a write, in octets. A pipe may mix a longer write with another one.
constexpr std::size_t kMaxWrite = 4096;
static_assert(kMaxWrite <= PIPE_BUF);

/// The maximum size of a line, in octets, so that log_dropped's line fits into the same write.
constexpr std::size_t kMaxLine = kMaxWrite - 64;

/// Most request lines fit into this many octets, so that one allocation is enough.
constexpr std::size_t kTypicalLine = 384;

constexpr std::string_view kCutMark = "…";

bool is_plain_ascii(char c) {
    return c > ' ' && c < 0x7F && c != '"';
}

/// Whether a value with this character must be a JSON string. Above ASCII: the C1 controls, which
/// move the cursor of some terminals; all spaces and line separators of Unicode; and invisible
/// characters that reorder or join their neighbours.
bool is_special(std::uint32_t c) {
    if (c < 0x80) {
        return !is_plain_ascii(static_cast<char>(c));
    }
    return c <= 0xA0 || c == 0x061C || c == 0x1680 || c == 0x180E || (c >= 0x2000 && c <= 0x200F) ||
           (c >= 0x2028 && c <= 0x202F) || (c >= 0x205F && c <= 0x206F) || c == 0x3000 ||
           c == 0xFEFF;
}

/// `code` is below U+10000, like all characters that are escaped.
void append_escape(std::string& out, std::uint32_t code) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    out += "\\u";
    for (const unsigned shift : {12U, 8U, 4U, 0U}) {
        out += kDigits[code >> shift & 0xFU];
    }
}

/// Returns the size in octets of the first `count` characters, or of a shorter text. Returns more
/// than the size of the text if one of these characters is malformed.
std::size_t prefix_length(std::string_view text, std::size_t count) {
    std::size_t length = 0;
    for (; count > 0 && length < text.size(); --count) {
        const std::size_t octets = first_character(text.substr(length)).octets;
        if (octets == 0) {
            return text.size() + 1;
        }
        length += octets;
    }
    return length;
}

/// The part of a value that is shown.
struct ShownText {
    std::string_view text;
    bool is_utf8;
    bool is_cut;
};

/// Reads only the part that is shown. If this part is not UTF-8, each octet is a character.
ShownText shorten(std::string_view value, std::size_t max_characters) {
    const std::size_t length = prefix_length(value, max_characters);
    const bool is_utf8 = length <= value.size();
    const bool is_cut = is_utf8 ? length < value.size() : value.size() > max_characters;
    if (is_cut) {
        const std::size_t kept = max_characters - 1;  // one for the mark
        value = value.substr(0, is_utf8 ? prefix_length(value, kept) : kept);
    }
    return {value, is_utf8, is_cut};
}

bool is_bare(const ShownText& shown) {
    if (shown.text.empty() || !shown.is_utf8) {
        return false;
    }
    for (std::size_t i = 0; i < shown.text.size();) {
        const Character character = first_character(shown.text.substr(i));
        if (is_special(character.code_point)) {
            return false;
        }
        i += character.octets;
    }
    return true;
}

void append_quoted(std::string& out, const ShownText& shown) {
    out += '"';
    for (std::size_t i = 0; i < shown.text.size();) {
        // Octets of invalid UTF-8 are shown as escapes, so that an operator sees what arrived.
        const Character character = shown.is_utf8
                                        ? first_character(shown.text.substr(i))
                                        : Character{static_cast<unsigned char>(shown.text[i]), 1};
        if (character.code_point == '"' || character.code_point == '\\') {
            out += '\\';
            out += shown.text[i];
        } else if (character.code_point != ' ' &&
                   (is_special(character.code_point) ||
                    (!shown.is_utf8 && character.code_point >= 0x80))) {
            append_escape(out, character.code_point);
        } else {
            out += shown.text.substr(i, character.octets);
        }
        i += character.octets;
    }
    if (shown.is_cut) {
        out += kCutMark;
    }
    out += '"';
}

void append_value(std::string& out, std::string_view value, std::size_t max_characters) {
    if (!value.empty() && value.size() <= max_characters &&
        std::all_of(value.begin(), value.end(), is_plain_ascii)) {
        out += value;
        return;
    }
    const ShownText shown = shorten(value, max_characters);
    if (is_bare(shown)) {
        out += shown.text;
        out += shown.is_cut ? kCutMark : "";
    } else {
        append_quoted(out, shown);
    }
}

/// The line with its newline. If it would be too long, long values are cut further.
std::string format_line(const LogPairs& pairs) {
    std::string text;
    text.reserve(kTypicalLine);
    for (std::size_t max = kMaxLogCharacters; max > 1; max /= 2) {
        text.clear();
        for (const LogPair& pair : pairs) {
            text += text.empty() ? "" : " ";
            text += pair.key;
            text += '=';
            append_value(text, pair.value, std::min(pair.max_characters, max));
        }
        text += '\n';
        if (text.size() <= kMaxLine) {
            break;
        }
    }
    return text;
}

}  // namespace

std::string log_value(std::string_view value, std::size_t max_characters) {
    std::string text;
    append_value(text, value, max_characters);
    return text;
}

std::string log_quoted(std::string_view value, std::size_t max_characters) {
    std::string text;
    append_quoted(text, shorten(value, max_characters));
    return text;
}

std::string in_one_line(std::string_view text) {
    std::string line;
    while (!text.empty()) {
        const Character character = first_character(text);
        const std::size_t octets = std::max<std::size_t>(character.octets, 1);
        const bool is_shown = character.octets > 0 &&
                              (character.code_point == '"' || !is_special(character.code_point));
        line += is_shown ? text.substr(0, octets) : " ";
        text.remove_prefix(octets);
    }
    return line;
}

Log::Log(LogLevel level) : level_(level) {
    struct stat file = {};
    if (::fstat(STDERR_FILENO, &file) != 0) {
        return;
    }
    is_socket_ = S_ISSOCK(file.st_mode);
    if (S_ISFIFO(file.st_mode) || ::isatty(STDERR_FILENO) != 0) {
        // Other processes share the open file description of descriptor 2 and do not expect
        // O_NONBLOCK on it.
        own_ = Descriptor(::open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
        may_block_ = own_.number() < 0;
    }
}

Log::~Log() {
    const std::lock_guard lock(mutex_);
    if (dropped_ > 0) {
        static_cast<void>(try_write(dropped_line()));
    }
}

void Log::event(LogLevel level, std::string_view event, const LogPairs& pairs) const {
    LogPairs all = {{"event", std::string(event)},
                    {"level", std::string(kLogLevelNames.at(static_cast<std::size_t>(level)))}};
    all.insert(all.end(), pairs.begin(), pairs.end());
    line(level, all);
}

void Log::line(LogLevel level, const LogPairs& pairs) const {
    if (level <= level_) {
        write_or_drop(format_line(pairs));
    }
}

void Log::message(std::string_view text) const {
    std::string line = "kheops-webhooks: ";
    line += text;
    if (line.size() >= kMaxLine) {
        line.resize(beginning_of(line, kMaxLine - kCutMark.size() - 1).size());
        line += kCutMark;
    }
    write_or_drop(line + '\n');
}

std::uint64_t Log::dropped_lines() const {
    const std::lock_guard lock(mutex_);
    return dropped_in_all_;
}

void Log::write_or_drop(std::string_view line) const {
    const std::lock_guard lock(mutex_);
    // Write both lines at once: if only the first fitted, each dropped line would repeat it.
    const bool written = dropped_ == 0 ? try_write(line) : try_write(dropped_line().append(line));
    if (written) {
        dropped_ = 0;
    } else {
        ++dropped_;
        ++dropped_in_all_;
    }
}

std::string Log::dropped_line() const {
    return (line_incomplete_ ? "\nevent=log_dropped level=warning lines="
                             : "event=log_dropped level=warning lines=") +
           std::to_string(dropped_) + '\n';
}

bool Log::try_write(std::string_view text) const {
    if (may_block_) {
        pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
        if (::poll(&room, 1, 0) <= 0 || (room.revents & POLLOUT) == 0) {
            return false;
        }
    }
    const int descriptor = own_.number() >= 0 ? own_.number() : STDERR_FILENO;
    const ssize_t written =
        is_socket_ ? ::send(descriptor, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                   : ::write(descriptor, text.data(), text.size());
    const bool is_whole = written == static_cast<ssize_t>(text.size());
    line_incomplete_ = !is_whole && (line_incomplete_ || written > 0);
    return is_whole;
}

}  // namespace kheops
