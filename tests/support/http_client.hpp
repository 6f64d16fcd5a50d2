// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kheops::test {

/// Names and values in order; a name may occur several times.
using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

/// An answer as received: header names as sent, in order.
struct HttpAnswer {
    int status = 0;
    HttpHeaders headers;
    std::string body;

    /// The values of all headers of this name, compared case-insensitively.
    [[nodiscard]] std::vector<std::string> all(std::string_view name) const;
    /// The first of these values; empty if there is none.
    [[nodiscard]] std::string header(std::string_view name) const;
};

/// Sends requests one after another, over one connection as long as the server keeps it open. Not
/// thread-safe.
class HttpClient {
  public:
    HttpClient();
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    /// Sends the path of `url` unchanged, and only `headers`, Host and what a body needs. Any
    /// method may have a body. Throws std::runtime_error if no complete answer arrives within 60 s.
    /// If KHEOPS_TEST_ANSWERS names a file, the answer is added to it (tests/smoke/openapi.sh).
    HttpAnswer fetch(const std::string& method, const std::string& url,
                     const HttpHeaders& headers = {},
                     const std::optional<std::string>& body = std::nullopt);

    /// The number of connections that fetch() has made so far.
    [[nodiscard]] long connections() const { return connections_; }

  private:
    void* handle_;
    long connections_ = 0;
};

/// HttpClient::fetch on a new connection.
HttpAnswer fetch(const std::string& method, const std::string& url, const HttpHeaders& headers = {},
                 const std::optional<std::string>& body = std::nullopt);

}  // namespace kheops::test
