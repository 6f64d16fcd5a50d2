// SPDX-License-Identifier: MIT
#include "provider/discovery.hpp"

#include <utility>

#include "log.hpp"
#include "provider/download.hpp"
#include "text/json.hpp"

namespace kheops {

namespace {

using Cause = DownloadError::Cause;

/// The members of a discovery document that we use (OpenID Connect Discovery 1.0 section 3).
struct Discovery {
    std::string issuer;
    std::string jwks_uri;
};

Discovery parse_discovery(const std::string& text) {
    const std::optional<json::Value> root = json::parse(text);
    const auto member = [&root](const char* name) {
        const std::optional<json::View> found = root ? root->view().member(name) : std::nullopt;
        return found ? found->string().value_or("") : "";
    };
    Discovery discovery{member("issuer"), member("jwks_uri")};
    if (discovery.issuer.empty() || discovery.jwks_uri.empty()) {
        throw DownloadError("the discovery document is not JSON with issuer and jwks_uri",
                            Cause::answer);
    }
    return discovery;
}

std::string without_slash(const std::string& url) {
    return url.ends_with('/') ? url.substr(0, url.size() - 1) : url;
}

/// The issuer in the document must be the provider that we asked (section 4.3).
void require_issuer(const Discovery& discovery, const Provider& provider) {
    if (without_slash(discovery.issuer) != provider.url &&
        !is_issuer_of_tokens(discovery.issuer, provider)) {
        throw DownloadError(
            "the discovery document names the issuer " + log_quoted(discovery.issuer) +
                ", expected " +
                log_quoted(provider.issuer.empty() ? provider.url : provider.issuer),
            Cause::issuer);
    }
}

void require_protection(const Discovery& discovery, const Provider& provider) {
    const std::optional<Transport> transport = transport_of(discovery.jwks_uri);
    std::string subject = "the discovery document's jwks_uri ";
    if (names_user(discovery.jwks_uri)) {
        throw DownloadError(subject + "has a user or password", Cause::answer);
    }
    subject += log_quoted(discovery.jwks_uri) + ' ';
    if (!transport) {
        throw DownloadError(subject + "is not an absolute https URL", Cause::answer);
    }
    if (transport == Transport::plaintext && !provider.allow_http) {
        throw DownloadError(subject + "is http to another machine, not https", Cause::answer);
    }
}

Document download_document(const char* part, const std::string& url, Deadline deadline,
                           const std::stop_token& stop) {
    try {
        return download(url, deadline, stop);
    } catch (const DownloadError& error) {
        throw DownloadError(std::string(part) + ": " + error.what(), error.cause());
    }
}

}  // namespace

bool is_issuer_of_tokens(const std::string& issuer, const Provider& provider) {
    return provider.issuer.empty() ? without_slash(issuer) == provider.url
                                   : issuer == provider.issuer;
}

KeySet parse_published_keys(const std::string& jwk_set) {
    const std::optional<json::Value> root = json::parse(jwk_set);
    const std::optional<json::View> list = root ? root->view().member("keys") : std::nullopt;
    if (!list || !list->is_array()) {
        throw KeySetError("the key set is not JSON with keys");
    }
    KeySet set = parse_key_set(jwk_set);
    const auto shared_secrets =
        std::erase_if(set.keys, [](const Key& key) { return key.key.fits(Algorithm::HS256); });
    for (size_t i = 0; i < shared_secrets; ++i) {
        set.skipped.add("a key of the type oct: a shared secret must not be published");
    }
    if (set.keys.empty()) {
        throw KeySetError("the key set holds no public key");
    }
    return set;
}

PublishedKeys fetch_keys(const Provider& provider, Deadline deadline, const std::stop_token& stop) {
    const std::string url = provider.url + "/.well-known/openid-configuration";
    const Discovery discovery =
        parse_discovery(download_document("discovery document", url, deadline, stop).body);
    require_issuer(discovery, provider);
    require_protection(discovery, provider);

    Document keys = download_document("key set", discovery.jwks_uri, deadline, stop);
    TrustedKeys trusted{parse_published_keys(keys.body),
                        provider.issuer.empty() ? discovery.issuer : provider.issuer};
    return {std::move(trusted), discovery.issuer, std::move(keys.body), keys.lifetime,
            keys.clock_lead};
}

}  // namespace kheops
