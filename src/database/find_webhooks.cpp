// SPDX-License-Identifier: MIT
#include "database/find_webhooks.hpp"

#include <atomic>

#include "database/query.hpp"

namespace kheops {

namespace {

/// The statement's result columns, in its order.
enum Column : int {
    kUserKnown,
    kMember,
    kAdmin,
    kTotal,
    kId,
    kUrl,
    kName,
    kUseSecret,
    kNewSeries,
    kRemoveSeries,
    kNewUser,
    kDeleteAlbum,
    kEnabled,
    kNumberOfTriggers,
    kLastTriggerIds,
    kLastTriggerPasses,
    kAccelerated,
    kColumns,  // their number
};

std::vector<Trigger> last_triggers_in(const Result& result, int row) {
    std::vector<Trigger> triggers;
    if (result.is_null(row, kLastTriggerIds)) {
        return triggers;
    }
    std::vector<std::string> ids = result.text_array(row, kLastTriggerIds);
    const std::vector<bool> passes = result.boolean_array(row, kLastTriggerPasses);
    Result::expect(ids.size() == passes.size(), "parallel arrays");
    triggers.reserve(ids.size());
    for (size_t i = 0; i < ids.size(); ++i) {
        triggers.push_back({std::move(ids[i]), passes[i]});
    }
    return triggers;
}

Webhook webhook_in(const Result& result, int row) {
    return {
        .id = result.text(row, kId),
        .url = result.text(row, kUrl),
        .name = result.text(row, kName),
        .use_secret = result.boolean(row, kUseSecret),
        .new_series = result.boolean(row, kNewSeries),
        .remove_series = result.boolean(row, kRemoveSeries),
        .new_user = result.boolean(row, kNewUser),
        .delete_album = result.boolean(row, kDeleteAlbum),
        .enabled = result.boolean(row, kEnabled),
        .last_triggers = last_triggers_in(result, row),
        .number_of_triggers = result.count(row, kNumberOfTriggers),
    };
}

Listing listing_in(const Result& result) {
    // There is always a first row. If the page is empty, its webhook columns are NULL.
    Result::expect(result.rows() > 0 && result.columns() == kColumns, "a row of its columns");
    Listing listing;
    listing.caller = {.known = result.boolean(0, kUserKnown),
                      .member = result.boolean(0, kMember),
                      .administrator = result.boolean(0, kAdmin)};
    listing.page.total = result.count(0, kTotal);
    if (result.rows() == 1 && result.is_null(0, kId)) {
        return listing;
    }
    listing.page.webhooks.reserve(static_cast<size_t>(result.rows()));
    for (int row = 0; row < result.rows(); ++row) {
        listing.page.webhooks.push_back(webhook_in(result, row));
    }
    return listing;
}

/// Returns the count that the answer reports; 0 if none. \pre listing_in() has checked the columns.
std::int64_t count_in(const Result& result) {
    return result.is_null(0, kAccelerated) ? 0 : result.count(0, kAccelerated);
}

/// Whether the last answer to any thread reported a count that may be used.
std::atomic<bool>& use_accelerated() {
    static std::atomic<bool> value = false;
    return value;
}

Listing query_page(ConnectionPool& pool, const std::string& subject, const AlbumId& album,
                   const WebhookFilter& filter, Deadline deadline) {
    /// The last count that was not in force, named by the oid of its table `ready`; 0 if none. It
    /// is never used again: accelerate.sql creates a new table.
    static std::atomic<std::int64_t> rejected_count = 0;
    const Parameters parameters = {
        subject,
        album.value,
        filter.url,
        filter.limit ? std::optional(std::to_string(*filter.limit)) : std::nullopt,
        std::to_string(filter.offset),
    };
    Listing listing;
    std::int64_t count = 0;  // as the last answer reports it, 0 if none
    const auto read = [&](const Result& result) {
        const Clock::time_point received = Clock::now();
        listing = listing_in(result);
        listing.received = received;
        count = count_in(result);
    };
    bool was_rejected = false;
    if (use_accelerated()) {
        try {
            query(pool, kListWebhooksAccelerated, parameters, deadline, read);
            if (count != 0) {
                return listing;
            }
            was_rejected = true;
        } catch (const DatabaseError& error) {
            if (error.kind() != DatabaseError::Kind::statement_failed) {
                throw;
            }
            // Tables of accelerate.sql are missing, forbidden, incomplete or of another version.
            constexpr std::string_view kSyntaxErrorOrAccessRuleViolation = "42";
            was_rejected = error.sqlstate().starts_with(kSyntaxErrorOrAccessRuleViolation);
        }
    }
    query(pool, kListWebhooks, parameters, deadline, read);
    if (was_rejected) {
        rejected_count = count;
    }
    use_accelerated() = count != 0 && count != rejected_count;
    return listing;
}

/// Returns the answer to a request that failed with `error` of kind untranslatable. If the
/// database's encoding lacks a character of a requested text, no stored text equals it. Throws
/// DatabaseError if a stored text is invalid.
Listing answer_untranslatable(ConnectionPool& pool, const std::string& subject,
                              const AlbumId& album, const WebhookFilter& filter, Deadline deadline,
                              const DatabaseError& error) {
    // With limit 0, no stored text is sent: a failure then concerns the requested texts.
    const auto query_without_page = [&](const std::optional<std::string>& url) {
        try {
            return std::optional(
                query_page(pool, subject, album, {.limit = 0, .offset = 0, .url = url}, deadline));
        } catch (const DatabaseError& again) {
            if (again.kind() != DatabaseError::Kind::untranslatable) {
                throw;
            }
            return std::optional<Listing>();
        }
    };
    if (query_without_page(filter.url)) {
        throw DatabaseError(error.kind(), error.sqlstate(),
                            "SQLSTATE " + error.sqlstate() +
                                ": a stored text is not valid in the database's encoding or "
                                "cannot be converted to UTF-8: check id, url and name of webhooks "
                                "and id of webhook_triggers");
    }
    std::optional<Listing> listing = query_without_page(std::nullopt);
    if (!listing) {  // no user has that `sub`
        listing.emplace();
        listing->received = Clock::now();
    }
    listing->page.total = 0;
    return *listing;
}

}  // namespace

Listing find_webhooks(ConnectionPool& pool, const std::string& subject, const AlbumId& album,
                      const WebhookFilter& filter, Deadline deadline) {
    try {
        return query_page(pool, subject, album, filter, deadline);
    } catch (const DatabaseError& error) {
        if (error.kind() != DatabaseError::Kind::untranslatable) {
            throw;
        }
        return answer_untranslatable(pool, subject, album, filter, deadline, error);
    }
}

std::int64_t try_statement(Connection& connection, const Statement& statement, Deadline deadline) {
    const Parameters nobody = {"", "", std::nullopt, "0", "0"};
    std::int64_t count = 0;
    connection.run(statement, nobody, deadline, [&](const Result& result) {
        Result::expect(listing_in(result).page.webhooks.empty(), "no row for nobody");
        count = count_in(result);
    });
    return count;
}

bool uses_accelerated_statement() {
    return use_accelerated();
}

}  // namespace kheops
