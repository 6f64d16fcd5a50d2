// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace kheops {

/// One result of `--check` (contract section 11).
struct Finding {
    enum class Grade : std::uint8_t { ok, warning, problem };

    Grade grade;
    std::string found;   ///< what was looked at and what was found; one line, without secrets
    std::string remedy;  ///< what to do, one line; empty if the grade is ok
};

/// Receives each finding as soon as it is known.
using Report = std::function<void(const Finding&)>;

}  // namespace kheops
