// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>

namespace kheops::test {

/// Returns the target of each relation in a header Link, without its brackets. Fails the test if
/// the header has another form than the program writes. Links may be long: std::regex would need a
/// stack frame for each character.
inline std::map<std::string, std::string> parse_link_header(const std::string& header) {
    constexpr std::string_view kBetween = ">; rel=\"";
    constexpr std::string_view kSeparator = ", ";
    std::map<std::string, std::string> targets;
    std::string_view rest = header;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find_first_of("<>\", ", 1), rest.size());
        const std::size_t relation = end + kBetween.size();
        const std::size_t quote = rest.find('"', std::min(relation, rest.size()));
        if (!rest.starts_with('<') || !rest.substr(end).starts_with(kBetween) ||
            quote == std::string_view::npos) {
            ADD_FAILURE() << "not a list of links: " << header;
            break;
        }
        const std::string name(rest.substr(relation, quote - relation));
        EXPECT_TRUE(targets.emplace(name, rest.substr(1, end - 1)).second) << header;
        rest.remove_prefix(quote + 1);
        if (!rest.empty()) {
            EXPECT_TRUE(rest.starts_with(kSeparator) && rest.size() > kSeparator.size()) << header;
            rest.remove_prefix(std::min(kSeparator.size(), rest.size()));
        }
    }
    return targets;
}

}  // namespace kheops::test
