// SPDX-License-Identifier: MIT
#include "check/key_check.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "check/accounts.hpp"
#include "deadline.hpp"
#include "log.hpp"
#include "provider/discovery.hpp"
#include "provider/download.hpp"
#include "provider/key_cache.hpp"
#include "provider/provider_keys.hpp"
#include "regular_file.hpp"
#include "token/access_token.hpp"
#include "token/key_file.hpp"

namespace kheops {

namespace {

using Grade = Finding::Grade;

std::string this_user() {
    return user_in_words(::geteuid());
}

std::string usable_keys(const KeySet& set) {
    return std::to_string(set.keys.size()) +
           (set.keys.size() == 1 ? " usable key" : " usable keys");
}

void report_skipped(const std::string& source, const KeySet& set, const Report& report) {
    constexpr const char* kRemedy = "replace it if tokens are signed with it, else remove it";
    for (const std::string& reason : set.skipped.reasons()) {
        const bool is_fault = !reason.ends_with(kNotForSignatures);
        report({is_fault ? Grade::warning : Grade::ok,
                std::string(source).append(": not used: ").append(reason),
                is_fault ? kRemedy : ""});
    }
    const std::size_t more = set.skipped.count() - set.skipped.reasons().size();
    if (more > 0) {
        report({Grade::warning, source + ": not used: " + std::to_string(more) + " more keys",
                kRemedy});
    }
}

// --- A key file

void check_key_file(const Config& config, const Report& report) {
    const std::string source = "key file " + log_value(config.key_file);
    try {
        static_cast<void>(RegularFile(config.key_file));
    } catch (const FileError& error) {
        report({Grade::problem, source + ": " + error.what(),
                "let " + this_user() +
                    " read it, or set KHEOPS_WEBHOOKS_JWKS to a regular file that this user can "
                    "read"});
        return;
    }
    try {
        const Log quiet(LogLevel::error);
        const KeySource::Keys keys = FileKeys(config.key_file, config.issuer, quiet).current();
        report({Grade::ok,
                source + ": " + usable_keys(keys->keys) + ", for tokens with the issuer " +
                    log_value(config.issuer),
                ""});
        report_skipped(source, keys->keys, report);
    } catch (const KeySetError& error) {
        report({Grade::problem, source + ": " + error.what(),
                "write the public keys of the tokens' issuer into it, as a JWK Set or in PEM"});
    }
}

// --- A provider

std::string remedy_for(DownloadError::Cause cause, const Provider& provider) {
    const std::string show = "curl " + provider.url + "/.well-known/openid-configuration";
    switch (cause) {
        case DownloadError::Cause::transfer:
            return "check that the provider runs, and the name and port in KHEOPS_OIDC_PROVIDER, "
                   "the network, firewalls and the proxy; " +
                   show + " shows whether it answers this machine";
        case DownloadError::Cause::certificate:
            return "add the certificate of its authority to the system's (Debian: "
                   "update-ca-certificates) or name a file with it in SSL_CERT_FILE; if the "
                   "certificate is for another name or expired, replace it at the provider";
        case DownloadError::Cause::issuer:
            return "set KHEOPS_OIDC_PROVIDER to the issuer that the provider names; if this "
                   "machine "
                   "must reach it under another name, set KHEOPS_WEBHOOKS_ISSUER to that issuer";
        case DownloadError::Cause::answer:
            break;
    }
    return "check that KHEOPS_OIDC_PROVIDER is the base URL of an OpenID Connect provider; " +
           show + " shows what it answers";
}

void check_clock(std::chrono::seconds lead, const Report& report) {
    const auto difference = std::chrono::abs(lead);
    const std::string found = "clock: this machine's is " + std::to_string(difference.count()) +
                              " s " + (lead.count() < 0 ? "behind" : "ahead of") +
                              " the provider's";
    const std::string limit = std::to_string(kMaxClockSkew.count()) + " s";
    const std::string remedy = "synchronize the clocks of both machines by NTP; beyond " + limit +
                               " tokens are refused as expired or not yet valid";
    if (difference > kMaxClockSkew) {
        report({Grade::problem, found, remedy});
    } else if (difference > kMaxClockSkew / 2) {
        report({Grade::warning, found, remedy});
    } else {
        report({Grade::ok, found + ", of " + limit + " that are allowed", ""});
    }
}

void check_provider(const ProviderSettings& settings, const Report& report) {
    const Provider& provider = settings.provider;
    const std::string source = "provider " + log_value(provider.url);
    if (transport_of(provider.url) == Transport::plaintext) {
        report({Grade::warning, source + ": reached by plain http",
                "use https, as anyone on the network between can replace the keys"});
    }
    try {
        const PublishedKeys published =
            fetch_keys(provider, Deadline(Clock::now() + settings.times.fetch_timeout), {});
        const std::string& issuer = published.trusted.issuer;
        report({Grade::ok,
                source + ": " + usable_keys(published.trusted.keys) +
                    ", for tokens with the issuer " + log_value(issuer) +
                    (published.named_issuer == issuer
                         ? ""
                         : " (the provider names " + log_value(published.named_issuer) + ")"),
                ""});
        report_skipped(source, published.trusted.keys, report);
        if (published.clock_lead) {
            check_clock(*published.clock_lead, report);
        }
    } catch (const DownloadError& error) {
        report({Grade::problem, source + ": " + error.what(), remedy_for(error.cause(), provider)});
    } catch (const KeySetError& error) {
        report({Grade::problem, source + ": " + error.what(),
                "let the provider publish a public key that verifies its tokens"});
    }
}

// --- The key cache

/// Throws CacheError if this user cannot replace the file.
void require_writable(const std::string& path) {
    std::string directory = std::filesystem::path(path).parent_path();
    if (directory.empty()) {
        directory = ".";
    }
    // The file is replaced by a new one, so only its directory matters.
    if (::faccessat(AT_FDCWD, directory.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
        throw CacheError("the directory " + log_value(directory) +
                         " cannot be written: " + std::generic_category().message(errno));
    }
}

/// Root may read a file that the worker's user made, but the worker would not trust such a file if
/// it ran as root: then only that user's check is true.
bool is_other_users_file(const std::string& path) {
    struct stat status {};
    return ::geteuid() == 0 && ::stat(path.c_str(), &status) == 0 && status.st_uid != 0;
}

void check_key_cache(const ProviderSettings& settings, const Report& report) {
    const std::string& path = settings.cache_file;
    const std::string subject = "key cache " + log_value(path);
    try {
        require_writable(path);
    } catch (const CacheError& error) {
        report({Grade::problem, subject + ": " + error.what(),
                "make the directory if it is missing and let " + this_user() +
                    " write to it, or set KHEOPS_WEBHOOKS_KEYS_CACHE to a file in a "
                    "directory of this user (the systemd unit makes /var/lib/kheops-webhooks when "
                    "it starts)"});
        return;
    }
    const std::string writable = "can be written by " + this_user();
    if (is_other_users_file(path)) {
        report({Grade::ok, subject + ": " + writable + ", not read, as another user owns it", ""});
        return;
    }
    try {
        const std::optional<UsableCache> cache = load_key_cache(settings);
        report({Grade::ok,
                subject + ": " + writable + ", " +
                    (cache ? usable_keys(cache->trusted.keys) + ", fetched " +
                                 std::to_string(cache->age.count()) + " s ago"
                           : "does not exist yet"),
                ""});
    } catch (const std::runtime_error& error) {  // CacheError or KeySetError
        report({Grade::warning, subject + ": not used: " + error.what(),
                "remove it, the worker writes a new one after its next fetch; if it comes back "
                "like this, give it to " +
                    this_user() + " with mode 0600 and start the worker as this user"});
    }
}

}  // namespace

void check_keys(const Config& config, const Report& report) {
    if (!config.key_file.empty()) {
        check_key_file(config, report);
    } else if (!config.provider.provider.url.empty()) {
        check_provider(config.provider, report);
        if (!config.provider.cache_file.empty()) {
            check_key_cache(config.provider, report);
        }
    }
}

}  // namespace kheops
