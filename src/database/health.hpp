// SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>

#include "database/error.hpp"
#include "deadline.hpp"
#include "log.hpp"

namespace kheops {

/// What all threads know together of the database. It tells the log when the database is lost, once
/// for each reason, and when it is back; and it keeps the threads from knocking at a door that
/// nobody opens: once a connection has failed, only look_after() tries, and everyone else is told
/// so at once.
class DatabaseHealth {
  public:
    /// `log` outlives this.
    explicit DatabaseHealth(const Log& log) : log_(log) {}

    /// A query failed, its connection included. Silence up to the deadline may be a slow query or a
    /// lost server: look_after() finds out.
    void failed(const DatabaseError& error);
    void answered();
    /// There is a pooler before the database; said once.
    void found_pooler();

    /// Runs `connect` as soon as few enough others are connecting. Throws what it throws; without
    /// running it, DatabaseError where the database is known to be lost or `deadline` passes.
    void connecting(Deadline deadline, const std::function<void()>& connect);

    /// For a thread of its own: whenever the database is lost or in doubt, runs `connect` again and
    /// again, each time with the deadline it is to keep, until it succeeds. `patience` is how long
    /// a request would wait. Returns when `stop` says so; a `connect` under way is waited for.
    /// Without this, as in a program that serves one request, everyone tries for themselves.
    void look_after(const std::stop_token& stop, std::chrono::milliseconds patience,
                    const std::function<void(Deadline)>& connect);

  private:
    enum class State { well, doubtful, lost };

    /// \pre mutex_ is held, here and below.
    void log_loss(const DatabaseError& error);
    void doubt();
    void lose(const DatabaseError& error);

    const Log& log_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::set<std::string> reasons_;  // logged since the database was last well
    bool pooler_logged_ = false;
    bool looked_after_ = false;
    State state_ = State::well;          // other than well only while looked after
    std::optional<DatabaseError> loss_;  // why it is lost
    unsigned connecting_ = 0;
};

}  // namespace kheops
