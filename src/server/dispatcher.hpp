// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "deadline.hpp"
#include "descriptor.hpp"
#include "log.hpp"
#include "server/fastcgi_records.hpp"
#include "server/service_manager.hpp"

namespace kheops {

/// A connection with a request to serve. A serving thread owns it until it gives it back.
struct ReadyRequest {
    std::uint64_t id;  ///< the connection's, for giving it back
    Descriptor connection;
    RequestFraming framing;
    Clock::time_point arrived;  ///< when the connection was accepted or the first octet came
    Clock::time_point whole;    ///< when the rest of it had come
    Deadline deadline;
};

/// Accepts connections and lets each wait, outside any thread, until its request has arrived whole;
/// then hands it to a serving thread and takes the connection back for the next request. One thread
/// runs it; silent clients, half-sent requests and connections that the web server keeps open cost
/// that thread a descriptor and nothing else.
class Dispatcher {
  public:
    /// `listener` is a listening socket and stays the caller's. `budget` bounds one request from
    /// its first octet, a new connection from its acceptance. `manager` hears of the stop and, at
    /// every turn, that it serves; it and `log` outlive this. `on_hangup` is called at each SIGHUP,
    /// by the thread that dispatches, and must not wait. SIGTERM, SIGINT and SIGHUP are blocked in
    /// the calling thread, and so in every thread that it starts from here on. Throws
    /// std::system_error when the kernel refuses.
    Dispatcher(int listener, std::chrono::milliseconds budget, ServiceManager& manager,
               std::function<void()> on_hangup, const Log& log);

    enum class End { stopped, listener_lost };
    /// Serves until SIGTERM or SIGINT, or until the listening socket is lost, and then until every
    /// request in hand is answered. next() returns nothing from then on.
    [[nodiscard]] End run();

    enum class Queue {
        served,
        refused,  ///< would wait too long for a thread that serves; their deadline has passed
    };
    /// For serving threads: the next request of that queue, or nothing when there is none to come.
    /// Waits.
    [[nodiscard]] std::optional<ReadyRequest> next(Queue queue);

    /// What is to become of a connection whose request was answered.
    enum class Fate {
        keep,   ///< the web server may send another request on it
        close,  ///< all was read, and it wants no more
        drain,  ///< the peer may still be sending a body; closed now, its answer could be lost
    };
    /// For serving threads: gives the connection of a request back, or none where it broke, and
    /// returns what next() would; or, where the same connection brings another request at once and
    /// nobody needs this thread, that one.
    [[nodiscard]] std::optional<ReadyRequest> next_after(Queue queue, std::uint64_t id,
                                                         Descriptor connection, Fate fate);

  private:
    struct Connection {
        Descriptor descriptor;
        Clock::time_point arrived;
        std::optional<Deadline> deadline;  // none while a kept connection is idle
        bool began = false;                // something of a request has come
        bool draining = false;             // answered; only waits for the peer to close
    };
    /// A serving thread that waits for a request.
    struct Idle {
        std::condition_variable called;
        bool is_called = false;
    };
    struct Returned {
        std::uint64_t id;
        Descriptor connection;
        Fate fate;
    };
    using Connections = std::unordered_map<std::uint64_t, Connection>;

    void dispatch();
    /// How long to wait for events, as epoll_wait(2) takes it.
    [[nodiscard]] int patience() const;
    /// Lets the serving threads go, once they have served what is left.
    void finish();
    /// As epoll_ctl(2) returns; `id` comes back with the events.
    [[nodiscard]] int watch(int descriptor, std::uint32_t events, std::uint64_t id) const;
    /// Watches for other events than before.
    void watch_instead(int descriptor, std::uint32_t events, std::uint64_t id) const;
    void handle(std::uint64_t id, std::uint32_t events);
    void accept_connections();
    void pause_accepting();
    void take_signals();
    void lose_listener();
    void stop_accepting(End end);
    /// For serving threads: what comes on the connection within a moment, if it is a whole request.
    [[nodiscard]] std::optional<ReadyRequest> linger(std::uint64_t id, Descriptor& connection);
    /// Waits for a request in `ready_`, or for the end. \pre `lock` holds mutex_.
    void wait_for_ready(std::unique_lock<std::mutex>& lock);
    void give_back(std::uint64_t id, Descriptor connection, Fate fate);
    void take_back();
    /// Looks at what has come on a waiting connection, without taking it.
    void examine(Connections::iterator position, bool hung_up);
    /// Drops some of what comes on a draining connection, and the connection at its end.
    void discard(Connections::iterator position);
    /// How long a request that comes now would wait for a thread. \pre mutex_ is held.
    [[nodiscard]] Clock::duration expected_wait(Clock::time_point now) const;
    void hand_over(Connections::iterator position, const RequestFraming& framing);
    void close(Connections::iterator position, const char* reason);
    /// Closes what is overdue, at most every so often.
    void tick();

    int listener_;
    std::chrono::milliseconds budget_;
    ServiceManager& manager_;
    std::function<void()> on_hangup_;
    const Log& log_;
    Descriptor epoll_;
    Descriptor signals_;
    Descriptor wake_;  // an eventfd: a connection was given back that needs attention now

    // The dispatching thread's own.
    Connections waiting_;
    std::uint64_t next_id_;
    size_t in_hand_ = 0;  // handed over and not yet given back
    bool accepting_ = true;
    bool short_ = false;    // of descriptors or memory, which has been logged
    bool paused_ = false;   // for that reason; accepts again at the next tick
    bool ticking_ = false;  // a deadline may be among the waiting
    Clock::time_point next_tick_;
    End end_ = End::stopped;
    std::vector<char> peeked_;

    // Shared with the serving threads.
    std::mutex mutex_;
    std::deque<ReadyRequest> ready_;
    std::vector<Idle*> idle_;  // the last one is called first
    std::condition_variable refused_changed_;
    std::deque<ReadyRequest> refused_;
    Clock::duration pace_{};  // how long a request stands at the front; smoothed
    Clock::time_point last_taken_;
    std::vector<Returned> returned_;
    bool stopping_ = false;  // whatever is given back needs attention now
    bool finished_ = false;
};

}  // namespace kheops
