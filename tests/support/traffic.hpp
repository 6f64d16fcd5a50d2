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

/// Clients that ask for the same thing again and again, each in a thread of its own, while a test
/// does something else.
class Traffic {
  public:
    using Clock = std::chrono::steady_clock;

    Traffic(std::string url, HttpHeaders headers, int clients = 3);
    /// Ends it, if stop() has not.
    ~Traffic();
    Traffic(const Traffic&) = delete;
    Traffic& operator=(const Traffic&) = delete;

    /// Waits until an answer with that status has come to a question that was asked after this
    /// call.
    void await_status(int status);
    /// Waits until that many more answers have come, whatever they are.
    void await_answers(int count);
    void stop();

    /// How many answers had each status; 0 stands for one that did not come.
    [[nodiscard]] std::map<int, int> statuses() const;
    /// The bodies that came with that status, each once.
    [[nodiscard]] std::vector<std::string> bodies(int status) const;
    [[nodiscard]] std::chrono::milliseconds slowest() const;

  private:
    void ask(const std::string& url, const HttpHeaders& headers);
    void note(const HttpAnswer& answer, Clock::time_point asked);

    std::atomic<bool> stopping_ = false;
    mutable std::mutex mutex_;
    int answers_ = 0;
    std::map<int, int> statuses_;
    std::map<int, Clock::time_point> latest_;  // by status: when the latest of them was asked
    std::map<int, std::map<std::string, int>> bodies_;
    Clock::duration slowest_{};
    std::vector<std::thread> clients_;
};

}  // namespace kheops::test
