// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "descriptor.hpp"
#include "support/http_client.hpp"
#include "support/temporary_directory.hpp"
#include "support/test_keys.hpp"
#include "support/test_tls.hpp"

namespace kheops::test {

/// The two documents of a provider: its configuration (OpenID Connect Discovery 1.0 section 4) and
/// its JWK Set.
enum class Document { discovery, keys };

/// How the provider answers requests for a document.
enum class Behaviour {
    good,
    good_of_1_mib,        ///< good, padded with white space to exactly 1 MiB
    redirect_same_host,   ///< a redirect to another path, which is good
    server_error,         ///< 500
    silent,               ///< no answer until set_behaviour(); then the new behaviour
    dripping,             ///< good, but one octet each 50 ms
    truncated,            ///< the connection ends in the middle of the JSON
    html_page,            ///< an HTML page with status 200
    broken_json,          ///< JSON without its end
    other_json,           ///< JSON of another shape
    empty,                ///< a JWK Set without keys, a configuration without members
    over_1_mib,           ///< as good_of_1_mib, but one octet more
    endless,              ///< JSON and endless white space, without Content-Length
    endless_headers,      ///< endless header lines
    endless_interim,      ///< endless interim answers (103)
    endless_trailers,     ///< good and chunked, then endless trailer lines
    redirect_other_host,  ///< a redirect to another host, which is good, or set_redirect_target()
    redirect_loop         ///< a redirect to itself
};

/// Writes the name in CamelCase, as in test names.
std::ostream& operator<<(std::ostream& stream, Behaviour behaviour);
std::ostream& operator<<(std::ostream& stream, Document document);

/// The part of an OpenID Connect provider that a worker uses, on a port of 127.0.0.1. A test
/// chooses how it behaves, and gets tokens from it. Thread-safe, except start() and stop().
class TestProvider {
  public:
    using Time = std::chrono::steady_clock::time_point;
    enum class Scheme { http, https };

    /// The provider, with one key, accepts requests when this returns.
    explicit TestProvider(Scheme scheme = Scheme::http);
    ~TestProvider();
    TestProvider(const TestProvider&) = delete;
    TestProvider& operator=(const TestProvider&) = delete;

    /// The URL for the worker's settings and the tokens' issuer, without a final slash.
    [[nodiscard]] std::string url() const;
    /// The PEM file with the CA certificate of an https provider.
    [[nodiscard]] std::string authority_file() const { return directory_.file("authority.pem"); }

    /// Shuts all connections down and refuses new ones; the port stays reserved.
    void stop();
    void start();

    void set_behaviour(Document document, Behaviour behaviour);
    /// Takes effect at the next connection.
    void use_certificate(Certificate certificate);
    /// Headers that good answers get, such as Cache-Control.
    void set_headers(const HttpHeaders& headers);
    /// The Location of redirect_other_host.
    void set_redirect_target(const std::string& url);
    /// The issuer in the configuration and in tokens.
    void set_issuer(const std::string& issuer);
    /// The jwks_uri in the configuration.
    void set_keys_url(const std::string& url);

    /// Adds a key to the set and signs with it from now on.
    void add_key();
    /// Removes all keys except the signing key from the set.
    void remove_old_keys();
    /// add_key() and remove_old_keys() in one step.
    void rotate();
    /// Replaces the signing key by a new one with the same `kid`.
    void replace_key();
    /// Adds a JWK to the set; the provider does not sign with it.
    void publish(const std::string& jwk);

    /// A token for `subject`, valid for an hour, signed with the current signing key.
    [[nodiscard]] std::string token(const std::string& subject) const;

    /// The times of all requests for this document, oldest first, without followed redirects.
    [[nodiscard]] std::vector<Time> downloads(Document document) const;
    [[nodiscard]] size_t count(Document document) const { return downloads(document).size(); }
    /// The maximum number of simultaneous requests for this document so far.
    [[nodiscard]] size_t max_concurrent(Document document) const;
    /// The number of followed redirects to another host.
    [[nodiscard]] size_t redirected_requests() const;
    /// The number of connections accepted so far.
    [[nodiscard]] size_t connections() const;

  private:
    class Stream;
    struct PublishedKey {
        std::string kid;
        SigningKey key;
    };
    struct DocumentState {
        Behaviour behaviour = Behaviour::good;
        std::vector<Time> downloads;
        size_t under_way = 0;
        size_t max_concurrent = 0;
    };

    /// Repeats `text` until the client closes the connection.
    static void send_repeatedly(Stream& stream, const std::string& text);
    void accept_connections();
    void serve(int connection);
    void answer(Stream& stream, const std::string& path);
    void answer_document(Stream& stream, Document document);
    [[nodiscard]] std::string text_of(Document document) const;
    /// A complete answer, padded with white space so that its body has at least `min_size` octets.
    [[nodiscard]] std::string good_answer(Document document, size_t min_size) const;
    [[nodiscard]] std::string address(const char* host) const;
    /// The caller holds the mutex.
    [[nodiscard]] DocumentState& state(Document document);
    [[nodiscard]] const DocumentState& state(Document document) const;
    void append_key();

    const Scheme scheme_;
    TemporaryDirectory directory_;
    TestAuthority authority_;
    const Descriptor port_holder_;  // keeps the port reserved; it never listens
    const std::uint16_t port_;
    Descriptor listener_;

    mutable std::mutex mutex_;
    std::shared_ptr<ssl_ctx_st> tls_;
    std::array<DocumentState, 2> documents_;
    HttpHeaders headers_;
    std::string issuer_;
    std::string keys_url_;
    std::string redirect_target_;     // empty: this provider, as localhost
    std::vector<PublishedKey> keys_;  // the last one signs
    std::vector<std::string> other_jwks_;
    size_t keys_made_ = 0;
    size_t redirected_requests_ = 0;

    std::list<Descriptor> connections_;
    std::list<std::thread> servers_;
    std::thread acceptor_;
};

}  // namespace kheops::test
