// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "descriptor.hpp"

namespace kheops::test {

using Parameters = std::vector<std::pair<std::string, std::string>>;

// Record types of FastCGI 1.0.
inline constexpr unsigned char kFastCgiBegin = 1;
inline constexpr unsigned char kFastCgiEnd = 3;
inline constexpr unsigned char kFastCgiParameters = 4;
inline constexpr unsigned char kFastCgiBody = 5;
inline constexpr unsigned char kFastCgiOutput = 6;

/// A record with `padding` octets of padding.
[[nodiscard]] std::string fastcgi_record(unsigned char type, const std::string& content,
                                         unsigned request = 1, unsigned char padding = 0);

/// A parameter as encoded in the parameter stream.
[[nodiscard]] std::string fastcgi_pair(const std::string& name, const std::string& value);

/// A complete request to a responder: begin, parameters, body, and the end of both streams. `keep`
/// asks the worker to leave the connection open.
[[nodiscard]] std::string fastcgi_request(const Parameters& parameters, bool keep,
                                          const std::string& body = "");

/// The parameters of a GET request for `path_and_query` with this bearer token (empty: none).
[[nodiscard]] Parameters get_parameters(const std::string& path_and_query,
                                        const std::string& token);

/// A connection to a worker's Unix socket for raw octets. A call that waits longer than 30 s throws
/// an exception, which fails the test.
class FastCgiClient {
  public:
    explicit FastCgiClient(const std::string& socket_path);

    /// Lets the kernel buffer more octets that the worker has not read yet.
    void enlarge_send_buffer();

    void send(const std::string& octets);
    /// Shuts the sending direction down (SHUT_WR).
    void finish_sending();

    /// Reads until the end of the request and returns the answer's standard output. Throws
    /// std::runtime_error if the connection ends before that.
    [[nodiscard]] std::string receive_answer();
    /// Waits for `size` octets and discards them; false if the connection ended before the first.
    bool read_some(size_t size) { return !read(size).empty(); }
    /// Waits until the worker closes the connection, and discards what it still sends.
    void await_close();
    /// Whether the worker has closed the connection and this client has read all that it sent.
    [[nodiscard]] bool is_closed();
    /// Whether the worker has closed the connection, even if there is still something to read.
    [[nodiscard]] bool is_reset() const { return socket_.has_hung_up(); }

  private:
    /// Reads `size` octets, or fewer if the connection ends.
    std::string read(size_t size);

    Descriptor socket_;
};

/// The status in an answer's `Status` line; 0 if the answer does not begin with one.
[[nodiscard]] int status_of(const std::string& answer);

}  // namespace kheops::test
