// SPDX-License-Identifier: MIT

// FastCGI records. Oracles: a second parser, which copies record by record; each prefix of the
// input, which must be partial or give the same state; the same parameters, split into other
// records; and libfcgi, which must read a whole request without waiting for more octets.

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/target.hpp"
#include "server/fastcgi.hpp"
#include "server/fastcgi_records.hpp"
#include "support/fastcgi_client.hpp"

namespace kheops {
namespace {

using State = RequestFraming::State;

struct NaiveRequest {
    State state;
    test::Parameters parameters;
    bool body_complete = false;
};

size_t octet(const std::string& octets, size_t at) {
    return static_cast<unsigned char>(octets.at(at));
}

/// Removes a size from the front of `stream`; nullopt if incomplete.
std::optional<size_t> take_size(std::string& stream) {
    if (stream.empty()) {
        return std::nullopt;
    }
    size_t size = octet(stream, 0);
    size_t width = 1;
    if (size >= 128) {
        width = 4;
        if (stream.size() < width) {
            return std::nullopt;
        }
        size = (size - 128) * 0x1000000 + octet(stream, 1) * 0x10000 + octet(stream, 2) * 0x100 +
               octet(stream, 3);
    }
    stream.erase(0, width);
    return size;
}

std::optional<test::Parameters> naive_parameters(std::string stream) {
    test::Parameters parameters;
    while (!stream.empty()) {
        const std::optional<size_t> name = take_size(stream);
        const std::optional<size_t> value = name ? take_size(stream) : std::nullopt;
        if (!value || *name + *value > stream.size()) {
            return std::nullopt;
        }
        parameters.emplace_back(stream.substr(0, *name), stream.substr(*name, *value));
        stream.erase(0, *name + *value);
    }
    return parameters;
}

NaiveRequest naive_read(std::string octets) {
    std::string parameters;
    std::string begin;
    std::string id;
    bool is_body = false;
    for (;;) {
        const size_t type = is_body ? 5 : begin.empty() ? 1 : 4;
        const NaiveRequest malformed = {State::malformed, {}};
        if (!is_body && ((!octets.empty() && octet(octets, 0) != 1) ||
                         (octets.size() >= 8 && octet(octets, 1) != type))) {
            return malformed;
        }
        const size_t content = octets.size() < 8 ? 0 : octet(octets, 4) * 256 + octet(octets, 5);
        if (octets.size() < 8 || octets.size() < 8 + content + octet(octets, 6)) {
            return is_body ? NaiveRequest{State::whole, *naive_parameters(parameters)}
                           : NaiveRequest{State::partial, {}};
        }
        const std::string record = octets.substr(0, 8 + content);
        const bool is_padded = octet(octets, 6) != 0;
        octets.erase(0, 8 + content + octet(octets, 6));
        if (type == 1) {
            id = record.substr(2, 2);
            begin = record.substr(8);
            if (id == std::string(2, '\0') || begin.size() != 8 || is_padded ||
                begin.substr(0, 2) != std::string("\0\1", 2)) {
                return malformed;
            }
        } else if (is_body) {
            const bool ours =
                octet(record, 0) == 1 && octet(record, 1) == type && record.substr(2, 2) == id;
            if (!ours || content == 0) {
                return {State::whole, *naive_parameters(parameters),
                        ours && octets.empty() && !is_padded};
            }
        } else if (record.substr(2, 2) != id) {
            return malformed;
        } else if (content > 0) {
            parameters += record.substr(8);
        } else if (is_padded || !naive_parameters(parameters)) {
            return malformed;
        } else {
            is_body = true;
        }
    }
}

bool holds_nul(const std::string& text) {
    return text.find('\0') != std::string::npos;
}

void check_nul(const RequestFraming& framing, const test::Parameters& parameters) {
    bool in_path = false;
    bool elsewhere = false;
    for (const auto& [name, value] : parameters) {
        if (holds_nul(name) || holds_nul(value)) {
            (name == "PATH_INFO" || name == "SCRIPT_NAME" ? in_path : elsewhere) = true;
        }
    }
    FUZZ_CHECK(framing.nul_in_path == in_path && framing.nul_elsewhere == elsewhere);
}

/// The value that libfcgi must return. It stores `name=value` as C strings, its own FCGI_ROLE
/// first.
std::optional<std::string> value_in(const test::Parameters& parameters, const std::string& asked) {
    if (asked == "FCGI_ROLE") {
        return "RESPONDER";
    }
    for (const auto& [name, value] : parameters) {
        const std::string kept = (name + '=' + value).c_str();
        if (kept.rfind(asked + '=', 0) == 0) {
            return kept.substr(asked.size() + 1);
        }
    }
    return std::nullopt;
}

void check_libfcgi(const std::string& octets, const RequestFraming& framing,
                   const test::Parameters& parameters) {
    static const bool initialized = (initialize_fastcgi(), true);
    static FastCgi fastcgi;
    static_cast<void>(initialized);
    int ends[2] = {};
    FUZZ_CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    const Descriptor web_server(ends[0]);
    // No end of file follows: a read of more octets blocks, which libFuzzer reports.
    FUZZ_CHECK(::send(web_server.number(), octets.data(), octets.size(), MSG_DONTWAIT) ==
               static_cast<ssize_t>(octets.size()));
    FUZZ_CHECK(fastcgi.begin(Descriptor(ends[1])));
    for (const auto& [name, value] : parameters) {
        const std::string asked = name.c_str();
        const char* found = fastcgi.parameter(asked.c_str());
        FUZZ_CHECK((found != nullptr ? std::optional<std::string>(found) : std::nullopt) ==
                   value_in(parameters, asked));
    }
    if (framing.body_complete) {
        fastcgi.discard_body();
    }
    FUZZ_CHECK(fastcgi.end().connection.number() >= 0);
}

/// The input as a stream of parameters, in one record and split into two at each octet.
void check_splits(const std::string& stream) {
    const std::string begin = test::fastcgi_record(test::kFastCgiBegin, {0, 1, 1, 0, 0, 0, 0, 0});
    const std::string end = test::fastcgi_record(test::kFastCgiParameters, "") +
                            test::fastcgi_record(test::kFastCgiBody, "");
    const std::string records = test::fastcgi_record(test::kFastCgiParameters, stream);
    const RequestFraming whole = inspect_request(begin + (stream.empty() ? "" : records) + end);
    FUZZ_CHECK((whole.state == State::whole) == naive_parameters(stream).has_value());
    for (size_t at = 1; at < stream.size(); ++at) {
        const RequestFraming split = inspect_request(
            begin + test::fastcgi_record(test::kFastCgiParameters, stream.substr(0, at), 1, 3) +
            test::fastcgi_record(test::kFastCgiParameters, stream.substr(at)) + end);
        FUZZ_CHECK(split.state == whole.state && split.nul_in_path == whole.nul_in_path &&
                   split.nul_elsewhere == whole.nul_elsewhere &&
                   split.body_complete == whole.body_complete);
    }
}

}  // namespace
}  // namespace kheops

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace kheops;
    const std::string octets(fuzz::text_of(data, std::min<size_t>(size, 4096)));
    const RequestFraming framing = inspect_request(octets);
    const NaiveRequest naive = naive_read(octets);
    FUZZ_CHECK(framing.state == naive.state);
    if (framing.state == State::whole) {
        FUZZ_CHECK(framing.body_complete == naive.body_complete);
        check_nul(framing, naive.parameters);
    }

    for (size_t part = 0; part < octets.size(); part += 1 + octets.size() / 64) {
        const RequestFraming prefix = inspect_request(octets.substr(0, part));
        FUZZ_CHECK(prefix.state == State::partial || prefix.state == framing.state);
    }
    if (framing.state == State::whole) {
        check_libfcgi(octets, framing, naive.parameters);
    }
    if (octets.size() <= 256) {
        check_splits(octets);
    }
    return 0;
}
