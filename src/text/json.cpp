// SPDX-License-Identifier: MIT
#include "text/json.hpp"

#include <cjson/cJSON.h>

#include <algorithm>
#include <cmath>
#include <new>

#include "text/ascii.hpp"
#include "text/utf8.hpp"

namespace kheops::json {

namespace {

constexpr int kMaxNesting = 64;

bool is_white_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20;
}

/// Consumes digits at the front of `text`. Returns whether there were any.
bool take_digits(std::string_view& text) {
    const std::size_t count = std::min(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(count);
    return count > 0;
}

/// Consumes one of `characters` at the front of `text`. Returns whether it was there.
bool take_one(std::string_view& text, std::string_view characters) {
    const bool is_there = !text.empty() && characters.find(text.front()) != std::string_view::npos;
    text.remove_prefix(is_there ? 1 : 0);
    return is_there;
}

bool take_exponent(std::string_view& text) {
    take_one(text, "+-");
    return take_digits(text);
}

/// Consumes a number (RFC 8259 section 6). Returns whether it is valid.
bool take_number(std::string_view& text) {
    take_one(text, "-");
    const bool is_number = (take_one(text, "0") || take_digits(text)) &&
                           (!take_one(text, ".") || take_digits(text)) &&
                           (!take_one(text, "eE") || take_exponent(text));
    return is_number && (text.empty() || !is_digit(text.front()));  // no leading zero
}

/// Consumes an escape after its backslash. Returns false for U+0000 and for invalid digits after
/// `u`, which cJSON reads as U+0000. cJSON itself validates the other escapes.
bool take_escape(std::string_view& text) {
    if (!take_one(text, "u")) {
        text.remove_prefix(std::min<std::size_t>(text.size(), 1));
        return true;
    }
    const std::string_view digits = text.substr(0, 4);
    text.remove_prefix(digits.size());
    return digits.size() == 4 && digits != "0000" &&
           digits.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

/// Consumes a string after its opening quote. Returns whether it is valid.
bool take_string(std::string_view& text) {
    while (!text.empty()) {
        const char c = text.front();
        text.remove_prefix(1);
        if (c == '"') {
            return true;
        }
        if (is_control(c) || (c == '\\' && !take_escape(text))) {
            return false;
        }
    }
    return false;
}

/// Whether strings, numbers, white space and depth follow RFC 8259 and the limits of parse(), which
/// cJSON does not check strictly. cJSON checks the order of the tokens.
bool has_strict_tokens(std::string_view text) {
    int depth = 0;
    while (!text.empty()) {
        const char c = text.front();
        if (c == '-' || is_digit(c)) {
            if (!take_number(text)) {
                return false;
            }
            continue;
        }
        text.remove_prefix(1);
        if (c == '"' && !take_string(text)) {
            return false;
        }
        const bool is_ascii = static_cast<unsigned char>(c) < 0x80;
        if (!is_ascii || (is_control(c) && !is_white_space(c))) {
            return false;
        }
        depth += (c == '[' || c == '{') ? 1 : 0;
        depth -= (c == ']' || c == '}') ? 1 : 0;
        if (depth > kMaxNesting) {
            return false;
        }
    }
    return true;
}

bool has_duplicate_name(const cJSON* object) {
    std::vector<std::string_view> names;
    const cJSON* member = nullptr;
    cJSON_ArrayForEach(member, object) {
        names.emplace_back(member->string);
    }
    std::sort(names.begin(), names.end());
    return std::adjacent_find(names.begin(), names.end()) != names.end();
}

/// Whether an object at any depth has a duplicate name.
bool has_duplicate_names(const cJSON* root) {
    std::vector<const cJSON*> pending = {root};
    while (!pending.empty()) {
        const cJSON* node = pending.back();
        pending.pop_back();
        if (cJSON_IsObject(node) != 0 && has_duplicate_name(node)) {
            return true;
        }
        const cJSON* child = nullptr;
        cJSON_ArrayForEach(child, node) {
            pending.push_back(child);
        }
    }
    return false;
}

void append_beginning_of_string(std::string& out, std::string_view text, std::size_t max_octets) {
    out += Value::string(std::string(beginning_of(text, max_octets + 1))).text();
}

/// Appends compact JSON until `out` has more than `max_octets`; the rest may be missing.
// At most kMaxNesting levels deep. NOLINTNEXTLINE(misc-no-recursion)
void append_beginning(std::string& out, const View& value, std::size_t max_octets) {
    if (const std::optional<std::string> text = value.string()) {
        append_beginning_of_string(out, *text, max_octets);
    } else if (value.is_array() || value.is_object()) {
        const std::vector<View> elements = value.elements();
        const auto members = value.members();
        out += value.is_array() ? '[' : '{';
        for (std::size_t i = 0; i < elements.size() + members.size() && out.size() <= max_octets;
             ++i) {
            out += i > 0 ? "," : "";
            if (value.is_object()) {
                append_beginning_of_string(out, members[i].first, max_octets);
                out += ':';
            }
            append_beginning(out, value.is_array() ? elements[i] : members[i].second, max_octets);
        }
        out += value.is_array() ? ']' : '}';
    } else {
        out += value.text();
    }
}

}  // namespace

bool View::is_object() const {
    return cJSON_IsObject(node_) != 0;
}

bool View::is_array() const {
    return cJSON_IsArray(node_) != 0;
}

bool View::is_null() const {
    return cJSON_IsNull(node_) != 0;
}

std::optional<View> View::member(std::string_view name) const {
    if (!is_object()) {
        return std::nullopt;
    }
    const cJSON* child = nullptr;
    cJSON_ArrayForEach(child, node_) {
        if (name == child->string) {
            return View(child);
        }
    }
    return std::nullopt;
}

std::vector<std::pair<std::string_view, View>> View::members() const {
    std::vector<std::pair<std::string_view, View>> members;
    if (is_object()) {
        const cJSON* child = nullptr;
        cJSON_ArrayForEach(child, node_) {
            members.emplace_back(child->string, child);
        }
    }
    return members;
}

std::vector<View> View::elements() const {
    std::vector<View> elements;
    if (is_array()) {
        const cJSON* child = nullptr;
        cJSON_ArrayForEach(child, node_) {
            elements.emplace_back(child);
        }
    }
    return elements;
}

std::optional<std::string> View::string() const {
    if (cJSON_IsString(node_) == 0) {
        return std::nullopt;
    }
    return node_->valuestring;
}

std::optional<double> View::number() const {
    if (cJSON_IsNumber(node_) == 0 || !std::isfinite(node_->valuedouble)) {
        return std::nullopt;
    }
    return node_->valuedouble;
}

std::string View::text() const {
    struct Free {
        void operator()(char* printed) const { cJSON_free(printed); }
    };
    const std::unique_ptr<char, Free> printed(cJSON_PrintUnformatted(node_));
    if (!printed) {
        throw std::bad_alloc();
    }
    return printed.get();
}

std::string View::beginning_of_text(std::size_t max_octets) const {
    std::string text;
    append_beginning(text, *this, max_octets);
    const std::string_view beginning = beginning_of(text, max_octets);
    return std::string(beginning) + (beginning.size() < text.size() ? "\u2026" : "");
}

void Value::Delete::operator()(cJSON* node) const {
    cJSON_Delete(node);
}

Value::Value(cJSON* node) : node_(node) {
    if (!node_) {
        throw std::bad_alloc();
    }
}

Value Value::object() {
    return Value(cJSON_CreateObject());
}

Value Value::array() {
    return Value(cJSON_CreateArray());
}

Value Value::string(const std::string& text) {
    return Value(cJSON_CreateString(text.c_str()));
}

Value Value::boolean(bool value) {
    return Value(cJSON_CreateBool(value ? 1 : 0));
}

Value Value::number(double value) {
    return Value(cJSON_CreateNumber(value));
}

void Value::add(Name name, Value value) {
    if (cJSON_AddItemToObjectCS(node_.get(), name.text(), value.node_.get()) == 0) {
        throw std::bad_alloc();
    }
    static_cast<void>(value.node_.release());
}

void Value::append(Value value) {
    if (cJSON_AddItemToArray(node_.get(), value.node_.get()) == 0) {
        throw std::bad_alloc();
    }
    static_cast<void>(value.node_.release());
}

std::optional<Value> parse(std::string_view text) {
    if (!is_utf8(text) || !has_strict_tokens(text)) {
        return std::nullopt;
    }
    // cJSON checks for trailing text only if its input includes the terminating zero.
    const std::string terminated(text);
    cJSON* node = cJSON_ParseWithLengthOpts(terminated.c_str(), terminated.size() + 1, nullptr, 1);
    if (node == nullptr) {
        return std::nullopt;
    }
    Value value(node);
    return has_duplicate_names(node) ? std::nullopt : std::optional(std::move(value));
}

}  // namespace kheops::json
