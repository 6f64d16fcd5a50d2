// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What the list is made of, as plain values (contract section 4).
namespace kheops {

/// Ten of `[A-Za-z0-9]`; made from a path by album_in_path() only.
struct AlbumId {
    std::string value;
};

/// The part of an album's webhooks that a request asks for (contract section 2).
struct WebhookFilter {
    std::optional<std::int32_t> limit;  ///< nothing: no limit; never negative
    std::int32_t offset = 0;            ///< never negative
    std::optional<std::string> url;     ///< UTF-8 without U+0000; nothing: any URL
};

struct Trigger {
    std::string id;
    bool passed;  ///< an attempt was answered with a status from 200 to 299
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
    std::int64_t total = 0;         ///< all that pass the URL filter, on other pages too
};

}  // namespace kheops
