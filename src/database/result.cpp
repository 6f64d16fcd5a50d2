// SPDX-License-Identifier: MIT
#include "database/result.hpp"

#include <libpq-fe.h>

#include <algorithm>

#include "text/utf8.hpp"

namespace kheops {

namespace {

/// Reads big-endian integers and octets from the front of a value.
class ValueReader {
  public:
    explicit ValueReader(std::string_view octets) : rest_(octets) {}

    /// Returns an integer of `size` octets. Throws DatabaseError if it is negative.
    std::int64_t take_count(size_t size) {
        std::uint64_t value = 0;
        for (const char c : take(size)) {
            value = value << 8U | static_cast<unsigned char>(c);
        }
        const std::uint64_t sign = std::uint64_t{1} << (8 * size - 1);
        Result::expect((value & sign) == 0, "a count that is not negative");
        return static_cast<std::int64_t>(value);
    }

    std::string_view take(size_t size) {
        Result::expect(size <= rest_.size(), "a value of its type's size");
        const std::string_view taken = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return taken;
    }

    void expect_end() const { Result::expect(rest_.empty(), "a value of its type's size"); }

  private:
    std::string_view rest_;
};

/// Returns the elements of a one-dimensional array without nulls. Its binary format: number of
/// dimensions, null flag, element type; then length and lower bound; then the size (-1 for null)
/// and octets of each element.
std::vector<std::string_view> array_elements(std::string_view octets) {
    ValueReader rest(octets);
    const std::int64_t dimensions = rest.take_count(4);
    Result::expect(dimensions <= 1, "an array of one dimension");
    rest.take(8);
    std::vector<std::string_view> elements;
    if (dimensions == 1) {
        const auto length = static_cast<size_t>(rest.take_count(4));
        rest.take(4);
        constexpr size_t kMinElementSize = 4;
        elements.reserve(std::min(length, octets.size() / kMinElementSize));
        for (size_t i = 0; i < length; ++i) {
            elements.push_back(rest.take(static_cast<size_t>(rest.take_count(4))));
        }
    }
    rest.expect_end();
    return elements;
}

bool to_boolean(std::string_view octets) {
    Result::expect(octets.size() == 1, "a boolean");
    return octets[0] != 0;
}

/// Checks the text: a server whose encoding is UTF-8 sends stored texts unchecked.
std::string to_text(std::string_view octets) {
    if (!is_utf8(octets)) {
        throw DatabaseError(DatabaseError::Kind::untranslatable, "22021",
                            "a text in the answer is not UTF-8");
    }
    return std::string(octets);
}

}  // namespace

DatabaseError protocol_violation(const std::string& what) {
    return {DatabaseError::Kind::unreachable, "08P01", "the server broke the protocol: " + what};
}

void Result::Clear::operator()(pg_result* result) const {
    PQclear(result);
}

void Result::expect(bool holds, const char* promise) {
    if (!holds) {
        throw protocol_violation(std::string("expected ") + promise);
    }
}

int Result::rows() const {
    return PQntuples(result_.get());
}

int Result::columns() const {
    return PQnfields(result_.get());
}

bool Result::is_null(int row, int column) const {
    return PQgetisnull(result_.get(), row, column) != 0;
}

std::string_view Result::octets(int row, int column) const {
    expect(row < rows() && column < columns() && !is_null(row, column), "a value");
    return {PQgetvalue(result_.get(), row, column),
            static_cast<size_t>(PQgetlength(result_.get(), row, column))};
}

bool Result::boolean(int row, int column) const {
    return to_boolean(octets(row, column));
}

std::int64_t Result::count(int row, int column) const {
    ValueReader rest(octets(row, column));
    const std::int64_t count = rest.take_count(sizeof(std::int64_t));
    rest.expect_end();
    return count;
}

std::string Result::text(int row, int column) const {
    return to_text(octets(row, column));
}

std::vector<bool> Result::boolean_array(int row, int column) const {
    std::vector<bool> values;
    for (const std::string_view element : array_elements(octets(row, column))) {
        values.push_back(to_boolean(element));
    }
    return values;
}

std::vector<std::string> Result::text_array(int row, int column) const {
    std::vector<std::string> values;
    for (const std::string_view element : array_elements(octets(row, column))) {
        values.push_back(to_text(element));
    }
    return values;
}

}  // namespace kheops
