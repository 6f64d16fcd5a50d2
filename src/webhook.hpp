// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// The list's data as plain values (contract section 4).
namespace kheops {

/// Ten characters of `[A-Za-z0-9]`; only album_in_path() creates one.
struct AlbumId {
    std::string value;
};

/// Selects a page of an album's webhooks (contract section 2).
struct WebhookFilter {
    std::optional<std::int32_t> limit;  ///< std::nullopt: no limit; never negative
    std::int32_t offset = 0;            ///< never negative
    std::optional<std::string> url;     ///< UTF-8 without U+0000; std::nullopt: any URL
};

struct Trigger {
    std::string id;
    bool passed;  ///< the receiver answered an attempt with a status from 200 to 299
};

struct Webhook {
    std::string id;
    std::string url;
    std::string name;
    bool use_secret;
    bool new_series;
    bool remove_series;
    bool new_user;
    bool delete_album;
    bool enabled;
    std::vector<Trigger> last_triggers;  ///< at most five, newest first
    std::int64_t number_of_triggers;
};

struct WebhookPage {
    std::vector<Webhook> webhooks;  ///< newest first
    std::int64_t total = 0;         ///< webhooks on all pages that match the URL filter
};

}  // namespace kheops
