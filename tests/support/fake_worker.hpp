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

/// A request as received from the web server.
struct FastCgiRequest {
    std::map<std::string, std::string> parameters;
    std::string body = {};
};

/// A FastCGI server on a Unix socket, in place of the worker, for tests of nginx alone. It records
/// the requests and answers as the test defines.
class FakeWorker {
  public:
    /// Returns an answer in CGI form (to_cgi_text). An empty answer closes the connection without a
    /// reply, like a worker that crashes. Each connection has a thread that calls this function.
    using Responder = std::function<std::string(const FastCgiRequest&)>;

    /// The server listens when this returns.
    FakeWorker(const std::string& socket_path, Responder responder);
    /// Answers each request with `status` and the body "worker".
    explicit FakeWorker(const std::string& socket_path, int status = 200);
    /// Waits until all responders have returned.
    ~FakeWorker();
    FakeWorker(const FakeWorker&) = delete;
    FakeWorker& operator=(const FakeWorker&) = delete;

    /// All requests received so far, oldest first.
    [[nodiscard]] std::vector<FastCgiRequest> requests() const;
    /// A parameter of the latest request; empty if it is missing.
    [[nodiscard]] std::string parameter(const std::string& name) const;
    /// The number of connections accepted so far.
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

/// A complete answer with this status, the header `X-Answered-By: worker` and the body.
[[nodiscard]] std::string to_cgi_text(int status, const std::string& body);

}  // namespace kheops::test
