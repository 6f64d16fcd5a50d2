// SPDX-License-Identifier: MIT
#include "support/refusal.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace kheops::test {

void expect_refusal(const HttpAnswer& answer, const HttpError& error) {
    Response expected = error_response(error);
    EXPECT_EQ(answer.status, expected.status);
    EXPECT_EQ(answer.body, expected.body);

    HttpHeaders headers = answer.headers;
    std::erase_if(headers, [](const auto& header) {
        return header.first == "Server" || header.first == "Date" ||
               header.first == "Content-Length" || header.first == "Connection";
    });
    std::sort(headers.begin(), headers.end());
    std::sort(expected.headers.begin(), expected.headers.end());
    EXPECT_EQ(headers, expected.headers);
}

void expect_internal_error(const HttpAnswer& answer) {
    const std::string before = "log id : ";
    const size_t at = answer.body.find(before);
    ASSERT_NE(at, std::string::npos) << answer.body;
    constexpr size_t kIdLength = 32;
    expect_refusal(answer, HttpError(500, "Internal server error",
                                     answer.body.substr(at, before.size() + kIdLength)));
}

}  // namespace kheops::test
