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

/// What a provider publishes: its configuration (OpenID Connect Discovery 1.0 section 4) and its
/// JWK Set.
enum class Document { discovery, keys };

/// What the provider does when one of its documents is asked for.
enum class Behaviour {
    good,
    good_of_1_mib,        ///< white space behind the JSON makes it exactly that long
    redirect_same_host,   ///< redirected to another path, where it is good
    server_error,         ///< 500
    silent,               ///< nothing, until it is told to behave in another way; then that
    dripping,             ///< good, but an octet at a time
    truncated,            ///< the connection ends in the middle of the JSON
    html_page,            ///< an HTML page with status 200
    broken_json,          ///< JSON without its end
    other_json,           ///< JSON of another shape
    empty,                ///< no keys in the set, no members in the configuration
    over_1_mib,           ///< good_of_1_mib and one octet more
    endless,              ///< white space behind the JSON without an end, and no length told before
    endless_headers,      ///< header lines without an end
    endless_interim,      ///< interim answers (103) without an end
    endless_trailers,     ///< good and in chunks, with lines behind the last one without an end
    redirect_other_host,  ///< redirected to another host, where it is good, or see
                          ///< set_redirect_target
    redirect_loop         ///< redirected to itself
};

/// By its name in CamelCase, fit for the name of a test.
std::ostream& operator<<(std::ostream& stream, Behaviour behaviour);
std::ostream& operator<<(std::ostream& stream, Document document);

/// An OpenID Connect provider on a port of 127.0.0.1, as far as a worker sees one, that signs
/// tokens and does what a test says. Its methods may be called while it serves.
class TestProvider {
  public:
    using Time = std::chrono::steady_clock::time_point;
    enum class Scheme { http, https };

    /// Serves when this returns, with one key.
    explicit TestProvider(Scheme scheme = Scheme::http);
    ~TestProvider();
    TestProvider(const TestProvider&) = delete;
    TestProvider& operator=(const TestProvider&) = delete;

    /// What a worker is configured with, and the issuer of the tokens; no slash at its end.
    [[nodiscard]] std::string url() const;
    /// The certificate of the authority behind an https provider, in PEM.
    [[nodiscard]] std::string authority_file() const { return directory_.file("authority.pem"); }

    /// Ends the connections and refuses new ones; its port stays its own.
    void stop();
    void start();

    void set_behaviour(Document document, Behaviour behaviour);
    /// From the next connection on.
    void use_certificate(Certificate certificate);
    /// Goes with both documents where they are good, Cache-Control for one.
    void set_headers(const HttpHeaders& headers);
    /// Where redirect_other_host leads to.
    void set_redirect_target(const std::string& url);
    /// The issuer in the configuration and in tokens from now on.
    void set_issuer(const std::string& issuer);
    /// Where the configuration says the keys are.
    void set_keys_url(const std::string& url);

    /// From now on a new key signs. Those before it stay in the set.
    void add_key();
    /// Only the key that signs stays in the set.
    void remove_old_keys();
    /// add_key and remove_old_keys at one stroke.
    void rotate();
    /// The key that signs is another one from now on, under the same `kid`.
    void replace_key();
    /// Adds a JWK to the set that does not sign.
    void publish(const std::string& jwk);

    /// For `subject`, good for an hour, signed by the key that signs now.
    [[nodiscard]] std::string token(const std::string& subject) const;

    /// When that document was asked for, oldest first; followed redirects do not count.
    [[nodiscard]] std::vector<Time> downloads(Document document) const;
    [[nodiscard]] size_t count(Document document) const { return downloads(document).size(); }
    /// How many requests for that document were under way at once at most.
    [[nodiscard]] size_t max_concurrent(Document document) const;
    /// How often somebody followed a redirect to another host.
    [[nodiscard]] size_t redirected_requests() const;
    /// How many connections have been accepted so far.
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

    /// Until the peer has left.
    static void send_for_ever(Stream& stream, const std::string& text);
    void accept_connections();
    void serve(int connection);
    void answer(Stream& stream, const std::string& path);
    void answer_document(Stream& stream, Document document);
    [[nodiscard]] std::string text_of(Document document) const;
    /// A whole answer whose body has at least that many octets.
    [[nodiscard]] std::string good_answer(Document document, size_t size) const;
    [[nodiscard]] std::string address(const char* host) const;
    /// The mutex is held.
    [[nodiscard]] DocumentState& state(Document document);
    [[nodiscard]] const DocumentState& state(Document document) const;
    void append_key();

    const Scheme scheme_;
    TemporaryDirectory directory_;
    TestAuthority authority_;
    const Descriptor holder_;  // of the port; it never listens
    const std::uint16_t port_;
    Descriptor listener_;

    mutable std::mutex mutex_;
    std::shared_ptr<ssl_ctx_st> tls_;
    std::array<DocumentState, 2> documents_;
    HttpHeaders headers_;
    std::string issuer_;
    std::string keys_url_;
    std::string elsewhere_;           // empty: another host
    std::vector<PublishedKey> keys_;  // the last one signs
    std::vector<std::string> other_jwks_;
    size_t keys_made_ = 0;
    size_t redirected_requests_ = 0;

    std::list<Descriptor> connections_;
    std::list<std::thread> servers_;
    std::thread acceptor_;
};

}  // namespace kheops::test
