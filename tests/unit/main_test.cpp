// SPDX-License-Identifier: MIT

// The exit status of a test program, support/main.cpp.

#include <gtest/gtest.h>

#include "support/process.hpp"

namespace kheops::test {
namespace {

TEST(DISABLED_Example, Skips) {
    GTEST_SKIP();
}

TEST(DISABLED_Example, Passes) {}

TEST(DISABLED_Example, Fails) {
    FAIL();
}

/// The exit status of this program when it runs these tests.
int exit_status(const std::string& filter) {
    ChildProcess program({.arguments = {"/proc/self/exe", "--gtest_also_run_disabled_tests",
                                        "--gtest_filter=" + filter},
                          .standard_output = "/dev/null"});
    return program.wait();
}

TEST(Main, Returns77WhenEveryTestWasSkipped) {
    EXPECT_EQ(exit_status("*Example.Skips"), 77);
}

TEST(Main, Returns0WhenATestPassedAndOneWasSkipped) {
    EXPECT_EQ(exit_status("*Example.Skips:*Example.Passes"), 0);
}

TEST(Main, Returns1WhenATestFailedAndOneWasSkipped) {
    EXPECT_EQ(exit_status("*Example.Skips:*Example.Fails"), 1);
}

}  // namespace
}  // namespace kheops::test
