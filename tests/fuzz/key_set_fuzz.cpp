// SPDX-License-Identifier: MIT

// Key sets, in JSON and in PEM. Oracles: leading white space changes nothing; a text that holds the
// input twice has the same keys; the reason for a skipped key is one line.

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "fuzz/target.hpp"
#include "text/json.hpp"
#include "text/utf8.hpp"
#include "token/jwk_set.hpp"

namespace kheops {
namespace {

constexpr std::array kAlgorithms = {
    Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384,
    Algorithm::PS512, Algorithm::ES256, Algorithm::ES384, Algorithm::ES512, Algorithm::HS256,
    Algorithm::HS384, Algorithm::HS512, Algorithm::EdDSA};

void check_line(const std::string& line) {
    FUZZ_CHECK(!line.empty() && is_utf8(line));
    FUZZ_CHECK(std::none_of(line.begin(), line.end(), [](char c) { return c >= 0 && c < ' '; }));
}

/// The keys of the text, in a form to compare; nullopt if none is usable.
std::optional<std::vector<std::string>> keys_in(const std::string& text, size_t& skipped) {
    skipped = 0;
    try {
        const KeySet set = parse_key_set(text);
        FUZZ_CHECK(!set.keys.empty());
        skipped = set.skipped.count();
        for (const std::string& line : set.skipped.reasons()) {
            check_line(line);
        }
        std::vector<std::string> keys;
        for (const Key& key : set.keys) {
            std::string fits;
            for (const Algorithm algorithm : kAlgorithms) {
                fits += key.fits(algorithm) ? '1' : '0';
                FUZZ_CHECK(!key.fits(algorithm) || key.key.fits(algorithm));
                FUZZ_CHECK(!key.key.verify(algorithm, text, "no signature of anything"));
            }
            FUZZ_CHECK(fits.find('1') != std::string::npos);
            FUZZ_CHECK(!key.only || std::count(fits.begin(), fits.end(), '1') == 1);
            keys.push_back(fits + (key.kid ? "kid " + *key.kid : ""));
        }
        return keys;
    } catch (const KeySetError& error) {
        check_line(error.what());
        return std::nullopt;
    }
}

}  // namespace
}  // namespace kheops

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace kheops;
    const std::string text(fuzz::text_of(data, size));
    size_t skipped = 0;
    size_t again = 0;
    const std::optional<std::vector<std::string>> keys = keys_in(text, skipped);
    FUZZ_CHECK(keys_in(" \r\n" + text, again) == keys && again == skipped);
    if (!keys) {
        return 0;
    }

    const std::optional<json::Value> root = json::parse(text);
    std::string doubled = text + '\n' + text;  // PEM
    if (root) {
        const std::optional<json::View> list = root->view().member("keys");
        if (list && list->is_array()) {
            // A set within a set is no usable key, unless it has the members of a key too.
            FUZZ_CHECK(root->view().member("kty") || !keys_in("{\"keys\":[" + text + "]}", again));
            return 0;
        }
        doubled = "{\"keys\":[" + text + ',' + text + "]}";
    } else if (!text.starts_with("-----BEGIN ")) {
        return 0;  // text before the first block would follow the last one
    }
    FUZZ_CHECK(2 * (keys->size() + skipped) > kMaxKeys ||
               (keys_in(doubled, again) == keys && again == 2 * skipped));
    return 0;
}
