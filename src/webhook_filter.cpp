// SPDX-License-Identifier: MIT
#include "webhook_filter.hpp"

#include <charconv>
#include <limits>

#include "http/message.hpp"
#include "http/query.hpp"
#include "log.hpp"
#include "text/utf8.hpp"

namespace kheops {

namespace {

/// Parses digits after an optional sign. As in Kheops, `007`, `+7` and `-0` are valid.
std::optional<std::int32_t> parse_count(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) {
        text.remove_prefix(1);
    }
    if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) {
        return std::nullopt;
    }
    std::int32_t count = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), count);
    if (parsed.ec != std::errc() || (negative && count != 0)) {
        return std::nullopt;
    }
    return count;
}

[[noreturn]] void refuse_parameter(const std::string& name, const std::string& value,
                                   const std::string& expected) {
    throw HttpError(400, "Bad Query Parameter", "'" + name + "' must be " + expected, {},
                    name + " is " + log_quoted(value) + ", expected " + expected);
}

/// Returns std::nullopt, for the default, if the parameter is absent or empty.
std::optional<std::int32_t> count_in_query(std::string_view query, const std::string& name) {
    const std::optional<std::string> text = query_parameter(query, name);
    if (!text || text->empty()) {
        return std::nullopt;
    }
    const std::optional<std::int32_t> count = parse_count(*text);
    if (!count) {
        refuse_parameter(
            name, *text,
            "a whole number from 0 to " + std::to_string(std::numeric_limits<std::int32_t>::max()));
    }
    return count;
}

}  // namespace

WebhookFilter filter_in_query(std::string_view query) {
    WebhookFilter filter;
    filter.limit = count_in_query(query, "limit");
    filter.offset = count_in_query(query, "offset").value_or(0);
    filter.url = query_parameter(query, "url");
    if (filter.url && (!is_utf8(*filter.url) || filter.url->find('\0') != std::string::npos)) {
        refuse_parameter("url", *filter.url, "percent-encoded UTF-8 without U+0000");
    }
    return filter;
}

}  // namespace kheops
