// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
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

/// How a provider's keys are fetched, used and cached.
struct ProviderSettings {
    Provider provider;
    KeyTimes times{};
    std::chrono::seconds max_age{86400};  ///< older keys are not used
    std::string cache_file;               ///< path of the key cache; empty: no cache
    /// How many requests with an unknown key may wait at the same time while usable keys exist; the
    /// other threads stay free for tokens with known keys. At least 1.
    unsigned max_waiting = 1;
};

/// The keys of a cache file, and how long ago they were fetched.
struct UsableCache {
    TrustedKeys trusted;
    std::string jwk_set;
    std::chrono::seconds age;
};

/// Returns the keys in the cache file of the settings, which name one; null if the file does not
/// exist. Throws CacheError or KeySetError if they cannot be used with these settings.
[[nodiscard]] std::optional<UsableCache> load_key_cache(const ProviderSettings& settings);

/// The keys that an OpenID Connect provider publishes. While the provider is down or publishes no
/// usable keys, the last ones stay in use until they reach their maximum age.
///
/// In this class, "fetch" means to download from the provider, "refresh" means to fetch and to use
/// the new keys, and "save" means to write the cache file. One fetch runs at a time, and requests
/// cause at most one fetch in a cool-down. Only requests with an unknown key wait for it. After
/// start_refreshing(), one thread refreshes and another one saves. Without it, in a program that
/// answers one request, the request that needs newer keys refreshes them, and the destructor saves
/// them. Safe to use from several threads.
class ProviderKeys : public KeySource {
  public:
    /// Reads the cache file, if it exists. `log` must outlive this object.
    ProviderKeys(ProviderSettings settings, const Log& log);
    ~ProviderKeys() override;
    ProviderKeys(const ProviderKeys&) = delete;
    ProviderKeys& operator=(const ProviderKeys&) = delete;

    [[nodiscard]] Keys current() const override;
    [[nodiscard]] Keys newer_than(const Keys& known, Deadline deadline) override;
    /// Fetches at once, even during a cool-down.
    void reload() override;
    [[nodiscard]] KeyStatus status() const override;
    void start_refreshing() override;

  private:
    enum class Mode {
        on_demand,   ///< the request that needs newer keys refreshes them
        background,  ///< the refresher thread refreshes, also for requests
    };

    /// The outcome of a fetch.
    struct FetchResult {
        Keys keys;  // null: the fetch failed
        std::optional<std::chrono::seconds> lifetime;
        std::optional<CachedKeys> unsaved;  // the keys to save; null: no cache file
    };

    void load_cache();
    [[nodiscard]] FetchResult fetch(Deadline deadline, const std::stop_token& stop);
    [[nodiscard]] Keys unchanged_or_new(PublishedKeys published);
    void log_failure(const std::string& reason);

    void refresh_when_due(const std::stop_token& stop);
    [[nodiscard]] bool is_due(Clock::time_point now) const;
    /// Fetches, with `lock` released meanwhile, and wakes all waiting threads.
    void refresh(std::unique_lock<std::mutex>& lock, Deadline deadline,
                 const std::stop_token& stop);
    /// Returns the keys that are no longer in use, for the caller to free outside the lock.
    [[nodiscard]] Keys put_in_use(FetchResult result);

    void save_new_keys(const std::stop_token& stop);
    void save(const CachedKeys& keys);

    [[nodiscard]] Keys usable() const;
    [[nodiscard]] KeysUnavailable unavailable() const;

    ProviderSettings settings_;
    const Log& log_;
    Mode mode_ = Mode::on_demand;  // start_refreshing() sets it before other threads run

    // Only the thread that fetches uses these; one thread fetches at a time.
    std::string jwk_set_;         // the text of published_; empty: none yet
    std::string logged_failure_;  // the last failure logged; empty after a success
    bool logged_keys_ = false;    // event=keys was logged for the provider
    Keys published_;              // the last keys of the provider or the cache file

    // Only the thread that saves uses this.
    std::string logged_save_failure_;  // the last failure logged; empty after a success

    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    // Guarded by mutex_.
    Keys keys_;
    Clock::time_point fetched_at_;  // when the last keys were fetched; the epoch: none yet
    bool fetching_ = false;
    bool succeeded_ = false;            // the last fetch succeeded
    std::uint64_t fetches_ = 0;         // number of ended fetches
    std::uint64_t failed_fetches_ = 0;  // of these
    unsigned failures_ = 0;             // in a row
    unsigned waiting_ = 0;              // requests that wait for a fetch
    bool requested_ = false;            // a request needs newer keys
    bool reload_ = false;               // reload() was called
    Clock::time_point cool_down_end_;
    Clock::time_point next_refresh_;  // time of the next regular fetch
    std::minstd_rand random_{std::random_device{}()};
    std::optional<CachedKeys> unsaved_;

    // Declared last: the threads use the other members until they end.
    std::jthread saver_;  // a thread of its own, because a disk may be slow
    std::jthread refresher_;
};

}  // namespace kheops
