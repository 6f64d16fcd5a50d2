// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "database/error.hpp"

struct pg_result;

namespace kheops {

/// An answer that is not what the statement or the protocol promises (08P01).
[[nodiscard]] DatabaseError protocol_violation(const std::string& what);

/// The rows of an answer, which nothing but the server vouches for. Reading a value that is null,
/// not there, or not of that type in the server's binary form throws DatabaseError.
class Result {
  public:
    explicit Result(pg_result* result) : result_(result) {}

    /// Throws DatabaseError (08P01) unless `holds`. `promise` says what the statement promises.
    static void expect(bool holds, const char* promise);

    [[nodiscard]] int rows() const;
    [[nodiscard]] int columns() const;
    /// \pre 0 <= row < rows(), here and below; columns count from 0.
    [[nodiscard]] bool is_null(int row, int column) const;
    [[nodiscard]] bool boolean(int row, int column) const;
    /// A bigint that is not negative.
    [[nodiscard]] std::int64_t count(int row, int column) const;
    /// UTF-8; what is not throws DatabaseError (untranslatable), here and below.
    [[nodiscard]] std::string text(int row, int column) const;
    [[nodiscard]] std::vector<bool> boolean_array(int row, int column) const;
    [[nodiscard]] std::vector<std::string> text_array(int row, int column) const;

  private:
    struct Clear {
        void operator()(pg_result* result) const;
    };

    /// The octets of a value in the server's binary form.
    [[nodiscard]] std::string_view octets(int row, int column) const;

    std::unique_ptr<pg_result, Clear> result_;
};

}  // namespace kheops
