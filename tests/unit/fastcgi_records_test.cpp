// SPDX-License-Identifier: MIT
#include "server/fastcgi_records.hpp"

#include <gtest/gtest.h>

#include "support/fastcgi_client.hpp"

namespace kheops {
namespace {

using namespace std::string_literals;
using State = RequestFraming::State;

std::string begin(char role = 1, unsigned request = 1) {
    return test::fastcgi_record(1, std::string{'\0', role, '\x01', 0, 0, 0, 0, 0}, request);
}

const std::string kParameters =
    test::fastcgi_record(4,
                         test::fastcgi_pair("REQUEST_METHOD", "GET") +
                             test::fastcgi_pair("HTTP_AUTHORIZATION", std::string(300, 'a')),
                         1, 7);
const std::string kWhole =
    begin() + kParameters + test::fastcgi_record(4, "") + test::fastcgi_record(5, "");

TEST(FastCgiRecords, ARequestIsWholeOnceItsParametersEnd) {
    const RequestFraming framing = inspect_request(kWhole);
    EXPECT_EQ(framing.state, State::whole);
    EXPECT_TRUE(framing.body_complete);
    EXPECT_FALSE(framing.nul_in_path);
    EXPECT_FALSE(framing.nul_elsewhere);
}

TEST(FastCgiRecords, ARequestCutInItsParametersIsPartial) {
    const size_t end_of_parameters = kWhole.size() - 8;
    for (size_t size = 0; size < end_of_parameters; ++size) {
        EXPECT_EQ(inspect_request(kWhole.substr(0, size)).state, State::partial) << size;
    }
    for (size_t size = end_of_parameters; size < kWhole.size(); ++size) {
        const RequestFraming framing = inspect_request(kWhole.substr(0, size));
        EXPECT_EQ(framing.state, State::whole) << size;
        EXPECT_FALSE(framing.body_complete) << size;
    }
}

TEST(FastCgiRecords, AnEmptyRecordEndsTheBody) {
    const std::string head = begin() + kParameters + test::fastcgi_record(4, "");
    EXPECT_FALSE(inspect_request(head + test::fastcgi_record(5, "body")).body_complete);
    EXPECT_TRUE(
        inspect_request(head + test::fastcgi_record(5, "body") + test::fastcgi_record(5, ""))
            .body_complete);
    EXPECT_FALSE(inspect_request(head + test::fastcgi_record(5, "") + begin()).body_complete);
    EXPECT_FALSE(inspect_request(head + test::fastcgi_record(5, "", 2)).body_complete);
    EXPECT_FALSE(inspect_request(head + test::fastcgi_record(2, "")).body_complete);
    std::string of_another_version = test::fastcgi_record(5, "");
    of_another_version[0] = 0;
    EXPECT_FALSE(inspect_request(head + of_another_version).body_complete);
}

TEST(FastCgiRecords, ParametersMayBeSplitAnywhere) {
    const std::string stream =
        test::fastcgi_pair("PATH_INFO", "/a") + test::fastcgi_pair("X", std::string(200, 'x'));
    for (size_t at = 1; at < stream.size(); ++at) {
        EXPECT_EQ(inspect_request(begin() + test::fastcgi_record(4, stream.substr(0, at)) +
                                  test::fastcgi_record(4, stream.substr(at)) +
                                  test::fastcgi_record(4, ""))
                      .state,
                  State::whole)
            << at;
    }
}

TEST(FastCgiRecords, NulIsFoundInNamesAndValues) {
    const auto framing_of = [](const std::string& name, const std::string& value) {
        return inspect_request(begin() + test::fastcgi_record(4, test::fastcgi_pair(name, value)) +
                               test::fastcgi_record(4, ""));
    };
    EXPECT_TRUE(framing_of("PATH_INFO", "/a\0b"s).nul_in_path);
    EXPECT_TRUE(framing_of("SCRIPT_NAME", "\0"s).nul_in_path);
    EXPECT_TRUE(framing_of("QUERY_STRING", "a\0"s).nul_elsewhere);
    EXPECT_TRUE(framing_of("A\0B"s, "").nul_elsewhere);
    EXPECT_FALSE(framing_of("QUERY_STRING", "a\0"s).nul_in_path);
}

TEST(FastCgiRecords, OnlyTheValueYesMakesARequestTheOperators) {
    const auto is_from_operator = [](const std::string& name, const std::string& value) {
        return inspect_request(begin() +
                               test::fastcgi_record(4, test::fastcgi_pair("PATH_INFO", "/metrics") +
                                                           test::fastcgi_pair(name, value)) +
                               test::fastcgi_record(4, ""))
            .from_operator;
    };
    EXPECT_TRUE(is_from_operator("KHEOPS_WEBHOOKS_OPERATOR", "yes"));
    EXPECT_FALSE(is_from_operator("HTTP_KHEOPS_WEBHOOKS_OPERATOR", "yes"));
    for (const std::string& value : {""s, "no"s, "YES"s, "yes "s, "yes\0"s, "yesyes"s}) {
        EXPECT_FALSE(is_from_operator("KHEOPS_WEBHOOKS_OPERATOR", value)) << value;
    }
}

// libfcgi does not skip a record's padding when the next record is of another stream.
TEST(FastCgiRecords, PaddingThatLibfcgiReadsAsAHeaderIsRefused) {
    const std::string padded_begin =
        test::fastcgi_record(1, std::string{'\0', '\x01', 0, 0, 0, 0, 0, 0}, 1, 1);
    const std::string head = begin() + kParameters + test::fastcgi_record(4, "");
    EXPECT_EQ(inspect_request(padded_begin).state, State::malformed);
    EXPECT_EQ(inspect_request(begin() + kParameters + test::fastcgi_record(4, "", 1, 1)).state,
              State::malformed);
    EXPECT_FALSE(inspect_request(head + test::fastcgi_record(5, "", 1, 1)).body_complete);
    EXPECT_TRUE(
        inspect_request(head + test::fastcgi_record(5, "body", 1, 4) + test::fastcgi_record(5, ""))
            .body_complete);
}

TEST(FastCgiRecords, InvalidRecordsAreMalformed) {
    const std::string end = test::fastcgi_record(4, "");
    for (const std::string& octets :
         {"GET / HTTP/1.1\r\n"s,
          "\x02"s,
          test::fastcgi_record(4, "")  // no begin
          ,
          begin(2),
          begin(3),
          begin(0),
          begin(1, 0)  // other roles, id 0
          ,
          test::fastcgi_record(9, "") + kWhole  // management first
          ,
          test::fastcgi_record(1, "short"),
          test::fastcgi_record(1, std::string(9, 'x'))  // begin's size
          ,
          begin() + begin(1, 2),
          begin() + test::fastcgi_record(4, "", 2)  // another request
          ,
          begin() + test::fastcgi_record(5, ""),
          begin() + test::fastcgi_record(2, ""),
          begin() + "\x03"s  // wrong type
          ,
          begin() + test::fastcgi_record(4, "\x7F\x01short"s) + end  // overruns
          ,
          begin() + test::fastcgi_record(4, "\xFF\xFF\xFF\xFF\x01x"s) + end  // a name of 2 GiB
          ,
          begin() + test::fastcgi_record(4, "\x01\xFF\xFF\xFF\xFFx"s) + end,
          begin() + test::fastcgi_record(4, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFx"s) + end,
          begin() + test::fastcgi_record(4, "\x01"s) + end,
          begin() + test::fastcgi_record(4, "\x80\x01"s) + end}) {
        EXPECT_EQ(inspect_request(octets).state, State::malformed)
            << testing::PrintToString(octets);
    }
}

}  // namespace
}  // namespace kheops
