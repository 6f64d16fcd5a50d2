// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
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
#include "server/active_request.hpp"
#include "server/fastcgi_records.hpp"
#include "server/request_queue.hpp"
#include "server/service_manager.hpp"

namespace kheops {

/// Accepts connections and lets each wait, outside any thread, until its request has arrived whole;
/// then puts it into the queue for the serving threads and takes the connection back for the next
/// request. One thread runs it; silent clients, half-sent requests and connections that the web
/// server keeps open cost that thread a descriptor and nothing else. It also shuts connections down
/// whose request is overdue, whoever has them.
class Dispatcher {
  public:
    /// `listener` is a listening socket and stays the caller's. `budget` bounds one request from
    /// its first octet, a new connection from its acceptance. `queue` takes the requests; `manager`
    /// hears of the stop and, at every turn, that the worker serves; both and `log` outlive this.
    /// `on_hangup` is called at each SIGHUP, by the thread that dispatches, and must not wait.
    /// SIGTERM, SIGINT and SIGHUP are blocked in the calling thread, and so in every thread that it
    /// starts from here on. Throws std::system_error when the kernel refuses.
    Dispatcher(int listener, std::chrono::milliseconds budget, RequestQueue& queue,
               ServiceManager& manager, std::function<void()> on_hangup, const Log& log);

    /// Where a serving thread says what it has in hand, as long as this lives. For the thread that
    /// makes this, before run().
    [[nodiscard]] ActiveRequest& add_serving_thread() { return active_requests_.emplace_back(); }

    enum class End { stopped, listener_lost };
    /// Serves until SIGTERM or SIGINT, or until the listening socket is lost, and then until every
    /// request in hand is answered, which takes little longer than the budget. Throws
    /// std::system_error when the kernel refuses.
    [[nodiscard]] End run();

    /// What is to become of a connection whose request was answered.
    enum class Disposition {
        keep,   ///< the web server may send another request on it
        close,  ///< all was read, and it wants no more
        drain,  ///< the peer may still be sending a body; closed now, its answer could be lost
    };
    /// For serving threads: gives the connection of a request back, or none where it broke, and
    /// returns what the queue has next in that lane; or, where the same connection brings another
    /// request at once and nobody needs this thread, that one.
    [[nodiscard]] std::optional<ReadyRequest> next_after(RequestQueue::Lane lane, std::uint64_t id,
                                                         Descriptor connection,
                                                         Disposition disposition);

  private:
    /// A connection that no serving thread has.
    struct Connection {
        enum class State {
            accepted,   ///< new, and nothing has come yet
            receiving,  ///< a part of a request has come
            idle,       ///< kept after an answer, and nothing of the next request has come
            draining,   ///< answered, and only waits for the peer to close
        };
        State state;
        Descriptor descriptor;
        Clock::time_point arrived;   ///< when it was accepted or, once idle, when octets came
        Clock::time_point deadline;  ///< Clock::time_point::max() while idle
    };
    struct Returned {
        std::uint64_t id;
        Descriptor connection;
        Disposition disposition;
    };
    using Connections = std::unordered_map<std::uint64_t, Connection>;

    /// How long to wait for events, as epoll_wait(2) takes it.
    [[nodiscard]] int epoll_timeout() const;
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
    void give_back(std::uint64_t id, Descriptor connection, Disposition disposition);
    void take_back();
    /// Looks at what has come on a connection that is not draining, without taking it.
    void examine(Connections::iterator position, bool hung_up);
    /// Drops some of what comes on a draining connection, and the connection at its end.
    void discard(Connections::iterator position);
    void hand_over(Connections::iterator position, const RequestFraming& framing);
    void close(Connections::iterator position, const char* reason);
    /// Looks at all deadlines, at most every so often: of connections that wait, of requests in the
    /// queue, and of those that serving threads have in hand.
    void tick();
    /// Closes the connections that are overdue at `now`; whether others have a deadline.
    bool close_overdue(Clock::time_point now);

    int listener_;
    std::chrono::milliseconds budget_;
    RequestQueue& queue_;
    ServiceManager& manager_;
    std::function<void()> on_hangup_;
    const Log& log_;
    Descriptor epoll_;
    Descriptor signals_;
    Descriptor wake_;  // an eventfd: a connection was given back that needs attention now

    // The dispatching thread's own.
    Connections connections_;
    std::uint64_t next_id_;
    size_t in_service_ = 0;                      // and not yet given back
    std::deque<ActiveRequest> active_requests_;  // one for each serving thread
    bool accepting_ = true;
    bool out_of_resources_ = false;  // descriptors or memory; has been logged
    bool paused_ = false;            // for that reason; accepts again at the next tick
    bool ticking_ = false;           // there may be a deadline
    bool stuck_ = false;             // all serving threads are
    Clock::time_point next_tick_;
    End end_ = End::stopped;
    std::vector<char> peeked_;

    // Shared with the serving threads.
    std::mutex mutex_;
    std::vector<Returned> returned_;
    bool stopping_ = false;  // whatever is given back needs attention now
};

}  // namespace kheops
