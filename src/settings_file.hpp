// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "config.hpp"

/// Settings in a file in the form of systemd's EnvironmentFile (systemd.exec(5)): lines
/// `NAME=value`, empty lines, and comments that begin with `#` or `;`. White space around a value
/// does not count. A value in single or double quotes may contain any character, also a newline. A
/// backslash escapes the next character outside of quotes, and `"`, `\`, `` ` `` and `$` in double
/// quotes; at the end of a line, it continues the line. Nothing is expanded. If a name is repeated,
/// its last value counts. Unlike systemd, which ignores such lines, this program reports a line
/// without `=`, an invalid name and a quote that is not closed.
namespace kheops {

/// Returns the values by name. `path` is for messages. Calls `on_error` for each malformed line,
/// without its text, which may be a password; that line does not count.
[[nodiscard]] std::map<std::string, std::string> parse_settings(std::string_view text,
                                                                const std::string& path,
                                                                const OnConfigError& on_error);

/// Reads a regular file of at most 1 MiB and sets the environment variables that it names, unless
/// they are set already. Calls `on_error` as parse_settings() does. Throws ConfigError if the file
/// cannot be read. Not thread-safe.
void load_settings_file(const std::string& path, const OnConfigError& on_error);

}  // namespace kheops
