// SPDX-License-Identifier: MIT
#pragma once

#include "http/message.hpp"
#include "support/http_client.hpp"

namespace kheops::test {

/// Expects that nginx refused a request itself and answered as the worker answers `error`: with the
/// same status, body and headers, apart from those of the connection (Server, Date, Content-Length,
/// Connection).
void expect_refusal(const HttpAnswer& answer, const HttpError& error);

/// The same for a 500, whose detail names nginx's id of the request: 32 hexadecimal digits.
void expect_internal_error(const HttpAnswer& answer);

}  // namespace kheops::test
