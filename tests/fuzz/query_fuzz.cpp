// SPDX-License-Identifier: MIT

// The path and the query, as `path?query`. Oracles: a parser that decodes all pairs before it looks
// for a name; and its pairs encoded again, which must give the same result. The links to other
// pages must have the same pairs, except for the offset.

#include <cstdlib>
#include <limits>
#include <optional>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/target.hpp"
#include "http/message.hpp"
#include "http/query.hpp"
#include "list_webhooks.hpp"
#include "page_links.hpp"
#include "webhook_filter.hpp"

namespace kheops {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> pieces(1);
    for (const char c : text) {
        if (c == separator) {
            pieces.emplace_back();
        } else {
            pieces.back() += c;
        }
    }
    return pieces;
}

std::string naive_decode(const std::string& text) {
    static const std::string digits = "0123456789abcdef0123456789ABCDEF";
    std::string decoded;
    for (size_t i = 0; i < text.size(); ++i) {
        const size_t high = i + 2 < text.size() ? digits.find(text[i + 1]) : std::string::npos;
        const size_t low = i + 2 < text.size() ? digits.find(text[i + 2]) : std::string::npos;
        if (text[i] == '%' && high != std::string::npos && low != std::string::npos) {
            decoded += static_cast<char>(high % 16 * 16 + low % 16);
            i += 2;
        } else {
            decoded += text[i] == '+' ? ' ' : text[i];
        }
    }
    return decoded;
}

Pairs naive_pairs(const std::string& query) {
    Pairs pairs;
    for (const std::string& piece : split(query, '&')) {
        std::vector<std::string> sides = split(piece, '=');
        const std::string name = sides.front();
        if (!piece.empty()) {
            pairs.emplace_back(
                naive_decode(name),
                sides.size() == 1 ? "" : naive_decode(piece.substr(name.size() + 1)));
        }
    }
    return pairs;
}

std::optional<std::string> naive_parameter(const Pairs& pairs, const std::string& name) {
    for (const auto& [key, value] : pairs) {
        if (key == name) {
            return value;
        }
    }
    return std::nullopt;
}

std::string encode(const std::string& text) {
    static const char* digits = "0123456789aBcDeF";
    std::string encoded;
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        encoded += {'%', digits[octet / 16], digits[octet % 16]};
    }
    return encoded;
}

/// Whether the text is a valid count, which is then in `count`.
bool naive_count(const std::optional<std::string>& text, long long& count) {
    static const std::regex number("[+-]?[0-9]+");
    count = 0;
    if (!text || text->empty()) {
        return true;
    }
    if (text->size() > 500) {
        return text->find_first_not_of("0") == std::string::npos;  // std::regex recurses
    }
    if (!std::regex_match(*text, number)) {
        return false;
    }
    count = std::strtoll(text->c_str(), nullptr, 10);
    return count >= 0 && count <= std::numeric_limits<std::int32_t>::max();
}

/// The links to other pages of a list with this many webhooks.
void check_links(const std::string& query, const WebhookFilter& filter, std::int64_t total) {
    const std::string header = page_links(query, filter, total);
    if (header.empty()) {
        FUZZ_CHECK(filter.limit.value_or(0) == 0 || query.size() > 4000);
        return;
    }
    FUZZ_CHECK(filter.limit.value_or(0) > 0);
    Pairs kept = naive_pairs(query);
    std::erase_if(kept, [](const auto& pair) { return pair.first == "offset"; });
    for (const std::string& link : split(header, ',')) {
        static const std::regex relation("; rel=\"(first|prev|next|last)\"");
        const size_t begin = link.find("<?") + 2;
        const size_t end = link.find('>');
        FUZZ_CHECK(begin <= 3 && end != std::string::npos);
        FUZZ_CHECK(std::regex_match(link.substr(end + 1), relation));
        const std::string target = link.substr(begin, end - begin);
        FUZZ_CHECK(target.find_first_not_of("!$&'()*+-./0123456789:=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "_abcdefghijklmnopqrstuvwxyz~%") == std::string::npos);
        Pairs pairs = naive_pairs(target);
        FUZZ_CHECK(!pairs.empty() && pairs.back().first == "offset");
        long long offset = 0;
        FUZZ_CHECK(naive_count(pairs.back().second, offset));
        FUZZ_CHECK(offset < total || offset == 0);
        pairs.pop_back();
        FUZZ_CHECK(pairs == kept);
    }
}

void check_query(const std::string& query) {
    const Pairs pairs = naive_pairs(query);
    std::string again;
    for (const auto& [name, value] : pairs) {
        again += (again.empty() ? "" : "&") + encode(name) + "=" + encode(value);
    }
    for (const auto& [name, value] : pairs) {
        FUZZ_CHECK(query_parameter(query, name) == naive_parameter(pairs, name));
        FUZZ_CHECK(query_parameter(again, name) == naive_parameter(pairs, name));
    }
    FUZZ_CHECK(query_parameter(query, "limit") == naive_parameter(pairs, "limit"));

    long long limit = 0;
    long long offset = 0;
    const bool counts = naive_count(naive_parameter(pairs, "limit"), limit) &&
                        naive_count(naive_parameter(pairs, "offset"), offset);
    try {
        const WebhookFilter filter = filter_in_query(query);
        FUZZ_CHECK(counts && filter.offset == offset && filter.limit.value_or(0) == limit);
        FUZZ_CHECK(filter.url == naive_parameter(pairs, "url"));
        for (const std::int64_t total : {0LL, 1LL, 25LL, 5'000'000'000LL}) {
            check_links(query, filter, total);
        }
        const WebhookFilter same = filter_in_query(again);
        FUZZ_CHECK(same.limit == filter.limit && same.offset == filter.offset &&
                   same.url == filter.url);
    } catch (const HttpError& error) {
        FUZZ_CHECK(error.status() == 400);
        // Only a count or the URL's characters can be invalid.
        FUZZ_CHECK(!counts || naive_parameter(pairs, "url"));
    }
}

/// A source without keys.
class NoKeys : public KeySource {
  public:
    [[nodiscard]] Keys current() const override { return nullptr; }
    [[nodiscard]] Keys newer_than(const Keys& known, Deadline /*deadline*/) override {
        return known;
    }
    void reload() override {}
    [[nodiscard]] KeyStatus status() const override { return {}; }
};

/// With OPTIONS only the path decides: no token and no database is needed.
bool is_list_path(const std::string& path) {
    static const Log log(LogLevel::error);
    static ConnectionPool database({}, 1, log);
    static NoKeys keys;
    static const TokenVerifier tokens(keys, {});
    Request request;
    request.method = "OPTIONS";
    request.path = path;
    RequestRecord record;
    try {
        return list_webhooks(request, tokens, database, {}, Deadline(Clock::now()), record)
                   .status == 204;
    } catch (const HttpError& error) {
        FUZZ_CHECK(error.status() == 404);
        return false;
    }
}

void check_path(const std::string& path) {
    static const std::regex list("/albums/[A-Za-z0-9]{10}/webhooks/?");
    FUZZ_CHECK(is_list_path(path) == (path.size() < 100 && std::regex_match(path, list)));
}

}  // namespace
}  // namespace kheops

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string target(kheops::fuzz::text_of(data, size));
    const size_t question = std::min(target.find('?'), target.size());
    kheops::check_path(target.substr(0, question));
    kheops::check_query(target.substr(std::min(question + 1, target.size())));
    return 0;
}
