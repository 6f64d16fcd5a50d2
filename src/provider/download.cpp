// SPDX-License-Identifier: MIT
#include "provider/download.hpp"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <curl/header.h>
#include <curl/urlapi.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <new>
#include <string_view>

#include "text/ascii.hpp"

namespace kheops {

namespace {

constexpr size_t kLargestBody = size_t{1024} * 1024;
constexpr int kMostRedirects = 3;

/// How long one wait may last where nothing happens; being stopped ends it.
constexpr std::chrono::milliseconds kLongestWait(1000);

// --- URLs

struct FreeUrl {
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, FreeUrl>;

/// Null where the text is no absolute http or https URL.
Url parse_url(const std::string& text) {
    Url url(curl_url());
    if (!url || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) {
        return nullptr;
    }
    return url;
}

/// Empty where the URL has no such part.
std::string part_of(const Url& url, CURLUPart part) {
    char* text = nullptr;
    if (curl_url_get(url.get(), part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) {
        return "";
    }
    const std::unique_ptr<char, decltype(&curl_free)> owner(text, curl_free);
    return text;
}

bool is_this_machine(const std::string& host) {
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

// --- What the server says of keeping

std::string header_of(CURL* handle, const char* name) {
    curl_header* header = nullptr;
    std::string value;
    for (size_t i = 0; curl_easy_header(handle, name, i, CURLH_HEADER, -1, &header) == CURLHE_OK;
         ++i) {
        value += (i == 0 ? "" : ",") + std::string(header->value);
    }
    return value;
}

/// Whole seconds; nothing for any other text. More than can be told stays the most.
std::optional<std::int64_t> parse_seconds(std::string_view text) {
    if (text.empty() || !std::ranges::all_of(text, is_digit)) {
        return std::nullopt;
    }
    constexpr std::int64_t kMost = std::int64_t{1} << 31U;  // RFC 9111 section 1.2.2
    std::int64_t seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    return error == std::errc() ? std::min(seconds, kMost) : kMost;
}

/// RFC 9111 section 5.2.2; nothing where Cache-Control does not settle it.
std::optional<std::int64_t> lifetime_in_cache_control(std::string_view header) {
    std::optional<std::int64_t> lifetime;
    while (!header.empty()) {
        std::string_view rest = header;
        header.remove_prefix(std::min(header.find(','), header.size() - 1) + 1);
        std::string directive;
        for (const char c : rest.substr(0, rest.find(','))) {
            if (c != ' ' && c != '\t' && c != '"') {
                directive += to_lower_case(c);
            }
        }
        constexpr std::string_view kMaxAge = "max-age=";
        if (directive == "no-store" || directive.starts_with("no-cache")) {
            return 0;
        }
        if (!lifetime && directive.starts_with(kMaxAge)) {
            lifetime =
                parse_seconds(std::string_view(directive).substr(kMaxAge.size())).value_or(0);
        }
    }
    return lifetime;
}

std::optional<std::chrono::seconds> lifetime_of(CURL* handle) {
    std::optional<std::int64_t> lifetime =
        lifetime_in_cache_control(header_of(handle, "Cache-Control"));
    const std::string expires = header_of(handle, "Expires");
    if (!lifetime && !expires.empty()) {  // a date that is none has passed: section 5.3
        const time_t date = curl_getdate(header_of(handle, "Date").c_str(), nullptr);
        const time_t end = curl_getdate(expires.c_str(), nullptr);
        lifetime = end < 0 ? 0 : end - (date < 0 ? std::time(nullptr) : date);
    }
    if (!lifetime) {
        return std::nullopt;
    }
    const std::int64_t age = parse_seconds(header_of(handle, "Age")).value_or(0);
    return std::chrono::seconds(std::max<std::int64_t>(0, *lifetime - age));
}

// --- One transfer

/// The handles of one transfer. Curl's "multi" interface is the one that can be woken.
class Transfer {
  public:
    explicit Transfer(const std::string& url) : easy_(curl_easy_init()), multi_(curl_multi_init()) {
        if (!easy_ || !multi_) {
            throw std::bad_alloc();
        }
        set(CURLOPT_URL, url.c_str());
        set(CURLOPT_PROTOCOLS_STR, "http,https");
        set(CURLOPT_USERAGENT, "kheops-webhooks");
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_QUICK_EXIT, 1L);  // a slow name server does not hold up the end
        set(CURLOPT_ERRORBUFFER, error_.data());
        set(CURLOPT_WRITEFUNCTION, &Transfer::take);
        set(CURLOPT_WRITEDATA, this);
        if (transport_of(url) == Transport::loopback) {
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

    /// Throws DownloadError unless a whole answer came, whatever it is.
    void run(Deadline deadline, const std::stop_token& stop) {
        const std::stop_callback wake(stop, [this] { curl_multi_wakeup(multi_.get()); });
        int running = 1;
        for (;;) {
            curl_multi_perform(multi_.get(), &running);
            if (running == 0) {
                break;
            }
            if (stop.stop_requested()) {
                throw DownloadError("stopped");
            }
            if (deadline.passed()) {
                throw DownloadError("no whole answer in time");
            }
            const auto wait = std::min(deadline.remaining(), kLongestWait);
            curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(wait.count()), nullptr);
        }
        require_success();
    }

    [[nodiscard]] long status() const {
        long status = 0;
        curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
        return status;
    }

    /// Where a redirect leads; empty where the answer is none.
    [[nodiscard]] std::string redirect() const {
        const char* url = nullptr;
        curl_easy_getinfo(easy_.get(), CURLINFO_REDIRECT_URL, &url);
        return url != nullptr ? url : "";
    }

    [[nodiscard]] Download take_download() { return {std::move(body_), lifetime_of(easy_.get())}; }

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
            throw DownloadError("libcurl lacks what is needed here");
        }
    }

    static size_t take(const char* octets, size_t size, size_t count, void* self) {
        std::string& body = static_cast<Transfer*>(self)->body_;
        if (body.size() + size * count > kLargestBody) {
            return 0;
        }
        body.append(octets, size * count);
        return size * count;
    }

    void require_success() const {
        int left = 0;
        const CURLMsg* message = curl_multi_info_read(multi_.get(), &left);
        // How libcurl tells it. NOLINTNEXTLINE(cppcoreguidelines-pro-type-union-access)
        const CURLcode code = message != nullptr ? message->data.result : CURLE_FAILED_INIT;
        switch (code) {
            case CURLE_OK:
                return;
            case CURLE_WRITE_ERROR:
                throw DownloadError("an answer of more than 1 MiB");
            case CURLE_PEER_FAILED_VERIFICATION:  // only here is the long text always the same
                throw DownloadError(error_.data());
            default:
                throw DownloadError(curl_easy_strerror(code));
        }
    }

    std::array<char, CURL_ERROR_SIZE> error_{};
    std::string body_;
    std::unique_ptr<CURL, FreeEasy> easy_;
    std::unique_ptr<CURLM, FreeMulti> multi_;
};

}  // namespace

std::optional<Transport> transport_of(const std::string& url) {
    const Url parsed = parse_url(url);
    if (!parsed || url.find_first_of("?#") != std::string::npos ||
        !part_of(parsed, CURLUPART_USER).empty()) {
        return std::nullopt;
    }
    const std::string scheme = part_of(parsed, CURLUPART_SCHEME);
    if (scheme == "https") {
        return Transport::tls;
    }
    if (scheme != "http") {
        return std::nullopt;
    }
    return is_this_machine(part_of(parsed, CURLUPART_HOST)) ? Transport::loopback : Transport::open;
}

Download download(const std::string& url, Deadline deadline, const std::stop_token& stop) {
    std::string next = url;
    for (int redirects = 0; redirects <= kMostRedirects; ++redirects) {
        Transfer transfer(next);
        transfer.run(deadline, stop);
        if (transfer.status() == 200) {
            return transfer.take_download();
        }
        next = transfer.redirect();
        if (next.empty()) {
            throw DownloadError("status " + std::to_string(transfer.status()));
        }
        if (!have_same_origin(url, next)) {
            throw DownloadError("a redirect to another host");
        }
    }
    throw DownloadError("too many redirects");
}

}  // namespace kheops
