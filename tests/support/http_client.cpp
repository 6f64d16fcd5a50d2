// SPDX-License-Identifier: MIT
#include "support/http_client.hpp"

#include <curl/curl.h>
#include <fcntl.h>
#include <strings.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <system_error>

#include "descriptor.hpp"
#include "support/test_keys.hpp"
#include "text/json.hpp"

namespace kheops::test {

namespace {

constexpr long kTimeout = 60;  // seconds

bool same_name(std::string_view one, std::string_view other) {
    return one.size() == other.size() && ::strncasecmp(one.data(), other.data(), one.size()) == 0;
}

size_t take_body(const char* data, size_t, size_t size, void* answer) {
    static_cast<HttpAnswer*>(answer)->body.append(data, size);
    return size;
}

size_t take_header(const char* data, size_t, size_t size, void* target) {
    HttpAnswer& answer = *static_cast<HttpAnswer*>(target);
    const std::string_view line(data, size);
    const size_t colon = line.find(':');
    if (line.starts_with("HTTP/")) {
        answer.headers.clear();  // an interim answer may have come before
    } else if (colon != std::string_view::npos) {
        const size_t begin = line.find_first_not_of(' ', colon + 1);
        const size_t end = line.find_last_not_of("\r\n");
        answer.headers.emplace_back(line.substr(0, colon),
                                    begin <= end ? line.substr(begin, end + 1 - begin) : "");
    }
    return size;
}

struct ListDeleter {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, ListDeleter>;

void append(List& list, const std::string& text) {
    curl_slist* longer = curl_slist_append(list.get(), text.c_str());
    if (longer == nullptr) {
        throw std::bad_alloc();
    }
    static_cast<void>(list.release());
    list.reset(longer);
}

/// Appends an answer to the file that KHEOPS_TEST_ANSWERS names, as a line of JSON, for
/// tests/support/openapi/validate.mjs. Leaves out the request's headers, which hold tokens, the
/// header Date, so that equal answers of a process make one line, and answers of FakeWorker.
void record(const std::string& method, const std::string& url, const HttpAnswer& answer) {
    const char* file = std::getenv("KHEOPS_TEST_ANSWERS");
    const size_t target = url.find('/', std::string_view("http://").size());
    if (file == nullptr || target == std::string::npos || !answer.header("X-Answered-By").empty()) {
        return;
    }
    json::Value headers = json::Value::array();
    for (const auto& [name, value] : answer.headers) {
        if (!same_name(name, "Date")) {
            json::Value header = json::Value::array();
            header.append(json::Value::string(name));
            header.append(json::Value::string(value));
            headers.append(std::move(header));
        }
    }
    json::Value line = json::Value::object();
    line.add("method", json::Value::string(method));
    line.add("target", json::Value::string(url.substr(target)));
    line.add("status", json::Value::number(answer.status));
    line.add("headers", std::move(headers));
    line.add("body", json::Value::string(encode_base64url(answer.body)));

    static std::mutex mutex;
    static std::set<size_t> recorded;  // hashes
    const std::string text = line.text() + '\n';
    const std::lock_guard lock(mutex);
    if (recorded.insert(std::hash<std::string>()(text)).second) {
        const Descriptor output(::open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
        // Other processes append too; one write is not mixed with theirs.
        if (::write(output.number(), text.data(), text.size()) !=
            static_cast<ssize_t>(text.size())) {
            throw std::system_error(errno, std::generic_category(), file);
        }
    }
}

}  // namespace

std::vector<std::string> HttpAnswer::all(std::string_view name) const {
    std::vector<std::string> values;
    for (const auto& [header_name, value] : headers) {
        if (same_name(header_name, name)) {
            values.push_back(value);
        }
    }
    return values;
}

std::string HttpAnswer::header(std::string_view name) const {
    const auto found = std::find_if(headers.begin(), headers.end(), [name](const auto& header) {
        return same_name(header.first, name);
    });
    return found != headers.end() ? found->second : "";
}

HttpClient::HttpClient() {
    static const CURLcode initialized = curl_global_init(CURL_GLOBAL_DEFAULT);
    handle_ = initialized == CURLE_OK ? curl_easy_init() : nullptr;
    if (handle_ == nullptr) {
        throw std::runtime_error("libcurl cannot be initialized");
    }
}

HttpClient::~HttpClient() {
    curl_easy_cleanup(handle_);
}

HttpAnswer HttpClient::fetch(const std::string& method, const std::string& url,
                             const HttpHeaders& headers, const std::optional<std::string>& body) {
    CURL* curl = handle_;
    curl_easy_reset(curl);  // does not close the connection

    List lines;
    // libcurl adds these headers by default; a name with a colon and no value suppresses that.
    for (const char* name : {"Accept", "Content-Type", "Expect"}) {
        const bool given = std::any_of(headers.begin(), headers.end(), [name](const auto& header) {
            return same_name(header.first, name);
        });
        if (!given) {
            append(lines, std::string(name) + ':');
        }
    }
    for (const auto& [name, value] : headers) {
        // A semicolon makes libcurl send a header with an empty value.
        append(lines, value.empty() ? name + ';' : name + ": " + value);
    }

    HttpAnswer answer;
    std::array<char, CURL_ERROR_SIZE> reason = {};
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, kTimeout);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, lines.get());
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason.data());
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &answer);
    if (body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body->size()));
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->data());
    }
    if (method == "HEAD") {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    } else {
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method.c_str());
    }

    const CURLcode result = curl_easy_perform(curl);
    if (result != CURLE_OK) {
        throw std::runtime_error(method + ' ' + url.substr(0, 200) + ": " +
                                 curl_easy_strerror(result) + ": " + reason.data());
    }
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    answer.status = static_cast<int>(status);
    long connections = 0;
    curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &connections);
    connections_ += connections;
    record(method, url, answer);
    return answer;
}

HttpAnswer fetch(const std::string& method, const std::string& url, const HttpHeaders& headers,
                 const std::optional<std::string>& body) {
    return HttpClient().fetch(method, url, headers, body);
}

}  // namespace kheops::test
