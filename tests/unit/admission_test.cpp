// SPDX-License-Identifier: MIT
#include "server/admission.hpp"

#include <gtest/gtest.h>

namespace kheops {
namespace {

using namespace std::chrono_literals;

const Clock::time_point kStart{1h};

TEST(Admission, AnEmptyQueueMeansNoWait) {
    const AdmissionControl admission;
    EXPECT_EQ(admission.expected_wait(0, kStart, kStart + 1h), 0s);
}

TEST(Admission, UntilOneIsTakenTheWaitIsTheAgeOfTheFirst) {
    const AdmissionControl admission;
    EXPECT_EQ(admission.expected_wait(5, kStart, kStart), 0s);
    EXPECT_EQ(admission.expected_wait(5, kStart, kStart + 700ms), 700ms);
}

TEST(Admission, AtASteadyRateTheWaitIsLengthTimesPace) {
    AdmissionControl admission;
    Clock::time_point now = kStart;
    for (int i = 0; i < 100; ++i) {
        now += 10ms;
        admission.on_taken(kStart, now, 20);
    }
    const auto wait = admission.expected_wait(20, now, now);
    EXPECT_GT(wait, 199ms);
    EXPECT_LT(wait, 201ms);
}

TEST(Admission, OneSlowRequestWeighsAnEighth) {
    AdmissionControl admission;
    admission.on_taken(kStart, kStart + 800ms, 10);
    EXPECT_EQ(admission.expected_wait(10, kStart + 800ms, kStart + 800ms), 1s);
    // A request taken without delay reduces that by an eighth.
    admission.on_taken(kStart, kStart + 800ms, 8);
    EXPECT_EQ(admission.expected_wait(8, kStart + 800ms, kStart + 800ms), 700ms);
}

TEST(Admission, TimeWhileTheQueueIsEmptyDoesNotCount) {
    AdmissionControl admission;
    admission.on_taken(kStart, kStart, 10);
    // A request an hour later is taken after 8 ms.
    admission.on_taken(kStart + 1h, kStart + 1h + 8ms, 10);
    EXPECT_EQ(admission.expected_wait(10, kStart + 1h + 8ms, kStart + 1h + 8ms), 10ms);
}

TEST(Admission, EarlierWaitsDoNotCountOnceTheQueueIsEmpty) {
    AdmissionControl admission;
    admission.on_taken(kStart, kStart + 3s, 1);
    admission.on_taken(kStart, kStart + 3s, 0);
    const Clock::time_point later = kStart + 4s;
    EXPECT_EQ(admission.expected_wait(60, later, later), 0s);
}

}  // namespace
}  // namespace kheops
