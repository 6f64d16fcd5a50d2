// SPDX-License-Identifier: MIT
#include "server/exchange.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <random>

#include "list_webhooks.hpp"

namespace kheops {

namespace {

bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/// The client as the first proxy saw it.
std::string source_address(const Request& request) {
    std::string_view first = request.forwarded_for;
    first = first.substr(0, first.find(','));
    const size_t begin = std::min(first.find_first_not_of(" \t"), first.size());
    first.remove_prefix(begin);
    first = first.substr(0, first.find_last_not_of(" \t") + 1);
    return first.empty() ? request.remote_address : std::string(first);
}

std::string milliseconds(Clock::duration duration) {
    std::array<char, 32> text;
    std::snprintf(text.data(), text.size(), "%.2f",
                  std::chrono::duration<double, std::milli>(duration).count());
    return text.data();
}

/// The detail of a 503: what is being waited for, in general words.
std::string waiting_for(const DatabaseError& error) {
    return error.kind() == DatabaseError::Kind::late ? "The database did not answer in time"
                                                     : "The database cannot be reached";
}

HttpError unavailable(const std::string& detail) {
    return {503, "Service Unavailable", detail, {{"Retry-After", "1"}}};
}

/// The line of one request; it begins as Kheops' own does (contract section 8).
class RequestLine {
  public:
    RequestLine(const Request& request, std::string id, Clock::time_point arrived)
        : request_(request), id_(std::move(id)), arrived_(arrived) {}

    RequestRecord record;  ///< filled on the way through the gates
    std::string detail;    ///< what was wrong, as the client was told; empty when nothing was

    void write(int status, const Log& log) const {
        LogPairs pairs;
        if (!record.user.empty()) {
            pairs.emplace_back("user", record.user);
            pairs.emplace_back("tokenType", "KEYCLOAK_TOKEN");
        }
        pairs.emplace_back("link", request_.link_authorization == "true" ? "true" : "false");
        pairs.emplace_back("sourceIP", source_address(request_));
        pairs.emplace_back("action", "LIST_WEBHOOK");
        if (!record.album.empty()) {
            pairs.emplace_back("album", record.album);
        }
        pairs.emplace_back("status", std::to_string(status));
        pairs.emplace_back("id", id_);
        append_times(pairs);
        if (!detail.empty()) {
            pairs.emplace_back("detail", detail);
        }
        log.line(LogLevel::info, pairs);
    }

  private:
    void append_times(LogPairs& pairs) const {
        const Clock::time_point now = Clock::now();
        pairs.emplace_back("waited_ms", milliseconds(started_ - arrived_));
        if (record.asked_at) {
            pairs.emplace_back("database_ms", milliseconds(now - *record.asked_at));
        }
        pairs.emplace_back("total_ms", milliseconds(now - arrived_));
    }

    const Request& request_;
    std::string id_;
    Clock::time_point arrived_;
    Clock::time_point started_ = Clock::now();
};

}  // namespace

std::string request_id(const Request& request) {
    constexpr size_t kLongest = 64;
    if (!request.id.empty() && request.id.size() <= kLongest &&
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

Response answer(const Request& request, const TokenVerifier& tokens, Database& database,
                Clock::time_point arrived, Deadline deadline, const Log& log) {
    const std::string id = request_id(request);
    RequestLine line(request, id, arrived);
    const auto respond = [&]() -> Response {
        const auto refuse = [&line](const HttpError& error) {
            line.detail = error.detail();
            return error_response(error);
        };
        try {
            if (deadline.passed()) {
                return refuse(unavailable("All threads are busy"));
            }
            if (request.holds_nul) {
                return refuse({400, "Bad Request", "The request holds U+0000"});
            }
            return list_webhooks(request, tokens, database, std::chrono::system_clock::now(),
                                 deadline, line.record);
        } catch (const HttpError& error) {
            return refuse(error);
        } catch (const DatabaseError& error) {
            return refuse(unavailable(waiting_for(error)));
        } catch (const std::exception& error) {
            log.event(LogLevel::error, "fault", {{"id", id}, {"reason", error.what()}});
            return fault_response(id);
        }
    };
    Response response = respond();
    line.write(response.status, log);
    return response;
}

}  // namespace kheops
