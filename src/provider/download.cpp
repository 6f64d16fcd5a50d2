// SPDX-License-Identifier: MIT
#include "provider/download.hpp"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <curl/header.h>
#include <curl/urlapi.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>

#include "provider/refresh_policy.hpp"

namespace kheops {

namespace {

using Cause = DownloadError::Cause;

constexpr size_t kMaxBody = size_t{1024} * 1024;
constexpr size_t kMaxHead = size_t{64} * 1024;
constexpr int kMaxRedirects = 3;

/// How long one wait for events may take. A stop request ends the wait earlier.
constexpr std::chrono::milliseconds kMaxWait(1000);

// --- URLs

struct FreeUrl {
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, FreeUrl>;

/// Null if the text is not an absolute URL with a host, or contains a user or a password.
Url parse_url(const std::string& text) {
    Url url(curl_url());
    const std::size_t scheme = text.find("://");
    if (!url || scheme == std::string::npos || text.find('/') != scheme + 1 ||
        text.find('/', scheme + 3) == scheme + 3 ||  // libcurl skips a third slash
        curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_DISALLOW_USER) != CURLUE_OK) {
        return nullptr;
    }
    return url;
}

/// Empty if the URL has no such part.
std::string part_of(const Url& url, CURLUPart part) {
    char* text = nullptr;
    if (curl_url_get(url.get(), part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) {
        return "";
    }
    const std::unique_ptr<char, decltype(&curl_free)> owner(text, curl_free);
    return text;
}

/// Whether the host of the URL is this machine, by its name or address. Does not look up names.
bool is_loopback(const Url& url) {
    const std::string host = part_of(url, CURLUPART_HOST);
    in_addr address{};
    return host == "localhost" || host == "[::1]" ||
           (::inet_pton(AF_INET, host.c_str(), &address) == 1 &&
            (ntohl(address.s_addr) >> 24U) == IN_LOOPBACKNET);
}

bool have_same_origin(const std::string& left, const std::string& right) {
    const Url a = parse_url(left);
    const Url b = parse_url(right);
    return a && b &&
           std::ranges::all_of(
               std::array{CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT},
               [&](CURLUPart part) { return part_of(a, part) == part_of(b, part); });
}

// --- Caching headers

std::string header_of(CURL* handle, const char* name) {
    curl_header* header = nullptr;
    std::string value;
    for (size_t i = 0; curl_easy_header(handle, name, i, CURLH_HEADER, -1, &header) == CURLHE_OK;
         ++i) {
        value += (i == 0 ? "" : ",") + std::string(header->value);
    }
    return value;
}

std::optional<std::chrono::sys_seconds> date_in(const std::string& header) {
    const time_t date = curl_getdate(header.c_str(), nullptr);
    return date < 0 ? std::nullopt
                    : std::optional(std::chrono::sys_seconds(std::chrono::seconds(date)));
}

CachingHeaders caching_headers_of(CURL* handle) {
    CachingHeaders headers;
    headers.cache_control = header_of(handle, "Cache-Control");
    headers.age = header_of(handle, "Age");
    headers.date = date_in(header_of(handle, "Date"));
    const std::string expires = header_of(handle, "Expires");
    if (!expires.empty()) {
        headers.expires = date_in(expires).value_or(std::chrono::sys_seconds());
    }
    return headers;
}

// --- One transfer

/// The handles of one transfer. Only libcurl's "multi" interface can be woken by another thread.
class Transfer {
  public:
    explicit Transfer(const std::string& url)
        : url_(parse_url(url)), easy_(curl_easy_init()), multi_(curl_multi_init()) {
        if (!url_) {
            throw DownloadError("not a URL that can be fetched", Cause::answer);
        }
        if (!easy_ || !multi_) {
            throw std::bad_alloc();
        }
        set(CURLOPT_CURLU, url_.get());
        set(CURLOPT_PROTOCOLS_STR, "http,https");
        set(CURLOPT_USERAGENT, "kheops-webhooks");
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_QUICK_EXIT, 1L);  // cleanup does not wait for a slow DNS server
        set(CURLOPT_ERRORBUFFER, error_.data());
        set(CURLOPT_WRITEFUNCTION, &Transfer::take);
        set(CURLOPT_WRITEDATA, this);
        set(CURLOPT_HEADERFUNCTION, &Transfer::count_header);
        set(CURLOPT_HEADERDATA, this);
        if (is_loopback(url_)) {
            set(CURLOPT_PROXY, "");
        }
        if (const char* certificates = std::getenv("SSL_CERT_FILE")) {
            set(CURLOPT_CAINFO, certificates);
        }
        curl_multi_add_handle(multi_.get(), easy_.get());
    }

    ~Transfer() { curl_multi_remove_handle(multi_.get(), easy_.get()); }
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;

    /// Throws DownloadError unless a whole answer arrives. The answer may have any status.
    void run(Deadline deadline, const std::stop_token& stop) {
        const std::stop_callback wake(stop, [this] { curl_multi_wakeup(multi_.get()); });
        int running = 1;
        for (;;) {
            const CURLMcode code = curl_multi_perform(multi_.get(), &running);
            if (failure_) {
                std::rethrow_exception(failure_);
            }
            if (code != CURLM_OK) {
                throw DownloadError(curl_multi_strerror(code), Cause::transfer);
            }
            if (running == 0) {
                break;
            }
            if (stop.stop_requested()) {
                throw DownloadError("stopped", Cause::transfer);
            }
            if (deadline.passed()) {
                throw DownloadError("no complete answer in time", Cause::transfer);
            }
            const auto wait = std::min(deadline.remaining(), kMaxWait);
            curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(wait.count()), nullptr);
        }
        require_success();
    }

    [[nodiscard]] long status() const {
        long status = 0;
        curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
        return status;
    }

    /// The target of a redirect. Empty if the answer is not a redirect.
    [[nodiscard]] std::string redirect() const {
        const char* url = nullptr;
        curl_easy_getinfo(easy_.get(), CURLINFO_REDIRECT_URL, &url);
        return url != nullptr ? url : "";
    }

    [[nodiscard]] Document take_document() {
        const CachingHeaders headers = caching_headers_of(easy_.get());
        const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
        return {std::move(body_), freshness_lifetime(headers, now), clock_lead(headers, now)};
    }

  private:
    struct FreeEasy {
        void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
    };
    struct FreeMulti {
        void operator()(CURLM* handle) const { curl_multi_cleanup(handle); }
    };

    template <typename Value>
    void set(CURLoption option, Value value) {
        if (curl_easy_setopt(easy_.get(), option, value) != CURLE_OK) {
            throw DownloadError("libcurl lacks an option that is needed", Cause::transfer);
        }
    }

    // Callbacks of libcurl. An exception must not pass through libcurl's stack frames.

    static size_t take(const char* octets, size_t size, size_t count, void* self) noexcept {
        Transfer& transfer = *static_cast<Transfer*>(self);
        if (transfer.body_.size() + size * count > kMaxBody) {
            transfer.refusal_ = "an answer of more than 1 MiB";
            return 0;
        }
        try {
            transfer.body_.append(octets, size * count);
        } catch (...) {
            transfer.failure_ = std::current_exception();
            return 0;
        }
        return size * count;
    }

    /// Counts each header line, also of interim answers and trailers, because libcurl keeps all.
    static size_t count_header(const char* /*octets*/, size_t size, size_t count,
                               void* self) noexcept {
        Transfer& transfer = *static_cast<Transfer*>(self);
        transfer.head_octets_ += size * count;
        if (transfer.head_octets_ > kMaxHead) {
            transfer.refusal_ = "headers of more than 64 KiB";
            return 0;
        }
        return size * count;
    }

    void require_success() const {
        if (refusal_ != nullptr) {
            throw DownloadError(refusal_, Cause::answer);
        }
        int left = 0;
        const CURLMsg* message = curl_multi_info_read(multi_.get(), &left);
        // libcurl's own union. NOLINTNEXTLINE(cppcoreguidelines-pro-type-union-access)
        const CURLcode code = message != nullptr ? message->data.result : CURLE_FAILED_INIT;
        switch (code) {
            case CURLE_OK:
                return;
            case CURLE_PEER_FAILED_VERIFICATION:  // only here, error_ has no text of the server
                throw DownloadError(error_.data(), Cause::certificate);
            case CURLE_SSL_CACERT_BADFILE:
                throw DownloadError(curl_easy_strerror(code), Cause::certificate);
            default:
                throw DownloadError(curl_easy_strerror(code), Cause::transfer);
        }
    }

    std::array<char, CURL_ERROR_SIZE> error_{};
    std::string body_;
    size_t head_octets_ = 0;
    const char* refusal_ = nullptr;  // why the server's answer is rejected
    std::exception_ptr failure_;     // thrown in a callback
    Url url_;
    std::unique_ptr<CURL, FreeEasy> easy_;
    std::unique_ptr<CURLM, FreeMulti> multi_;
};

}  // namespace

std::optional<Transport> transport_of(const std::string& url) {
    const Url parsed = parse_url(url);
    if (!parsed) {
        return std::nullopt;
    }
    const std::string scheme = part_of(parsed, CURLUPART_SCHEME);
    if (scheme == "https") {
        return Transport::tls;
    }
    if (scheme != "http") {
        return std::nullopt;
    }
    return is_loopback(parsed) ? Transport::loopback : Transport::plaintext;
}

bool names_user(const std::string& url) {
    const Url parsed(curl_url());
    return parsed && curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), CURLU_DISALLOW_USER) ==
                         CURLUE_USER_NOT_ALLOWED;
}

Document download(const std::string& url, Deadline deadline, const std::stop_token& stop) {
    std::string next = url;
    for (int redirects = 0; redirects <= kMaxRedirects; ++redirects) {
        Transfer transfer(next);
        transfer.run(deadline, stop);
        if (transfer.status() == 200) {
            return transfer.take_document();
        }
        next = transfer.redirect();
        if (next.empty()) {
            throw DownloadError("HTTP status " + std::to_string(transfer.status()), Cause::answer);
        }
        if (!have_same_origin(url, next)) {
            throw DownloadError("a redirect to another host", Cause::answer);
        }
    }
    throw DownloadError("too many redirects", Cause::answer);
}

}  // namespace kheops
