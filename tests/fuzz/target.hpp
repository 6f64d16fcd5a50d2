// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

/// What the programs of this folder share. Each is one libFuzzer target: a function that takes any
/// octets, hands them to a part of src/ and compares what that says with an oracle of its own,
/// written for the test and in another way. `scripts/fuzz` runs them; the plain tests run each over
/// its corpus.
namespace kheops::fuzz {

/// Ends the process with the line of the check that failed, which libFuzzer reports with the input.
[[noreturn]] void fail(const char* condition, const char* file, int line);

/// The input as text.
inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

}  // namespace kheops::fuzz

/// Stops when the condition does not hold.
#define FUZZ_CHECK(condition) \
    ((condition) ? void(0) : kheops::fuzz::fail(#condition, __FILE__, __LINE__))

/// libFuzzer's entry.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
