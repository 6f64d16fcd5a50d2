// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace kheops {

/// Named texts: the environment variables, or the variables of one CGI request (RFC 3875 section
/// 4.1).
class Variables {
  public:
    /// Returns the value of a variable; null if it is not set.
    using Lookup = std::function<const char*(const char* name)>;

    explicit Variables(Lookup lookup) : lookup_(std::move(lookup)) {}

    /// Returns the value of a variable; empty if it is not set.
    [[nodiscard]] std::string operator[](const char* name) const {
        const char* value = lookup_(name);
        return value != nullptr ? value : "";
    }

    /// Whether a variable is set and not empty.
    [[nodiscard]] bool is_set(const char* name) const { return !(*this)[name].empty(); }

  private:
    Lookup lookup_;
};

/// The environment variables of this process. Thread-safe as long as no thread changes them.
[[nodiscard]] Variables environment_variables();

/// Returns the names of all environment variables of this process, sorted.
[[nodiscard]] std::vector<std::string> environment_names();

/// Sets an environment variable that is not set yet; an empty one counts as set. Not thread-safe.
/// Throws std::system_error if memory is exhausted.
void set_if_absent(const std::string& name, const std::string& value);

}  // namespace kheops
