// SPDX-License-Identifier: MIT
#include "http/accept.hpp"

#include "text/ascii.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace kheops {

namespace {

bool is_token_character(char c) {
    constexpr std::string_view kSymbols = "!#$%&'*+-.^_`|~";
    return is_alphanumeric(c) || kSymbols.find(c) != std::string_view::npos;
}

std::string lower_case(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(), to_lower_case);
    return lower;
}

/// A cursor over the header. Each function consumes the item in its name, if that item is next.
class Cursor {
  public:
    explicit Cursor(std::string_view text) : rest_(text) {}

    [[nodiscard]] bool at_end() const { return rest_.empty(); }

    bool take(char c) {
        if (rest_.empty() || rest_.front() != c) {
            return false;
        }
        rest_.remove_prefix(1);
        return true;
    }

    void skip_blanks() {
        while (take(' ') || take('\t')) {
        }
    }

    std::string_view take_token() {
        const auto* end = std::find_if_not(rest_.begin(), rest_.end(), is_token_character);
        const std::string_view token = rest_.substr(0, static_cast<size_t>(end - rest_.begin()));
        rest_.remove_prefix(token.size());
        return token;
    }

    /// Consumes a quoted string (RFC 9110 section 5.6.4); its content is ignored.
    bool take_quoted_string() {
        if (!take('"')) {
            return false;
        }
        while (!rest_.empty()) {
            const char c = rest_.front();
            rest_.remove_prefix(1);
            if (c == '"') {
                return true;
            }
            if (c == '\\' && !rest_.empty()) {
                rest_.remove_prefix(1);
            }
        }
        return false;
    }

  private:
    std::string_view rest_;
};

/// Returns a weight from 0 to 1 in thousandths; at most three decimals (section 12.4.2). The 0
/// before the point may be absent.
std::optional<int> parse_weight(std::string_view text) {
    int weight = 0;
    if (text.starts_with('0') || text.starts_with('1')) {
        weight = (text.front() - '0') * 1000;
        text.remove_prefix(1);
    } else if (text.size() < 2) {
        return std::nullopt;  // it is empty, or has no digit
    }
    constexpr size_t kMaxFraction = 4;  // the point and three digits
    if (text.size() > kMaxFraction || (!text.empty() && text.front() != '.')) {
        return std::nullopt;
    }
    int unit = 100;
    for (const char digit : text.substr(std::min<size_t>(1, text.size()))) {
        if (!is_digit(digit)) {
            return std::nullopt;
        }
        weight += (digit - '0') * unit;
        unit /= 10;
    }
    return weight <= 1000 ? std::optional(weight) : std::nullopt;
}

struct MediaRange {
    std::string type;
    std::string subtype;
    int weight = 1000;
};

/// Consumes a parameter after its `;`; it may be empty. Returns false if it is malformed.
bool take_parameter(Cursor& cursor, MediaRange& range) {
    cursor.skip_blanks();
    const std::string_view name = cursor.take_token();
    if (name.empty()) {
        return true;
    }
    if (!cursor.take('=')) {
        return false;
    }
    if (lower_case(name) != "q") {
        return cursor.take_quoted_string() || !cursor.take_token().empty();
    }
    const std::optional<int> weight = parse_weight(cursor.take_token());
    range.weight = weight.value_or(0);
    return weight.has_value();
}

std::optional<MediaRange> take_media_range(Cursor& cursor) {
    MediaRange range;
    range.type = lower_case(cursor.take_token());
    if (cursor.take('/')) {
        range.subtype = lower_case(cursor.take_token());
    } else if (range.type == "*") {
        range.subtype = range.type;
    }
    if (range.type.empty() || range.subtype.empty()) {
        return std::nullopt;
    }
    cursor.skip_blanks();
    while (cursor.take(';')) {
        if (!take_parameter(cursor, range)) {
            return std::nullopt;
        }
        cursor.skip_blanks();
    }
    return range;
}

/// Returns how specifically a range matches `application/json`: 0 not at all, 3 exactly.
size_t specificity(const MediaRange& range) {
    if (range.type == "*" && range.subtype == "*") {
        return 1;
    }
    if (range.type == "application") {
        return range.subtype == "json" ? 3 : range.subtype == "*" ? 2 : 0;
    }
    return 0;
}

}  // namespace

std::optional<bool> accepts_json(std::string_view header) {
    constexpr int kNoRange = -1;
    std::array<int, 4> weights{};  // the highest weight for each specificity
    weights.fill(kNoRange);

    Cursor cursor(header);
    bool any_range = false;
    for (;;) {
        cursor.skip_blanks();
        if (cursor.take(',')) {  // empty list elements are allowed (section 5.6.1.2)
            continue;
        }
        if (cursor.at_end()) {
            break;
        }
        const std::optional<MediaRange> range = take_media_range(cursor);
        if (!range || !(cursor.at_end() || cursor.take(','))) {
            return std::nullopt;
        }
        any_range = true;
        int& weight = weights.at(specificity(*range));
        weight = std::max(weight, range->weight);
    }
    if (!any_range) {
        return true;
    }
    for (const size_t specificity_level : {3U, 2U, 1U}) {
        if (weights.at(specificity_level) != kNoRange) {
            return weights.at(specificity_level) > 0;
        }
    }
    return false;
}

}  // namespace kheops
