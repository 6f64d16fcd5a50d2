// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "descriptor.hpp"

namespace kheops::test {

using Parameters = std::vector<std::pair<std::string, std::string>>;

// The types of records of FastCGI 1.0.
inline constexpr unsigned char kFastCgiBegin = 1;
inline constexpr unsigned char kFastCgiEnd = 3;
inline constexpr unsigned char kFastCgiParameters = 4;
inline constexpr unsigned char kFastCgiBody = 5;
inline constexpr unsigned char kFastCgiOutput = 6;

/// A record with that many octets of padding.
[[nodiscard]] std::string fastcgi_record(unsigned char type, const std::string& content,
                                         unsigned request = 1, unsigned char padding = 0);

/// A parameter as it stands in the stream of them.
[[nodiscard]] std::string fastcgi_pair(const std::string& name, const std::string& value);

/// A whole request of a responder: begin, parameters, body, each stream with its end. `keep` asks
/// the worker to leave the connection open.
[[nodiscard]] std::string fastcgi_request(const Parameters& parameters, bool keep,
                                          const std::string& body = "");

/// The parameters of a GET of `path_and_query` with that bearer token (empty: none).
[[nodiscard]] Parameters get_parameters(const std::string& path_and_query,
                                        const std::string& token);

/// A raw FastCGI peer on a worker's Unix socket. Every wait is bounded by 30 s and then fails the
/// test by an exception.
class FastCgiClient {
  public:
    explicit FastCgiClient(const std::string& socket_path);

    /// Has the kernel hold more octets that the worker does not take than it does by default.
    void enlarge_send_buffer();

    void send(const std::string& octets);
    /// Sends no more, as shutdown(SHUT_WR) does.
    void finish_sending();

    /// The answer's whole standard output, read until the end of the request. Throws
    /// std::runtime_error when the connection ends before it.
    [[nodiscard]] std::string receive_answer();
    /// Waits for some octets, at most that many, and drops them; false at the connection's end.
    bool read_some(size_t most) { return !read(most).empty(); }
    /// Waits until the worker closes the connection; what it still sends is dropped.
    void await_close();
    /// Whether the worker has closed the connection by now, and all that it sent was read.
    [[nodiscard]] bool is_closed();
    /// Whether the worker has closed the connection by now, whatever is still to be read.
    [[nodiscard]] bool is_reset() const { return socket_.has_hung_up(); }

  private:
    /// Reads exactly that many octets; fewer when the connection ends.
    std::string read(size_t size);

    Descriptor socket_;
};

/// The status that an answer's `Status` line names; 0 when there is none.
[[nodiscard]] int status_of(const std::string& answer);

}  // namespace kheops::test
