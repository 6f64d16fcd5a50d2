// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct cJSON;

/// Strict JSON parsing and compact JSON output. Only json.cpp uses cJSON.
///
/// cJSON alone accepts more than JSON and loses information: it ignores case when it compares
/// names, ends a string at U+0000, keeps duplicate names and returns the first, and treats any
/// control character as white space. With each of these, a signed text could mean one thing to its
/// signer and another to its reader. parse() and View prevent this.
namespace kheops::json {

/// A reference to a value, valid while its Value exists.
class View {
  public:
    explicit View(const cJSON* node) : node_(node) {}

    [[nodiscard]] bool is_object() const;
    [[nodiscard]] bool is_array() const;
    [[nodiscard]] bool is_null() const;

    /// The member with exactly this name; std::nullopt if missing or if this is not an object.
    [[nodiscard]] std::optional<View> member(std::string_view name) const;
    /// The names and values of an object's members, in order; empty for any other type.
    [[nodiscard]] std::vector<std::pair<std::string_view, View>> members() const;
    /// The elements of an array, in order; empty for any other type.
    [[nodiscard]] std::vector<View> elements() const;

    /// The value of a string, UTF-8; std::nullopt for any other type.
    [[nodiscard]] std::optional<std::string> string() const;
    /// The value of a finite number; std::nullopt otherwise.
    [[nodiscard]] std::optional<double> number() const;
    /// Returns compact JSON in UTF-8. Throws std::bad_alloc.
    [[nodiscard]] std::string text() const;
    /// Returns at most the first `max_octets` of text(), and `…` if there are more. Writes little
    /// more than these, however long the text is.
    [[nodiscard]] std::string beginning_of_text(std::size_t max_octets) const;

  private:
    const cJSON* node_;
};

/// A member's name. Only literals compile, so Value keeps a pointer and no copy.
class Name {
  public:
    // NOLINTNEXTLINE(google-explicit-constructor): callers pass a literal
    consteval Name(const char* literal) : text_(literal) {}
    [[nodiscard]] const char* text() const { return text_; }

  private:
    const char* text_;
};

/// A JSON value that owns its members and elements. Movable, not copyable. Throws std::bad_alloc if
/// memory is exhausted.
class Value {
  public:
    [[nodiscard]] static Value object();
    [[nodiscard]] static Value array();
    /// `text` is UTF-8 without U+0000, which would end the string.
    [[nodiscard]] static Value string(const std::string& text);
    [[nodiscard]] static Value boolean(bool value);
    /// A finite number; integers are exact below 10^15.
    [[nodiscard]] static Value number(double value);

    /// Appends a member. \pre This is an object.
    void add(Name name, Value value);
    /// Appends an element. \pre This is an array.
    void append(Value value);

    [[nodiscard]] View view() const { return View(node_.get()); }
    /// Returns compact JSON in UTF-8. Throws std::bad_alloc.
    [[nodiscard]] std::string text() const { return view().text(); }

  private:
    struct Delete {
        void operator()(cJSON* node) const;
    };
    explicit Value(cJSON* node);
    friend std::optional<Value> parse(std::string_view text);

    std::unique_ptr<cJSON, Delete> node_;
};

/// Parses one JSON value (RFC 8259). Returns std::nullopt if `text` is not JSON, is not UTF-8, has
/// a duplicate member name in an object at any depth, has U+0000 in a string, is nested more than
/// 64 levels deep, or has anything but white space after the value.
[[nodiscard]] std::optional<Value> parse(std::string_view text);

}  // namespace kheops::json
