// SPDX-License-Identifier: MIT
#include "settings_file.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "log.hpp"
#include "regular_file.hpp"
#include "text/ascii.hpp"
#include "text/utf8.hpp"

namespace kheops {

namespace {

bool is_newline(char c) {
    return c == '\n' || c == '\r';
}

bool is_space(char c) {
    return c == ' ' || c == '\t' || is_newline(c);
}

/// A position in the text.
class Cursor {
  public:
    explicit Cursor(std::string_view text) : rest_(text) {}

    [[nodiscard]] bool at_end() const { return rest_.empty(); }
    [[nodiscard]] bool at_line_end() const { return at_end() || is_newline(peek()); }
    [[nodiscard]] char peek() const { return rest_.front(); }
    /// The number of the line, counted from 1.
    [[nodiscard]] std::size_t line_number() const { return line_; }

    char take() {
        const char c = peek();
        rest_.remove_prefix(1);
        line_ += c == '\n' ? 1 : 0;
        return c;
    }

    void skip_space() {
        while (!at_end() && is_space(peek())) {
            take();
        }
    }

    void skip_space_in_line() {
        while (!at_line_end() && is_space(peek())) {
            take();
        }
    }

    void skip_line() {
        while (!at_line_end()) {
            take();
        }
    }

  private:
    std::string_view rest_;
    std::size_t line_ = 1;
};

/// Appends the characters up to the closing quote, which it takes too. Returns false if there is
/// none.
bool take_quoted(Cursor& cursor, std::string& value) {
    const char quote = cursor.take();
    while (!cursor.at_end()) {
        const char c = cursor.take();
        if (c == quote) {
            return true;
        }
        if (c != '\\' || quote == '\'' || cursor.at_end()) {
            value += c;
            continue;
        }
        const char escaped = cursor.take();
        if (escaped == '\n') {
            continue;
        }
        if (std::string_view("\"\\`$").find(escaped) == std::string_view::npos) {
            value += '\\';
        }
        value += escaped;
    }
    return false;
}

/// Appends the rest of the line without the white space at its end.
void take_unquoted(Cursor& cursor, std::string& value) {
    std::size_t size = value.size();  // without white space that may be at the end
    while (!cursor.at_line_end()) {
        const char c = cursor.take();
        if (c == '\\') {
            if (!cursor.at_end()) {
                const char escaped = cursor.take();
                value.append(is_newline(escaped) ? 0 : 1, escaped);
            }
            size = value.size();
        } else {
            value += c;
            size = is_space(c) ? size : value.size();
        }
    }
    value.resize(size);
}

/// Returns the value after the `=`; null if a quote is not closed. A value may consist of several
/// quoted parts and one that is not quoted, the last one, in which quotes have no meaning.
std::optional<std::string> take_value(Cursor& cursor) {
    std::string value;
    for (;;) {
        cursor.skip_space_in_line();
        if (cursor.at_line_end()) {
            return value;
        }
        if (cursor.peek() != '\'' && cursor.peek() != '"') {
            take_unquoted(cursor, value);
            return value;
        }
        if (!take_quoted(cursor, value)) {
            return std::nullopt;
        }
    }
}

/// Returns the text before the `=`, which it takes too; null if the line has none.
std::optional<std::string> take_name(Cursor& cursor) {
    std::string name;
    while (!cursor.at_line_end()) {
        const char c = cursor.take();
        if (c == '=') {
            name.erase(std::find_if_not(name.rbegin(), name.rend(), is_space).base(), name.end());
            return name;
        }
        name += c;
    }
    return std::nullopt;
}

/// POSIX.1-2017, Base Definitions section 8.1.
bool is_name(std::string_view text) {
    return !text.empty() && !is_digit(text.front()) &&
           std::ranges::all_of(text, [](char c) { return is_alphanumeric(c) || c == '_'; });
}

}  // namespace

std::map<std::string, std::string> parse_settings(std::string_view text, const std::string& path,
                                                  const OnConfigError& on_error) {
    std::map<std::string, std::string> settings;
    Cursor cursor(text);
    for (cursor.skip_space(); !cursor.at_end(); cursor.skip_space()) {
        if (cursor.peek() == '#' || cursor.peek() == ';') {
            cursor.skip_line();
            continue;
        }
        const std::string place =
            "settings file " + log_value(path) + ", line " + std::to_string(cursor.line_number());
        const std::optional<std::string> name = take_name(cursor);
        if (!name) {
            on_error(ConfigError(place, "must be NAME=value or a comment, but has no ="));
            continue;
        }
        const std::optional<std::string> value = take_value(cursor);
        if (!value) {
            on_error(ConfigError(place, "must be NAME=value, but its quote is not closed"));
        } else if (!is_name(*name)) {
            on_error(ConfigError(place,
                                 "must be NAME=value, but the name does not consist of letters, "
                                 "digits and _"));
        } else if (!is_utf8(*value) || value->find('\0') != std::string::npos) {
            on_error(ConfigError(place, "must be NAME=value, but the value is not UTF-8 text"));
        } else {
            settings[*name] = *value;
        }
    }
    return settings;
}

void load_settings_file(const std::string& path, const OnConfigError& on_error) {
    constexpr std::size_t kMaxSize = std::size_t{1024} * 1024;
    std::string text;
    try {
        text = RegularFile(path).read(kMaxSize);
    } catch (const FileError& error) {
        throw ConfigError("settings file " + log_value(path), error.what());
    }
    for (const auto& [name, value] : parse_settings(text, path, on_error)) {
        set_if_absent(name, value);
    }
}

}  // namespace kheops
