// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "descriptor.hpp"

namespace kheops::test {

/// What a web server sent of one request.
struct FastCgiRequest {
    std::map<std::string, std::string> parameters;
    size_t body_size = 0;
};

/// Stands in for the worker where only nginx is tested: takes FastCGI requests on a Unix socket,
/// remembers them and answers what the test says.
class FakeWorker {
  public:
    /// Makes an answer in CGI's form (to_cgi_text); an empty one closes the connection without a
    /// word, as a worker that dies does. Called by a thread of its own for each connection.
    using Responder = std::function<std::string(const FastCgiRequest&)>;

    /// Listens when this returns.
    FakeWorker(const std::string& socket_path, Responder responder);
    /// Answers each request with that status and the body "worker".
    explicit FakeWorker(const std::string& socket_path, int status = 200);
    /// Waits for responders that are still at work.
    ~FakeWorker();
    FakeWorker(const FakeWorker&) = delete;
    FakeWorker& operator=(const FakeWorker&) = delete;

    /// All requests so far, oldest first.
    [[nodiscard]] std::vector<FastCgiRequest> requests() const;
    /// The parameter of the latest request; empty when it has none of that name.
    [[nodiscard]] std::string parameter(const std::string& name) const;
    /// How many connections have been accepted so far.
    [[nodiscard]] size_t connections() const;

  private:
    void accept_connections();
    void serve(int connection);

    Responder responder_;
    Descriptor listener_;
    mutable std::mutex mutex_;
    std::vector<FastCgiRequest> requests_;
    std::list<Descriptor> connections_;
    std::list<std::thread> servers_;
    std::thread acceptor_;
};

/// A whole answer with that status, the header `X-Answered-By: worker` and the body.
[[nodiscard]] std::string to_cgi_text(int status, const std::string& body);

}  // namespace kheops::test
