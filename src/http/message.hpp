// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// One HTTP exchange as plain values, whichever gateway protocol brought it.
namespace kheops {

/// What the web server passed of one request. Header members are empty when the header is absent.
struct Request {
    std::string method;
    std::string path;                ///< decoded, without query
    std::string query;               ///< as sent, still encoded, without `?`
    std::string accept;              ///< the header Accept
    std::string authorization;       ///< the header Authorization
    std::string forwarded_for;       ///< the header X-Forwarded-For
    std::string link_authorization;  ///< the header X-Link-Authorization
    std::string remote_address;      ///< REMOTE_ADDR
    std::string id;                  ///< REQUEST_ID, nginx's own; empty where it passes none

    // A variable of the gateway ends at U+0000: what is left of it means something else to the web
    // server.
    bool nul_in_path = false;    ///< the path had one
    bool nul_elsewhere = false;  ///< another variable had one
};

using Header = std::pair<std::string, std::string>;

/// A whole answer: nothing is written before all of it is there.
struct Response {
    int status = 200;
    std::vector<Header> headers;  ///< without Content-Length and Status
    std::string body;
};

/// Refuses a request; thrown by any gate, turned into an answer in one place (error_response).
/// Message and detail are shown to the client: they never hold SQL, a library's text or a token.
class HttpError : public std::runtime_error {
  public:
    HttpError(int status, const std::string& message, std::string detail,
              std::vector<Header> headers = {})
        : std::runtime_error(message),
          status_(status),
          detail_(std::move(detail)),
          headers_(std::move(headers)) {}

    [[nodiscard]] int status() const { return status_; }
    [[nodiscard]] std::string message() const { return what(); }
    [[nodiscard]] const std::string& detail() const { return detail_; }
    /// Headers that this refusal needs beside those of every answer.
    [[nodiscard]] const std::vector<Header>& headers() const { return headers_; }

  private:
    int status_;
    std::string detail_;
    std::vector<Header> headers_;
};

/// The reason phrase of a status that this program sends (RFC 9110 section 15).
[[nodiscard]] std::string_view reason_phrase(int status);

/// The answer to a refusal: Kheops' error object (contract section 3) and the headers of every
/// answer.
[[nodiscard]] Response error_response(const HttpError& error);

/// An answer with a JSON body and the headers of every answer (contract section 4).
[[nodiscard]] Response json_response(int status, std::string body);

/// The headers that let pages of any origin call this API; on every answer.
[[nodiscard]] const std::vector<Header>& cross_origin_headers();

}  // namespace kheops
