// SPDX-License-Identifier: MIT
#include "server/operator_answer.hpp"

#include <string>
#include <utility>

#include "text/json.hpp"

namespace kheops {

namespace {

/// Without the CORS headers of the other answers: no web page is to read these in the browser of
/// somebody who works on this machine.
Response plain_response(int status, const char* content_type, std::string body) {
    return {
        status, {{"Cache-Control", "no-cache"}, {"Content-Type", content_type}}, std::move(body)};
}

Response health(const WorkerState& state) {
    const bool has_keys = state.keys.usable > 0;
    const bool is_healthy = has_keys && !state.database.is_down;
    json::Value body = json::Value::object();
    body.add("status", json::Value::string(is_healthy ? "ok" : "unavailable"));
    body.add("database", json::Value::string(state.database.is_down ? "down" : "up"));
    body.add("keys", json::Value::string(has_keys ? "ok" : "none"));
    return plain_response(is_healthy ? 200 : 503, "application/json", body.text());
}

Response respond(const Request& request, const Metrics& metrics, const WorkerState& state) {
    const bool is_metrics = request.path == "/metrics";
    if (request.nul_in_path || (!is_metrics && request.path != "/health")) {
        return error_response({404, "Not Found", "There is nothing at this path"});
    }
    if (request.method != "GET" && request.method != "HEAD") {
        return error_response(
            {405, "Method Not Allowed", "The methods are GET and HEAD", {{"Allow", "GET, HEAD"}}});
    }
    return is_metrics ? plain_response(200, "text/plain; version=0.0.4; charset=utf-8",
                                       metrics.text(state))
                      : health(state);
}

}  // namespace

Response answer_operator(const Request& request, const Metrics& metrics, const WorkerState& state,
                         const Log& log) {
    Response response = respond(request, metrics, state);
    log.event(LogLevel::debug, "operator_request",
              {{"path", request.path}, {"status", std::to_string(response.status)}});
    return response;
}

}  // namespace kheops
