// SPDX-License-Identifier: MIT

// The Accept header. Oracle: a parser made of regular expressions.

#include <array>
#include <cstdlib>
#include <optional>
#include <regex>
#include <string>

#include "fuzz/target.hpp"
#include "http/accept.hpp"

namespace {

const std::string kToken = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const std::string kWeight = "[qQ]=((?:0(?:\\.[0-9]{0,3})?)|(?:1(?:\\.0{0,3})?)|(?:\\.[0-9]{1,3}))";
const std::string kOther =
    "(?![qQ]=)" + kToken + "=(?:" + kToken + "|\"(?:[^\"\\\\]|\\\\[\\s\\S])*\")";
const std::string kBlank = "[ \\t]*";
const std::string kRange = "(?:(" + kToken + ")/(" + kToken + ")|\\*)((?:" + kBlank + ";" + kBlank +
                           "(?:" + kWeight + "|" + kOther + ")?)*)" + kBlank;

/// How exactly `type/subtype` matches JSON: 0 (not at all) to 3.
size_t specificity(std::string type, std::string subtype) {
    for (std::string* text : {&type, &subtype}) {
        for (char& c : *text) {
            c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        }
    }
    if (type == "*" && subtype == "*") {
        return 1;
    }
    if (type == "application" && subtype == "*") {
        return 2;
    }
    return type == "application" && subtype == "json" ? 3 : 0;
}

std::optional<bool> naive_accepts_json(const std::string& header) {
    static const std::regex range(kRange);
    static const std::regex weight("^" + kBlank + ";" + kBlank + "(?:" + kWeight + "|" + kOther +
                                   ")?");
    std::array<double, 4> best = {-1, -1, -1, -1};
    auto at = header.cbegin();
    bool any = false;
    for (;;) {
        while (at != header.cend() && (*at == ' ' || *at == '\t' || *at == ',')) {
            ++at;
        }
        if (at == header.cend()) {
            break;
        }
        std::smatch match;
        if (!std::regex_search(at, header.cend(), match, range,
                               std::regex_constants::match_continuous)) {
            return std::nullopt;
        }
        at = match[0].second;
        if (at != header.cend() && *at != ',') {
            return std::nullopt;
        }
        any = true;
        double quality = 1;
        for (std::string rest = match[3]; !rest.empty();) {
            std::smatch parameter;
            FUZZ_CHECK(std::regex_search(rest, parameter, weight));
            quality = parameter[1].matched ? std::atof(parameter[1].str().c_str()) : quality;
            rest = parameter.suffix();
        }
        double& known = best.at(match[1].matched ? specificity(match[1], match[2]) : 1);
        known = quality > known ? quality : known;
    }
    for (const size_t close : {3U, 2U, 1U}) {
        if (best.at(close) >= 0) {
            return best.at(close) > 0;
        }
    }
    return !any;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr size_t kMax = 1000;  // std::regex recurses
    const std::string header(kheops::fuzz::text_of(data, size < kMax ? size : kMax));
    const std::optional<bool> accepted = kheops::accepts_json(header);
    FUZZ_CHECK(accepted == naive_accepts_json(header));

    if (accepted) {
        // A range of another type matters only if it is the only one; a repetition never does.
        FUZZ_CHECK(kheops::accepts_json(" ,," + header + ", text/x-other;q=0.1") ==
                   (*accepted && header.find_first_of("/*") != std::string::npos));
        FUZZ_CHECK(kheops::accepts_json(header + "," + header) == accepted);
    }
    return 0;
}
