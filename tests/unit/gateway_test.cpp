// SPDX-License-Identifier: MIT
#include "server/gateway.hpp"

#include <gtest/gtest.h>

#include <map>

namespace kheops {
namespace {

Variables variables(const std::map<std::string, std::string>& set) {
    return Variables([&set](const char* name) {
        const auto found = set.find(name);
        return found == set.end() ? nullptr : found->second.c_str();
    });
}

TEST(Gateway, ReadsTheMetaVariables) {
    const std::map<std::string, std::string> set = {{"REQUEST_METHOD", "GET"},
                                                    {"PATH_INFO", "/albums/a/webhooks"},
                                                    {"SCRIPT_NAME", "/kheops"},
                                                    {"QUERY_STRING", "limit=1"},
                                                    {"HTTP_ACCEPT", "*/*"},
                                                    {"HTTP_AUTHORIZATION", "Bearer a.b.c"},
                                                    {"HTTP_IF_NONE_MATCH", "\"a\""},
                                                    {"HTTP_X_FORWARDED_FOR", "192.0.2.1"},
                                                    {"HTTP_X_LINK_AUTHORIZATION", "true"},
                                                    {"REMOTE_ADDR", "192.0.2.2"},
                                                    {"REQUEST_ID", "0123"}};
    const Request request = to_request(variables(set));
    EXPECT_EQ(request.method, "GET");
    EXPECT_EQ(request.path, "/albums/a/webhooks");
    EXPECT_EQ(request.query, "limit=1");
    EXPECT_EQ(request.accept, "*/*");
    EXPECT_EQ(request.authorization, "Bearer a.b.c");
    EXPECT_EQ(request.if_none_match, "\"a\"");
    EXPECT_EQ(request.forwarded_for, "192.0.2.1");
    EXPECT_EQ(request.link_authorization, "true");
    EXPECT_EQ(request.remote_address, "192.0.2.2");
    EXPECT_EQ(request.id, "0123");
}

TEST(Gateway, ThePathIsScriptNameIfPathInfoIsEmptyOrAbsent) {
    const std::map<std::string, std::string> empty = {{"PATH_INFO", ""}, {"SCRIPT_NAME", "/a"}};
    EXPECT_EQ(to_request(variables(empty)).path, "/a");
    const std::map<std::string, std::string> absent = {{"SCRIPT_NAME", "/a"}};
    EXPECT_EQ(to_request(variables(absent)).path, "/a");
}

TEST(Gateway, AnAnswerHasStatusHeadersLengthAndBody) {
    Request request;
    request.method = "GET";
    EXPECT_EQ(to_gateway_text({404, {{"A", "b"}, {"C", "d"}}, "body"}, request),
              "Status: 404 Not Found\r\nA: b\r\nC: d\r\nContent-Length: 4\r\n\r\nbody");
}

TEST(Gateway, HeadHasTheSameHeadersAndNoBody) {
    Request request;
    request.method = "HEAD";
    EXPECT_EQ(to_gateway_text({200, {}, "body"}, request),
              "Status: 200 OK\r\nContent-Length: 4\r\n\r\n");
}

TEST(Gateway, Status204HasNoLength) {
    Request request;
    request.method = "OPTIONS";
    EXPECT_EQ(to_gateway_text({204, {}, ""}, request), "Status: 204 No Content\r\n\r\n");
}

TEST(Gateway, Status304HasNoLength) {
    for (const char* method : {"GET", "HEAD"}) {
        Request request;
        request.method = method;
        EXPECT_EQ(to_gateway_text({304, {{"ETag", "\"a\""}}, ""}, request),
                  "Status: 304 Not Modified\r\nETag: \"a\"\r\n\r\n");
    }
}

}  // namespace
}  // namespace kheops
