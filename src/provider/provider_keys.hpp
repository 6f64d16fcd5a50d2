// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <thread>

#include "key_times.hpp"
#include "log.hpp"
#include "provider/discovery.hpp"
#include "provider/key_cache.hpp"
#include "token/key_source.hpp"

namespace kheops {

/// How a provider's keys are had and kept.
struct ProviderSettings {
    Provider provider;
    KeyTimes times{};
    std::chrono::seconds max_age{0};  ///< keys fetched longer ago are used no more
    std::string cache_file;           ///< keeps them for a restart; empty: nothing does
    /// How many requests may wait for a key that is unknown while others are known, so that there
    /// are threads left for those that name a known one. At least 1.
    unsigned max_waiting = 1;
};

/// The keys that an OpenID Connect provider publishes. The last good ones serve on, up to their
/// greatest age, while the provider is down or publishes none.
///
/// To fetch is to ask the provider; to refresh is to fetch and to put the keys in use; to save is
/// to write the cache file. At most one fetch is under way, at most one is begun in a cool-down,
/// and the only requests that wait for it are those whose key is unknown. Once start_refreshing()
/// was called, a thread of its own refreshes, also for those, and another one saves. Without it, in
/// a program that answers one request, who needs newer keys refreshes, and they are saved at the
/// end.
class ProviderKeys : public KeySource {
  public:
    /// Reads the cache file, if there is one. `log` outlives this.
    ProviderKeys(ProviderSettings settings, const Log& log);
    ~ProviderKeys() override;
    ProviderKeys(const ProviderKeys&) = delete;
    ProviderKeys& operator=(const ProviderKeys&) = delete;

    [[nodiscard]] Keys current() const override;
    [[nodiscard]] Keys newer_than(const Keys& known, Deadline deadline) override;
    /// Asks the provider at once, a cool-down notwithstanding.
    void reload() override;
    void start_refreshing() override;

  private:
    enum class Mode {
        on_demand,   ///< whoever needs newer keys refreshes them
        background,  ///< a thread of its own does, also for those who need newer keys
    };

    /// How a fetch went.
    struct FetchResult {
        Keys keys;  // null: it failed
        std::optional<std::chrono::seconds> lifetime;
        std::optional<CachedKeys> unsaved;  // the same for the cache file, where there is one
    };

    void load_cache();
    [[nodiscard]] FetchResult fetch(Deadline deadline, const std::stop_token& stop);
    [[nodiscard]] Keys unchanged_or_new(PublishedKeys published);
    void log_failure(const std::string& reason);

    void refresh_when_due(const std::stop_token& stop);
    [[nodiscard]] bool is_due(Clock::time_point now) const;
    /// Fetches with `lock` let go meanwhile, and wakes all that wait.
    void refresh(std::unique_lock<std::mutex>& lock, Deadline deadline,
                 const std::stop_token& stop);
    /// The keys that are not in use any more.
    [[nodiscard]] Keys put_in_use(FetchResult result);

    void save_new_keys(const std::stop_token& stop);
    void save(const CachedKeys& keys);

    [[nodiscard]] Keys usable() const;
    [[nodiscard]] KeysUnavailable unavailable() const;

    ProviderSettings settings_;
    const Log& log_;
    Mode mode_ = Mode::on_demand;  // set by start_refreshing(), before other threads use this

    // Of whoever fetches, one at a time.
    std::string jwk_set_;         // of keys_; empty: none has been seen
    std::string logged_failure_;  // the last one logged; empty after a success
    bool logged_keys_ = false;    // the provider's keys were logged as in use
    Keys published_;              // the last from the provider or the cache file

    // Of whoever saves.
    std::string logged_save_failure_;  // the last one logged; empty after a success

    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    // Under mutex_.
    Keys keys_;
    Clock::time_point fetched_at_;  // when keys_ were published, as far as is known
    bool fetching_ = false;
    bool succeeded_ = false;  // the last fetch did
    unsigned fetches_ = 0;    // that ended
    unsigned failures_ = 0;   // since the last success
    unsigned waiting_ = 0;    // requests
    bool requested_ = false;  // by a request, after the cool-down
    bool reload_ = false;     // by the administrator, now
    Clock::time_point cool_down_end_;
    Clock::time_point next_refresh_;  // the next fetch that nobody asks for
    std::minstd_rand random_{std::random_device{}()};
    std::optional<CachedKeys> unsaved_;

    // The last members: they use the others to their end.
    std::jthread saver_;  // apart, as a disk may be slow and new keys be wanted meanwhile
    std::jthread refresher_;
};

}  // namespace kheops
