// SPDX-License-Identifier: MIT
#include "http/message.hpp"

#include "text/json.hpp"

namespace kheops {

namespace {

constexpr const char* kHelp = "https://github.com/OsiriX-Foundation/kheops/wiki";

}  // namespace

std::string_view reason_phrase(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 204:
            return "No Content";
        case 304:
            return "Not Modified";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 406:
            return "Not Acceptable";
        case 503:
            return "Service Unavailable";
        default:
            return "Internal Server Error";
    }
}

const std::vector<Header>& cross_origin_headers() {
    static const std::vector<Header> headers = {
        {"Access-Control-Allow-Origin", "*"},
        {"Access-Control-Allow-Headers",
         "origin, content-type, accept, authorization, frontend, accept-charset, "
         "X-Authorization-Source"},
        {"Access-Control-Allow-Methods", "GET, PATCH, POST, PUT, DELETE, OPTIONS, HEAD"},
        {"Access-Control-Max-Age", "86400"},
    };
    return headers;
}

Response json_response(int status, std::string body) {
    Response response{status, cross_origin_headers(), std::move(body)};
    response.headers.emplace_back("Cache-Control", "no-cache");
    response.headers.emplace_back("Content-Type", "application/json");
    return response;
}

Response not_modified_response() {
    Response response{304, cross_origin_headers(), {}};
    response.headers.emplace_back("Cache-Control", "no-cache");
    return response;
}

Response error_response(const HttpError& error) {
    json::Value body = json::Value::object();
    body.add("message", json::Value::string(error.message()));
    body.add("detail", json::Value::string(error.detail()));
    body.add("help", json::Value::string(kHelp));

    Response response = json_response(error.status(), body.text());
    response.headers.insert(response.headers.end(), error.headers().begin(), error.headers().end());
    return response;
}

}  // namespace kheops
