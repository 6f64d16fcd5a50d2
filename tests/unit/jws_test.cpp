// SPDX-License-Identifier: MIT
#include "token/jws.hpp"

#include <gtest/gtest.h>

#include "http/message.hpp"
#include "support/test_keys.hpp"

namespace kheops {
namespace {

using namespace std::string_literals;
using test::encode_base64url;
using test::jwk_set;
using test::sign_jws;
using test::sign_jws_with;
using test::SigningKey;

constexpr const char* kPayload = "a payload";

const SigningKey& ec() {
    static const SigningKey key = SigningKey::ec("P-256");
    return key;
}

const SigningKey& other_ec() {
    static const SigningKey key = SigningKey::ec("P-256");
    return key;
}

const SigningKey& rsa() {
    static const SigningKey key = SigningKey::rsa();
    return key;
}

/// The set whose only key is ec(), with the kid `a`.
const KeySet& only_ec() {
    static const KeySet set = parse_key_set(jwk_set({ec().jwk(R"("kid":"a")")}));
    return set;
}

constexpr const char* kMalformed = "The token is malformed";
constexpr const char* kUnaccepted = "The token is not accepted";

/// The payload, or the reason for the refusal.
std::string outcome(const std::string& token, const KeySet& keys = only_ec()) {
    try {
        const Jws jws = parse_jws(token);
        return is_verified(jws, keys) ? jws.payload : kUnaccepted;
    } catch (const HttpError& error) {
        EXPECT_EQ(error.status(), 401);
        return error.detail();
    }
}

/// The reason that the log gets.
std::string reason(const std::string& token, const KeySet& keys = only_ec()) {
    try {
        const Jws jws = parse_jws(token);
        return is_verified(jws, keys) ? "accepted" : why_unverified(jws, keys);
    } catch (const HttpError& error) {
        return error.reason();
    }
}

/// A correctly signed token with that header.
std::string with_header(const std::string& header) {
    return sign_jws(ec(), "ES256", header, kPayload);
}

std::string without_signature(const std::string& token) {
    return token.substr(0, token.rfind('.') + 1);
}

TEST(Jws, GivesThePayloadOfASignedToken) {
    EXPECT_EQ(outcome(sign_jws_with(ec(), "ES256", kPayload)), kPayload);
    EXPECT_EQ(outcome(sign_jws_with(ec(), "ES256", "")), "");
    EXPECT_EQ(outcome(sign_jws_with(ec(), "ES256", "\0\xFF"s)), "\0\xFF"s);
}

TEST(Jws, VerifiesEveryAlgorithm) {
    const SigningKey secret = SigningKey::hmac(std::string(64, 's'));
    const SigningKey p384 = SigningKey::ec("P-384");
    const SigningKey p521 = SigningKey::ec("P-521");
    const SigningKey ed25519 = SigningKey::ed25519();
    const KeySet keys = parse_key_set(
        jwk_set({rsa().jwk(), ec().jwk(), p384.jwk(), p521.jwk(), ed25519.jwk(), secret.jwk()}));
    for (const char* algorithm : {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}) {
        EXPECT_EQ(outcome(sign_jws_with(rsa(), algorithm, kPayload), keys), kPayload) << algorithm;
    }
    for (const char* algorithm : {"HS256", "HS384", "HS512"}) {
        EXPECT_EQ(outcome(sign_jws_with(secret, algorithm, kPayload), keys), kPayload) << algorithm;
    }
    EXPECT_EQ(outcome(sign_jws_with(ec(), "ES256", kPayload), keys), kPayload);
    EXPECT_EQ(outcome(sign_jws_with(p384, "ES384", kPayload), keys), kPayload);
    EXPECT_EQ(outcome(sign_jws_with(p521, "ES512", kPayload), keys), kPayload);
    EXPECT_EQ(outcome(sign_jws_with(ed25519, "EdDSA", kPayload), keys), kPayload);
    EXPECT_EQ(outcome(sign_jws_with(ed25519, "Ed25519", kPayload), keys), kPayload);  // RFC 9864
    EXPECT_EQ(outcome(sign_jws_with(ed25519, "Ed448", kPayload), keys), kUnaccepted);
}

TEST(Jws, RefusesAnotherKeysSignature) {
    EXPECT_EQ(outcome(sign_jws_with(other_ec(), "ES256", kPayload)), kUnaccepted);
}

TEST(Jws, RefusesAChangedHeaderOrPayload) {
    const std::string token = sign_jws_with(ec(), "ES256", kPayload);
    const std::string signature = token.substr(token.rfind('.'));
    const std::string header = token.substr(0, token.find('.'));
    EXPECT_EQ(outcome(header + "." + encode_base64url("another payload") + signature), kUnaccepted);
    EXPECT_EQ(outcome(encode_base64url(R"({"alg":"ES256","typ":"JWT"})") + "." +
                      encode_base64url(kPayload) + signature),
              kUnaccepted);
}

TEST(Jws, RefusesTheAlgorithmNone) {
    for (const char* none : {"none", "None", "NONE", "nOnE", ""}) {
        const std::string token =
            with_header(R"({"alg":")" + std::string(none) + R"(","kid":"a"})");
        EXPECT_EQ(outcome(token), kUnaccepted) << none;
        EXPECT_EQ(outcome(without_signature(token)), kUnaccepted) << none;
    }
}

/// A token whose HMAC secret is a public form of `key` is refused (algorithm confusion).
void expect_no_confusion(const SigningKey& key, const std::string& public_number) {
    const KeySet keys = parse_key_set(jwk_set({key.jwk()}));
    for (const std::string& secret :
         {key.public_pem(), key.public_der(), key.jwk(), key.jwk_octets(public_number)}) {
        const SigningKey forger = SigningKey::hmac(secret);
        EXPECT_EQ(outcome(sign_jws_with(forger, "HS256", kPayload), keys), kUnaccepted);
    }
}

TEST(Jws, RefusesAPublicKeyAsHmacSecret) {
    expect_no_confusion(rsa(), "n");
    expect_no_confusion(ec(), "x");
}

TEST(Jws, RefusesAnotherAlgorithmThanTheJwkNames) {
    const KeySet rs512 = parse_key_set(jwk_set({rsa().jwk(R"("alg":"RS512")")}));
    EXPECT_EQ(outcome(sign_jws_with(rsa(), "RS512", kPayload), rs512), kPayload);
    EXPECT_EQ(outcome(sign_jws_with(rsa(), "RS256", kPayload), rs512), kUnaccepted);
    EXPECT_EQ(outcome(sign_jws_with(rsa(), "PS512", kPayload), rs512), kUnaccepted);

    const SigningKey secret = SigningKey::hmac(std::string(64, 's'));
    const KeySet hs512 = parse_key_set(jwk_set({secret.jwk(R"("alg":"HS512")")}));
    EXPECT_EQ(outcome(sign_jws_with(secret, "HS512", kPayload), hs512), kPayload);
    EXPECT_EQ(outcome(sign_jws_with(secret, "HS256", kPayload), hs512), kUnaccepted);
}

TEST(Jws, MustHaveThreeParts) {
    const std::string token = sign_jws_with(ec(), "ES256", kPayload);
    for (const std::string& text :
         {""s, "."s, ".."s, "..."s, "...."s, token.substr(0, token.rfind('.')), token + ".",
          "." + token, token + ".AAAA", token + ".AAAA.AAAA", "AAAA"s,
          token.substr(token.find('.'))}) {
        EXPECT_EQ(outcome(text), kMalformed) << text;
    }
    EXPECT_EQ(outcome(without_signature(token)), kUnaccepted);
}

TEST(Jws, MustBeCanonicalBase64url) {
    const std::string token = sign_jws_with(ec(), "ES256", kPayload);  // 64 octets: two unused bits
    const std::string encoded_signature = token.substr(token.rfind('.') + 1);
    ASSERT_EQ(encoded_signature.size(), 86U);
    std::string changed = token;
    changed.back() = static_cast<char>(changed.back() + 1);  // a lax decoder gives the same octets
    EXPECT_EQ(outcome(changed), kMalformed);
    for (const std::string& text :
         {token + "=", token + "==", token + "\n", " " + token, token + "AAA",
          token.substr(0, token.find('.')) + "=" + token.substr(token.find('.')),
          token.substr(0, token.find('.')) + "\n" + token.substr(token.find('.'))}) {
        EXPECT_EQ(outcome(text), kMalformed) << text;
    }
}

TEST(Jws, RefusesExtensions) {
    EXPECT_EQ(outcome(with_header(R"({"alg":"ES256","crit":["exp"],"exp":1})")), kMalformed);
    EXPECT_EQ(outcome(with_header(R"({"alg":"ES256","crit":[]})")), kMalformed);
    EXPECT_EQ(outcome(with_header(R"({"alg":"ES256","crit":null})")), kMalformed);
    EXPECT_EQ(outcome(with_header(R"({"alg":"ES256","b64":true})")), kMalformed);
    EXPECT_EQ(outcome(with_header(R"({"alg":"ES256","b64":false,"crit":["b64"]})")), kMalformed);
}

TEST(Jws, HeaderMustBeStrictJson) {
    for (const std::string& header :
         {""s, "x"s, R"("ES256")"s, R"(["ES256"])"s, R"({"alg":"ES256"} x)"s,
          R"({"alg":"ES256"}{})"s, R"({"alg":"ES256","alg":"ES256"})"s,
          R"({"alg":"none","alg":"ES256"})"s, R"({"alg":"ES256","x":{"a":1,"a":1}})"s,
          R"({"alg":"ES256","kid":"a\u0000"})"s, "{\"alg\":\"ES256\",\"x\":\"\xFF\"}"s,
          "\xEF\xBB\xBF{\"alg\":\"ES256\"}"s, "{\"alg\":\"ES256\"}\0"s, R"({"alg":"ES256",})"s}) {
        EXPECT_EQ(outcome(with_header(header)), kMalformed) << header;
    }
}

TEST(Jws, HeaderNamesAreCaseSensitive) {
    EXPECT_EQ(outcome(with_header(R"({"Alg":"ES256"})")), kMalformed);
    EXPECT_EQ(outcome(with_header(R"({"ALG":"none","alg":"ES256","Kid":"b","CRIT":[]})")),
              kPayload);
}

TEST(Jws, AlgAndKidMustBeStrings) {
    for (const char* header : {"{}", R"({"alg":null})", R"({"alg":["ES256"]})", R"({"alg":256})",
                               R"({"alg":"ES256","kid":1})", R"({"alg":"ES256","kid":null})",
                               R"({"alg":"ES256","kid":["a"]})"}) {
        EXPECT_EQ(outcome(with_header(header)), kMalformed) << header;
    }
}

TEST(Jws, IgnoresKeysInTheToken) {
    const std::string embedded =
        R"("jwk":)" + other_ec().jwk() +
        R"(,"jku":"https://a.example/","x5u":"https://a.example/","x5c":["AAAA"])";
    EXPECT_EQ(outcome(sign_jws_with(other_ec(), "ES256", kPayload, embedded)), kUnaccepted);
    EXPECT_EQ(outcome(sign_jws_with(ec(), "ES256", kPayload, embedded)), kPayload);
}

/// A token of that size. Its header is padded: payloads alone do not give each size.
std::string token_of(std::size_t octets) {
    std::string padding;
    std::string token;
    while (token.size() != octets) {
        const std::string member = R"("x":")" + padding + "\"";
        const std::size_t overhead = sign_jws_with(ec(), "ES256", "", member).size();
        const std::string payload((octets - overhead) * 3 / 4, 'p');
        token = sign_jws_with(ec(), "ES256", payload, member);
        padding += 'x';
    }
    return token;
}

TEST(Jws, MayHave16KiBAndNoMore) {
    ASSERT_EQ(kMaxTokenSize, 16384U);
    EXPECT_EQ(outcome(token_of(16384)).substr(0, 3), "ppp");
    EXPECT_EQ(outcome(token_of(16385)), kMalformed);
    EXPECT_EQ(reason(token_of(16385)), "the token has 16385 octets, expected at most 16384");
}

// --- The reason in the log

TEST(JwsReason, SaysWhatIsMalformed) {
    const std::string token = sign_jws_with(ec(), "ES256", kPayload);
    const std::string parts = ", expected 2: header, payload and signature";
    EXPECT_EQ(reason("AAAA"), "the token's number of dots is 0" + parts);
    EXPECT_EQ(reason("AAAA.AAAA"), "the token's number of dots is 1" + parts);
    EXPECT_EQ(reason(with_header(R"({"alg":"ES256"})") + ".AAAA.AAAA"),
              "the token's number of dots is 4" + parts);
    EXPECT_EQ(reason(token + "="), "the token's signature is not base64url without padding");
    EXPECT_EQ(reason("=" + token), "the token's header is not base64url without padding");
    EXPECT_EQ(reason(token.substr(0, token.find('.')) + ".A.AAAA"),
              "the token's payload is not base64url without padding");
    EXPECT_EQ(reason(with_header(R"({"alg":"ES256","alg":"ES256"})")),
              "the token's header is not a JSON object with unique names in UTF-8 without U+0000");
    EXPECT_EQ(reason(with_header(R"({"alg":"ES256","crit":["exp"]})")),
              R"(crit is ["exp"], expected to be absent)");
    EXPECT_EQ(reason(with_header("{}")), "alg is missing, expected a string");
    EXPECT_EQ(reason(with_header(R"({"alg":256})")), "alg is 256, expected a string");
    EXPECT_EQ(reason(with_header(R"({"alg":"ES256","kid":null})")),
              "kid is null, expected a string");
}

TEST(JwsReason, NamesTheAlgorithmAndThoseThatAreSupported) {
    EXPECT_EQ(reason(with_header(R"({"alg":"none"})")),
              "alg is \"none\", expected one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, "
              "ES384, ES512, HS256, HS384, HS512, EdDSA");
}

TEST(JwsReason, NamesTheKeyAndTheKnownOnes) {
    EXPECT_EQ(reason(sign_jws_with(ec(), "ES256", kPayload, R"("kid":"k9")")),
              R"(the token has kid "k9", which no key has (known: key "a"))");
    std::vector<std::string> jwks;
    for (const char* kid : {"a", "b", "c", "d", "e"}) {
        jwks.push_back(ec().jwk(R"("kid":")" + std::string(kid) + '"'));
    }
    EXPECT_EQ(
        reason(sign_jws_with(ec(), "ES256", kPayload, R"("kid":"k9")"),
               parse_key_set(jwk_set(jwks))),
        R"(the token has kid "k9", which no key has (known: key "a", key "b", key "c" and 2 more))");
}

TEST(JwsReason, NamesTheAlgorithmsOfTheKeyThatDoesNotFit) {
    const KeySet keys =
        parse_key_set(jwk_set({rsa().jwk(R"("kid":"r","alg":"RS256")"), ec().jwk(R"("kid":"a")")}));
    EXPECT_EQ(reason(sign_jws_with(rsa(), "PS256", kPayload, R"("kid":"r")"), keys),
              R"(alg PS256 does not fit key "r" (RS256))");
    EXPECT_EQ(reason(sign_jws_with(rsa(), "PS256", kPayload), keys),
              R"(alg PS256 does not fit key "r" (RS256), key "a" (ES256))");
    EXPECT_EQ(reason(with_header(R"({"alg":"HS256","kid":"a"})")),
              R"(alg HS256 does not fit key "a" (ES256))");
}

TEST(JwsReason, SaysThatSeveralKeysFit) {
    const KeySet named =
        parse_key_set(jwk_set({ec().jwk(R"("kid":"a")"), other_ec().jwk(R"("kid":"b")")}));
    EXPECT_EQ(reason(sign_jws_with(ec(), "ES256", kPayload), named),
              R"(the token has no kid, and 2 keys fit ES256: key "a", key "b")");
    const KeySet mixed = parse_key_set(jwk_set({ec().jwk(R"("kid":"a")"), other_ec().jwk()}));
    EXPECT_EQ(reason(sign_jws_with(ec(), "ES256", kPayload, R"("kid":"a")"), mixed),
              R"(the token has kid "a", and 2 keys fit ES256: key "a", the key without kid)");
}

TEST(JwsReason, NamesTheKeyThatDoesNotVerifyTheSignature) {
    EXPECT_EQ(reason(sign_jws_with(other_ec(), "ES256", kPayload, R"("kid":"a")")),
              R"(the signature does not verify with key "a" (ES256))");
}

TEST(JwsReason, SaysThatTheKidIsUnknownIfAKeyWithoutKidIsTheCandidate) {
    const KeySet unnamed = parse_key_set(jwk_set({other_ec().jwk(), rsa().jwk(R"("kid":"r")")}));
    EXPECT_EQ(reason(sign_jws_with(ec(), "ES256", kPayload, R"("kid":"k9")"), unnamed),
              "no key has the token's kid \"k9\", and the signature does not verify with the key "
              "without kid (ES256)");
    EXPECT_EQ(reason(with_header(R"({"alg":"RS256","kid":"k9"})"), unnamed),
              "no key has the token's kid \"k9\", and alg RS256 does not fit the key without kid "
              "(ES256)");
}

TEST(JwsReason, CutsAndQuotesAKeyId) {
    const std::string kid(10'000, 'k');
    EXPECT_EQ(reason(sign_jws_with(ec(), "ES256", kPayload, R"("kid":")" + kid + '"')),
              "the token has kid \"" + kid.substr(0, 63) +
                  "\u2026\", which no key has (known: key \"a\")");
    EXPECT_EQ(reason(sign_jws_with(ec(), "ES256", kPayload, R"("kid":"k\" status=200\n")")),
              R"(the token has kid "k\" status=200\u000a", which no key has (known: key "a"))");
}

std::string signed_by_ec(const std::string& members = "") {
    return sign_jws_with(ec(), "ES256", kPayload, members);
}

TEST(JwsCandidates, AreTheKeysWithTheKidOrWithoutAny) {
    const KeySet named =
        parse_key_set(jwk_set({ec().jwk(R"("kid":"a")"), other_ec().jwk(R"("kid":"b")")}));
    EXPECT_EQ(outcome(signed_by_ec(R"("kid":"a")"), named), kPayload);
    EXPECT_EQ(outcome(signed_by_ec(R"("kid":"b")"), named), kUnaccepted);
    EXPECT_EQ(outcome(signed_by_ec(R"("kid":"c")"), named), kUnaccepted);
    EXPECT_EQ(outcome(signed_by_ec(R"("kid":"A")"), named), kUnaccepted);
    EXPECT_EQ(outcome(signed_by_ec(R"("kid":"")"), named), kUnaccepted);

    const KeySet unnamed = parse_key_set(jwk_set({ec().jwk()}));
    EXPECT_EQ(outcome(signed_by_ec(R"("kid":"whatever")"), unnamed), kPayload);
    EXPECT_EQ(outcome(signed_by_ec(), unnamed), kPayload);
}

TEST(JwsCandidates, AreAllKeysForATokenWithoutKid) {
    const KeySet different =
        parse_key_set(jwk_set({rsa().jwk(R"("kid":"r")"), ec().jwk(R"("kid":"a")")}));
    EXPECT_EQ(outcome(signed_by_ec(), different), kPayload);
}

/// A token of ec() is refused with the keys in either order.
void expect_ambiguous(const std::string& jwk, const std::string& other_jwk) {
    for (const std::string& text : {jwk_set({jwk, other_jwk}), jwk_set({other_jwk, jwk})}) {
        const KeySet keys = parse_key_set(text);
        ASSERT_EQ(keys.keys.size(), 2U);
        EXPECT_EQ(outcome(signed_by_ec(R"("kid":"a")"), keys), kUnaccepted) << text;
        EXPECT_EQ(outcome(signed_by_ec(), keys), kUnaccepted) << text;
    }
}

TEST(JwsCandidates, SeveralThatFitAreRefused) {
    const std::string kid = R"("kid":"a")";
    expect_ambiguous(ec().jwk(kid), other_ec().jwk(kid));
    expect_ambiguous(ec().jwk(), other_ec().jwk());
    expect_ambiguous(ec().jwk(kid), other_ec().jwk());
    expect_ambiguous(ec().jwk(), other_ec().jwk(kid));
}

TEST(JwsCandidates, OfOtherAlgorithmsAreIgnored) {
    const KeySet same_kid =
        parse_key_set(jwk_set({rsa().jwk(R"("kid":"a","alg":"RS256")"),
                               rsa().jwk(R"("kid":"a","alg":"PS256")"), ec().jwk(R"("kid":"a")")}));
    EXPECT_EQ(outcome(signed_by_ec(R"("kid":"a")"), same_kid), kPayload);
    EXPECT_EQ(outcome(sign_jws_with(rsa(), "PS256", kPayload, R"("kid":"a")"), same_kid), kPayload);
}

TEST(JwsCandidates, NeverIncludeASkippedKey) {
    const KeySet keys =
        parse_key_set(jwk_set({ec().jwk(R"("kid":"a","use":"enc")"), rsa().jwk(R"("kid":"r")")}));
    EXPECT_EQ(outcome(signed_by_ec(R"("kid":"a")"), keys), kUnaccepted);
    EXPECT_EQ(outcome(signed_by_ec(), keys), kUnaccepted);
}

TEST(JwsCandidates, MayComeFromPem) {
    const KeySet keys = parse_key_set(rsa().public_pem() + ec().certificate_pem());
    EXPECT_EQ(outcome(signed_by_ec(R"("kid":"any")"), keys), kPayload);
}

}  // namespace
}  // namespace kheops
