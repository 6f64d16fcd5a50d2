// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string_view>

#include "descriptor.hpp"
#include "http/message.hpp"

struct FCGX_Request;

/// One FastCGI request at a time on connections that were accepted elsewhere. The only file that
/// uses libfcgi, of which it calls neither accept() nor close(): the first cannot be stopped in
/// time, the second waits up to two seconds for the peer.
namespace kheops {

/// Makes libfcgi ready; once, before any thread uses FastCgi. Leaves SIGPIPE ignored, so that a web
/// server that went away is an error of write().
void initialize_fastcgi();

/// What one thread needs to serve FastCGI requests, one after the other.
class FastCgi {
  public:
    FastCgi();
    /// Closes the connection of a request that was begun and not ended.
    ~FastCgi();
    FastCgi(const FastCgi&) = delete;
    FastCgi& operator=(const FastCgi&) = delete;

    /// Takes the connection over and reads the request, whose parameters have all arrived
    /// (inspect_request). False when libfcgi does not find one; the connection is closed then.
    [[nodiscard]] bool begin(Descriptor connection);

    /// The value of a parameter of the request begun; null when the web server did not pass it.
    /// Valid until end().
    [[nodiscard]] const char* parameter(const char* name) const;

    /// Reads the rest of the body, which has all come (RequestFraming::ends_here), so that the next
    /// request starts clean. To be called before write(): whoever has the answer may send the next
    /// request, and libfcgi reads ahead.
    void discard_body();

    /// Writes the whole answer and the end of the request, as slowly as the peer reads. What cannot
    /// be written is lost; end() then returns no connection. Closes nothing.
    void write(std::string_view text);

    struct Ended {
        Descriptor connection;  ///< none when it broke
        bool keep;              ///< the web server wants to send its next request on it
    };
    /// Gives the connection back.
    [[nodiscard]] Ended end();

  private:
    std::unique_ptr<FCGX_Request> request_;
};

}  // namespace kheops
