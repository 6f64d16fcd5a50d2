// SPDX-License-Identifier: MIT
#include "provider/provider_keys.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "provider/download.hpp"
#include "provider/refresh_policy.hpp"
#include "token/key_file.hpp"

namespace kheops {

namespace {

std::chrono::sys_seconds system_seconds() {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

/// Returns a deadline at half of the time: the request needs the rest if the fetch fails.
Deadline half_of(Deadline deadline) {
    return Deadline(Clock::now() + deadline.remaining() / 2);
}

}  // namespace

std::optional<UsableCache> load_key_cache(const ProviderSettings& settings) {
    std::optional<CachedKeys> cached = read_key_cache(settings.cache_file);
    if (!cached) {
        return std::nullopt;
    }
    const Provider& provider = settings.provider;
    if (cached->provider != provider.url || !is_issuer_of_tokens(cached->issuer, provider)) {
        throw CacheError("belongs to the provider " + log_quoted(cached->provider) +
                         " with the issuer " + log_quoted(cached->issuer) + ", expected " +
                         log_quoted(provider.url) + " with " +
                         log_quoted(provider.issuer.empty() ? provider.url : provider.issuer));
    }
    const std::chrono::seconds age = age_of(*cached, settings.max_age, system_seconds());
    return UsableCache{{parse_published_keys(cached->jwk_set), std::move(cached->issuer)},
                       std::move(cached->jwk_set),
                       age};
}

ProviderKeys::ProviderKeys(ProviderSettings settings, const Log& log)
    : settings_(std::move(settings)), log_(log) {
    if (!settings_.cache_file.empty()) {
        load_cache();
    }
}

ProviderKeys::~ProviderKeys() {
    refresher_ = {};  // ends first: it creates work for the saver
    saver_ = {};
    if (unsaved_) {
        save(*unsaved_);
    }
}

// --- For requests

KeySource::Keys ProviderKeys::current() const {
    const std::lock_guard lock(mutex_);
    if (mode_ == Mode::on_demand && fetches_ == 0 &&
        Clock::now() - fetched_at_ >= settings_.times.max_refresh) {
        return nullptr;  // the caller then calls newer_than(), which can return these keys
    }
    return usable();
}

KeySource::Keys ProviderKeys::newer_than(const Keys& known, Deadline deadline) {
    std::unique_lock lock(mutex_);
    Keys before = usable();
    if (before && known && before != known) {
        return before;
    }
    if (!fetching_ && Clock::now() < cool_down_end_) {
        if (before && succeeded_) {
            return before;
        }
        throw unavailable();
    }

    if (mode_ == Mode::on_demand) {
        refresh(lock, before ? half_of(deadline) : deadline, {});
        const bool is_answer = succeeded_ || known == nullptr;
        if (Keys after = usable(); after && is_answer) {
            return after;
        }
        throw unavailable();
    }

    if (before && waiting_ >= settings_.max_waiting) {
        throw KeysUnavailable(std::chrono::seconds(1));
    }
    if (!fetching_) {
        requested_ = true;
        changed_.notify_all();
    }
    ++waiting_;
    const std::uint64_t last = fetches_;
    const auto ended = [&] { return fetches_ != last; };
    const bool in_time = changed_.wait_for(lock, deadline.remaining(), ended);
    --waiting_;
    if (Keys after = usable(); in_time && succeeded_ && after) {
        return after;
    }
    throw unavailable();
}

KeySource::Keys ProviderKeys::usable() const {
    return Clock::now() - fetched_at_ < settings_.max_age ? keys_ : nullptr;
}

KeysUnavailable ProviderKeys::unavailable() const {
    const auto left = std::chrono::ceil<std::chrono::seconds>(cool_down_end_ - Clock::now());
    return KeysUnavailable(std::max(std::chrono::seconds(1), left));
}

// --- When to refresh

void ProviderKeys::reload() {
    const std::lock_guard lock(mutex_);
    reload_ = true;
    changed_.notify_all();
}

KeyStatus ProviderKeys::status() const {
    const std::lock_guard lock(mutex_);
    KeyStatus status = {.downloads = fetches_, .failed_downloads = failed_fetches_};
    if (const Keys keys = usable()) {
        status.usable = keys->keys.keys.size();
    }
    if (fetched_at_ != Clock::time_point()) {
        status.age = Clock::now() - fetched_at_;
    }
    return status;
}

void ProviderKeys::start_refreshing() {
    const Provider& provider = settings_.provider;
    if (transport_of(provider.url) == Transport::plaintext) {
        log_.event(LogLevel::warning, "provider_over_http", {{"provider", provider.url}});
    }
    mode_ = Mode::background;
    saver_ = std::jthread([this](const std::stop_token& stop) { save_new_keys(stop); });
    refresher_ = std::jthread([this](const std::stop_token& stop) { refresh_when_due(stop); });
}

void ProviderKeys::refresh_when_due(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
        const Clock::time_point now = Clock::now();
        if (is_due(now)) {
            refresh(lock, Deadline(now + settings_.times.fetch_timeout), stop);
            continue;
        }
        changed_.wait_until(lock, stop, next_refresh_, [this] { return is_due(Clock::now()); });
    }
}

bool ProviderKeys::is_due(Clock::time_point now) const {
    return reload_ || requested_ || now >= next_refresh_;
}

void ProviderKeys::refresh(std::unique_lock<std::mutex>& lock, Deadline deadline,
                           const std::stop_token& stop) {
    fetching_ = true;
    requested_ = false;
    reload_ = false;
    lock.unlock();
    FetchResult result = fetch(deadline, stop);
    lock.lock();
    fetching_ = false;
    Keys dropped = put_in_use(std::move(result));
    changed_.notify_all();

    // Freeing keys and logging are slow, so release the lock first.
    const bool are_expired = dropped && !keys_;
    lock.unlock();
    dropped.reset();
    if (are_expired) {
        log_.event(LogLevel::error, "keys_expired",
                   {{"max_age_s", std::to_string(settings_.max_age.count())}});
    }
    lock.lock();
}

KeySource::Keys ProviderKeys::put_in_use(FetchResult result) {
    const Clock::time_point now = Clock::now();
    const double random = std::uniform_real_distribution<double>(0, 1)(random_);
    succeeded_ = result.keys != nullptr;
    ++fetches_;
    cool_down_end_ = now + settings_.times.cool_down;
    if (!succeeded_) {
        ++failures_;
        ++failed_fetches_;
        next_refresh_ = now + retry_backoff(settings_.times, failures_, random);
        return usable() ? nullptr : std::exchange(keys_, nullptr);
    }
    failures_ = 0;
    next_refresh_ =
        now + refresh_interval(settings_.times, settings_.max_age, result.lifetime, random);
    fetched_at_ = now;
    unsaved_ = std::move(result.unsaved);
    return std::exchange(keys_, std::move(result.keys));
}

// --- Fetching

ProviderKeys::FetchResult ProviderKeys::fetch(Deadline deadline, const std::stop_token& stop) {
    try {
        PublishedKeys published = fetch_keys(settings_.provider, deadline, stop);
        FetchResult result;
        result.lifetime = published.lifetime;
        if (!settings_.cache_file.empty()) {
            result.unsaved = {settings_.provider.url, published.trusted.issuer, published.jwk_set,
                              system_seconds()};
        }
        result.keys = unchanged_or_new(std::move(published));
        published_ = result.keys;
        logged_failure_.clear();
        return result;
    } catch (const std::exception& error) {  // of any kind, because requests wait for this
        if (!stop.stop_requested()) {
            log_failure(error.what());
        }
        return {};
    }
}

/// Returns the current object if the provider still publishes the same keys, because a new object
/// would count as newer keys.
KeySource::Keys ProviderKeys::unchanged_or_new(PublishedKeys published) {
    const bool is_unchanged = published_ && published.jwk_set == jwk_set_ &&
                              published.trusted.issuer == published_->issuer;
    if (!is_unchanged) {
        log_skipped_keys(published.trusted.keys, log_);
    }
    if (!is_unchanged || !logged_keys_ || !logged_failure_.empty()) {
        log_.event(LogLevel::info, "keys",
                   {{"provider", settings_.provider.url},
                    {"usable", std::to_string(published.trusted.keys.keys.size())}});
        logged_keys_ = true;
    }
    if (is_unchanged) {
        return published_;
    }
    jwk_set_ = std::move(published.jwk_set);
    return std::make_shared<const TrustedKeys>(std::move(published.trusted));
}

void ProviderKeys::log_failure(const std::string& reason) {
    if (std::exchange(logged_failure_, reason) != reason) {
        log_.event(LogLevel::error, "keys_lost",
                   {{"reason", reason}, {"provider", settings_.provider.url}});
    }
}

// --- The cache file

void ProviderKeys::load_cache() {
    const auto ignore = [this](const std::string& reason) {
        log_.event(LogLevel::warning, "keys_cache_ignored",
                   {{"file", settings_.cache_file}, {"reason", reason}});
    };
    try {
        std::optional<UsableCache> cache = load_key_cache(settings_);
        if (!cache) {
            return;
        }
        published_ = std::make_shared<const TrustedKeys>(std::move(cache->trusted));
        jwk_set_ = std::move(cache->jwk_set);
        keys_ = published_;
        fetched_at_ = Clock::now() - cache->age;
        succeeded_ = true;
        cool_down_end_ = fetched_at_ + settings_.times.cool_down;
        log_.event(
            LogLevel::info, "keys",
            {{"file", settings_.cache_file}, {"usable", std::to_string(keys_->keys.keys.size())}});
    } catch (const CacheError& error) {
        ignore(error.what());
    } catch (const KeySetError& error) {
        ignore(error.what());
    }
}

void ProviderKeys::save_new_keys(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [this] { return unsaved_.has_value(); })) {
        const CachedKeys keys = *std::exchange(unsaved_, std::nullopt);
        lock.unlock();
        save(keys);
        lock.lock();
    }
}

void ProviderKeys::save(const CachedKeys& keys) {
    std::string failure;
    try {
        write_key_cache(settings_.cache_file, keys);
    } catch (const std::exception& error) {
        failure = error.what();
    }
    if (std::exchange(logged_save_failure_, failure) != failure && !failure.empty()) {
        log_.event(LogLevel::error, "keys_cache_not_written",
                   {{"file", settings_.cache_file}, {"reason", failure}});
    }
}

}  // namespace kheops
