// SPDX-License-Identifier: MIT
#include "server/gateway.hpp"

namespace kheops {

Request to_request(const MetaVariables& variables) {
    const auto value_of = [&variables](const char* name) -> std::string {
        const char* value = variables(name);
        return value != nullptr ? value : "";
    };
    Request request;
    request.method = value_of("REQUEST_METHOD");
    request.path = value_of("PATH_INFO");
    if (request.path.empty()) {
        request.path = value_of("SCRIPT_NAME");
    }
    request.query = value_of("QUERY_STRING");
    request.accept = value_of("HTTP_ACCEPT");
    request.authorization = value_of("HTTP_AUTHORIZATION");
    request.forwarded_for = value_of("HTTP_X_FORWARDED_FOR");
    request.link_authorization = value_of("HTTP_X_LINK_AUTHORIZATION");
    request.remote_address = value_of("REMOTE_ADDR");
    request.id = value_of("REQUEST_ID");
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
    if (response.status != 204) {
        text += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
    }
    text += "\r\n";
    if (request.method != "HEAD") {
        text += response.body;
    }
    return text;
}

}  // namespace kheops
