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

/// Returns the error (08P01) for an answer that breaks the protocol or a statement's promise.
[[nodiscard]] DatabaseError protocol_violation(const std::string& what);

/// The rows of an answer. Does not trust the server: reading a value throws DatabaseError if it is
/// null, missing, or not of this type in PostgreSQL's binary format.
class Result {
  public:
    /// Takes ownership of `result`.
    explicit Result(pg_result* result) : result_(result) {}

    /// Throws DatabaseError (08P01) unless `holds`. `promise` follows "expected" in the message.
    static void expect(bool holds, const char* promise);

    [[nodiscard]] int rows() const;
    [[nodiscard]] int columns() const;
    /// \pre 0 <= row < rows(), here and below; columns count from 0.
    [[nodiscard]] bool is_null(int row, int column) const;
    [[nodiscard]] bool boolean(int row, int column) const;
    /// A bigint; throws if negative.
    [[nodiscard]] std::int64_t count(int row, int column) const;
    /// Throws DatabaseError (untranslatable) if a text is not UTF-8, here and below.
    [[nodiscard]] std::string text(int row, int column) const;
    [[nodiscard]] std::vector<bool> boolean_array(int row, int column) const;
    [[nodiscard]] std::vector<std::string> text_array(int row, int column) const;

  private:
    struct Clear {
        void operator()(pg_result* result) const;
    };

    /// The octets of a value in PostgreSQL's binary format.
    [[nodiscard]] std::string_view octets(int row, int column) const;

    std::unique_ptr<pg_result, Clear> result_;
};

}  // namespace kheops
