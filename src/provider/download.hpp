// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>

#include "deadline.hpp"

/// Documents over HTTP and TLS, from a server that may do anything. The only file that uses
/// libcurl.
namespace kheops {

/// What keeps others on the way from changing what comes from a URL.
enum class Transport : std::uint8_t {
    tls,        ///< https
    loopback,   ///< http to this machine: `localhost`, 127.0.0.0/8 or ::1
    plaintext,  ///< nothing: http to elsewhere
};

/// That of an absolute http or https URL without user and password; nothing for any other text.
[[nodiscard]] std::optional<Transport> transport_of(const std::string& url);

struct Document {
    std::string body;
    /// For how long the server allows it to be kept (RFC 9111 section 4.2), 0 where it forbids
    /// that; nothing where it says nothing.
    std::optional<std::chrono::seconds> lifetime;
};

/// There is no document. what() says why, for the log; it holds nothing that the server sent.
class DownloadError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// Fetches a document of at most 1 MiB with headers of at most 64 KiB. Redirects are followed
/// within the same scheme, host and port, three at most. Trusted are the system's certificates or,
/// as with curl(1), those in the file that SSL_CERT_FILE names; proxies are those of curl(1) too,
/// none for this machine itself
/// (`localhost`, 127.0.0.0/8 and ::1), whatever the scheme. Throws DownloadError for anything but a
/// 200 with a whole body, at the latest when `deadline` has passed or soon after `stop` was
/// requested, and std::bad_alloc.
[[nodiscard]] Document download(const std::string& url, Deadline deadline,
                                const std::stop_token& stop);

}  // namespace kheops
