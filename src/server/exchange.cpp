// SPDX-License-Identifier: MIT
#include "server/exchange.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <random>
#include <utility>

#include "list_webhooks.hpp"
#include "text/ascii.hpp"

namespace kheops {

namespace {

/// The client's address as the first proxy saw it.
std::string source_address(const Request& request) {
    const std::string_view addresses = request.forwarded_for;
    const std::string_view first = trimmed(addresses.substr(0, addresses.find(',')));
    return first.empty() ? request.remote_address : std::string(first);
}

std::string milliseconds(Clock::duration duration) {
    constexpr int kDecimals = 2;
    std::array<char, 32> text{};
    const double count = std::chrono::duration<double, std::milli>(duration).count();
    const auto written = std::to_chars(text.data(), text.data() + text.size(), count,
                                       std::chars_format::fixed, kDecimals);
    return {text.data(), written.ptr};
}

/// The detail of a 503, in general words for the client.
std::string unavailable_detail(const DatabaseError& error) {
    switch (error.kind()) {
        case DatabaseError::Kind::timed_out:
            return "The database did not answer in time";
        case DatabaseError::Kind::conflict:
            return "The database is busy with something else";
        case DatabaseError::Kind::abandoned:
            return "The web server hung up";
        default:
            return "The database cannot be reached";
    }
}

HttpError unavailable(const std::string& detail, std::string reason,
                      std::chrono::seconds retry_after = std::chrono::seconds(1)) {
    return {503,
            "Service Unavailable",
            detail,
            {{"Retry-After", std::to_string(retry_after.count())}},
            std::move(reason)};
}

/// Calls list_webhooks(). Turns missing keys and an unavailable database into a 503.
Response list_or_refuse(const Request& request, const TokenVerifier& tokens,
                        ConnectionPool& database, Deadline deadline, RequestRecord& record) {
    try {
        return list_webhooks(request, tokens, database, std::chrono::system_clock::now(), deadline,
                             record);
    } catch (const KeysUnavailable& error) {
        throw unavailable("The keys that verify tokens are not there yet",
                          "the token's key is not known, and the keys could not be fetched in time",
                          error.retry_after());
    } catch (const DatabaseError& error) {
        if (error.kind() == DatabaseError::Kind::untranslatable) {
            throw;  // stored text cannot be read; a retry would not help
        }
        throw unavailable(unavailable_detail(error), error.what());
    }
}

/// The data for the log line of one request, except its times.
struct RequestOutcome {
    std::string id;
    RequestRecord record;
    int status = 0;
    std::string detail;  ///< of the client's answer; empty: no refusal
    std::string reason;  ///< of the refusal, for the log only; empty: no refusal
};

/// The times of a request that is answered now.
RequestTimes times_of(const RequestRecord& record, Clock::time_point arrived,
                      Clock::time_point started) {
    const Clock::time_point now = Clock::now();
    RequestTimes times = {.waited = started - arrived, .database = {}, .total = now - arrived};
    if (record.asked_at) {
        times.database = record.answered_at.value_or(now) - *record.asked_at;
    }
    return times;
}

/// The pairs of a request's log line, in the order of contract section 8.
LogPairs request_pairs(const Request& request, const RequestOutcome& outcome,
                       const RequestTimes& times) {
    LogPairs pairs;
    constexpr size_t kMaxPairs = 14;
    constexpr size_t kMaxAddress = 64;  // contract section 8
    pairs.reserve(kMaxPairs);
    if (!outcome.record.acting_party.empty()) {
        pairs.emplace_back("actingParty", outcome.record.acting_party);
    }
    if (!outcome.record.user.empty()) {
        pairs.emplace_back("user", outcome.record.user);
        pairs.emplace_back("tokenType", "KEYCLOAK_TOKEN");
    }
    pairs.emplace_back("link", request.link_authorization == "true" ? "true" : "false");
    pairs.emplace_back("sourceIP", source_address(request), kMaxAddress);
    pairs.emplace_back("action", "LIST_WEBHOOK");
    if (!outcome.record.album.empty()) {
        pairs.emplace_back("album", outcome.record.album);
    }
    pairs.emplace_back("status", std::to_string(outcome.status));
    pairs.emplace_back("id", outcome.id);
    pairs.emplace_back("waited_ms", milliseconds(times.waited));
    if (times.database) {
        pairs.emplace_back("database_ms", milliseconds(*times.database));
    }
    pairs.emplace_back("total_ms", milliseconds(times.total));
    if (!outcome.detail.empty()) {
        pairs.emplace_back("detail", outcome.detail);
    }
    if (!outcome.reason.empty()) {
        pairs.emplace_back("reason", outcome.reason);
    }
    return pairs;
}

/// Returns what `respond` returns, or the error answer if it throws. Logs the request's line.
template <typename Respond>
Answer answer_and_log(const Request& request, Clock::time_point arrived, const Log& log,
                      const Respond& respond) {
    const Clock::time_point started = Clock::now();
    RequestOutcome outcome;
    outcome.id = request_id(request);
    Response response;
    try {
        response = respond(outcome.record);
    } catch (const HttpError& error) {
        response = error_response(error);
        outcome.detail = error.detail();
        outcome.reason = error.reason();
    } catch (const std::exception& error) {
        log.event(LogLevel::error, "fault", {{"id", outcome.id}, {"reason", error.what()}});
        response = fault_response(outcome.id);
    }
    outcome.status = response.status;
    const RequestTimes times = times_of(outcome.record, arrived, started);
    log.line(LogLevel::info, request_pairs(request, outcome, times));
    return {std::move(response), times};
}

}  // namespace

std::string request_id(const Request& request) {
    constexpr size_t kMaxIdSize = 64;
    if (!request.id.empty() && request.id.size() <= kMaxIdSize &&
        std::all_of(request.id.begin(), request.id.end(), is_alphanumeric)) {
        return request.id;
    }
    constexpr std::string_view kAlphabet =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    std::random_device entropy;
    std::uniform_int_distribution<size_t> position(0, kAlphabet.size() - 1);
    std::string id(20, ' ');
    std::generate(id.begin(), id.end(), [&] { return kAlphabet[position(entropy)]; });
    return id;
}

Response fault_response(const std::string& id) {
    return error_response({500, "Internal server error", "log id : " + id});
}

Answer answer(const Request& request, const TokenVerifier& tokens, ConnectionPool& database,
              Clock::time_point arrived, Deadline deadline, const Log& log) {
    return answer_and_log(request, arrived, log, [&](RequestRecord& record) {
        return list_or_refuse(request, tokens, database, deadline, record);
    });
}

Answer answer_too_busy(const Request& request, Clock::time_point arrived, const Log& log) {
    return answer_and_log(request, arrived, log, [](const RequestRecord&) -> Response {
        throw unavailable("All threads are busy",
                          "no thread was free, or would have been free in time");
    });
}

}  // namespace kheops
