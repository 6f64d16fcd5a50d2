// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <utility>

namespace kheops {

/// Named texts that something else passes: the environment's variables or, in their form, those of
/// one request (RFC 3875 section 4.1).
class Variables {
  public:
    /// Returns the value of a variable; null when it is not set.
    using Lookup = std::function<const char*(const char* name)>;

    explicit Variables(Lookup lookup) : lookup_(std::move(lookup)) {}

    /// The value of a variable; empty when it is not set.
    [[nodiscard]] std::string operator[](const char* name) const {
        const char* value = lookup_(name);
        return value != nullptr ? value : "";
    }

    /// Whether a variable is set to more than an empty text.
    [[nodiscard]] bool is_set(const char* name) const { return !(*this)[name].empty(); }

  private:
    Lookup lookup_;
};

/// Those of this process. Safe to use from several threads as long as none changes them.
[[nodiscard]] Variables environment_variables();

}  // namespace kheops
