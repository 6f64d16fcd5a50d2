// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "webhook.hpp"

namespace kheops {

/// Returns the header Link (RFC 8288) of a page: `first`, `prev`, `next` and `last` as relative
/// references. `query` is the request's, as sent, and `filter` what it means; `total` is the number
/// of webhooks on all pages. The links keep all parameters except `offset`.
///
/// `first` and `last` are always there, `prev` unless this page begins at 0, `next` unless it
/// reaches the end. Following `next` from this page ends at `last`. If this page begins past the
/// end, `prev` is `last`. No link leads beyond the largest offset that a request may have.
///
/// Returns an empty text if the filter has no limit or the limit 0, and if the header would be
/// larger than 56 KiB: web servers and clients refuse larger ones. The `url` of 1,024 characters
/// fits.
[[nodiscard]] std::string page_links(std::string_view query, const WebhookFilter& filter,
                                     std::int64_t total);

}  // namespace kheops
