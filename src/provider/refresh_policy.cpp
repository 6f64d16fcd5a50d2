// SPDX-License-Identifier: MIT
#include "provider/refresh_policy.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>

#include "text/ascii.hpp"

namespace kheops {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Parses whole seconds. Null for any other text. A number above the maximum becomes the maximum.
std::optional<seconds> parse_seconds(std::string_view text) {
    if (text.empty() || !std::ranges::all_of(text, is_digit)) {
        return std::nullopt;
    }
    constexpr std::int64_t kMaxSeconds = std::int64_t{1} << 31U;  // RFC 9111 section 1.2.2
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    return seconds(error == std::errc() ? std::min(count, kMaxSeconds) : kMaxSeconds);
}

/// RFC 9111 section 5.2.2. Null if Cache-Control has none of these directives.
std::optional<seconds> lifetime_in_cache_control(std::string_view header) {
    std::optional<seconds> lifetime;
    while (!header.empty()) {
        const std::string_view rest = header;
        header.remove_prefix(std::min(header.find(','), header.size() - 1) + 1);
        std::string directive;
        for (const char c : rest.substr(0, rest.find(','))) {
            if (c != ' ' && c != '\t' && c != '"') {
                directive += to_lower_case(c);
            }
        }
        constexpr std::string_view kMaxAge = "max-age=";
        if (directive == "no-store" || directive.starts_with("no-cache")) {
            return seconds(0);
        }
        if (!lifetime && directive.starts_with(kMaxAge)) {
            lifetime = parse_seconds(std::string_view(directive).substr(kMaxAge.size()))
                           .value_or(seconds(0));
        }
    }
    return lifetime;
}

/// RFC 9111 section 5.1.
seconds age_of(const CachingHeaders& headers) {
    return parse_seconds(headers.age).value_or(seconds(0));
}

milliseconds scale(milliseconds time, double factor) {
    return std::chrono::round<milliseconds>(std::chrono::duration<double, std::milli>(time) *
                                            factor);
}

}  // namespace

std::optional<seconds> freshness_lifetime(const CachingHeaders& headers,
                                          std::chrono::sys_seconds now) {
    std::optional<seconds> lifetime = lifetime_in_cache_control(headers.cache_control);
    if (!lifetime && headers.expires) {
        lifetime = *headers.expires - headers.date.value_or(now);
    }
    if (!lifetime) {
        return std::nullopt;
    }
    return std::max(seconds(0), *lifetime - age_of(headers));
}

std::optional<seconds> clock_lead(const CachingHeaders& headers, std::chrono::sys_seconds now) {
    return headers.date ? std::optional(now - *headers.date - age_of(headers)) : std::nullopt;
}

milliseconds refresh_interval(const KeyTimes& times, seconds max_age,
                              std::optional<seconds> lifetime, double random) {
    constexpr double kMinShare = 0.9;
    const milliseconds min = scale(times.min_refresh, 1 / kMinShare);
    const milliseconds max =
        std::max(min, std::min<milliseconds>(times.max_refresh, milliseconds(max_age) / 2));
    const milliseconds asked = lifetime ? milliseconds(*lifetime) : max;
    return std::max(times.min_refresh,
                    scale(std::clamp(asked, min, max), 1 - (1 - kMinShare) * random));
}

milliseconds retry_backoff(const KeyTimes& times, unsigned failures, double random) {
    constexpr unsigned kMaxDoublings = 16;
    const unsigned doublings = std::min(failures - 1, kMaxDoublings);
    return scale(std::min(times.cool_down * (1U << doublings), times.min_refresh), 1 + random / 4);
}

}  // namespace kheops
