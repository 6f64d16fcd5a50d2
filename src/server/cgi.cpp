// SPDX-License-Identifier: MIT
#include "server/cgi.hpp"

#include <cstdlib>
#include <iostream>

#include "server/exchange.hpp"
#include "server/gateway.hpp"

namespace kheops {

namespace {

Request read_request() {
    return to_request(environment_variables());
}

}  // namespace

bool is_cgi_request() {
    return std::getenv("REQUEST_METHOD") != nullptr;
}

void answer_as_cgi(const Config& config, const TokenVerifier& tokens, const Log& log) {
    const Clock::time_point now = Clock::now();
    ConnectionPool database(config.database, 1, log);
    const Request request = read_request();
    const Response response =
        answer(request, tokens, database, now, Deadline(now + config.timeout), log).response;
    std::cout << to_gateway_text(response, request) << std::flush;
}

std::string answer_fault_as_cgi() {
    const Request request = read_request();
    std::string id = request_id(request);
    std::cout << to_gateway_text(fault_response(id), request) << std::flush;
    return id;
}

}  // namespace kheops
