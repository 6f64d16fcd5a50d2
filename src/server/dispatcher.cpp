// SPDX-License-Identifier: MIT
#include "server/dispatcher.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>

namespace kheops {

namespace {

constexpr std::uint64_t kListenerId = 0;
constexpr std::uint64_t kSignalsId = 1;
constexpr std::uint64_t kWakeId = 2;
constexpr std::uint64_t kFirstConnectionId = 3;

/// The maximum size of a request's parameters. nginx's four header buffers of 32 KiB need less.
constexpr size_t kMaxRequestHead = size_t{256} * 1024;

/// Enough for nearly every request: a token, an address and a few more parameters.
constexpr size_t kTypicalRequestHead = size_t{8} * 1024;

/// How often the dispatcher checks deadlines while there are any.
constexpr std::chrono::milliseconds kTickInterval(100);

/// How long a new connection stays open at the stop: a web server connects only to send a request,
/// which would fail otherwise. A draining connection gets the same time.
constexpr std::chrono::milliseconds kGraceAtStop(250);

/// The maximum time that a stop takes beyond the budget of the last request: to write its answer,
/// and to end the threads.
constexpr std::chrono::seconds kMaxAfterBudget(5);

// The events that epoll reports for a connection, by its state.

/// Accepted or receiving. Edge-triggered: a half-sent request stays readable all the time.
constexpr std::uint32_t kReceivingEvents = EPOLLIN | EPOLLRDHUP | EPOLLET;
/// Idle. One-shot: more input wakes the dispatching thread only after the request is answered.
constexpr std::uint32_t kIdleEvents = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT;
constexpr std::uint32_t kDrainingEvents = EPOLLIN | EPOLLRDHUP;
/// A serving thread owns the connection.
constexpr std::uint32_t kNoEvents = EPOLLONESHOT;

/// How long a serving thread waits for the next request on the connection that it has just
/// answered. A busy web server sends it within this time, even on a busy machine, and handing it to
/// another thread costs more than reading it. Other requests wait at most this long for the thread.
constexpr std::chrono::milliseconds kLingerTime(3);

/// How many connections the dispatcher accepts before it handles other events.
constexpr int kMaxAccepts = 64;

int require(int result, const char* what) {
    if (result < 0) {
        throw std::system_error(errno, std::generic_category(), what);
    }
    return result;
}

sigset_t handled_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    return signals;
}

void make_nonblocking(int descriptor) {
    require(::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK), "fcntl");
}

/// Sets the timeout of each single accept() on the socket, and of each read that libfcgi does.
void set_read_timeout(int descriptor, std::chrono::milliseconds limit) {
    const timeval time = {.tv_sec = limit.count() / 1000, .tv_usec = limit.count() % 1000 * 1000};
    ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
}

bool is_out_of_resources(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

bool is_lost_listener(int error) {
    return error == EBADF || error == EINVAL || error == ENOTSOCK || error == EOPNOTSUPP;
}

}  // namespace

Dispatcher::Dispatcher(int listener, std::chrono::milliseconds budget, RequestQueue& queue,
                       ServiceManager& manager, std::function<void()> on_hangup, const Log& log)
    : listener_(listener),
      budget_(budget),
      queue_(queue),
      manager_(manager),
      on_hangup_(std::move(on_hangup)),
      log_(log),
      epoll_(require(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wake_(require(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")),
      next_id_(kFirstConnectionId),
      peeked_(kMaxRequestHead) {
    // accept() must not wait if no connection is left, or another process was first. O_NONBLOCK
    // belongs to the open file description, which other processes share: systemd clears it when it
    // runs ExecReload= of a unit with StandardInput=socket. Then the timeout limits the wait.
    make_nonblocking(listener);
    set_read_timeout(listener, std::chrono::milliseconds(1));

    const sigset_t signals = handled_signals();
    if (const int error = ::pthread_sigmask(SIG_BLOCK, &signals, nullptr); error != 0) {
        throw std::system_error(error, std::generic_category(), "pthread_sigmask");
    }
    signals_ =
        Descriptor(require(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd"));

    require(watch(listener_, EPOLLIN, kListenerId), "epoll_ctl");
    require(watch(signals_.number(), EPOLLIN, kSignalsId), "epoll_ctl");
    require(watch(wake_.number(), EPOLLIN, kWakeId), "epoll_ctl");
}

Dispatcher::End Dispatcher::run() {
    std::array<epoll_event, 64> events{};
    while (accepting_ || in_service_ > 0 || !connections_.empty()) {
        const int count =
            ::epoll_wait(epoll_.number(), events.data(), events.size(), epoll_timeout());
        if (count < 0 && errno != EINTR) {
            throw std::system_error(errno, std::generic_category(), "epoll_wait");
        }
        take_returned();
        for (int i = 0; i < count; ++i) {
            handle(events.at(static_cast<size_t>(i)).data.u64,
                   events.at(static_cast<size_t>(i)).events);
        }
        tick();
        count_open_connections();
        if (!all_stuck_) {
            manager_.ping_watchdog(Clock::now());
        }
    }
    return end_;
}

std::size_t Dispatcher::active_requests() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        active_requests_, [](const ActiveRequest& thread) { return thread.is_active(); }));
}

int Dispatcher::epoll_timeout() const {
    constexpr std::chrono::milliseconds kNoTimeout(-1);
    const std::chrono::milliseconds max_wait = manager_.max_wait().value_or(kNoTimeout);
    const bool tick_is_first = ticking_ && (max_wait == kNoTimeout || kTickInterval < max_wait);
    return static_cast<int>((tick_is_first ? kTickInterval : max_wait).count());
}

std::optional<ReadyRequest> Dispatcher::next_after(RequestQueue::Lane lane, std::uint64_t id,
                                                   Descriptor connection, Disposition disposition) {
    if (lane == RequestQueue::Lane::admitted && connection.number() >= 0 &&
        disposition == Disposition::keep) {
        if (std::optional<ReadyRequest> request = linger(id, connection)) {
            return request;
        }
    }
    give_back(id, std::move(connection), disposition);
    return queue_.next(lane);
}

std::optional<ReadyRequest> Dispatcher::linger(std::uint64_t id, Descriptor& connection) {
    if (!queue_.has_spare_thread()) {
        return std::nullopt;
    }
    {
        const std::lock_guard lock(mutex_);
        if (stopping_) {
            return std::nullopt;
        }
    }
    pollfd next_request = {.fd = connection.number(), .events = POLLIN, .revents = 0};
    if (::poll(&next_request, 1, static_cast<int>(kLingerTime.count())) <= 0) {
        return std::nullopt;
    }
    const Clock::time_point now = Clock::now();
    std::array<char, kTypicalRequestHead> peeked{};
    const ssize_t count =
        ::recv(connection.number(), peeked.data(), peeked.size(), MSG_PEEK | MSG_DONTWAIT);
    if (count <= 0) {
        return std::nullopt;
    }
    const RequestFraming framing = inspect_request({peeked.data(), static_cast<size_t>(count)});
    if (framing.state != RequestFraming::State::whole || framing.from_operator) {
        return std::nullopt;
    }
    return ReadyRequest{id, std::move(connection), framing, now, now, Deadline(now + budget_)};
}

void Dispatcher::give_back(std::uint64_t id, Descriptor connection, Disposition disposition) {
    if (disposition == Disposition::close) {
        connection = Descriptor();
    }
    const int descriptor = connection.number();
    const bool kept = descriptor >= 0 && disposition == Disposition::keep;
    bool needs_attention = disposition == Disposition::drain;
    {
        const std::lock_guard lock(mutex_);
        returned_.push_back({id, std::move(connection), disposition});
        needs_attention = needs_attention || stopping_;
        // Keep the lock, so that the dispatching thread cannot close the descriptor first.
        if (kept) {
            change_events(descriptor, kIdleEvents, id);
        }
    }
    if (needs_attention) {
        constexpr std::uint64_t kOne = 1;
        [[maybe_unused]] const ssize_t written = ::write(wake_.number(), &kOne, sizeof kOne);
    }
}

int Dispatcher::watch(int descriptor, std::uint32_t events, std::uint64_t id) const {
    epoll_event event = {.events = events, .data = {.u64 = id}};
    return ::epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, descriptor, &event);
}

void Dispatcher::change_events(int descriptor, std::uint32_t events, std::uint64_t id) const {
    epoll_event event = {.events = events, .data = {.u64 = id}};
    ::epoll_ctl(epoll_.number(), EPOLL_CTL_MOD, descriptor, &event);
}

void Dispatcher::handle(std::uint64_t id, std::uint32_t events) {
    switch (id) {
        case kListenerId:
            // On a Unix socket that was shut down, accept() only fails with EAGAIN.
            if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
                handle_lost_listener();
            } else {
                accept_connections();
            }
            return;
        case kSignalsId:
            read_signals();
            return;
        case kWakeId: {
            std::uint64_t times = 0;
            [[maybe_unused]] const ssize_t count = ::read(wake_.number(), &times, sizeof times);
            return;
        }
        default:
            break;
    }
    const auto position = connections_.find(id);
    if (position == connections_.end()) {
        return;  // a serving thread owns it, or it has just been closed
    }
    if (position->second.state == Connection::State::draining) {
        discard(position);
    } else {
        inspect(position, (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
    }
}

void Dispatcher::accept_connections() {
    for (int i = 0; i < kMaxAccepts && accepting_; ++i) {
        Descriptor descriptor(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC));
        if (descriptor.number() < 0) {
            if (errno == EAGAIN) {
                make_nonblocking(listener_);
                return;
            }
            if (is_lost_listener(errno)) {
                handle_lost_listener();
            } else if (is_out_of_resources(errno)) {
                pause_accepting();
                return;
            }
            continue;  // the peer closed that connection before accept()
        }
        out_of_resources_ = false;
        set_read_timeout(descriptor.number(), budget_);
        const std::uint64_t id = next_id_++;
        if (watch(descriptor.number(), kReceivingEvents, id) < 0) {
            pause_accepting();
            return;
        }
        const Clock::time_point now = Clock::now();
        const auto [position, inserted] = connections_.emplace(
            id, Connection{Connection::State::accepted, std::move(descriptor), now, now + budget_});
        ticking_ = true;
        inspect(position, false);
    }
}

void Dispatcher::pause_accepting() {
    if (!out_of_resources_) {
        log_.event(LogLevel::error, "accept_paused",
                   {{"reason", std::generic_category().message(errno)}});
        out_of_resources_ = true;
    }
    ::epoll_ctl(epoll_.number(), EPOLL_CTL_DEL, listener_, nullptr);
    paused_ = true;
    ticking_ = true;
}

void Dispatcher::read_signals() {
    signalfd_siginfo signal{};
    while (::read(signals_.number(), &signal, sizeof signal) == sizeof signal) {
        if (signal.ssi_signo == SIGHUP) {
            on_hangup_();
        } else {
            stop_accepting(End::stopped);
        }
    }
}

void Dispatcher::handle_lost_listener() {
    log_.event(LogLevel::error, "listener_lost");
    stop_accepting(End::listener_lost);
}

void Dispatcher::stop_accepting(End end) {
    if (!accepting_) {
        return;
    }
    manager_.notify_stopping(budget_ + kMaxAfterBudget);
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    take_returned();  // the connections returned before stopping_ was set
    end_ = end;
    accepting_ = false;
    ::epoll_ctl(epoll_.number(), EPOLL_CTL_DEL, listener_, nullptr);
    ::epoll_ctl(epoll_.number(), EPOLL_CTL_DEL, signals_.number(), nullptr);

    // The next request on a kept connection may have arrived together with the signal.
    const auto is_idle = [](const Connections::value_type& connection) {
        return connection.second.state == Connection::State::idle;
    };
    for (auto position = connections_.begin(); position != connections_.end();) {
        const auto current = position++;
        if (is_idle(*current)) {
            inspect(current, false);
        }
    }
    std::erase_if(connections_, is_idle);
    for (auto& [id, connection] : connections_) {
        if (connection.state != Connection::State::receiving) {
            connection.deadline = Clock::now() + kGraceAtStop;
        }
    }
}

void Dispatcher::take_returned() {
    std::vector<Returned> returned;
    {
        const std::lock_guard lock(mutex_);
        returned.swap(returned_);
    }
    for (Returned& back : returned) {
        --in_service_;
        if (back.connection.number() < 0 ||
            (back.disposition == Disposition::keep && !accepting_)) {
            continue;
        }
        Connection connection = {Connection::State::idle, std::move(back.connection),
                                 Clock::time_point(), Clock::time_point::max()};
        if (back.disposition == Disposition::drain) {
            const int descriptor = connection.descriptor.number();
            ::shutdown(descriptor, SHUT_WR);
            change_events(descriptor, kDrainingEvents, back.id);
            connection.state = Connection::State::draining;
            connection.deadline = Clock::now() + (accepting_ ? budget_ : kGraceAtStop);
            ticking_ = true;
        }
        connections_.emplace(back.id, std::move(connection));
    }
}

void Dispatcher::inspect(Connections::iterator position, bool hung_up) {
    Connection& connection = position->second;
    const bool was_idle = connection.state == Connection::State::idle;
    const ssize_t count = ::recv(connection.descriptor.number(), peeked_.data(), peeked_.size(),
                                 MSG_PEEK | MSG_DONTWAIT);
    if (count <= 0) {
        const bool nothing_yet = count < 0 && (errno == EAGAIN || errno == EINTR);
        if (!nothing_yet || hung_up) {
            connections_.erase(position);
        } else if (was_idle) {
            change_events(connection.descriptor.number(), kIdleEvents, position->first);
        }
        return;
    }

    connection.state = Connection::State::receiving;
    if (was_idle) {
        connection.arrived = Clock::now();
        connection.deadline = connection.arrived + budget_;
        ticking_ = true;
    }
    const auto size = static_cast<size_t>(count);
    const RequestFraming framing = inspect_request({peeked_.data(), size});
    if (framing.state == RequestFraming::State::whole) {
        if (!was_idle) {
            change_events(connection.descriptor.number(), kNoEvents, position->first);
        }
        enqueue(position, framing);
    } else if (framing.state == RequestFraming::State::malformed) {
        close(position, "not a FastCGI request");
    } else if (size == peeked_.size()) {
        close(position, "parameters exceed 256 KiB");
    } else if (hung_up) {
        close(position, "request cut off");
    } else if (was_idle) {
        change_events(connection.descriptor.number(), kReceivingEvents, position->first);
    }
}

void Dispatcher::discard(Connections::iterator position) {
    const ssize_t count =
        ::recv(position->second.descriptor.number(), peeked_.data(), peeked_.size(), MSG_DONTWAIT);
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
        connections_.erase(position);
    }
}

void Dispatcher::enqueue(Connections::iterator position, const RequestFraming& framing) {
    Connection& connection = position->second;
    ReadyRequest request{position->first, std::move(connection.descriptor),
                         framing,         connection.arrived,
                         Clock::now(),    Deadline(connection.deadline)};
    connections_.erase(position);
    ++in_service_;
    count_open_connections();  // before the operator's thread may tell the number
    ticking_ = true;
    queue_.add(std::move(request));
}

void Dispatcher::close(Connections::iterator position, const char* reason) {
    log_.event(LogLevel::warning, "connection_closed", {{"reason", reason}});
    connections_.erase(position);
}

void Dispatcher::count_open_connections() {
    open_connections_.store(connections_.size() + in_service_, std::memory_order_relaxed);
}

void Dispatcher::shut_down_if_overdue(ActiveRequest& active, Clock::time_point now) {
    if (active.shut_down_if_overdue(now)) {
        log_.event(LogLevel::warning, "connection_closed",
                   {{"reason", "answer not written within the request's budget"}});
    }
}

void Dispatcher::tick() {
    const Clock::time_point now = Clock::now();
    if (!ticking_ || now < next_tick_) {
        return;
    }
    next_tick_ = now + kTickInterval;
    if (paused_ && accepting_) {
        paused_ = watch(listener_, EPOLLIN, kListenerId) < 0;
    }
    queue_.refuse_overdue(now);
    for (ActiveRequest& active : active_requests_) {
        shut_down_if_overdue(active, now);
    }
    shut_down_if_overdue(operator_request_, now);
    all_stuck_ = !active_requests_.empty() &&
                 std::ranges::all_of(active_requests_, [now](const ActiveRequest& thread) {
                     return thread.is_stuck(now);
                 });
    const bool any_pending = close_overdue(now);
    ticking_ = paused_ || in_service_ > 0 || any_pending;
}

bool Dispatcher::close_overdue(Clock::time_point now) {
    bool others = false;
    for (auto position = connections_.begin(); position != connections_.end();) {
        const auto current = position++;
        const Connection& connection = current->second;
        if (now < connection.deadline) {
            others = others || connection.state != Connection::State::idle;
        } else if (connection.state == Connection::State::receiving) {
            close(current, "request not complete within its budget");
        } else {
            connections_.erase(current);
        }
    }
    return others;
}

}  // namespace kheops
