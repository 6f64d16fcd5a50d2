// SPDX-License-Identifier: MIT
#include "bench/load.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "deadline.hpp"
#include "descriptor.hpp"

namespace kheops::bench {

namespace {

constexpr std::chrono::minutes kMaxSilence(5);

Descriptor connect_to(std::uint16_t port) {
    Descriptor connection(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    constexpr int kOn = 1;
    if (connection.number() < 0 ||
        ::connect(connection.number(), reinterpret_cast<const sockaddr*>(&address),
                  sizeof address) != 0 ||
        ::setsockopt(connection.number(), IPPROTO_TCP, TCP_NODELAY, &kOn, sizeof kOn) != 0) {
        throw std::system_error(errno, std::generic_category(), "connecting to the web server");
    }
    return connection;
}

/// Parses one answer while its octets come.
class Answer {
  public:
    /// Returns whether the answer is complete.
    bool take(std::string_view octets) {
        if (!in_body_) {
            head_ += octets;
            const size_t end = head_.find("\r\n\r\n");
            if (end == std::string::npos) {
                return false;
            }
            constexpr size_t kLineEnd = 2;
            octets = octets.substr(octets.size() - (head_.size() - end - 2 * kLineEnd));
            head_.resize(end + kLineEnd);
            missing_ = number_after("\r\nContent-Length: ");
            in_body_ = true;
        }
        missing_ -= std::min(missing_, octets.size());
        return missing_ == 0;
    }

    [[nodiscard]] int status() const { return static_cast<int>(number_after("HTTP/1.1 ")); }
    [[nodiscard]] bool closes() const {
        return head_.find("\r\nConnection: close\r\n") != std::string::npos;
    }

  private:
    [[nodiscard]] size_t number_after(const std::string& text) const {
        const size_t at = head_.find(text);
        size_t number = 0;
        if (at == std::string::npos ||
            std::from_chars(&head_[at + text.size()], head_.data() + head_.size(), number).ec !=
                std::errc()) {
            throw std::runtime_error("an answer has no number after " + text + ":\n" + head_);
        }
        return number;
    }

    std::string head_;
    bool in_body_ = false;
    size_t missing_ = 0;
};

class Run {
  public:
    explicit Run(const Load& load)
        : load_(load),
          epoll_(::epoll_create1(EPOLL_CLOEXEC)),
          start_(Clock::now()),
          last_(start_),
          clients_(load.connections) {
        for (Client& client : clients_) {
            idle_.push_back(&client);
        }
    }

    Outcome outcome() {
        for (;;) {
            while (!idle_.empty() && may_send()) {
                Client& client = *idle_.back();
                idle_.pop_back();
                send(client);
            }
            if (idle_.size() == clients_.size()) {
                break;
            }
            receive();
        }
        outcome_.seconds = std::chrono::duration<double>(last_ - start_).count();
        return std::move(outcome_);
    }

  private:
    struct Client {
        Descriptor connection;
        Answer answer;
        Clock::time_point asked;
    };

    [[nodiscard]] bool may_send() const {
        return sent_ < load_.requests && Clock::now() - start_ < load_.time;
    }

    void send(Client& client) {
        if (client.connection.number() < 0) {
            client.connection = connect_to(load_.port);
            epoll_event event = {.events = EPOLLIN, .data = {.ptr = &client}};
            ::epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, client.connection.number(), &event);
        }
        const std::string request = "GET " + load_.target + " HTTP/1.1\r\nHost: " + load_.host +
                                    "\r\nAuthorization: Bearer " + load_.token() +
                                    "\r\nAccept: application/json\r\n\r\n";
        client.answer = Answer();
        client.asked = Clock::now();
        ++sent_;
        if (::send(client.connection.number(), request.data(), request.size(), MSG_NOSIGNAL) !=
            static_cast<ssize_t>(request.size())) {
            finish(client, 0);
        }
    }

    void receive() {
        std::array<epoll_event, 64> events{};
        constexpr int kOneSecond = 1000;
        const int count = ::epoll_wait(epoll_.number(), events.data(), events.size(), kOneSecond);
        for (int i = 0; i < count; ++i) {
            receive(*static_cast<Client*>(events.at(static_cast<size_t>(i)).data.ptr));
        }
        if (count > 0) {
            last_ = Clock::now();
        } else if (Clock::now() - last_ > kMaxSilence) {
            throw std::runtime_error("the web server has stopped answering");
        }
    }

    void receive(Client& client) {
        const ssize_t count =
            ::recv(client.connection.number(), received_.data(), received_.size(), 0);
        if (count <= 0) {
            // nginx may close an idle connection at any time.
            if (std::find(idle_.begin(), idle_.end(), &client) == idle_.end()) {
                finish(client, 0);
            }
            client.connection = Descriptor();
        } else if (client.answer.take({received_.data(), static_cast<size_t>(count)})) {
            if (client.answer.closes()) {
                client.connection = Descriptor();
            }
            finish(client, client.answer.status());
        }
    }

    void finish(Client& client, int status) {
        if (status == 0) {
            client.connection = Descriptor();
        }
        const std::chrono::duration<double, std::milli> took = Clock::now() - client.asked;
        outcome_.milliseconds[status].push_back(took.count());
        idle_.push_back(&client);
    }

    const Load& load_;
    Descriptor epoll_;
    Clock::time_point start_;
    Clock::time_point last_;  // when octets last came
    std::vector<Client> clients_;
    std::vector<Client*> idle_;
    size_t sent_ = 0;
    std::array<char, 65536> received_{};
    Outcome outcome_;
};

}  // namespace

std::size_t Outcome::answers() const {
    std::size_t count = 0;
    for (const auto& [status, values] : milliseconds) {
        count += values.size();
    }
    return count;
}

Outcome run(const Load& load) {
    return Run(load).outcome();
}

double quantile(std::vector<double> values, double share) {
    if (values.empty()) {
        return 0;
    }
    const auto nth = values.begin() +
                     static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), nth, values.end());
    return *nth;
}

}  // namespace kheops::bench
