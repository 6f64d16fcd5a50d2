// SPDX-License-Identifier: MIT
#include "page_links.hpp"

#include <algorithm>
#include <limits>

#include "http/query.hpp"
#include "text/ascii.hpp"

namespace kheops {

namespace {

constexpr std::string_view kHexDigits = "0123456789ABCDEF";

bool is_hex_digit(char c) {
    return kHexDigits.find(c) != std::string_view::npos || (c >= 'a' && c <= 'f');
}

/// Whether a query may contain the character as it is (RFC 3986 section 3.4). The comma and the
/// semicolon are left out: they separate links and parameters in the header, and many clients look
/// for them inside `<>` too.
bool is_query_character(char c) {
    constexpr std::string_view kSymbols = "-._~!$&'()*+=:@/?";
    return is_alphanumeric(c) || kSymbols.find(c) != std::string_view::npos;
}

/// Returns a query of the same meaning that a URI may contain: percent-encodes every other octet,
/// such as `>`, `"`, a line break or a `%` that begins no percent-encoded octet.
std::string encode_query(std::string_view query) {
    std::string encoded;
    encoded.reserve(query.size());
    for (size_t i = 0; i < query.size(); ++i) {
        const char c = query[i];
        const bool is_encoded = c == '%' && i + 2 < query.size() && is_hex_digit(query[i + 1]) &&
                                is_hex_digit(query[i + 2]);
        if (is_encoded || is_query_character(c)) {
            encoded += c;
            continue;
        }
        const auto octet = static_cast<unsigned char>(c);
        encoded += {'%', kHexDigits[octet >> 4U], kHexDigits[octet & 0xFU]};
    }
    return encoded;
}

}  // namespace

std::string page_links(std::string_view query, const WebhookFilter& filter, std::int64_t total) {
    const std::int64_t limit = filter.limit.value_or(0);
    if (limit == 0) {
        return {};
    }
    constexpr std::int64_t kMaxOffset = std::numeric_limits<std::int32_t>::max();
    const std::int64_t offset = filter.offset;
    // Pages begin at this remainder and every `limit` webhooks from there, before `end`.
    const std::int64_t remainder = offset % limit;
    const std::int64_t end = std::min(total, kMaxOffset + 1);
    const std::int64_t last = end > remainder ? end - 1 - (end - 1 - remainder) % limit : 0;

    constexpr size_t kMaxSize = 56UL * 1024;
    const std::string kept = encode_query(query_without(query, "offset"));
    std::string links;
    const auto add = [&](std::int64_t page, const char* relation) {
        links += links.empty() ? "<?" : ", <?";
        links += kept + "&offset=" + std::to_string(page) + ">; rel=\"" + relation + '"';
    };
    add(0, "first");
    if (offset > 0) {
        add(std::clamp<std::int64_t>(offset - limit, 0, last), "prev");
    }
    if (offset + limit < end) {
        add(offset + limit, "next");
    }
    add(last, "last");
    return links.size() <= kMaxSize ? links : std::string();
}

}  // namespace kheops
