// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/http_client.hpp"

namespace kheops::test {

/// Clients that repeat the same request while a test runs, each in its own thread.
class Traffic {
  public:
    using Clock = std::chrono::steady_clock;

    Traffic(std::string url, HttpHeaders headers, int clients = 3);
    ~Traffic();
    Traffic(const Traffic&) = delete;
    Traffic& operator=(const Traffic&) = delete;

    /// Waits for an answer with this status to a request that was sent after this call.
    void await_status(int status);
    /// Waits for `count` more answers of any status.
    void await_answers(int count);
    void stop();

    /// The number of answers with each status; 0 means a request without an answer.
    [[nodiscard]] std::map<int, int> statuses() const;
    /// The different bodies of answers with this status.
    [[nodiscard]] std::vector<std::string> bodies(int status) const;
    [[nodiscard]] std::chrono::milliseconds slowest() const;

  private:
    void send_requests(const std::string& url, const HttpHeaders& headers);
    void record(const HttpAnswer& answer, Clock::time_point sent);

    std::atomic<bool> stopping_ = false;
    mutable std::mutex mutex_;
    int answers_ = 0;
    std::map<int, int> statuses_;
    std::map<int, Clock::time_point> latest_;  // by status: when the latest request was sent
    std::map<int, std::map<std::string, int>> bodies_;
    Clock::duration slowest_{};
    std::vector<std::thread> clients_;
};

}  // namespace kheops::test
