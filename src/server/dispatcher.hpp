// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
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

/// Accepts connections and keeps each until a whole request has arrived on it; then queues the
/// request for the serving threads, which give the connection back for the next request. One thread
/// runs the dispatcher; a silent client, a half-sent request or a connection that the web server
/// keeps open costs a descriptor and no thread. Also shuts down connections whose request is
/// overdue, even those that a serving thread owns.
class Dispatcher {
  public:
    /// `listener` is a listening socket that the caller owns. `budget` is the maximum time of a
    /// request, from accept(2) or, on a kept connection, from its first octet. `manager` gets
    /// watchdog pings and the notice of the stop. `queue`, `manager` and `log` must outlive this
    /// object. The dispatching thread calls `on_hangup`, which must not wait, at each SIGHUP.
    /// Blocks SIGTERM, SIGINT and SIGHUP in the calling thread, and so in the threads that it
    /// starts later. Throws std::system_error if a system call fails.
    Dispatcher(int listener, std::chrono::milliseconds budget, RequestQueue& queue,
               ServiceManager& manager, std::function<void()> on_hangup, const Log& log);

    /// Returns the object in which one serving thread records its request; the dispatcher owns it.
    /// Call this in the constructing thread, before run().
    [[nodiscard]] ActiveRequest& add_serving_thread() { return active_requests_.emplace_back(); }

    /// Returns where the operator's thread records its request; valid as long as this.
    [[nodiscard]] ActiveRequest& operator_request() { return operator_request_; }

    /// Returns how many requests the serving threads are answering. For any thread that was started
    /// after the last call of add_serving_thread().
    [[nodiscard]] std::size_t active_requests() const;
    /// Returns how many connections of web servers are open; one that a thread has closed counts
    /// for up to 100 ms more. For any thread.
    [[nodiscard]] std::size_t open_connections() const { return open_connections_; }

    enum class End { stopped, listener_lost };
    /// Serves until SIGTERM or SIGINT arrives or the listening socket is lost, then finishes the
    /// active requests, which takes little longer than the budget. Returns why it ended. Throws
    /// std::system_error if epoll_wait(2) fails.
    [[nodiscard]] End run();

    /// What the dispatcher does with a connection whose request was answered.
    enum class Disposition {
        keep,   ///< the web server may send another request on it
        close,  ///< the request was read to its end, and no other one follows
        drain,  ///< the peer may still send a body; closing now could lose the answer
    };
    /// For serving threads: gives the connection `id` back (empty if it broke), waits for the next
    /// request of `lane` and returns it; empty once the queue is finished. If the next request on
    /// `connection` arrives within 3 ms while another thread is idle, returns that request.
    [[nodiscard]] std::optional<ReadyRequest> next_after(RequestQueue::Lane lane, std::uint64_t id,
                                                         Descriptor connection,
                                                         Disposition disposition);

  private:
    /// A connection that the dispatching thread owns.
    struct Connection {
        enum class State {
            accepted,   ///< new; nothing has arrived
            receiving,  ///< a part of a request has arrived
            idle,       ///< kept after an answer; nothing of the next request has arrived
            draining,   ///< answered; input is discarded until the peer closes
        };
        State state;
        Descriptor descriptor;
        Clock::time_point arrived;   ///< at accept(2) or, if kept, at the first octet
        Clock::time_point deadline;  ///< Clock::time_point::max() while idle
    };
    struct Returned {
        std::uint64_t id;
        Descriptor connection;
        Disposition disposition;
    };
    using Connections = std::unordered_map<std::uint64_t, Connection>;

    /// The timeout for epoll_wait(2): milliseconds, or -1 for none.
    [[nodiscard]] int epoll_timeout() const;
    /// Adds a descriptor to epoll; its events carry `id`. Returns what epoll_ctl(2) returns.
    [[nodiscard]] int watch(int descriptor, std::uint32_t events, std::uint64_t id) const;
    /// Replaces the events that epoll reports for a descriptor.
    void change_events(int descriptor, std::uint32_t events, std::uint64_t id) const;
    void handle(std::uint64_t id, std::uint32_t events);
    void accept_connections();
    void pause_accepting();
    void read_signals();
    void handle_lost_listener();
    void stop_accepting(End end);
    /// For serving threads: returns the next request if it arrives within 3 ms.
    [[nodiscard]] std::optional<ReadyRequest> linger(std::uint64_t id, Descriptor& connection);
    void give_back(std::uint64_t id, Descriptor connection, Disposition disposition);
    void take_returned();
    /// Peeks at the input of a connection that is not draining; enqueues a whole request.
    void inspect(Connections::iterator position, bool hung_up);
    /// Discards input of a draining connection. Closes it when the peer has closed it.
    void discard(Connections::iterator position);
    void enqueue(Connections::iterator position, const RequestFraming& framing);
    void close(Connections::iterator position, const char* reason);
    void count_open_connections();
    void shut_down_if_overdue(ActiveRequest& active, Clock::time_point now);
    /// Checks the deadlines of connections, of queued requests and of requests that are being
    /// answered, at most every 100 ms.
    void tick();
    /// Closes connections that are overdue at `now`. Returns whether others have a deadline.
    bool close_overdue(Clock::time_point now);

    int listener_;
    std::chrono::milliseconds budget_;
    RequestQueue& queue_;
    ServiceManager& manager_;
    std::function<void()> on_hangup_;
    const Log& log_;
    Descriptor epoll_;
    Descriptor signals_;
    Descriptor wake_;  // an eventfd: a returned connection needs attention now

    // Only for the dispatching thread.
    Connections connections_;
    std::uint64_t next_id_;
    size_t in_service_ = 0;                      // requests enqueued and not yet given back
    std::deque<ActiveRequest> active_requests_;  // one for each serving thread
    bool accepting_ = true;
    bool out_of_resources_ = false;  // descriptors or memory; already logged
    bool paused_ = false;            // accepting pauses until the next tick
    bool ticking_ = false;           // there may be a deadline
    bool all_stuck_ = false;         // all serving threads are stuck
    Clock::time_point next_tick_;
    End end_ = End::stopped;
    std::vector<char> peeked_;

    // The dispatching thread shuts it down; the operator's thread uses it.
    ActiveRequest operator_request_;

    std::atomic<std::size_t> open_connections_ = 0;  // written by the dispatching thread only

    // Shared with the serving threads.
    std::mutex mutex_;
    std::vector<Returned> returned_;
    bool stopping_ = false;  // each returned connection needs attention now
};

}  // namespace kheops
