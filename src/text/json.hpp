// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct cJSON;

/// JSON, read strictly and written compactly. The only file that uses cJSON.
///
/// cJSON by itself reads more than JSON and tells less than was written: it compares names without
/// regard to case, ends a string at U+0000, keeps duplicate names and shows the first, takes any
/// control character for white space. Each of these makes a signed text say one thing to its signer
/// and another to its reader, so parse() refuses them.
namespace kheops::json {

/// A value inside a parsed text. Borrowed: valid while the Value it came from lives.
class View {
  public:
    explicit View(const cJSON* node) : node_(node) {}

    [[nodiscard]] bool is_object() const;
    [[nodiscard]] bool is_array() const;

    /// The member of that exact name; nothing when there is none or this is no object.
    [[nodiscard]] std::optional<View> member(std::string_view name) const;
    /// The elements of an array, in order; empty for any other value.
    [[nodiscard]] std::vector<View> elements() const;

    /// The value as UTF-8 text; nothing for any other type.
    [[nodiscard]] std::optional<std::string> string() const;
    /// The value as a finite double; nothing for any other type.
    [[nodiscard]] std::optional<double> number() const;

  private:
    const cJSON* node_;
};

/// A member's name: a literal, as the compiler sees to. Values refer to it and do not copy it.
class Name {
  public:
    // NOLINTNEXTLINE(google-explicit-constructor): where a name is asked for, a literal is one
    consteval Name(const char* literal) : text_(literal) {}
    [[nodiscard]] const char* text() const { return text_; }

  private:
    const char* text_;
};

/// A JSON value that owns all that is below it. Movable, not copyable.
class Value {
  public:
    [[nodiscard]] static Value object();
    [[nodiscard]] static Value array();
    /// `text` is UTF-8 without U+0000 (what follows one would be lost).
    [[nodiscard]] static Value string(const std::string& text);
    [[nodiscard]] static Value boolean(bool value);
    /// A finite number; a whole one is exact below 10^15.
    [[nodiscard]] static Value number(double value);

    /// Adds a member behind the ones already there. `this` is an object.
    void add(Name name, Value value);
    /// Adds an element behind the ones already there. `this` is an array.
    void append(Value value);

    [[nodiscard]] View view() const { return View(node_.get()); }
    /// The value as compact JSON, UTF-8. Throws std::bad_alloc when memory is out.
    [[nodiscard]] std::string text() const;

  private:
    struct Delete {
        void operator()(cJSON* node) const;
    };
    explicit Value(cJSON* node);
    friend std::optional<Value> parse(std::string_view text);

    std::unique_ptr<cJSON, Delete> node_;
};

/// Parses one JSON value (RFC 8259). Nothing when `text` is not JSON, is not UTF-8, holds a member
/// name twice in one object at any depth, holds U+0000 in a string, nests more deeply than 64, or
/// goes on after the value (white space apart).
[[nodiscard]] std::optional<Value> parse(std::string_view text);

}  // namespace kheops::json
