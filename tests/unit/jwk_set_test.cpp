// SPDX-License-Identifier: MIT
#include "token/jwk_set.hpp"

#include <gtest/gtest.h>

#include "support/test_keys.hpp"

namespace kheops {
namespace {

using test::jwk_set;
using test::SigningKey;

const SigningKey& ec() {
    static const SigningKey key = SigningKey::ec("P-256");
    return key;
}

const SigningKey& rsa() {
    static const SigningKey key = SigningKey::rsa();
    return key;
}

/// Why the set is refused; empty if it is accepted.
std::string refusal(const std::string& text) {
    try {
        static_cast<void>(parse_key_set(text));
        return "";
    } catch (const KeySetError& error) {
        return error.what();
    }
}

void expect_refused(const std::string& text, const std::string& reason) {
    const std::string error = refusal(text);
    EXPECT_NE(error.find(reason), std::string::npos) << error;
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
}

/// Why a set of a valid key and `jwk` skips `jwk`.
std::string reason_against(const std::string& jwk) {
    const KeySet set = parse_key_set(jwk_set({ec().jwk(R"("kid":"good")"), jwk}));
    EXPECT_EQ(set.keys.size(), 1U) << jwk;
    EXPECT_EQ(set.keys.front().kid, "good");
    EXPECT_EQ(set.skipped.count(), 1U) << jwk;
    return set.skipped.count() == 0 ? "" : set.skipped.reasons().front();
}

TEST(JwkSet, HoldsKeysOfEveryType) {
    const KeySet set = parse_key_set(jwk_set({
        rsa().jwk(R"("kid":"a")"),
        ec().jwk(R"("kid":"b","use":"sig","key_ops":["verify"])"),
        SigningKey::ed25519().jwk(R"("alg":"EdDSA")"),
        SigningKey::hmac(std::string(32, 's')).jwk(R"("kid":"","key_ops":["sign","verify"])"),
    }));
    ASSERT_EQ(set.keys.size(), 4U);
    EXPECT_EQ(set.skipped.count(), 0U);
    EXPECT_EQ(set.keys[0].kid, "a");
    EXPECT_EQ(set.keys[1].kid, "b");
    EXPECT_EQ(set.keys[2].kid, std::nullopt);
    EXPECT_EQ(set.keys[3].kid, "");
    EXPECT_TRUE(set.keys[0].fits(Algorithm::RS256));
    EXPECT_TRUE(set.keys[1].fits(Algorithm::ES256));
    EXPECT_TRUE(set.keys[2].fits(Algorithm::EdDSA));
    EXPECT_TRUE(set.keys[3].fits(Algorithm::HS256));
}

TEST(JwkSet, AlgNarrowsAKeyToOneAlgorithm) {
    const KeySet set = parse_key_set(jwk_set({rsa().jwk(R"("alg":"PS384")")}));
    EXPECT_TRUE(set.keys[0].fits(Algorithm::PS384));
    EXPECT_FALSE(set.keys[0].fits(Algorithm::PS256));
    EXPECT_FALSE(set.keys[0].fits(Algorithm::RS384));
}

TEST(JwkSet, MayBeASingleJwk) {
    const KeySet set = parse_key_set("\n " + ec().jwk(R"("kid":"only")") + "\n");
    ASSERT_EQ(set.keys.size(), 1U);
    EXPECT_EQ(set.keys[0].kid, "only");
}

TEST(JwkSet, IgnoresMembersOfPrivateKeysAndUnknownOnes) {
    const KeySet set = parse_key_set(jwk_set({ec().jwk(R"("d":"c2VjcmV0","x5t":7,"more":{})")}));
    EXPECT_EQ(set.keys.size(), 1U);
    EXPECT_EQ(set.skipped.count(), 0U);
}

TEST(JwkSet, SkipsKeysThatAreNotForVerifying) {
    for (const char* members :
         {R"("kid":"k","use":"enc")", R"("kid":"k","use":"SIG")", R"("kid":"k","use":["sig"])"}) {
        EXPECT_EQ(reason_against(ec().jwk(members)), "key \"k\": its use is not sig") << members;
    }
    for (const char* members :
         {R"("key_ops":["sign"])", R"("key_ops":[])", R"("key_ops":"verify")",
          R"("key_ops":["Verify"])", R"("use":"sig","key_ops":["encrypt"])"}) {
        EXPECT_EQ(reason_against(ec().jwk(members)), "key 2: its key_ops lack verify") << members;
    }
}

TEST(JwkSet, SkipsKeysWhoseAlgDoesNotFit) {
    for (const char* algorithm : {R"("RS256")", R"("ES384")", R"("HS256")", R"("none")",
                                  R"("es256")", R"("A256KW")", R"("")", "256"}) {
        const std::string reason = reason_against(ec().jwk("\"alg\":" + std::string(algorithm)));
        EXPECT_EQ(reason, "key 2: its alg is not one that such a key can verify") << algorithm;
    }
    EXPECT_NE(reason_against(SigningKey::hmac(std::string(40, 's')).jwk(R"("alg":"HS384")")), "");
}

TEST(JwkSet, AMemberThatIsNullCountsAsAbsent) {
    const KeySet set =
        parse_key_set(jwk_set({ec().jwk(R"("use":null,"key_ops":null,"alg":null,"kid":null)")}));
    ASSERT_EQ(set.keys.size(), 1U);
    EXPECT_EQ(set.skipped.count(), 0U);
    EXPECT_EQ(set.keys[0].kid, std::nullopt);
    EXPECT_EQ(set.keys[0].only, std::nullopt);
    EXPECT_NE(reason_against(R"({"kty":null})"), "");
}

TEST(JwkSet, AlgMayNameEd25519) {
    const SigningKey key = SigningKey::ed25519();
    const KeySet set = parse_key_set(jwk_set({key.jwk(R"("alg":"Ed25519")")}));
    EXPECT_EQ(set.keys[0].only, Algorithm::EdDSA);
    EXPECT_NE(reason_against(ec().jwk(R"("alg":"Ed25519")")), "");
}

TEST(JwkSet, TheSameKeyTwiceIsOneKey) {
    const std::string key =
        R"({"kty":"oct","k":")" + std::string(43, 'A') + R"(","key_ops":["verify"]})";
    const std::string other_order =
        R"({"key_ops":[ "verify" ],"k":")" + std::string(43, 'A') + R"(", "kty":"oc\u0074"})";
    const KeySet same = parse_key_set(jwk_set({key, ec().jwk(), other_order, key}));
    EXPECT_EQ(same.keys.size(), 2U);
    EXPECT_EQ(same.skipped.count(), 0U);

    // Of the same material, but with other members, it is another key.
    const KeySet different =
        parse_key_set(jwk_set({ec().jwk(), ec().jwk(R"("kid":"a")"), ec().jwk(R"("kid":"b")"),
                               ec().jwk(R"("kid":"b","alg":"ES256")"), ec().jwk(R"("x5t":"b")")}));
    EXPECT_EQ(different.keys.size(), 5U);
}

TEST(JwkSet, PositionsInReasonsCountRepeatedKeys) {
    const KeySet set = parse_key_set(jwk_set({ec().jwk(), ec().jwk(), "{}"}));
    EXPECT_EQ(set.skipped.reasons().front().find("key 3: "), 0U) << set.skipped.reasons().front();
}

TEST(JwkSet, SkipsWeakOrInvalidKeys) {
    EXPECT_NE(reason_against(SigningKey::rsa(1024).jwk(R"("kid":"small")")).find("1024 bits"),
              std::string::npos);
    EXPECT_NE(reason_against(SigningKey::hmac(std::string(31, 's')).jwk()).find("shorter"),
              std::string::npos);
    const std::string zeros = test::encode_base64url(std::string(32, '\0'));
    EXPECT_NE(
        reason_against(R"({"kty":"EC","crv":"P-256","x":")" + zeros + R"(","y":")" + zeros + "\"}")
            .find("not on the curve"),
        std::string::npos);
}

TEST(JwkSet, SkipsKeysWithMissingOrInvalidMembers) {
    for (const char* jwk : {
             R"({"kty":"RSA","n":"AQAB"})",
             R"({"kty":"RSA","e":"AQAB"})",
             R"({"kty":"RSA","n":"AQAB=","e":"AQAB"})",
             R"({"kty":"RSA","n":1,"e":"AQAB"})",
             R"({"kty":"EC","crv":"P-256"})",
             R"({"kty":"EC","x":"AA","y":"AA"})",
             R"({"kty":"OKP","crv":"X25519","x":"AA"})",
             R"({"kty":"OKP","crv":"Ed448","x":"AA"})",
             R"({"kty":"OKP","crv":"Ed25519","x":"AA"})",
             R"({"kty":"oct"})",
             R"({"kty":"oct","k":""})",
             R"({"kty":"rsa"})",
             R"({"kty":1})",
             R"({})",
             "1",
             "null",
             "[]",
         }) {
        EXPECT_NE(reason_against(jwk), "") << jwk;
    }
}

TEST(JwkSet, SkipsOkpKeysOfOtherCurves) {
    std::string jwk = SigningKey::ed25519().jwk();
    jwk.replace(jwk.find("Ed25519"), 7, "X25519");
    EXPECT_NE(reason_against(jwk), "");
}

TEST(JwkSet, SkipsAKeyWhoseKidIsNoString) {
    EXPECT_EQ(reason_against(ec().jwk(R"("kid":1)")), "key 2: its kid is not a string");
}

TEST(JwkSet, ReasonsAreOneLineAndShowNoSecret) {
    const std::string secret(20, 's');
    const std::string reason = reason_against(SigningKey::hmac(secret).jwk(R"("kid":"a\nb\"")"));
    EXPECT_EQ(reason, R"(key "a\nb\"": its secret is shorter than 32 octets)");
    EXPECT_EQ(reason.find(test::encode_base64url(secret)), std::string::npos);
}

/// The text of a JWK Set with `count` copies of `jwk`.
std::string set_of(size_t count, const std::string& jwk) {
    return jwk_set(std::vector<std::string>(count, jwk));
}

TEST(JwkSet, KeepsFiveReasonsHoweverManyKeysAreSkipped) {
    EXPECT_EQ(refusal(set_of(7, "{}")).find("; key 6"), std::string::npos);
    expect_refused(set_of(7, "{}"), "; and 2 more");

    const KeySet set = parse_key_set(
        jwk_set({ec().jwk(), "{}", "1", "{}", "{}", "{}", "{}", ec().jwk(R"("kid":"z")")}));
    EXPECT_EQ(set.keys.size(), 2U);
    EXPECT_EQ(set.skipped.count(), 6U);
    EXPECT_EQ(set.skipped.reasons().size(), 5U);
    EXPECT_EQ(set.skipped.reasons().back().find("key 6: "), 0U) << set.skipped.reasons().back();
}

TEST(JwkSet, HasAtMost1000Keys) {
    std::vector<std::string> jwks;
    for (std::size_t i = 1; i <= kMaxKeys; ++i) {
        jwks.push_back(ec().jwk(R"("kid":")" + std::to_string(i) + '"'));
    }
    EXPECT_EQ(parse_key_set(jwk_set(jwks)).skipped.count(), 0U);
    jwks.push_back(ec().jwk(R"("kid":"last")"));
    jwks.emplace_back("{}");
    const KeySet set = parse_key_set(jwk_set(jwks));
    EXPECT_EQ(set.keys.size(), kMaxKeys);
    EXPECT_EQ(set.keys.back().kid, "1000");
    EXPECT_EQ(set.skipped.count(), 2U);
    EXPECT_EQ(set.skipped.reasons().front(), "key \"last\": a set has at most 1000 keys");
}

TEST(JwkSet, CutsALongKidBetweenCharacters) {
    const std::string long_kid = std::string(63, 'n') + "\u00e9" + std::string(100'000, 'n');
    EXPECT_EQ(reason_against(R"({"kid":")" + long_kid + "\"}")
                  .find("key \"" + std::string(63, 'n') + "\u2026\": its kty"),
              0U);
    const std::string fits(64, 'n');
    EXPECT_EQ(reason_against(R"({"kid":")" + fits + "\"}").find("key \"" + fits + "\": its kty"),
              0U);
}

TEST(JwkSet, RefusesTextsThatAreNoKeySet) {
    expect_refused("", "empty");
    expect_refused(" \n\t", "empty");
    expect_refused("hello", "neither");
    expect_refused("[]", "neither");
    expect_refused("{\"keys\":[", "not valid JSON");
    expect_refused(R"({"keys":[],"keys":[]})", "not valid JSON");
    expect_refused(jwk_set({ec().jwk()}) + "x", "not valid JSON");
}

TEST(JwkSet, RefusesASetWithoutAUsableKeyAndSaysWhy) {
    expect_refused(R"({"keys":[]})", "no usable key");
    expect_refused(R"({"keys":{}})", "no usable key");
    expect_refused("{}", "no usable key");
    expect_refused(jwk_set({ec().jwk(R"("kid":"a","use":"enc")"), R"({"kty":"x"})"}),
                   "no usable key: key \"a\": its use is not sig; key 2: its kty is not");
}

TEST(PemSet, HoldsSeveralKeysAndCertificates) {
    const KeySet set =
        parse_key_set("# the realm's keys\n" + ec().public_pem() + "\n" + rsa().certificate_pem() +
                      "a note\n" + SigningKey::ed25519().public_pem());
    ASSERT_EQ(set.keys.size(), 3U);
    EXPECT_EQ(set.skipped.count(), 0U);
    EXPECT_TRUE(set.keys[0].fits(Algorithm::ES256));
    EXPECT_TRUE(set.keys[1].fits(Algorithm::RS256));
    EXPECT_TRUE(set.keys[2].fits(Algorithm::EdDSA));
    EXPECT_EQ(set.keys[0].kid, std::nullopt);
}

TEST(PemSet, MayHaveCrLfLineEnds) {
    std::string text;
    for (const char c : ec().public_pem() + rsa().public_pem()) {
        text += c == '\n' ? "\r\n" : std::string(1, c);
    }
    EXPECT_EQ(parse_key_set(text).keys.size(), 2U);
}

TEST(PemSet, TheSameBlockTwiceIsOneKey) {
    const KeySet set = parse_key_set("# old\n" + ec().public_pem() + "# new\n" + ec().public_pem() +
                                     rsa().public_pem() + ec().public_pem());
    EXPECT_EQ(set.keys.size(), 2U);
    EXPECT_EQ(set.skipped.count(), 0U);
}

TEST(PemSet, SkipsBlocksWithoutAValidKey) {
    std::string damaged = ec().public_pem();
    damaged.replace(damaged.find('\n') + 1, 4, "????");
    const KeySet set =
        parse_key_set(damaged + ec().public_pem() + SigningKey::rsa(1024).public_pem());
    EXPECT_EQ(set.keys.size(), 1U);
    ASSERT_EQ(set.skipped.count(), 2U);
    EXPECT_EQ(set.skipped.reasons()[0], "key 1: it is not a valid public key or certificate");
    EXPECT_EQ(set.skipped.reasons()[1].find("key 3: its RSA modulus of 1024 bits"), 0U);
}

TEST(PemSet, RefusesAPrivateKeyAnywhere) {
    expect_refused(ec().private_pem(), "private key");
    expect_refused(ec().public_pem() + rsa().private_pem(), "private key");
    expect_refused(rsa().private_pem() + ec().public_pem(), "private key");
    for (const char* type : {"RSA", "EC", "ENCRYPTED"}) {
        expect_refused(ec().public_pem() + "-----BEGIN " + type + " PRIVATE KEY-----\n",
                       "private key");
    }
}

TEST(PemSet, RefusesATextWithoutAUsableKeyAndSaysWhy) {
    expect_refused(SigningKey::rsa(1024).public_pem(), "no usable key: key 1: its RSA modulus");
    expect_refused("-----BEGIN PUBLIC KEY-----\n",
                   "no usable key: key 1: it is not a valid public key");
}

}  // namespace
}  // namespace kheops
