// SPDX-License-Identifier: MIT
#include "list_webhooks.hpp"

#include <algorithm>

#include "database/find_webhooks.hpp"
#include "http/accept.hpp"
#include "http/conditional.hpp"
#include "log.hpp"
#include "page_links.hpp"
#include "text/ascii.hpp"
#include "token/signature.hpp"
#include "webhook_filter.hpp"
#include "webhook_json.hpp"

namespace kheops {

namespace {

constexpr const char* kAllowedMethods = "GET, HEAD, OPTIONS";

bool is_album_id(std::string_view text) {
    return text.size() == 10 && std::all_of(text.begin(), text.end(), is_alphanumeric);
}

/// The path for the log. A long part of it is hidden: it can be a token, as in Kheops' paths
/// /link/{token}/….
std::string path_without_tokens(std::string_view path) {
    constexpr std::size_t kMaxPart = 20;  // Kheops' tokens have 22 characters or more
    std::string shown;
    for (;;) {
        const std::size_t end = std::min(path.find('/'), path.size());
        shown += end > kMaxPart ? "\u2026" : path.substr(0, end);
        if (end == path.size()) {
            return shown;
        }
        shown += '/';
        path.remove_prefix(end + 1);
    }
}

/// Gate 1 of contract section 3.
AlbumId album_in_path(const Request& request) {
    constexpr std::string_view kPrefix = "/albums/";
    constexpr std::string_view kSuffix = "/webhooks";
    std::string_view path = request.path;
    if (path.ends_with('/')) {
        path.remove_suffix(1);
    }
    if (!request.nul_in_path && path.starts_with(kPrefix) && path.ends_with(kSuffix) &&
        path.size() > kPrefix.size() + kSuffix.size()) {
        path.remove_prefix(kPrefix.size());
        path.remove_suffix(kSuffix.size());
        if (is_album_id(path)) {
            return AlbumId{std::string(path)};
        }
    }
    throw HttpError(404, "Not Found", "There is nothing at this path", {},
                    "the path is " + log_quoted(path_without_tokens(request.path)) +
                        (request.nul_in_path ? " and U+0000" : "") +
                        ", expected /albums/{album_id}/webhooks with an album_id of 10 letters and "
                        "digits");
}

/// Gate 2.
void require_allowed_method(std::string_view method) {
    if (method != "GET" && method != "HEAD" && method != "OPTIONS") {
        throw HttpError(405, "Method Not Allowed", std::string("Allowed here: ") + kAllowedMethods,
                        {{"Allow", kAllowedMethods}},
                        "the method is " + log_quoted(method) + ", expected " + kAllowedMethods);
    }
}

/// Answers a browser's preflight request, which precedes a request from another origin.
Response answer_options() {
    Response response{204, cross_origin_headers(), {}};
    response.headers.emplace_back("Allow", kAllowedMethods);
    return response;
}

/// Between gates 2 and 3. Gate 1 refuses U+0000 in the path.
void require_no_nul(const Request& request) {
    if (request.nul_elsewhere) {
        throw HttpError(400, "Bad Request", "The request holds U+0000", {},
                        "the query or a header holds U+0000");
    }
}

/// Gate 3.
void require_json_accepted(std::string_view accept) {
    const std::optional<bool> accepted = accepts_json(accept);
    if (!accepted) {
        throw HttpError(400, "Bad Request", "The header Accept cannot be parsed", {},
                        "Accept is " + log_quoted(accept) + ", expected media ranges of RFC 9110");
    }
    if (!*accepted) {
        throw HttpError(
            406, "Not Acceptable", "The answer is application/json", {},
            "Accept is " + log_quoted(accept) + ", expected one that allows application/json");
    }
}

/// Gates 7 to 9. The statement that reads the page decides them too, in the same snapshot.
void require_administrator(const Caller& caller) {
    if (!caller.known) {
        throw HttpError(404, "User Not Found", "The user does not exist", {},
                        "no user in the database has the token's sub");
    }
    if (!caller.member) {
        throw HttpError(404, "Album Not Found", "The album does not exist or you don't have access",
                        {},
                        "the album does not exist, or is the user's inbox, or the user is not a "
                        "member of it");
    }
    if (!caller.administrator) {
        throw HttpError(403, "Authorization error",
                        "You don't have the permission to do this on this album", {},
                        "the user is a member of the album, but not an administrator");
    }
}

}  // namespace

Response list_webhooks(const Request& request, const TokenVerifier& tokens,
                       ConnectionPool& database, std::chrono::system_clock::time_point now,
                       Deadline deadline, RequestRecord& record) {
    const AlbumId album = album_in_path(request);
    record.album = album.value;
    require_allowed_method(request.method);
    if (request.method == "OPTIONS") {
        return answer_options();
    }
    require_no_nul(request);
    require_json_accepted(request.accept);

    const Identity identity = tokens.verify(bearer_token(request.authorization), now, deadline);
    record.user = identity.subject;
    record.acting_party = identity.acting_party;
    const WebhookFilter filter = filter_in_query(request.query);

    record.asked_at = Clock::now();
    const Listing listing = find_webhooks(database, identity.subject, album, filter, deadline);
    record.answered_at = listing.received;
    require_administrator(listing.caller);

    std::string body = to_json(listing.page.webhooks);
    std::string tag = entity_tag(sha256(body));
    Response response = matches(request.if_none_match, tag) ? not_modified_response()
                                                            : json_response(200, std::move(body));
    response.headers.emplace_back("X-Total-Count", std::to_string(listing.page.total));
    std::string links = page_links(request.query, filter, listing.page.total);
    if (!links.empty()) {
        response.headers.emplace_back("Link", std::move(links));
    }
    response.headers.emplace_back("ETag", std::move(tag));
    response.headers.emplace_back("Access-Control-Expose-Headers", "X-Total-Count, Link, ETag");
    return response;
}

}  // namespace kheops
