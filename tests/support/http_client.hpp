// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kheops::test {

/// Names and values, in their order; a name may stand twice.
using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

/// An answer as it came: header names as sent, in their order.
struct HttpAnswer {
    int status = 0;
    HttpHeaders headers;
    std::string body;

    /// The values of all headers of that name, in any case.
    [[nodiscard]] std::vector<std::string> all(std::string_view name) const;
    /// The first of them; empty when there is none.
    [[nodiscard]] std::string header(std::string_view name) const;
};

/// Sends requests one after another, over one connection for as long as the server keeps it. Not
/// for several threads.
class HttpClient {
  public:
    HttpClient();
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    /// Sends exactly the path of `url` and, beside Host and what a body needs, exactly `headers`.
    /// `body` is sent with any method when given. Throws std::runtime_error when no whole answer
    /// has come after 60 seconds, or none can.
    HttpAnswer fetch(const std::string& method, const std::string& url,
                     const HttpHeaders& headers = {},
                     const std::optional<std::string>& body = std::nullopt);

    /// How many connections fetch() has made so far.
    [[nodiscard]] long connections() const { return connections_; }

  private:
    void* handle_;
    long connections_ = 0;
};

/// One request over a connection of its own, as HttpClient::fetch.
HttpAnswer fetch(const std::string& method, const std::string& url, const HttpHeaders& headers = {},
                 const std::optional<std::string>& body = std::nullopt);

}  // namespace kheops::test
