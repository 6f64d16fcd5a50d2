// SPDX-License-Identifier: MIT
#include "database/health.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <exception>
#include <random>
#include <sstream>

#include "descriptor.hpp"

namespace kheops {

namespace {

using std::chrono::milliseconds;

/// How many reasons are logged before the database is back; it could think of ever new ones.
constexpr size_t kMostReasons = 8;

/// Connections made at once. A server that has just come up is not to fork one for each thread of
/// each worker in the same moment.
constexpr unsigned kMostConnecting = 4;

/// How long a try waits for a silent server. Packets that were lost are sent again at growing
/// intervals; a new try begins anew and so notices sooner that the server is back.
constexpr milliseconds kTryLimit(1500);

constexpr unsigned kPatientTry = 4;

/// In [0, 1).
double random_number() {
    std::random_device entropy;
    return std::generate_canonical<double, 32>(entropy);
}

/// What `connect` throws; an exception of another kind is a reason too, and ends no thread.
std::optional<DatabaseError> failure_of(const std::function<void(Deadline)>& connect,
                                        Deadline deadline) {
    try {
        connect(deadline);
        return std::nullopt;
    } catch (const DatabaseError& error) {
        return error;
    } catch (const std::exception& error) {
        return DatabaseError(DatabaseError::Kind::unreachable, "", error.what());
    }
}

}  // namespace

milliseconds pause_between_tries(double random) {
    constexpr milliseconds kMin(200);
    constexpr milliseconds kMax(600);
    return kMin + std::chrono::floor<milliseconds>(random * (kMax - kMin));
}

milliseconds try_limit(unsigned number, milliseconds patience) {
    return number % kPatientTry == 0 ? std::max(patience, kTryLimit) : kTryLimit;
}

/// One of the few that connect at once. Counted before it is made, given back with it.
class DatabaseHealth::Slot {
  public:
    explicit Slot(DatabaseHealth& health) : health_(health) {}
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    ~Slot() {
        const std::lock_guard lock(health_.mutex_);
        --health_.connecting_;
        health_.changed_.notify_all();
    }

  private:
    DatabaseHealth& health_;
};

void DatabaseHealth::failed(const DatabaseError& error) {
    std::vector<std::string> reasons;
    {
        const std::lock_guard lock(mutex_);
        switch (error.kind()) {
            case DatabaseError::Kind::late:  // one request's fate, told in its own line
                if (error.sqlstate().empty()) {
                    doubt();
                }
                return;
            case DatabaseError::Kind::conflict:
            case DatabaseError::Kind::abandoned:
                return;
            default:
                reasons = new_reasons(error);
        }
    }
    log_loss(error, reasons);
}

void DatabaseHealth::answered() {
    {
        const std::lock_guard lock(mutex_);
        if (reasons_.empty()) {
            return;
        }
        reasons_.clear();
    }
    log_.event(LogLevel::info, "database_back");
}

void DatabaseHealth::found_pooler() {
    if (!pooler_logged_.exchange(true)) {
        log_.event(LogLevel::warning, "database_pooler",
                   {{"reason", "statements are not prepared, and the role's own settings hold"}});
    }
}

void DatabaseHealth::connecting(Deadline deadline, const std::function<void()>& connect) {
    {
        std::unique_lock lock(mutex_);
        const bool in_time = changed_.wait_for(lock, deadline.remaining(), [this] {
            return state_ == State::lost ||
                   (state_ == State::well && connecting_ < kMostConnecting);
        });
        if (state_ == State::lost) {
            throw DatabaseError(*loss_);
        }
        if (!in_time) {
            throw DatabaseError(DatabaseError::Kind::late, "",
                                "no connection within the request's budget");
        }
        ++connecting_;
    }
    const Slot slot(*this);
    try {
        connect();
    } catch (const DatabaseError& error) {
        const std::lock_guard lock(mutex_);
        switch (error.kind()) {
            case DatabaseError::Kind::late:
                doubt();  // this request had too little time left, or nobody would have had enough
                break;
            case DatabaseError::Kind::conflict:
            case DatabaseError::Kind::abandoned:
                break;
            default:
                lose(error);
        }
        throw;
    }
}

void DatabaseHealth::look_after(const std::stop_token& stop, milliseconds patience,
                                const std::function<void(Deadline)>& connect) {
    // The reading end of a pipe hangs up when the other one is closed. Without one, a try under way
    // is waited for.
    std::array<int, 2> ends = {-1, -1};
    [[maybe_unused]] const int made = ::pipe2(ends.data(), O_CLOEXEC);
    const Descriptor caller(ends[0]);
    Descriptor other_end(ends[1]);
    const std::stop_callback hang_up(stop, [&other_end] { other_end = Descriptor(); });

    const auto await_loss = [&] {
        std::unique_lock lock(mutex_);
        looked_after_ = true;
        return changed_.wait(lock, stop, [this] { return state_ != State::well; }) &&
               !stop.stop_requested();
    };
    unsigned tries = 0;
    while (await_loss()) {
        const Deadline deadline(Clock::now() + try_limit(++tries, patience));
        const std::optional<DatabaseError> error =
            failure_of(connect, deadline.with_caller(caller.number()));
        if (stop.stop_requested()) {
            break;
        }
        if (error) {
            fail_try(*error);
        } else {
            tries = 0;
            set_well();
        }
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, stop, pause_between_tries(random_number()), [] { return false; });
    }
    const std::lock_guard lock(mutex_);
    looked_after_ = false;
    state_ = State::well;
    changed_.notify_all();
}

void DatabaseHealth::fail_try(const DatabaseError& error) {
    std::vector<std::string> reasons;
    {
        const std::lock_guard lock(mutex_);
        reasons = new_reasons(error);
        lose(error);
    }
    log_loss(error, reasons);
}

void DatabaseHealth::set_well() {
    const std::lock_guard lock(mutex_);
    state_ = State::well;
    changed_.notify_all();
}

void DatabaseHealth::log_loss(const DatabaseError& error,
                              const std::vector<std::string>& reasons) const {
    for (const std::string& reason : reasons) {
        log_.event(LogLevel::error, "database_lost",
                   {{"sqlstate", error.sqlstate()}, {"reason", reason}});
    }
}

std::vector<std::string> DatabaseHealth::new_reasons(const DatabaseError& error) {
    std::vector<std::string> fresh;
    std::istringstream lines(error.what());
    for (std::string reason; std::getline(lines, reason);) {
        if (reasons_.size() < kMostReasons && reasons_.insert(reason).second) {
            fresh.push_back(reason);
        }
    }
    return fresh;
}

void DatabaseHealth::doubt() {
    if (looked_after_ && state_ == State::well) {
        state_ = State::doubtful;
        changed_.notify_all();
    }
}

void DatabaseHealth::lose(const DatabaseError& error) {
    if (looked_after_) {
        state_ = State::lost;
        loss_ = DatabaseError(DatabaseError::Kind::unreachable, error.sqlstate(), error.what());
        changed_.notify_all();
    }
}

}  // namespace kheops
