// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "descriptor.hpp"
#include "http/message.hpp"

struct FCGX_Request;

/// FastCGI requests on connections that the dispatcher has accepted. Only fastcgi.cpp uses libfcgi.
/// libfcgi neither accepts nor closes here: its accept cannot be interrupted reliably, and its
/// close waits up to two seconds for the peer.
namespace kheops {

/// Initializes libfcgi. Call it once, before any thread uses FastCgi. Ignores SIGPIPE, so that
/// write() fails if the peer has hung up. Throws std::runtime_error if libfcgi fails.
void initialize_fastcgi();

/// Serves FastCGI requests one after the other. Each thread has its own object.
class FastCgi {
  public:
    FastCgi();
    /// Closes the connection if a request was begun and not ended.
    ~FastCgi();
    FastCgi(const FastCgi&) = delete;
    FastCgi& operator=(const FastCgi&) = delete;

    /// Takes the connection and reads the request's parameters, all of which must have arrived
    /// (inspect_request). Returns false, and closes the connection, if libfcgi finds no request.
    [[nodiscard]] bool begin(Descriptor connection);

    /// Returns the value of a parameter; null if the web server did not pass it. If a header
    /// (`HTTP_…`) was passed several times, returns the values joined with commas, which RFC 3875
    /// section 4.1.18 expects of the web server; of other parameters the first counts. Valid until
    /// the next call.
    [[nodiscard]] const char* parameter(const char* name);

    /// Reads the body, all of which must have arrived (RequestFraming::body_complete), so that the
    /// next request starts after it. Call this before write(): a peer that has the answer may send
    /// its next request, and libfcgi would read ahead into it.
    void discard_body();

    /// Writes the whole answer and the end of the request, as slowly as the peer reads. If writing
    /// fails, the rest is dropped and end() returns no connection.
    void write(std::string_view text);

    struct EndedRequest {
        Descriptor connection;  ///< empty if it broke
        bool keep;              ///< the web server wants to send its next request on it
    };
    /// Ends the request and returns its connection.
    [[nodiscard]] EndedRequest end();

  private:
    std::unique_ptr<FCGX_Request> request_;
    std::string joined_;  // what parameter() returned, if it joined values
};

}  // namespace kheops
