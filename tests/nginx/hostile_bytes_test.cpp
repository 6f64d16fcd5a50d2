// SPDX-License-Identifier: MIT

// A raw peer on the worker's socket sends what no web server sends, and the clients of nginx are
// served all the same. tests/worker/lifecycle_test.cpp tests well-behaved peers.

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <random>
#include <system_error>

#include "support/await.hpp"
#include "support/fastcgi_client.hpp"
#include "support/test_keys.hpp"
#include "support/test_site.hpp"

namespace kheops::test {
namespace {

using namespace std::string_literals;

constexpr const char* kList = "/albums/DemoAlbum1/webhooks";
constexpr unsigned char kFastCgiAbort = 2;
constexpr unsigned char kFastCgiData = 8;
constexpr unsigned char kFastCgiUnknown = 11;
constexpr size_t kHeaderSize = 8;

/// The worker has only two threads, so that a test fails if one of them hangs.
class HostileBytes : public testing::Test {
  protected:
    HostileBytes()
        : site_({"sql/schema.sql", "sql/example-data.sql"},
                {{"KHEOPS_WEBHOOKS_THREADS", "2"}, {"KHEOPS_WEBHOOKS_TIMEOUT", "30"}}),
          request_(fastcgi_request(get_parameters(kList, mint_token("alice")), true)) {}

    /// Other clients are served, and nginx has logged no upstream error since the start.
    void expect_others_served() {
        for (int i = 0; i < 3; ++i) {
            EXPECT_EQ(site_.get(kList, "alice").status, 200) << site_.worker().log();
        }
        EXPECT_EQ(site_.nginx().error_log().find("upstream"), std::string::npos)
            << site_.nginx().error_log();
    }

    /// After `octets` alone the worker closes the connection without an answer, and logs `reason`.
    void expect_closed(const std::string& octets, const std::string& reason) {
        const size_t before = site_.worker().log().size();
        FastCgiClient client(site_.worker().socket_path());
        client.send(octets);
        client.await_close();
        await("the worker has logged: " + reason, [&] {
            return site_.worker().log().find("reason=\"" + reason, before) != std::string::npos;
        });
        expect_others_served();
    }

    [[nodiscard]] std::string begin(unsigned request = 1) const {
        std::string record = request_.substr(0, 2 * kHeaderSize);
        record[3] = static_cast<char>(request);
        return record;
    }
    static std::string some_parameters(unsigned request = 1) {
        return fastcgi_record(kFastCgiParameters, fastcgi_pair("REQUEST_METHOD", "GET"), request);
    }

    TestSite site_;
    std::string request_;
};

TEST_F(HostileBytes, RequestCutOffAnywhereDisturbsNobody) {
    const size_t whole = request_.size() - kHeaderSize;  // without the end of the body
    for (size_t size = 0; size < whole; size += size < 3 * kHeaderSize ? 1 : 37) {
        FastCgiClient client(site_.worker().socket_path());
        client.send(request_.substr(0, size));
        client.finish_sending();
        client.await_close();
    }
    site_.worker().await_log("reason=\"request cut off\"");
    expect_others_served();

    for (size_t size = whole; size < request_.size(); ++size) {
        FastCgiClient client(site_.worker().socket_path());
        client.send(request_.substr(0, size));
        client.finish_sending();
        EXPECT_EQ(status_of(client.receive_answer()), 200) << size;
        client.await_close();
    }
    expect_others_served();
}

TEST_F(HostileBytes, InterleavedRequestsCloseTheConnection) {
    expect_closed(begin() + begin(2), "not a FastCGI request");
    expect_closed(begin() + some_parameters() + some_parameters(2), "not a FastCGI request");
    expect_closed(begin(0), "not a FastCGI request");
}

TEST_F(HostileBytes, ASecondRequestDoesNotBlockTheFirst) {
    FastCgiClient client(site_.worker().socket_path());
    client.send(request_.substr(0, request_.size() - kHeaderSize) + begin(2) + some_parameters(2));
    EXPECT_EQ(status_of(client.receive_answer()), 200);
    client.finish_sending();
    client.await_close();
    expect_others_served();
}

TEST_F(HostileBytes, AbortedRequestIsAnsweredOnlyIfComplete) {
    const std::string abort = fastcgi_record(kFastCgiAbort, "");
    expect_closed(abort, "not a FastCGI request");
    expect_closed(begin() + abort, "not a FastCGI request");
    expect_closed(begin() + some_parameters() + abort, "not a FastCGI request");

    // With complete parameters the worker answers: a web server that wants no answer closes.
    FastCgiClient client(site_.worker().socket_path());
    client.send(request_.substr(0, request_.size() - kHeaderSize) + abort);
    EXPECT_EQ(status_of(client.receive_answer()), 200);
    client.finish_sending();
    client.await_close();
    expect_others_served();
}

TEST_F(HostileBytes, OtherRecordTypesCloseTheConnection) {
    for (const unsigned char type : std::initializer_list<unsigned char>{
             0, kFastCgiEnd, kFastCgiOutput, 7, kFastCgiData, 9, 10, kFastCgiUnknown, 255}) {
        expect_closed(fastcgi_record(type, "x"), "not a FastCGI request");
        expect_closed(begin() + some_parameters() + fastcgi_record(type, "x"),
                      "not a FastCGI request");
    }
}

TEST_F(HostileBytes, WrongSizesCloseTheConnection) {
    const auto parameters = [this](const std::string& content) {
        return begin() + fastcgi_record(kFastCgiParameters, content) +
               fastcgi_record(kFastCgiParameters, "");
    };
    for (const std::string& content :
         {"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s + std::string(500, 'n'),  // CVE-2025-23016
          "\xFF\xFF\xFF\xFE\xFF\xFF\xFF\xFE"s + std::string(500, 'n'), "\x7F\x7F"s, "\x01"s,
          "\x80"s, "\x01\x01x"s, fastcgi_pair("PATH_INFO", kList) + "\x05"s}) {
        expect_closed(parameters(content), "not a FastCGI request");
    }
    for (const size_t size : {size_t{0}, size_t{7}, size_t{9}, size_t{65535}}) {
        std::string content = "\0\1\1"s;  // the role is responder
        content.resize(size);
        expect_closed(fastcgi_record(kFastCgiBegin, content) + request_.substr(2 * kHeaderSize),
                      "not a FastCGI request");
    }
}

TEST_F(HostileBytes, EndlessParametersCloseTheConnection) {
    // The socket holds the parameters: the worker only peeks until they are complete.
    FastCgiClient client(site_.worker().socket_path());
    client.enlarge_send_buffer();
    const std::string parameters =
        fastcgi_record(kFastCgiParameters, fastcgi_pair("HTTP_X", std::string(32000, 'x')));
    client.send(begin());
    for (int i = 0; i < 8; ++i) {
        client.send(parameters);
        expect_others_served();
    }
    client.send(parameters);
    client.await_close();
    site_.worker().await_log("reason=\"parameters exceed 256 KiB\"");
    expect_others_served();
}

TEST_F(HostileBytes, RequestSentOctetByOctetDelaysNobody) {
    FastCgiClient client(site_.worker().socket_path());
    const std::string octets =
        fastcgi_request({{"REQUEST_METHOD", "OPTIONS"}, {"PATH_INFO", kList}}, true);
    for (const char octet : octets) {
        EXPECT_EQ(site_.get(kList, "alice").status, 200);
        client.send({octet});
    }
    EXPECT_EQ(status_of(client.receive_answer()), 204);
    expect_others_served();
}

TEST_F(HostileBytes, AThousandHalfSentRequestsDelayNobody) {
    rlimit descriptors = {};
    ::getrlimit(RLIMIT_NOFILE, &descriptors);
    if (descriptors.rlim_max < 1200) {
        GTEST_SKIP() << "this user may have " << descriptors.rlim_max
                     << " open files, 1200 are needed";
    }
    const rlimit enough = {.rlim_cur = descriptors.rlim_max, .rlim_max = descriptors.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &enough);
    TestSite site({"sql/schema.sql", "sql/example-data.sql"},
                  {{"KHEOPS_WEBHOOKS_THREADS", "2"}, {"KHEOPS_WEBHOOKS_TIMEOUT", "60"}});
    {
        std::vector<std::unique_ptr<FastCgiClient>> idle;
        for (size_t i = 0; i < 1000; ++i) {
            idle.push_back(std::make_unique<FastCgiClient>(site.worker().socket_path()));
            idle.back()->send(request_.substr(0, i % (request_.size() - kHeaderSize)));
            if (i % 50 == 0) {
                EXPECT_EQ(site.get(kList, "alice").status, 200);
            }
        }
        EXPECT_EQ(site.get(kList, "alice").status, 200);
        EXPECT_FALSE(idle.front()->is_closed());
    }
    EXPECT_EQ(site.get(kList, "alice").status, 200);
    EXPECT_EQ(site.nginx().error_log().find("upstream"), std::string::npos);
    ::setrlimit(RLIMIT_NOFILE, &descriptors);
}

TEST_F(HostileBytes, DamagedRequestsAreAnsweredOrClosed) {
    std::mt19937 random(20250408);
    const auto below = [&random](size_t end) {
        return std::uniform_int_distribution<size_t>(0, end - 1)(random);
    };
    for (int i = 0; i < 3000; ++i) {
        std::string octets = request_;
        for (size_t changes = 1 + below(4); changes > 0; --changes) {
            const size_t at = below(octets.size() - 1);
            switch (below(4)) {
                case 0:
                    octets[at] = static_cast<char>(below(256));
                    break;
                case 1:
                    octets[at] = static_cast<char>(octets[at] ^ (1 << below(8)));
                    break;
                case 2:
                    octets.insert(at, octets, below(octets.size() - 1), below(64));
                    break;
                default:
                    octets.erase(at, below(64));
                    break;
            }
        }
        FastCgiClient client(site_.worker().socket_path());
        client.send(octets);
        client.finish_sending();
        client.await_close();
        ASSERT_TRUE(site_.worker().is_running()) << "round " << i;
    }
    expect_others_served();
    EXPECT_EQ(site_.worker().log().find("event=fault"), std::string::npos) << site_.worker().log();
    EXPECT_EQ(site_.worker().log().find("status=500"), std::string::npos) << site_.worker().log();
}

}  // namespace
}  // namespace kheops::test
