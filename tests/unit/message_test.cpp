// SPDX-License-Identifier: MIT
#include "http/message.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace kheops {
namespace {

std::string header_of(const Response& response, const std::string& name) {
    const auto found = std::find_if(response.headers.begin(), response.headers.end(),
                                    [&](const Header& header) { return header.first == name; });
    return found == response.headers.end() ? "" : found->second;
}

TEST(Message, AnErrorHasTheMembersOfKheops) {
    const Response response = error_response({403, "Authorization error", "a \"detail\""});
    EXPECT_EQ(response.status, 403);
    EXPECT_EQ(response.body, R"({"message":"Authorization error","detail":"a \"detail\"",)"
                             R"("help":"https://github.com/OsiriX-Foundation/kheops/wiki"})");
    EXPECT_EQ(header_of(response, "Content-Type"), "application/json");
    EXPECT_EQ(header_of(response, "Cache-Control"), "no-cache");
}

TEST(Message, AReasonIsNotShownToTheClient) {
    const HttpError plain(401, "a", "b", {{"WWW-Authenticate", "c"}});
    const HttpError reasoned(401, "a", "b", {{"WWW-Authenticate", "c"}}, "a reason");
    EXPECT_EQ(reasoned.reason(), "a reason");
    EXPECT_EQ(error_response(reasoned).body, error_response(plain).body);
    EXPECT_EQ(error_response(reasoned).headers, error_response(plain).headers);
}

TEST(Message, EveryAnswerHasTheCorsHeaders) {
    for (const Response& response :
         {error_response({404, "a", "b"}), json_response(200, "[]"), not_modified_response()}) {
        EXPECT_EQ(header_of(response, "Access-Control-Allow-Origin"), "*");
        EXPECT_EQ(header_of(response, "Access-Control-Allow-Headers"),
                  "origin, content-type, accept, authorization, frontend, accept-charset, "
                  "X-Authorization-Source");
        EXPECT_EQ(header_of(response, "Access-Control-Allow-Methods"),
                  "GET, PATCH, POST, PUT, DELETE, OPTIONS, HEAD");
        EXPECT_EQ(header_of(response, "Access-Control-Max-Age"), "86400");
    }
}

TEST(Message, Status304HasNeitherBodyNorType) {
    const Response response = not_modified_response();
    EXPECT_EQ(response.status, 304);
    EXPECT_EQ(response.body, "");
    EXPECT_EQ(header_of(response, "Content-Type"), "");
    EXPECT_EQ(header_of(response, "Cache-Control"), "no-cache");
}

TEST(Message, AnErrorKeepsItsOwnHeaders) {
    const Response response = error_response({503, "a", "b", {{"Retry-After", "1"}}});
    EXPECT_EQ(header_of(response, "Retry-After"), "1");
}

}  // namespace
}  // namespace kheops
