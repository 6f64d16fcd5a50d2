// SPDX-License-Identifier: MIT
#include "settings.hpp"

#include <gtest/gtest.h>

namespace kheops {
namespace {

/// The nearest setting of a name that is unknown.
std::string nearest_to(const std::string& name) {
    const std::vector<UnknownSetting> unknown = unknown_settings({name});
    return unknown.size() == 1 && unknown.front().name == name ? unknown.front().nearest
                                                               : "is not unknown";
}

TEST(UnknownSettings, AreNamedWithTheNearestOne) {
    EXPECT_EQ(nearest_to("KHEOPS_WEBHOOKS_DATABSE"), "KHEOPS_WEBHOOKS_DATABASE");
    EXPECT_EQ(nearest_to("KHEOPS_WEBHOOKS_TIEMOUT"), "KHEOPS_WEBHOOKS_TIMEOUT");
    EXPECT_EQ(nearest_to("KHEOPS_WEBHOOKS_JWK"), "KHEOPS_WEBHOOKS_JWKS");
    EXPECT_EQ(nearest_to("KHEOPS_WEBHOOKS_KEY_CACHE"), "KHEOPS_WEBHOOKS_KEYS_CACHE");
    EXPECT_EQ(nearest_to("KHEOPS_WEBHOOKS_LOGO"), "KHEOPS_WEBHOOKS_LOG");
}

TEST(UnknownSettings, MayBeNearToNone) {
    for (const std::string& name :
         {std::string("KHEOPS_WEBHOOKS_COLOUR"), "KHEOPS_WEBHOOKS_" + std::string(100, 'X'),
          std::string("KHEOPS_WEBHOOKS_")}) {
        EXPECT_EQ(nearest_to(name), "") << name;
    }
}

TEST(UnknownSettings, WithAMisspeltPrefixAreFound) {
    EXPECT_EQ(nearest_to("KHEOPS_WEBHOOK_DATABASE"), "KHEOPS_WEBHOOKS_DATABASE");
    EXPECT_EQ(nearest_to("KHEOPS_OIDC_PROVDER"), "KHEOPS_OIDC_PROVIDER");
}

TEST(UnknownSettings, AreNoSettingsOfOurs) {
    for (const Setting& setting : kSettings) {
        EXPECT_EQ(nearest_to(setting.name), "is not unknown");
    }
}

TEST(UnknownSettings, AreNoVariablesOfOthers) {
    // Settings of Kheops itself, PostgreSQL's, and the parameter of contract section 11.
    for (const char* name :
         {"KHEOPS_ROOT_URL", "KHEOPS_PACS_URL", "KHEOPS_PACSDB_URL", "KHEOPS_AUTH_ADMIN_PASSWORD",
          "KHEOPS_OAUTH_CLIENTID", "KHEOPS_CLIENT_DICOMWEBPROXYSECRET", "KHEOPS_AUTH_HMACSECRET",
          "KHEOPS_UI_DISABLE_UPLOAD", "PGHOST", "PATH", "", "KHEOPS_WEBHOOKS_OPERATOR"}) {
        EXPECT_EQ(nearest_to(name), "is not unknown") << name;
    }
}

}  // namespace
}  // namespace kheops
