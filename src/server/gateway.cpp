// SPDX-License-Identifier: MIT
#include "server/gateway.hpp"

namespace kheops {

Request to_request(const Variables& variables) {
    Request request;
    request.method = variables["REQUEST_METHOD"];
    request.path = variables["PATH_INFO"];
    if (request.path.empty()) {
        request.path = variables["SCRIPT_NAME"];
    }
    request.query = variables["QUERY_STRING"];
    request.accept = variables["HTTP_ACCEPT"];
    request.authorization = variables["HTTP_AUTHORIZATION"];
    request.if_none_match = variables["HTTP_IF_NONE_MATCH"];
    request.forwarded_for = variables["HTTP_X_FORWARDED_FOR"];
    request.link_authorization = variables["HTTP_X_LINK_AUTHORIZATION"];
    request.remote_address = variables["REMOTE_ADDR"];
    request.id = variables["REQUEST_ID"];
    return request;
}

std::string to_gateway_text(const Response& response, const Request& request) {
    std::string text = "Status: " + std::to_string(response.status) + ' ';
    text += reason_phrase(response.status);
    text += "\r\n";
    for (const auto& [name, value] : response.headers) {
        text += name;
        text += ": ";
        text += value;
        text += "\r\n";
    }
    if (response.status != 204 && response.status != 304) {
        text += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
    }
    text += "\r\n";
    if (request.method != "HEAD") {
        text += response.body;
    }
    return text;
}

}  // namespace kheops
