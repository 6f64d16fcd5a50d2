// SPDX-License-Identifier: MIT
#include "provider/discovery.hpp"

#include <gtest/gtest.h>

#include "support/test_keys.hpp"

namespace kheops {
namespace {

using test::jwk_set;
using test::SigningKey;

/// Why the set is refused; else empty.
std::string refusal_of(const std::string& text) {
    try {
        static_cast<void>(parse_published_keys(text));
        return "";
    } catch (const KeySetError& error) {
        return error.what();
    }
}

TEST(PublishedKeys, MustBeAJwkSet) {
    const SigningKey key = SigningKey::ec("P-256");
    EXPECT_EQ(parse_published_keys(jwk_set({key.jwk()})).keys.size(), 1U);
    for (const std::string& text :
         {std::string(), std::string("<html>"), std::string("[]"), std::string("{}"),
          std::string(R"({"keys":{}})"), key.jwk(), key.public_pem()}) {
        EXPECT_EQ(refusal_of(text), "the key set is not JSON with keys") << text;
    }
    EXPECT_EQ(refusal_of(R"({"keys":[]})"), "the key set holds no usable key");
}

TEST(PublishedKeys, SecretsAreSkipped) {
    const SigningKey secret = SigningKey::hmac(std::string(64, 's'));
    const SigningKey key = SigningKey::ed25519();
    EXPECT_EQ(refusal_of(jwk_set({secret.jwk(), secret.jwk(R"("alg":"HS512")")})),
              "the key set holds no public key");
    const KeySet set = parse_published_keys(jwk_set({secret.jwk(), key.jwk()}));
    ASSERT_EQ(set.keys.size(), 1U);
    EXPECT_TRUE(set.keys.front().fits(Algorithm::EdDSA));
    EXPECT_EQ(set.skipped.count(), 1U);
}

}  // namespace
}  // namespace kheops
