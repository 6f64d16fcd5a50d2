// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>

#include "deadline.hpp"

/// Downloads documents over HTTP and HTTPS. Does not trust the server: limits sizes and times. Only
/// download.cpp uses libcurl.
namespace kheops {

/// How the connection to a URL is protected against an attacker on the network.
enum class Transport : std::uint8_t {
    tls,        ///< https
    loopback,   ///< http to this machine: `localhost`, 127.0.0.0/8 or ::1
    plaintext,  ///< http to another machine: no protection
};

/// Returns the transport of an absolute http or https URL without user and password. Null for any
/// other text.
[[nodiscard]] std::optional<Transport> transport_of(const std::string& url);

/// Returns whether an absolute URL has a user or a password, even an empty one.
[[nodiscard]] bool names_user(const std::string& url);

struct Document {
    std::string body;
    /// How long the server allows the document to be cached (RFC 9111 section 4.2). 0: it forbids
    /// caching. Null: it does not say.
    std::optional<std::chrono::seconds> lifetime;
    /// By how much this machine's clock is ahead of the server's. Null: the server does not say.
    std::optional<std::chrono::seconds> clock_lead;
};

/// A download failed. what() is the reason, for the log; of what the server sent, it contains at
/// most the issuer, cut and quoted.
class DownloadError : public std::runtime_error {
  public:
    enum class Cause : std::uint8_t {
        transfer,     ///< no complete answer arrived
        certificate,  ///< the server's certificate is not trusted
        answer,       ///< the answer cannot be used
        issuer,       ///< the answer is that of another provider
    };

    DownloadError(const std::string& reason, Cause cause)
        : std::runtime_error(reason), cause_(cause) {}

    [[nodiscard]] Cause cause() const { return cause_; }

  private:
    Cause cause_;
};

/// Downloads a document of at most 1 MiB with headers of at most 64 KiB. Follows at most three
/// redirects, within the same scheme, host and port. Trusts the system's certificates or, as
/// curl(1) does, the certificates in the file that SSL_CERT_FILE names. Uses the proxy variables of
/// curl(1), but no proxy for this machine (`localhost`, 127.0.0.0/8 and ::1). Returns or throws
/// before `deadline` passes, or soon after `stop` is requested. Throws DownloadError for any answer
/// other than a 200 with a whole body. Throws std::bad_alloc.
[[nodiscard]] Document download(const std::string& url, Deadline deadline,
                                const std::stop_token& stop);

}  // namespace kheops
