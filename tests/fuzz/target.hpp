// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

/// What the programs of this folder share. Each is one libFuzzer target: a function that passes any
/// octets to a part of src/ and compares the result with an oracle, a second implementation written
/// in another way. `scripts/fuzz` runs the targets; the plain tests run each over its corpus.
namespace kheops::fuzz {

/// Prints the check that failed and its line, and aborts; libFuzzer reports this with the input.
[[noreturn]] void fail(const char* condition, const char* file, int line);

/// The input as text.
inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

}  // namespace kheops::fuzz

/// Aborts if the condition is false.
#define FUZZ_CHECK(condition) \
    ((condition) ? void(0) : kheops::fuzz::fail(#condition, __FILE__, __LINE__))

/// libFuzzer's entry point.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
