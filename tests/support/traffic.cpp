// SPDX-License-Identifier: MIT
#include "support/traffic.hpp"

#include <algorithm>
#include <stdexcept>

#include "support/await.hpp"

namespace kheops::test {

Traffic::Traffic(std::string url, HttpHeaders headers, int clients) {
    for (int i = 0; i < clients; ++i) {
        clients_.emplace_back([this, url, headers] { send_requests(url, headers); });
    }
}

Traffic::~Traffic() {
    stop();
}

void Traffic::stop() {
    stopping_ = true;
    for (std::thread& client : clients_) {
        client.join();
    }
    clients_.clear();
}

void Traffic::send_requests(const std::string& url, const HttpHeaders& headers) {
    // Leaves processor time to the program under test.
    constexpr std::chrono::milliseconds kPause(2);
    HttpClient client;
    for (;;) {
        const Clock::time_point sent = Clock::now();
        HttpAnswer answer;
        try {
            answer = client.fetch("GET", url, headers);
        } catch (const std::runtime_error& error) {
            answer.body = error.what();
        }
        record(answer, sent);
        if (stopping_) {
            return;
        }
        std::this_thread::sleep_for(kPause);
    }
}

void Traffic::record(const HttpAnswer& answer, Clock::time_point sent) {
    const std::lock_guard lock(mutex_);
    ++answers_;
    ++statuses_[answer.status];
    ++bodies_[answer.status][answer.body];
    latest_[answer.status] = std::max(latest_[answer.status], sent);
    slowest_ = std::max(slowest_, Clock::now() - sent);
}

void Traffic::await_status(int status) {
    const Clock::time_point now = Clock::now();
    await("an answer has status " + std::to_string(status), [&] {
        const std::lock_guard lock(mutex_);
        return latest_[status] >= now;
    });
}

void Traffic::await_answers(int count) {
    int wanted = count;
    {
        const std::lock_guard lock(mutex_);
        wanted += answers_;
    }
    await(std::to_string(count) + " more answers have come", [&] {
        const std::lock_guard lock(mutex_);
        return answers_ >= wanted;
    });
}

std::map<int, int> Traffic::statuses() const {
    const std::lock_guard lock(mutex_);
    return statuses_;
}

std::vector<std::string> Traffic::bodies(int status) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> bodies;
    if (const auto found = bodies_.find(status); found != bodies_.end()) {
        for (const auto& [body, count] : found->second) {
            bodies.push_back(body);
        }
    }
    return bodies;
}

std::chrono::milliseconds Traffic::slowest() const {
    const std::lock_guard lock(mutex_);
    return std::chrono::ceil<std::chrono::milliseconds>(slowest_);
}

}  // namespace kheops::test
