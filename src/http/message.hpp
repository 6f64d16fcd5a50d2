// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// An HTTP request and response as plain values, independent of the gateway protocol.
namespace kheops {

/// A request as the web server passed it. Members for headers are empty if the header is absent;
/// several headers of one name are joined with commas (RFC 9110 section 5.3).
struct Request {
    std::string method;
    std::string path;                ///< decoded, without query
    std::string query;               ///< as sent, still encoded, without `?`
    std::string accept;              ///< the header Accept
    std::string authorization;       ///< the header Authorization
    std::string if_none_match;       ///< the header If-None-Match
    std::string forwarded_for;       ///< the header X-Forwarded-For
    std::string link_authorization;  ///< the header X-Link-Authorization
    std::string remote_address;      ///< REMOTE_ADDR
    std::string id;                  ///< REQUEST_ID, assigned by nginx; may be empty

    // A gateway variable ends at U+0000, but the web server has seen the whole text.
    bool nul_in_path = false;    ///< the path contained U+0000
    bool nul_elsewhere = false;  ///< another variable contained U+0000
};

using Header = std::pair<std::string, std::string>;

/// A response. It is written only when it is complete.
struct Response {
    int status = 200;
    std::vector<Header> headers;  ///< without Content-Length and Status
    std::string body;
};

/// Refuses a request. Any gate may throw it, and error_response() turns it into the response. The
/// client sees message and detail, so they never contain SQL, text of a library or a token.
/// The reason is for the log only. It may quote the request with log_quoted(), but contains no
/// token and no secret.
class HttpError : public std::runtime_error {
  public:
    HttpError(int status, const std::string& message, std::string detail,
              std::vector<Header> headers = {}, std::string reason = "")
        : std::runtime_error(message),
          status_(status),
          detail_(std::move(detail)),
          headers_(std::move(headers)),
          reason_(std::move(reason)) {}

    [[nodiscard]] int status() const { return status_; }
    [[nodiscard]] std::string message() const { return what(); }
    [[nodiscard]] const std::string& detail() const { return detail_; }
    /// Headers that this error adds to the headers of every response.
    [[nodiscard]] const std::vector<Header>& headers() const { return headers_; }
    /// What was wrong, with the value seen and the value expected. Empty for an internal error.
    [[nodiscard]] const std::string& reason() const { return reason_; }

  private:
    int status_;
    std::string detail_;
    std::vector<Header> headers_;
    std::string reason_;
};

/// Returns the reason phrase of a status that this program sends (RFC 9110 section 15).
[[nodiscard]] std::string_view reason_phrase(int status);

/// Returns Kheops' error object (contract section 3) with the headers of every response.
[[nodiscard]] Response error_response(const HttpError& error);

/// Returns a response with a JSON body and the headers of every response (contract section 4).
[[nodiscard]] Response json_response(int status, std::string body);

/// Returns a 304 with the headers of every response. It has no body, and so no Content-Type.
[[nodiscard]] Response not_modified_response();

/// The CORS headers of every response, for pages of any origin. Static lifetime.
[[nodiscard]] const std::vector<Header>& cross_origin_headers();

}  // namespace kheops
