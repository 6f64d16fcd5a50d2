// SPDX-License-Identifier: MIT
#include "server/request_queue.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "support/await.hpp"

namespace kheops {
namespace {

using namespace std::chrono_literals;
using Lane = RequestQueue::Lane;

constexpr std::chrono::seconds kBudget(4);  // a request may wait for one second
const Clock::time_point kStart = Clock::now();

ReadyRequest request_at(std::uint64_t id, Clock::time_point whole, Clock::time_point end) {
    return {.id = id,
            .connection = Descriptor(),
            .framing = {RequestFraming::State::whole},
            .arrived = whole,
            .whole = whole,
            .deadline = Deadline(end)};
}

ReadyRequest request_at(std::uint64_t id, Clock::time_point whole) {
    return request_at(id, whole, whole + kBudget);
}

std::vector<std::uint64_t> all_of(RequestQueue& queue, Lane lane) {
    queue.finish();
    std::vector<std::uint64_t> ids;
    while (const std::optional<ReadyRequest> request = queue.next(lane)) {
        ids.push_back(request->id);
    }
    return ids;
}

TEST(RequestQueue, AdmittedRequestsAreTakenInOrder) {
    RequestQueue queue(kBudget);
    for (std::uint64_t id = 1; id <= 3; ++id) {
        queue.add(request_at(id, kStart));
    }
    EXPECT_EQ(all_of(queue, Lane::admitted), (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST(RequestQueue, ARequestThatWouldWaitForMoreThanAQuarterOfItsBudgetIsRefused) {
    RequestQueue queue(kBudget);
    queue.add(request_at(1, kStart));
    queue.add(request_at(2, kStart + 1s));
    queue.add(request_at(3, kStart + 1001ms));
    EXPECT_EQ(all_of(queue, Lane::refused), (std::vector<std::uint64_t>{3}));
    EXPECT_EQ(all_of(queue, Lane::admitted), (std::vector<std::uint64_t>{1, 2}));
}

TEST(RequestQueue, AnOperatorsRequestIsNeverRefusedAndWaitsBehindNoOther) {
    RequestQueue queue(kBudget);
    queue.add(request_at(1, kStart));
    ReadyRequest request = request_at(2, kStart + 2s);
    request.framing.from_operator = true;
    queue.add(std::move(request));
    EXPECT_EQ(queue.waiting(), 1U);
    queue.refuse_overdue(kStart + 10s);
    EXPECT_EQ(all_of(queue, Lane::from_operator), (std::vector<std::uint64_t>{2}));
    EXPECT_EQ(all_of(queue, Lane::refused), (std::vector<std::uint64_t>{1}));
    EXPECT_EQ(queue.waiting(), 0U);
}

TEST(RequestQueue, AQueuedRequestIsRefusedWhenItsBudgetIsSpent) {
    RequestQueue queue(kBudget);
    queue.add(request_at(1, kStart, kStart + 4s));
    queue.add(request_at(2, kStart, kStart + 2s));  // its octets came slowly
    queue.add(request_at(3, kStart, kStart + 5s));
    queue.refuse_overdue(kStart + 1s);
    queue.refuse_overdue(kStart + 4s);
    EXPECT_EQ(all_of(queue, Lane::refused), (std::vector<std::uint64_t>{1, 2}));
    EXPECT_EQ(all_of(queue, Lane::admitted), (std::vector<std::uint64_t>{3}));
}

TEST(RequestQueue, EveryThreadEndsWhenTheQueueIsFinished) {
    RequestQueue queue(kBudget);
    std::vector<std::jthread> threads;
    for (const Lane lane : {Lane::admitted, Lane::admitted, Lane::refused}) {
        threads.emplace_back([&queue, lane] { EXPECT_FALSE(queue.next(lane)); });
    }
    test::await("a thread waits", [&queue] { return queue.has_spare_thread(); });
    queue.finish();
}

TEST(RequestQueue, AWaitingThreadIsSpareUntilARequestIsQueued) {
    RequestQueue queue(kBudget);
    EXPECT_FALSE(queue.has_spare_thread());
    std::jthread thread([&queue] { EXPECT_EQ(queue.next(Lane::admitted)->id, 1U); });
    test::await("the thread waits", [&queue] { return queue.has_spare_thread(); });
    queue.add(request_at(1, kStart));
    thread.join();
    EXPECT_FALSE(queue.has_spare_thread());
}

}  // namespace
}  // namespace kheops
