// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

/// Parses the record layer of FastCGI 1.0 (its specification, section 3) to decide whether libfcgi
/// may get a request: libfcgi blocks until the parameters are complete and cannot be cancelled.
namespace kheops {

/// The state of the request whose first octets have arrived on a connection.
struct RequestFraming {
    enum class State {
        partial,    ///< the beginning of a request; more must arrive
        whole,      ///< a request whose parameters have all arrived
        malformed,  ///< not a request that a web server sends to a responder
    };
    State state;

    // Set for a whole request only.
    bool body_complete = false;  ///< the body has arrived too, and nothing after it
    bool nul_in_path = false;    ///< PATH_INFO or SCRIPT_NAME holds U+0000, which ends a C string
    bool from_operator = false;  ///< KHEOPS_WEBHOOKS_OPERATOR is `yes` (contract section 11)
    bool nul_elsewhere = false;  ///< another parameter's name or value holds U+0000
};

/// Inspects the octets of one request that have arrived, from its first octet. These are malformed:
/// management records, roles other than responder, records of a second request, and parameters that
/// overrun their stream. Padding after the first record and after the record that ends the
/// parameters is malformed too: the specification allows it, but libfcgi reads it as the next
/// record's header, and no web server sends it.
[[nodiscard]] RequestFraming inspect_request(std::string_view octets);

}  // namespace kheops
