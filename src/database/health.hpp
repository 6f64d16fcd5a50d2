// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "database/error.hpp"
#include "deadline.hpp"
#include "log.hpp"

namespace kheops {

/// How long to pause between two tries to find a lost database: from 200 to 600 ms, as `random`
/// from [0, 1) has it, so that many workers that lost it together do not return together.
[[nodiscard]] std::chrono::milliseconds pause_between_tries(double random);

/// How long the try of that number in a row, from 1, waits for a silent server: each fourth as long
/// as a request would (`patience`), for a server that is slow to let anyone in.
[[nodiscard]] std::chrono::milliseconds try_limit(unsigned number,
                                                  std::chrono::milliseconds patience);

/// What all threads know together of the database. It tells the log when the database is lost, once
/// for each reason, and when it is back; and it keeps the threads from knocking at a door that
/// nobody opens: once a connection has failed, only look_after() tries, and everyone else is told
/// so at once. Safe to use from several threads; the log is never written to while others wait.
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

    /// Runs `connect` as soon as few enough others are connecting. Throws what it throws, of
    /// whatever kind; without running it, DatabaseError where the database is known to be lost or
    /// `deadline` passes.
    void connecting(Deadline deadline, const std::function<void()>& connect);

    /// For a thread of its own: whenever the database is lost or in doubt, runs `connect` again and
    /// again, each time with the deadline it is to keep, until it succeeds. `patience` is how long
    /// a request would wait. Returns when `stop` says so; the deadline's caller hangs up then, so
    /// that a `connect` under way ends at once but for a name that libpq is looking up.
    /// Without this, as in a program that serves one request, everyone tries for themselves.
    void look_after(const std::stop_token& stop, std::chrono::milliseconds patience,
                    const std::function<void(Deadline)>& connect);

  private:
    enum class State { well, doubtful, lost };

    class Slot;

    void fail_try(const DatabaseError& error);
    void set_well();
    void log_loss(const DatabaseError& error, const std::vector<std::string>& reasons) const;
    /// Those that are to be logged; they count as logged then.
    /// \pre mutex_ is held, here and below.
    std::vector<std::string> new_reasons(const DatabaseError& error);
    void doubt();
    void lose(const DatabaseError& error);

    const Log& log_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::set<std::string> reasons_;  // logged since the database was last well
    std::atomic<bool> pooler_logged_ = false;
    bool looked_after_ = false;
    State state_ = State::well;          // other than well only while looked after
    std::optional<DatabaseError> loss_;  // why it is lost
    unsigned connecting_ = 0;
};

}  // namespace kheops
