// SPDX-License-Identifier: MIT
#include "database/health.hpp"

#include <algorithm>
#include <random>
#include <utility>

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

/// Each so many tries in a row may take a request's whole budget, for a server that is slow to let
/// anyone in.
constexpr unsigned kPatientTry = 4;

/// Between two tries: many workers that lost the database together do not return together.
milliseconds random_pause() {
    constexpr int kShortest = 200;
    constexpr int kLongest = 600;
    std::random_device entropy;
    return milliseconds(std::uniform_int_distribution(kShortest, kLongest)(entropy));
}

}  // namespace

void DatabaseHealth::failed(const DatabaseError& error) {
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
            log_loss(error);
    }
}

void DatabaseHealth::answered() {
    const std::lock_guard lock(mutex_);
    if (!reasons_.empty()) {
        reasons_.clear();
        log_.event(LogLevel::info, "database_back");
    }
}

void DatabaseHealth::found_pooler() {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(pooler_logged_, true)) {
        log_.event(LogLevel::warning, "database_pooler",
                   {{"reason", "statements are not prepared, and the role's own settings hold"}});
    }
}

void DatabaseHealth::connecting(Deadline deadline, const std::function<void()>& connect) {
    std::unique_lock lock(mutex_);
    const bool in_time = changed_.wait_for(lock, deadline.remaining(), [this] {
        return state_ == State::lost || (state_ == State::well && connecting_ < kMostConnecting);
    });
    if (state_ == State::lost) {
        throw DatabaseError(*loss_);
    }
    if (!in_time) {
        throw DatabaseError(DatabaseError::Kind::late, "",
                            "no connection within the request's budget");
    }

    ++connecting_;
    lock.unlock();
    std::optional<DatabaseError> error;
    try {
        connect();
    } catch (const DatabaseError& caught) {
        error = caught;
    }
    lock.lock();
    --connecting_;
    changed_.notify_all();
    if (!error) {
        return;
    }
    if (error->kind() == DatabaseError::Kind::late) {
        doubt();  // this request had too little time left, or nobody would have had enough
    } else if (error->kind() != DatabaseError::Kind::abandoned) {
        lose(*error);
    }
    throw DatabaseError(*error);
}

void DatabaseHealth::look_after(const std::stop_token& stop, milliseconds patience,
                                const std::function<void(Deadline)>& connect) {
    std::unique_lock lock(mutex_);
    looked_after_ = true;
    unsigned tries = 0;
    while (changed_.wait(lock, stop, [this] { return state_ != State::well; }) &&
           !stop.stop_requested()) {
        lock.unlock();
        const bool patient = ++tries % kPatientTry == 0;
        std::optional<DatabaseError> error;
        try {
            connect(Deadline(Clock::now() + (patient ? std::max(patience, kTryLimit) : kTryLimit)));
        } catch (const DatabaseError& caught) {
            error = caught;
        }
        lock.lock();
        if (error) {
            log_loss(*error);
            lose(*error);
        } else {
            tries = 0;
            state_ = State::well;
            changed_.notify_all();
        }
        changed_.wait_for(lock, stop, random_pause(), [] { return false; });
    }
    looked_after_ = false;
    state_ = State::well;
}

void DatabaseHealth::log_loss(const DatabaseError& error) {
    if (reasons_.size() < kMostReasons && reasons_.insert(error.what()).second) {
        log_.event(LogLevel::error, "database_lost",
                   {{"sqlstate", error.sqlstate()}, {"reason", error.what()}});
    }
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
