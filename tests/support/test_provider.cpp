// SPDX-License-Identifier: MIT
#include "support/test_provider.hpp"

#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "support/files.hpp"
#include "support/sockets.hpp"
#include "text/json.hpp"

namespace kheops::test {

namespace {

constexpr const char* kRealm = "/realms/kheops";
constexpr const char* kDiscoveryPath = "/realms/kheops/.well-known/openid-configuration";
constexpr const char* kKeysPath = "/realms/kheops/certs";
// Redirects put these before the path of a document.
constexpr std::string_view kSameHost = "/moved";
constexpr std::string_view kOtherHost = "/elsewhere";

const std::string kHeaderLine = "Header: " + std::string(1000, 'h') + "\r\n";
constexpr size_t kMebibyte = size_t{1} << 20U;
constexpr auto kDripInterval = std::chrono::milliseconds(50);
constexpr auto kPollInterval = std::chrono::milliseconds(5);

const char* path_of(Document document) {
    return document == Document::discovery ? kDiscoveryPath : kKeysPath;
}

std::optional<Document> document_at(std::string_view path) {
    for (const Document document : {Document::discovery, Document::keys}) {
        if (path == path_of(document)) {
            return document;
        }
    }
    return std::nullopt;
}

std::string to_http(const std::string& status, const HttpHeaders& headers) {
    std::string text = "HTTP/1.1 " + status + "\r\nConnection: close\r\n";
    for (const auto& [name, value] : headers) {
        text += name;
        text += ": " + value + "\r\n";
    }
    return text + "\r\n";
}

std::string redirect(const std::string& url) {
    return to_http("302 Found", {{"Location", url}, {"Content-Length", "0"}});
}

std::string json_answer(const std::string& body) {
    return to_http("200 OK", {{"Content-Type", "application/json"},
                              {"Content-Length", std::to_string(body.size())}}) +
           body;
}

std::string in_one_chunk(const std::string& body) {
    std::ostringstream size;
    size << std::hex << body.size();
    return size.str() + "\r\n" + body + "\r\n";
}

bool remove_prefix(std::string& text, std::string_view prefix) {
    const bool found = text.starts_with(prefix);
    if (found) {
        text.erase(0, prefix.size());
    }
    return found;
}

}  // namespace

std::ostream& operator<<(std::ostream& stream, Behaviour behaviour) {
    constexpr std::array<const char*, 18> kNames = {"Good",
                                                    "GoodOf1MiB",
                                                    "RedirectSameHost",
                                                    "ServerError",
                                                    "Silent",
                                                    "Dripping",
                                                    "Truncated",
                                                    "HtmlPage",
                                                    "BrokenJson",
                                                    "OtherJson",
                                                    "Empty",
                                                    "Over1MiB",
                                                    "Endless",
                                                    "EndlessHeaders",
                                                    "EndlessInterim",
                                                    "EndlessTrailers",
                                                    "RedirectOtherHost",
                                                    "RedirectLoop"};
    return stream << kNames.at(static_cast<size_t>(behaviour));
}

std::ostream& operator<<(std::ostream& stream, Document document) {
    return stream << (document == Document::discovery ? "Discovery" : "Keys");
}

/// The server's end of a connection, with or without TLS.
class TestProvider::Stream {
  public:
    Stream(int socket, ssl_ctx_st* tls) : socket_(socket) {
        if (tls != nullptr) {
            tls_.reset(SSL_new(tls));
            SSL_set_fd(tls_.get(), socket_);
        }
    }

    /// The path of the request; nullopt if the connection ends before a complete request.
    std::optional<std::string> receive_path() {
        if (tls_ && SSL_accept(tls_.get()) != 1) {
            return std::nullopt;
        }
        std::string head;
        while (head.find("\r\n\r\n") == std::string::npos) {
            std::array<char, 4096> octets = {};
            const ssize_t size =
                tls_ ? SSL_read(tls_.get(), octets.data(), static_cast<int>(octets.size()))
                     : ::recv(socket_, octets.data(), octets.size(), 0);
            if (size <= 0) {
                return std::nullopt;
            }
            head.append(octets.data(), static_cast<size_t>(size));
        }
        const size_t begin = head.find(' ') + 1;
        return head.substr(begin, head.find(' ', begin) - begin);
    }

    /// False if the client has closed the connection.
    bool send(std::string_view text) {
        while (!text.empty()) {
            const ssize_t size =
                tls_ ? SSL_write(tls_.get(), text.data(), static_cast<int>(text.size()))
                     : ::send(socket_, text.data(), text.size(), 0);
            if (size <= 0) {
                return false;
            }
            text.remove_prefix(static_cast<size_t>(size));
        }
        return true;
    }

    /// Waits for `time`; false if the client closes the connection meanwhile.
    [[nodiscard]] bool stays_open(std::chrono::milliseconds time) const {
        pollfd peer = {.fd = socket_, .events = POLLRDHUP, .revents = 0};
        return ::poll(&peer, 1, static_cast<int>(time.count())) == 0;
    }

  private:
    int socket_;
    std::unique_ptr<SSL, decltype(&SSL_free)> tls_{nullptr, SSL_free};
};

void TestProvider::send_repeatedly(Stream& stream, const std::string& text) {
    while (stream.send(text)) {
    }
}

TestProvider::TestProvider(Scheme scheme)
    : scheme_(scheme), port_holder_(bind_tcp("127.0.0.1")), port_(port_of(port_holder_)) {
    issuer_ = url();
    keys_url_ = address("127.0.0.1") + kKeysPath;
    if (scheme_ == Scheme::https) {
        write_file(authority_file(), authority_.pem());
        use_certificate(Certificate::valid);
    }
    append_key();
    start();
}

TestProvider::~TestProvider() {
    stop();
    for (std::thread& server : servers_) {
        server.join();
    }
}

std::string TestProvider::address(const char* host) const {
    return std::string(scheme_ == Scheme::https ? "https" : "http") + "://" + host + ":" +
           std::to_string(port_);
}

std::string TestProvider::url() const {
    return address("127.0.0.1") + kRealm;
}

void TestProvider::start() {
    listener_ = bind_tcp("127.0.0.1", port_);
    if (::listen(listener_.number(), SOMAXCONN) != 0) {
        throw std::system_error(errno, std::generic_category(), "listening on the provider's port");
    }
    acceptor_ = std::thread([this] { accept_connections(); });
}

void TestProvider::stop() {
    ::shutdown(listener_.number(), SHUT_RDWR);
    if (acceptor_.joinable()) {
        acceptor_.join();
    }
    listener_ = Descriptor();
    const std::lock_guard lock(mutex_);
    for (const Descriptor& connection : connections_) {
        ::shutdown(connection.number(), SHUT_RDWR);
    }
}

void TestProvider::set_behaviour(Document document, Behaviour behaviour) {
    const std::lock_guard lock(mutex_);
    state(document).behaviour = behaviour;
}

void TestProvider::use_certificate(Certificate certificate) {
    auto context = authority_.server_context(certificate);
    const std::lock_guard lock(mutex_);
    tls_ = std::move(context);
}

void TestProvider::set_headers(const HttpHeaders& headers) {
    const std::lock_guard lock(mutex_);
    headers_ = headers;
}

void TestProvider::set_redirect_target(const std::string& url) {
    const std::lock_guard lock(mutex_);
    redirect_target_ = url;
}

void TestProvider::set_issuer(const std::string& issuer) {
    const std::lock_guard lock(mutex_);
    issuer_ = issuer;
}

void TestProvider::set_keys_url(const std::string& url) {
    const std::lock_guard lock(mutex_);
    keys_url_ = url;
}

void TestProvider::append_key() {
    keys_.push_back({"key-" + std::to_string(++keys_made_), SigningKey::ec("P-256")});
}

void TestProvider::add_key() {
    const std::lock_guard lock(mutex_);
    append_key();
}

void TestProvider::remove_old_keys() {
    const std::lock_guard lock(mutex_);
    keys_.erase(keys_.begin(), keys_.end() - 1);
}

void TestProvider::rotate() {
    const std::lock_guard lock(mutex_);
    keys_.clear();
    append_key();
}

void TestProvider::replace_key() {
    const std::lock_guard lock(mutex_);
    keys_.back().key = SigningKey::ec("P-256");
}

void TestProvider::publish(const std::string& jwk) {
    const std::lock_guard lock(mutex_);
    other_jwks_.push_back(jwk);
}

std::string TestProvider::token(const std::string& subject) const {
    const std::lock_guard lock(mutex_);
    return mint_token(subject, issuer_, keys_.back().key, keys_.back().kid);
}

std::vector<TestProvider::Time> TestProvider::downloads(Document document) const {
    const std::lock_guard lock(mutex_);
    return state(document).downloads;
}

size_t TestProvider::max_concurrent(Document document) const {
    const std::lock_guard lock(mutex_);
    return state(document).max_concurrent;
}

size_t TestProvider::redirected_requests() const {
    const std::lock_guard lock(mutex_);
    return redirected_requests_;
}

size_t TestProvider::connections() const {
    const std::lock_guard lock(mutex_);
    return connections_.size();
}

TestProvider::DocumentState& TestProvider::state(Document document) {
    return documents_.at(static_cast<size_t>(document));
}

const TestProvider::DocumentState& TestProvider::state(Document document) const {
    return documents_.at(static_cast<size_t>(document));
}

void TestProvider::accept_connections() {
    for (;;) {
        Descriptor connection(::accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC));
        if (connection.number() < 0) {
            return;
        }
        const std::lock_guard lock(mutex_);
        const int number = connections_.emplace_back(std::move(connection)).number();
        servers_.emplace_back([this, number] { serve(number); });
    }
}

void TestProvider::serve(int connection) {
    // OpenSSL may write to a closed connection; block the SIGPIPE of that, in this thread only.
    sigset_t broken_pipe;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);

    std::shared_ptr<ssl_ctx_st> tls;
    {
        const std::lock_guard lock(mutex_);
        tls = tls_;
    }
    Stream stream(connection, tls.get());
    if (const std::optional<std::string> path = stream.receive_path()) {
        answer(stream, *path);
    }
    // The destructor closes the descriptor: until then, no other connection can get its number.
    ::shutdown(connection, SHUT_RDWR);
}

void TestProvider::answer(Stream& stream, const std::string& path) {
    std::string target = path.substr(0, path.find('?'));
    const bool other_host = remove_prefix(target, kOtherHost);
    const bool moved = other_host || remove_prefix(target, kSameHost);
    const std::optional<Document> document = document_at(target);
    if (!document) {
        stream.send(to_http("404 Not Found", {{"Content-Length", "0"}}));
        return;
    }
    if (moved) {
        {
            const std::lock_guard lock(mutex_);
            redirected_requests_ += other_host ? 1 : 0;
        }
        stream.send(good_answer(*document, 0));
        return;
    }
    {
        const std::lock_guard lock(mutex_);
        DocumentState& requested = state(*document);
        requested.downloads.push_back(std::chrono::steady_clock::now());
        requested.max_concurrent = std::max(requested.max_concurrent, ++requested.under_way);
    }
    answer_document(stream, *document);
    const std::lock_guard lock(mutex_);
    --state(*document).under_way;
}

void TestProvider::answer_document(Stream& stream, Document document) {
    const auto behaviour = [&] {
        const std::lock_guard lock(mutex_);
        return state(document).behaviour;
    };
    while (behaviour() == Behaviour::silent) {
        if (!stream.stays_open(kPollInterval)) {
            return;
        }
    }
    switch (behaviour()) {
        case Behaviour::silent:
            break;
        case Behaviour::good:
            stream.send(good_answer(document, 0));
            break;
        case Behaviour::good_of_1_mib:
            stream.send(good_answer(document, kMebibyte));
            break;
        case Behaviour::over_1_mib:
            stream.send(good_answer(document, kMebibyte + 1));
            break;
        case Behaviour::redirect_same_host:
            stream.send(
                redirect(address("127.0.0.1") + std::string(kSameHost) + path_of(document)));
            break;
        case Behaviour::redirect_other_host: {
            std::string target;
            {
                const std::lock_guard lock(mutex_);
                target = redirect_target_;
            }
            stream.send(redirect(target.empty() ? address("localhost") + std::string(kOtherHost) +
                                                      path_of(document)
                                                : target));
            break;
        }
        case Behaviour::redirect_loop:
            stream.send(redirect(address("127.0.0.1") + path_of(document)));
            break;
        case Behaviour::server_error:
            stream.send(to_http("500 Internal Server Error", {{"Content-Length", "0"}}));
            break;
        case Behaviour::dripping:
            for (const char octet : good_answer(document, 0)) {
                if (!stream.send({&octet, 1}) || !stream.stays_open(kDripInterval)) {
                    break;
                }
            }
            break;
        case Behaviour::truncated: {
            const std::string answer = good_answer(document, 0);
            stream.send(std::string_view(answer).substr(0, answer.size() - 20));
            break;
        }
        case Behaviour::html_page:
            stream.send(to_http("200 OK", {{"Content-Type", "text/html"}}) +
                        "<!DOCTYPE html><title>Maintenance</title><p>We will be back soon.\n");
            break;
        case Behaviour::broken_json: {
            const std::string text = text_of(document);
            stream.send(json_answer(text.substr(0, text.size() - 1)));
            break;
        }
        case Behaviour::other_json:
            stream.send(json_answer(document == Document::keys ? R"({"keys":{"kty":"EC"}})"
                                                               : R"(["issuer","jwks_uri"])"));
            break;
        case Behaviour::empty:
            stream.send(json_answer(document == Document::keys ? R"({"keys":[]})" : "{}"));
            break;
        case Behaviour::endless:
            stream.send(to_http("200 OK", {{"Content-Type", "application/json"}}) +
                        text_of(document));
            send_repeatedly(stream, std::string(4096, ' '));
            break;
        case Behaviour::endless_headers:
            stream.send("HTTP/1.1 200 OK\r\n");
            send_repeatedly(stream, kHeaderLine);
            break;
        case Behaviour::endless_interim:
            send_repeatedly(stream, "HTTP/1.1 103 Early Hints\r\n" + kHeaderLine + "\r\n");
            break;
        case Behaviour::endless_trailers:
            stream.send(to_http("200 OK", {{"Transfer-Encoding", "chunked"}}) +
                        in_one_chunk(text_of(document)) + "0\r\n");
            send_repeatedly(stream, kHeaderLine);
            break;
    }
}

std::string TestProvider::text_of(Document document) const {
    const std::lock_guard lock(mutex_);
    if (document == Document::keys) {
        std::vector<std::string> jwks = other_jwks_;
        for (const auto& [kid, key] : keys_) {
            jwks.push_back(key.jwk(R"("alg":"ES256","use":"sig","kid":")" + kid + '"'));
        }
        return jwk_set(jwks);
    }
    json::Value configuration = json::Value::object();
    configuration.add("issuer", json::Value::string(issuer_));
    configuration.add("authorization_endpoint", json::Value::string(url() + "/auth"));
    configuration.add("jwks_uri", json::Value::string(keys_url_));
    return configuration.text();
}

std::string TestProvider::good_answer(Document document, size_t min_size) const {
    std::string body = text_of(document);
    body.resize(std::max(min_size, body.size()), ' ');
    HttpHeaders headers = {{"Content-Type", "application/json"},
                           {"Content-Length", std::to_string(body.size())}};
    const std::lock_guard lock(mutex_);
    headers.insert(headers.end(), headers_.begin(), headers_.end());
    return to_http("200 OK", headers) + body;
}

}  // namespace kheops::test
