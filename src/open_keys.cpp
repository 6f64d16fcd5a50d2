// SPDX-License-Identifier: MIT
#include "open_keys.hpp"

#include <string>

#include "provider/provider_keys.hpp"
#include "token/key_file.hpp"

namespace kheops {

std::unique_ptr<KeySource> open_keys(const Config& config, const Log& log) {
    if (config.key_file.empty()) {
        return std::make_unique<ProviderKeys>(config.provider, log);
    }
    try {
        return std::make_unique<FileKeys>(config.key_file, config.issuer, log);
    } catch (const KeySetError& error) {
        constexpr const Setting& kKeyFile = setting("KHEOPS_WEBHOOKS_JWKS");
        throw ConfigError(kKeyFile, config.key_file,
                          std::string(error.what()) + "; must be " + kKeyFile.allowed);
    }
}

}  // namespace kheops
