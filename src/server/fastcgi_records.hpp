// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

/// The record layer of FastCGI 1.0 (its specification, section 3), as far as it tells whether a
/// request may be handed to libfcgi: that blocks until a request is whole and, once it reads,
/// cannot be called back.
namespace kheops {

/// What the octets at the head of a connection hold.
struct RequestFraming {
    enum class State {
        partial,    ///< the beginning of a request; more must come
        whole,      ///< a request whose parameters are all there
        malformed,  ///< no request that a web server would send to a responder
    };
    State state;

    // The following are set for a whole request.
    bool ends_here = false;      ///< the body's end is there too, and nothing behind it
    bool nul_in_path = false;    ///< PATH_INFO or SCRIPT_NAME holds U+0000, which ends a C string
    bool nul_elsewhere = false;  ///< another parameter's name or value does
};

/// Inspects what has arrived of one request on a connection, from its first octet. Management
/// records, other roles than responder, a second request's records in between and parameters that
/// overrun their stream are malformed, and so is padding behind the first record and behind the one
/// that ends the parameters: it is allowed, but libfcgi takes it for the next record's header, and
/// no web server sends it.
[[nodiscard]] RequestFraming inspect_request(std::string_view octets);

}  // namespace kheops
