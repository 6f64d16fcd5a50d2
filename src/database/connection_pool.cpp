// SPDX-License-Identifier: MIT
#include "database/connection_pool.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <exception>
#include <random>
#include <sstream>

namespace kheops {

namespace {

using std::chrono::milliseconds;

/// Maximum number of logged reasons for one loss. A server could send a new reason each time.
constexpr std::size_t kMaxReasons = 8;

/// Maximum number of simultaneous connection attempts, so that a restarted server does not have to
/// fork a process for each thread of each worker at once.
constexpr std::size_t kMaxConnecting = 4;

/// An answer within this time shows that the server is up. The pool logs a connection limit when
/// refusals last this long (at once for SQLSTATE 53300), and its end when a new connection does.
constexpr milliseconds kRecentAnswer(1000);

/// Returns a number in [0, 1).
double random_number() {
    thread_local std::minstd_rand engine{std::random_device{}()};
    return std::generate_canonical<double, 32>(engine);
}

/// Calls `function` and returns its exception, which would otherwise end the program.
template <typename Function>
std::optional<DatabaseError> catch_error(const Function& function) {
    try {
        function();
        return std::nullopt;
    } catch (const DatabaseError& error) {
        return error;
    } catch (const std::exception& error) {
        return DatabaseError(DatabaseError::Kind::unreachable, "", error.what());
    }
}

}  // namespace

ConnectionPool::ConnectionPool(DatabaseSettings settings, std::size_t max_connections,
                               const Log& log, const PoolTimes& times)
    : settings_(std::move(settings)),
      max_connections_(max_connections),
      log_(log),
      times_(times),
      next_maintenance_(Clock::now() + times.maintenance_interval) {
    // If pipe2() fails, the destructor waits for connection attempts to end.
    std::array<int, 2> ends = {-1, -1};
    [[maybe_unused]] const int made = ::pipe2(ends.data(), O_CLOEXEC);
    stop_signal_ = Descriptor(ends[0]);
    stop_end_ = Descriptor(ends[1]);
    const std::size_t threads = std::min(max_connections_, kMaxConnecting);
    idle_.reserve(max_connections_);  // so that returning a connection cannot fail
    connectors_.reserve(threads);
    try {
        for (std::size_t i = 0; i < threads; ++i) {
            connectors_.emplace_back([this] { run_connector(); });
        }
    } catch (...) {
        stop();
        throw;
    }
}

ConnectionPool::~ConnectionPool() {
    stop();
}

void ConnectionPool::stop() {
    {
        const std::lock_guard lock(mutex_);
        is_stopping_ = true;
    }
    stop_end_ = Descriptor();
    work_changed_.notify_all();
    for (std::thread& connector : connectors_) {
        connector.join();
    }
}

ConnectionPool::Lease ConnectionPool::borrow(Deadline deadline) {
    Lock lock(mutex_);
    while (!idle_.empty()) {
        Pooled last = std::move(idle_.back());
        idle_.pop_back();
        lock.unlock();
        if (last.connection->is_quiet()) {
            return {*this, std::move(last)};
        }
        last.connection.reset();
        lock.lock();
        note_closed(1);
    }
    if (state_ == State::down) {
        throw DatabaseError(*loss_);
    }
    Waiter waiter;
    waiters_.push_back(&waiter);
    had_waiters_ = true;
    work_changed_.notify_one();
    const bool is_done = waiter.done.wait_until(lock, deadline.end(),
                                                [&] { return waiter.connection || waiter.error; });
    if (waiter.connection) {
        return {*this, std::move(*waiter.connection)};
    }
    if (is_done) {
        throw DatabaseError(*waiter.error);
    }
    std::erase(waiters_, &waiter);
    throw DatabaseError(DatabaseError::Kind::timed_out, "",
                        "no connection within the request's budget");
}

void ConnectionPool::note_failure(const DatabaseError& error) {
    Lock lock(mutex_);
    switch (error.kind()) {
        case DatabaseError::Kind::timed_out:  // the request's own log line reports it
            if (error.sqlstate().empty() && Clock::now() - last_answer_ > kRecentAnswer) {
                set_suspect(Clock::now());
            }
            break;
        case DatabaseError::Kind::conflict:
        case DatabaseError::Kind::abandoned:
        case DatabaseError::Kind::untranslatable:
            break;
        default:
            log_loss(error);
    }
    finish_work(lock);
}

ConnectionPool::Status ConnectionPool::status() {
    const std::lock_guard lock(mutex_);
    return {.is_down = state_ == State::down, .open = open_, .in_use = open_ - idle_.size()};
}

void ConnectionPool::Lease::give_back() noexcept {
    if (pool_ != nullptr) {
        pool_->take_back(std::move(pooled_), answered_);
    }
}

void ConnectionPool::take_back(Pooled pooled, bool answered) {
    const bool usable = pooled.connection->is_usable();
    if (!usable) {
        pooled.connection.reset();  // close first: a new connection may need the place
    }
    const Clock::time_point now = Clock::now();
    Lock lock(mutex_);
    if (usable) {
        pooled.times.last_used = now;
        pooled.is_new = false;
        last_answer_ = now;
        set_up();
        hand_over(std::move(pooled));
        note_no_limit(now);
    } else {
        note_closed(1);
    }
    if (answered && !logged_reasons_.empty()) {
        logged_reasons_.clear();
        events_.push_back({LogLevel::info, "database_back", {}});
    }
    finish_work(lock);
}

void ConnectionPool::run_connector() {
    Lock lock(mutex_);
    while (!is_stopping_) {
        const Clock::time_point now = Clock::now();
        if (is_growth_due(now)) {
            open_connection(lock, settings_.budget);
        } else if (is_probe_due(now)) {
            probe(lock);
        } else if (is_maintenance_due(now)) {
            maintain(lock);
        } else if (const Clock::time_point next = next_work(); next == Clock::time_point::max()) {
            work_changed_.wait(lock);
        } else {
            work_changed_.wait_until(lock, next);
        }
    }
}

void ConnectionPool::open_connection(Lock& lock, milliseconds limit) {
    ++connecting_;
    work_changed_.notify_one();  // other requests may need connections too
    lock.unlock();
    const Clock::time_point began = Clock::now();
    std::unique_ptr<Connection> connection;
    const std::optional<DatabaseError> error = catch_error([&] {
        connection = connect(settings_, Deadline(began + limit).with_peer(stop_signal_.number()));
    });
    lock.lock();
    --connecting_;
    if (!error) {
        add_opened(std::move(connection));
    } else if (!is_stopping_) {
        note_refusal(*error, began);
    }
    finish_work(lock);
    lock.lock();
}

void ConnectionPool::probe(Lock& lock) {
    is_probing_ = true;
    const milliseconds limit = probe_timeout(++probes_, settings_.budget);
    if (state_ == State::suspect && !idle_.empty()) {
        Pooled pooled = std::move(idle_.front());
        idle_.erase(idle_.begin());
        lock.unlock();
        const Deadline deadline(Clock::now() + limit);
        const std::optional<DatabaseError> error = catch_error(
            [&] { pooled.connection->ping(deadline.with_peer(stop_signal_.number())); });
        lock.lock();
        if (!error) {
            last_answer_ = Clock::now();
            set_up();
            hand_over(std::move(pooled));
        } else {  // the others may be dead too; the next probe connects
            closing_.push_back(std::move(pooled));
            note_closed(1);
            close_idle(false);
        }
        finish_work(lock);
        lock.lock();
    } else {
        open_connection(lock, limit);
    }
    is_probing_ = false;
    work_changed_.notify_one();
}

void ConnectionPool::maintain(Lock& lock) {
    const Clock::time_point now = Clock::now();
    next_maintenance_ = now + times_.maintenance_interval;
    const auto close = [this](std::vector<Pooled>::iterator pooled) {
        closing_.push_back(std::move(*pooled));
        idle_.erase(pooled);
        note_closed(1);
    };
    while (!idle_.empty() && is_surplus(idle_.front().times, state_for_policy(), times_, now)) {
        close(idle_.begin());
    }
    const auto expired = std::find_if(idle_.begin(), idle_.end(), [&](const Pooled& pooled) {
        return should_be_replaced(pooled.times, state_for_policy(), now);
    });
    had_waiters_ = false;
    bool replace = false;
    if (expired != idle_.end()) {
        close(expired);
        replace = open_ == 0 && has_room();
    }
    finish_work(lock);
    lock.lock();
    if (replace && open_ == 0 && has_room()) {
        open_connection(lock, settings_.budget);
    }
}

void ConnectionPool::finish_work(Lock& lock) {
    const std::vector<Event> events = std::exchange(events_, {});
    std::vector<Pooled> closing = std::exchange(closing_, {});
    lock.unlock();
    closing.clear();
    for (const Event& event : events) {
        log_.event(event.level, event.name, event.pairs);
    }
}

bool ConnectionPool::has_room() const {
    return open_ + connecting_ < max_connections_;
}

bool ConnectionPool::is_growth_due(Clock::time_point now) const {
    return state_ == State::up && waiters_.size() > connecting_ && has_room() &&
           (refusals_ == 0 || connecting_ == 0) && now >= next_growth_;
}

bool ConnectionPool::is_probe_due(Clock::time_point now) const {
    return state_ != State::up && !is_probing_ && (has_room() || !idle_.empty()) &&
           now >= next_probe_;
}

bool ConnectionPool::is_maintenance_due(Clock::time_point now) const {
    // Checks open_ and not idle_: no thread is woken when a connection becomes idle.
    return open_ > 0 && now >= next_maintenance_;
}

Clock::time_point ConnectionPool::next_work() const {
    Clock::time_point next = Clock::time_point::max();
    for (const auto& [is_due, at] :
         {std::pair(&ConnectionPool::is_growth_due, next_growth_),
          std::pair(&ConnectionPool::is_probe_due, next_probe_),
          std::pair(&ConnectionPool::is_maintenance_due, next_maintenance_)}) {
        if ((this->*is_due)(Clock::time_point::max())) {
            next = std::min(next, at);
        }
    }
    return next;
}

PoolState ConnectionPool::state_for_policy() const {
    return {.open = open_, .is_limited = is_limited_, .had_waiters = had_waiters_};
}

void ConnectionPool::add_opened(std::unique_ptr<Connection> connection) {
    const Clock::time_point now = Clock::now();
    ++open_;
    last_answer_ = now;
    refusals_ = 0;
    next_growth_ = now;
    opened_at_ = now;
    if (connection->uses_pooler() && !std::exchange(is_pooler_logged_, true)) {
        events_.push_back(
            {LogLevel::warning,
             "database_pooler",
             {{"reason", "statements are not prepared, and the role's settings apply"}}});
    }
    set_up();
    const milliseconds life = lifetime(times_.max_lifetime, random_number());
    hand_over({.connection = std::move(connection), .times = {now, now + life}});
}

void ConnectionPool::note_refusal(const DatabaseError& error, Clock::time_point began) {
    const Clock::time_point now = Clock::now();
    close_idle(true);
    if (refusals_++ == 0) {
        refused_since_ = began;
    }
    if (open_ == 0 && connecting_ > 0 && state_ == State::up) {
        return;  // another attempt may succeed
    }
    if (open_ == 0) {
        // A server needs time to free the place of a closed connection: retry once.
        if (error.is_out_of_connections() && state_ != State::down && !out_of_connections_) {
            out_of_connections_ = true;
            state_ = State::up;
            set_suspect(now + probe_interval(random_number()));
        } else {
            set_down(error);
        }
        return;
    }
    next_growth_ = now + growth_backoff(refusals_, random_number());
    const bool is_there = !error.sqlstate().empty() || last_answer_ > began;
    if (is_there) {
        set_up();
        note_limit(error, now);
    } else if (state_ == State::up) {
        set_suspect(now);
    } else {
        set_down(error);
    }
}

void ConnectionPool::note_limit(const DatabaseError& error, Clock::time_point now) {
    if (connecting_ > 0) {
        return;  // the other attempts show how many connections are possible
    }
    limited_to_ = is_limited_ ? std::max(limited_to_, open_) : open_;
    // Another error must last: the server may be about to end the existing connections too.
    if (is_limited_ || !(error.is_out_of_connections() || now - refused_since_ >= kRecentAnswer)) {
        return;
    }
    is_limited_ = true;
    const std::string reasons = error.what();
    events_.push_back({LogLevel::warning,
                       "database_connections_limited",
                       {{"connections", std::to_string(open_)},
                        {"sqlstate", error.sqlstate()},
                        {"reason", reasons.substr(0, reasons.find('\n'))}}});
}

void ConnectionPool::note_no_limit(Clock::time_point now) {
    // The new connection may only replace one whose end the pool has not yet detected.
    if (!is_limited_ || open_ <= limited_to_ || now - opened_at_ < kRecentAnswer) {
        return;
    }
    close_idle(true);
    if (open_ > limited_to_) {
        is_limited_ = false;
        events_.push_back({LogLevel::info,
                           "database_connections_unlimited",
                           {{"connections", std::to_string(open_)}}});
    }
}

void ConnectionPool::hand_over(Pooled pooled) {
    if (waiters_.empty()) {
        idle_.push_back(std::move(pooled));
        return;
    }
    Waiter& first = *waiters_.front();
    waiters_.pop_front();
    first.connection = std::move(pooled);
    first.done.notify_one();
}

void ConnectionPool::note_closed(std::size_t connections) {
    open_ -= connections;
    // The server may have a free place now.
    next_growth_ = Clock::now();
    work_changed_.notify_one();
}

void ConnectionPool::close_idle(bool dead_only) {
    const auto is_kept = [dead_only](const Pooled& pooled) {
        return dead_only && pooled.connection->is_quiet();
    };
    const auto closed = std::stable_partition(idle_.begin(), idle_.end(), is_kept);
    const auto count = static_cast<std::size_t>(idle_.end() - closed);
    std::move(closed, idle_.end(), std::back_inserter(closing_));
    idle_.erase(closed, idle_.end());
    if (count > 0) {
        note_closed(count);
    }
}

void ConnectionPool::set_up() {
    if (state_ != State::up) {
        state_ = State::up;
        loss_.reset();
        probes_ = 0;
        work_changed_.notify_one();
    }
    out_of_connections_ = false;
}

void ConnectionPool::set_suspect(Clock::time_point next_probe) {
    if (state_ == State::up) {
        state_ = State::suspect;
        next_probe_ = next_probe;
        work_changed_.notify_one();
    }
}

void ConnectionPool::set_down(const DatabaseError& error) {
    state_ = State::down;
    loss_ = DatabaseError(DatabaseError::Kind::unreachable, error.sqlstate(), error.what());
    next_probe_ = Clock::now() + probe_interval(random_number());
    refusals_ = 0;
    is_limited_ = false;
    out_of_connections_ = false;
    close_idle(false);
    log_loss(error);
    for (Waiter* waiter : std::exchange(waiters_, {})) {
        waiter->error = *loss_;
        waiter->done.notify_one();
    }
    work_changed_.notify_one();
}

void ConnectionPool::log_loss(const DatabaseError& error) {
    std::istringstream lines(error.what());
    for (std::string reason; std::getline(lines, reason);) {
        if (logged_reasons_.size() < kMaxReasons && logged_reasons_.insert(reason).second) {
            events_.push_back({LogLevel::error,
                               "database_lost",
                               {{"sqlstate", error.sqlstate()}, {"reason", reason}}});
        }
    }
}

}  // namespace kheops
