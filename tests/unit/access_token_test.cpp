// SPDX-License-Identifier: MIT
#include "token/access_token.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "http/message.hpp"
#include "support/test_keys.hpp"

namespace kheops {
namespace {

using namespace std::string_literals;
using test::SigningKey;

constexpr const char* kMalformed = "The token is malformed";
constexpr const char* kUnaccepted = "The token is not accepted";
constexpr const char* kExpired = "The token has expired";
constexpr const char* kNotYetValid = "The token is not yet valid";
constexpr const char* kNoExpiry = "The token has no expiry time (exp)";
constexpr const char* kNoSubject = "The token has no subject (sub) of 1 to 255 characters";

constexpr const char* kNoActingParty =
    "The token has no acting party (act) with a subject (sub) of 1 to 255 characters";

constexpr const char* kGood = R"("iss":"https://i.example","sub":"alice","exp":2000)";

const SigningKey& signer() {
    static const SigningKey key = SigningKey::ec("P-256");
    return key;
}

constexpr const char* kIssuer = "https://i.example";

/// A source with a list of states. newer_than() moves to the next; after the last it returns the
/// known keys or throws KeysUnavailable.
class ScriptedKeys : public KeySource {
  public:
    enum class End { no_newer, unavailable };

    explicit ScriptedKeys(std::vector<Keys> states, End end = End::no_newer)
        : states_(std::move(states)), end_(end) {}

    [[nodiscard]] Keys current() const override { return states_.at(position_); }
    [[nodiscard]] Keys newer_than(const Keys& known, Deadline /*deadline*/) override {
        EXPECT_EQ(known, current());
        if (position_ + 1 < states_.size()) {
            return states_.at(++position_);
        }
        if (end_ == End::unavailable) {
            throw KeysUnavailable(std::chrono::seconds(7));
        }
        return known;
    }
    void reload() override {}
    [[nodiscard]] KeyStatus status() const override { return {}; }

    [[nodiscard]] size_t renewals() const { return position_; }

  private:
    std::vector<Keys> states_;
    End end_;
    size_t position_ = 0;
};

KeySource::Keys trusted(const std::vector<std::string>& jwks) {
    return std::make_shared<const TrustedKeys>(
        TrustedKeys{parse_key_set(test::jwk_set(jwks)), kIssuer});
}

KeySource& keys() {
    static ScriptedKeys source({trusted({signer().jwk()})});
    return source;
}

Deadline some_time() {
    return Deadline(Clock::now() + std::chrono::minutes(1));
}

std::string sign(const std::string& payload) {
    return test::sign_jws_with(signer(), "ES256", payload);
}

std::chrono::system_clock::time_point at(double seconds) {
    return std::chrono::system_clock::time_point(
        std::chrono::duration_cast<std::chrono::system_clock::duration>(
            std::chrono::duration<double>(seconds)));
}

TokenRules rules(const std::string& audience = "", const std::string& scope = "") {
    return {audience, scope};
}

/// The subject, or the reason for the refusal.
std::string outcome_of_token(const std::string& token, double now = 1000,
                             const TokenRules& token_rules = rules()) {
    try {
        return TokenVerifier(keys(), token_rules).verify(token, at(now), some_time()).subject;
    } catch (const HttpError& error) {
        return error.detail();
    }
}

/// The reason for the refusal of a signed token with these claims, JSON without braces.
std::string reason(const std::string& claims, double now = 1000,
                   const TokenRules& token_rules = rules()) {
    try {
        return "accepted: " + TokenVerifier(keys(), token_rules)
                                  .verify(sign("{" + claims + "}"), at(now), some_time())
                                  .subject;
    } catch (const HttpError& error) {
        return error.reason();
    }
}

/// The outcome of a signed token with these claims, JSON without braces.
std::string outcome(const std::string& claims, double now = 1000,
                    const TokenRules& token_rules = rules()) {
    return outcome_of_token(sign("{" + claims + "}"), now, token_rules);
}

/// The good claims and `more`.
std::string good_and(const std::string& more) {
    return std::string(kGood) + "," + more;
}

// --- The Authorization header

std::string refusal_of_header(const std::string& authorization) {
    try {
        return "accepted: " + std::string(bearer_token(authorization));
    } catch (const HttpError& error) {
        EXPECT_EQ(error.status(), 401);
        EXPECT_EQ(error.message(), "Authorization error");
        EXPECT_EQ(error.headers(),
                  (std::vector<Header>{{"WWW-Authenticate", R"(Bearer realm="kheops")"}}));
        return error.detail();
    }
}

TEST(BearerToken, IsWhatFollowsTheScheme) {
    EXPECT_EQ(bearer_token("Bearer a.b.c"), "a.b.c");
    EXPECT_EQ(bearer_token("bearer a.b.c"), "a.b.c");
    EXPECT_EQ(bearer_token("bEaReR a.b.c"), "a.b.c");
    EXPECT_EQ(bearer_token("Bearer    a.b.c"), "a.b.c");
    EXPECT_EQ(bearer_token("Bearer a.b.c  "), "a.b.c");
    EXPECT_EQ(bearer_token("Bearer Az09-._~+/=="), "Az09-._~+/==");
}

TEST(BearerToken, IsMissingWithoutAHeader) {
    EXPECT_EQ(refusal_of_header(""), "The Authorization header is missing");
}

TEST(BearerToken, AMalformedHeaderIsRefused) {
    for (const std::string& header : {"Bearer"s,
                                      "Bearer "s,
                                      "Bearer   "s,
                                      "Bearera.b.c"s,
                                      "Bearer\ta.b.c"s,
                                      " Bearer a.b.c"s,
                                      "Basic YTpi"s,
                                      "Bearer a.b.c, Bearer d.e.f"s,
                                      "Bearer a.b.c,d"s,
                                      "Bearer a b"s,
                                      "Bearer a=b"s,
                                      "Bearer =="s,
                                      "Bearer \"a\""s,
                                      "Bearer a\0z"s,
                                      "Bearer a\xC3\xA9"s,
                                      "Bearer a.b.c\n"s,
                                      "Bearer a;b"s,
                                      "Bearer: a"s,
                                      "Bear"s,
                                      " "s}) {
        const std::string reason = refusal_of_header(header);
        EXPECT_EQ(reason.find("The Authorization header is malformed"), 0U) << header << reason;
    }
}

/// The reason that the log gets.
std::string reason_of_header(const std::string& authorization) {
    try {
        return "accepted: " + std::string(bearer_token(authorization));
    } catch (const HttpError& error) {
        return error.reason();
    }
}

TEST(BearerToken, TheReasonSaysWhatIsWrongWithTheHeader) {
    EXPECT_EQ(reason_of_header(""), "Authorization is missing");
    EXPECT_EQ(reason_of_header("Basic YTpi"),
              "the scheme of Authorization is Basic, expected Bearer");
    EXPECT_EQ(reason_of_header("DPoP a.b.c"),
              "the scheme of Authorization is DPoP, expected Bearer");
    EXPECT_EQ(reason_of_header("Bearer  "), "no token follows Bearer");
    EXPECT_EQ(reason_of_header("Bearer a.b.c, Bearer d.e.f"),
              "character 6 of the token is \",\", which no token has there");
    EXPECT_EQ(reason_of_header("Bearer a=b"),
              "character 3 of the token is \"b\", which no token has there");
    EXPECT_EQ(reason_of_header("Bearer =="),
              "character 1 of the token is \"=\", which no token has there");
    EXPECT_EQ(reason_of_header("Bearer a\xC3\xA9"),
              "character 2 of the token is \"\\u00c3\", which no token has there");
}

TEST(BearerToken, TheReasonShowsNothingThatCanBeASecret) {
    for (const char* header : {"a.b.c", "a.b.c d", "secret word", "Secret:", " Bearer secret"}) {
        EXPECT_EQ(reason_of_header(header), "Authorization has " +
                                                std::to_string(std::string(header).size()) +
                                                " octets and does not begin with \"Bearer \"");
    }
}

// --- The answer to a refused token

TEST(AccessToken, RefusalFollowsRfc6750) {
    try {
        static_cast<void>(TokenVerifier(keys(), rules()).verify("a.b.c", at(1000), some_time()));
        FAIL() << "the token was accepted";
    } catch (const HttpError& error) {
        EXPECT_EQ(error.status(), 401);
        EXPECT_EQ(error.message(), "Authorization error");
        EXPECT_EQ(error.detail(), kMalformed);
        EXPECT_EQ(error.headers(),
                  (std::vector<Header>{{"WWW-Authenticate",
                                        "Bearer realm=\"kheops\", error=\"invalid_token\", "
                                        "error_description=\"The token is malformed\""}}));
    }
}

TEST(AccessToken, SignatureIsCheckedBeforeAnyClaim) {
    const SigningKey forger = SigningKey::ec("P-256");
    for (const char* payload : {"no JSON", "{}", R"({"exp":1})"}) {
        EXPECT_EQ(outcome_of_token(test::sign_jws_with(forger, "ES256", payload)), kUnaccepted);
    }
}

// --- The claims as JSON

TEST(AccessToken, ReturnsTheSubject) {
    EXPECT_EQ(outcome(kGood), "alice");
}

TEST(AccessToken, ClaimsMustBeAStrictJsonObject) {
    const std::string good = kGood;
    for (const std::string& payload :
         {""s, "x"s, "[]"s, "\"alice\""s, "null"s, "{" + good + "} x", "{" + good + "}{}",
          "{" + good + "}\0"s, "\xEF\xBB\xBF{" + good + "}", "{" + good + ",}",
          "{" + good + ",\"x\":\"\xFF\"}", "{" + good + ",\"x\":\"\xC0\x80\"}",
          "{" + good + ",\"x\":\"\xED\xA0\x80\"}", "{" + good + ",\"x\":\"\\ud800\"}",
          "{" + good + ",\"x\":01}", "{" + good + ",\"x\":\"\n\"}", "{" + good + "\v}"}) {
        EXPECT_EQ(outcome_of_token(sign(payload)), kMalformed) << payload;
    }
}

TEST(AccessToken, RefusesDuplicateClaims) {
    EXPECT_EQ(outcome(good_and(R"("sub":"bob")")), kMalformed);
    EXPECT_EQ(outcome(R"("sub":"bob",)" + std::string(kGood)), kMalformed);
    EXPECT_EQ(outcome(good_and(R"("exp":2000)")), kMalformed);
    EXPECT_EQ(outcome(good_and(R"("s\u0075b":"bob")")), kMalformed);
    EXPECT_EQ(outcome(good_and(R"("x":[{"y":{"a":1,"a":2}}])")), kMalformed);
}

TEST(AccessToken, ClaimNamesAreCaseSensitive) {
    EXPECT_EQ(outcome(R"("Sub":"bob",)" + std::string(kGood)), "alice");
    EXPECT_EQ(outcome(R"("SUB":"bob","EXP":1,"ISS":"x","Nbf":9999,)" + std::string(kGood)),
              "alice");
    EXPECT_EQ(outcome(R"("iss":"https://i.example","Sub":"alice","exp":2000)"), kNoSubject);
    EXPECT_EQ(outcome(R"("iss":"https://i.example","sub":"alice","EXP":2000)"), kNoExpiry);
    EXPECT_EQ(outcome(R"("Iss":"https://i.example","sub":"alice","exp":2000)"), kUnaccepted);
}

TEST(AccessToken, RefusesUnicodeZeroInAnyString) {
    EXPECT_EQ(outcome(R"("iss":"https://i.example","sub":"alice\u0000bob","exp":2000)"),
              kMalformed);
    EXPECT_EQ(outcome(R"("iss":"https://i.example\u0000","sub":"alice","exp":2000)"), kMalformed);
    EXPECT_EQ(outcome(good_and(R"("x\u0000":1)")), kMalformed);
    EXPECT_EQ(outcome(good_and("\"x\":\"\0\""s)), kMalformed);
}

// --- Issuer, audience, scope

TEST(AccessToken, IssuerMustMatchExactly) {
    for (const char* issuer : {R"("https://i.example/")", R"("HTTPS://i.example")", R"("")",
                               R"(["https://i.example"])", "null", "1"}) {
        EXPECT_EQ(outcome(R"("sub":"alice","exp":2000,"iss":)" + std::string(issuer)), kUnaccepted)
            << issuer;
    }
    EXPECT_EQ(outcome(R"("sub":"alice","exp":2000)"), kUnaccepted);
}

TEST(AccessToken, ConfiguredAudienceIsRequired) {
    const auto with = [](const std::string& audience) {
        return outcome(good_and("\"aud\":" + audience), 1000, rules("kheops"));
    };
    EXPECT_EQ(with(R"("kheops")"), "alice");
    EXPECT_EQ(with(R"(["account","kheops"])"), "alice");
    for (const char* audience : {R"("Kheops")", R"("kheops2")", R"("account kheops")", "[]", "null",
                                 R"([["kheops"]])", R"({"kheops":"kheops"})", R"(["account"])"}) {
        EXPECT_EQ(with(audience), kUnaccepted) << audience;
    }
    EXPECT_EQ(outcome(kGood, 1000, rules("kheops")), kUnaccepted);
    EXPECT_EQ(outcome(good_and(R"("aud":"other")")), "alice") << "no audience is configured";
}

TEST(AccessToken, ConfiguredScopeIsRequired) {
    const auto with = [](const std::string& scope) {
        return outcome(good_and("\"scope\":" + scope), 1000, rules("", "kheops"));
    };
    EXPECT_EQ(with(R"("kheops")"), "alice");
    EXPECT_EQ(with(R"("openid kheops")"), "alice");
    EXPECT_EQ(with(R"("kheops  openid")"), "alice");
    for (const char* scope : {R"("")", R"("kheops2")", R"("xkheops")", R"("openid,kheops")",
                              R"("Kheops")", R"(["kheops"])", "null", R"("openid\tkheops")"}) {
        EXPECT_EQ(with(scope), kUnaccepted) << scope;
    }
    EXPECT_EQ(outcome(kGood, 1000, rules("", "kheops")), kUnaccepted);
    EXPECT_EQ(outcome(good_and(R"("scope":"other")")), "alice") << "no scope is configured";
}

// --- Times

TEST(AccessToken, ExpiresSixtySecondsAfterExp) {
    EXPECT_EQ(outcome(kGood, 2059.999), "alice");
    EXPECT_EQ(outcome(kGood, 2060), kExpired);
    EXPECT_EQ(outcome(kGood, 1e9), kExpired);
    const std::string fraction = R"("iss":"https://i.example","sub":"alice","exp":1999.5)";
    EXPECT_EQ(outcome(fraction, 2059.25), "alice");
    EXPECT_EQ(outcome(fraction, 2059.5), kExpired);
}

TEST(AccessToken, ExpiryIsRequired) {
    EXPECT_EQ(outcome(R"("iss":"https://i.example","sub":"alice")"), kNoExpiry);
}

TEST(AccessToken, IsValidFromSixtySecondsBeforeNbfAndIat) {
    for (const char* claim : {"nbf", "iat"}) {
        const std::string claims = good_and("\"" + std::string(claim) + "\":1500");
        EXPECT_EQ(outcome(claims, 1439.999), kNotYetValid) << claim;
        EXPECT_EQ(outcome(claims, 1440), "alice") << claim;
    }
    EXPECT_EQ(outcome(good_and(R"("nbf":1500.5)"), 1440.25), kNotYetValid);
    EXPECT_EQ(outcome(good_and(R"("nbf":1500.5)"), 1440.5), "alice");
}

TEST(AccessToken, TimesMustBeFiniteNumbers) {
    for (const char* value : {R"("2000")", "null", "true", "[2000]", "1e400", "-1e400", "{}"}) {
        EXPECT_EQ(outcome(R"("iss":"https://i.example","sub":"alice","exp":)" + std::string(value)),
                  kMalformed)
            << value;
        EXPECT_EQ(outcome(good_and("\"nbf\":" + std::string(value))), kMalformed) << value;
        EXPECT_EQ(outcome(good_and("\"iat\":" + std::string(value))), kMalformed) << value;
    }
    EXPECT_EQ(outcome(R"("iss":"https://i.example","sub":"alice","exp":1e300)"), "alice");
    EXPECT_EQ(outcome(R"("iss":"https://i.example","sub":"alice","exp":-1e300)"), kExpired);
}

// --- The reason in the log

TEST(AccessTokenReason, NamesTheIssuerSeenAndTheIssuerExpected) {
    EXPECT_EQ(reason(R"("iss":"https://j.example","sub":"alice","exp":2000)"),
              R"(iss is "https://j.example", expected "https://i.example")");
    EXPECT_EQ(reason(R"("sub":"alice","exp":2000)"),
              R"(iss is missing, expected "https://i.example")");
    EXPECT_EQ(reason(R"("iss":["https://i.example"],"sub":"alice","exp":2000)"),
              R"(iss is ["https://i.example"], expected "https://i.example")");
}

TEST(AccessTokenReason, NamesTheAudienceAndTheScope) {
    EXPECT_EQ(reason(good_and(R"("aud":["account","x"])"), 1000, rules("kheops")),
              R"(aud is ["account","x"], expected to contain "kheops")");
    EXPECT_EQ(reason(kGood, 1000, rules("kheops")),
              R"(aud is missing, expected to contain "kheops")");
    EXPECT_EQ(reason(good_and(R"("scope":"openid email")"), 1000, rules("", "kheops")),
              R"(scope is "openid email", expected to contain the word "kheops")");
}

TEST(AccessTokenReason, NamesTheTimesAndThisClock) {
    EXPECT_EQ(reason(kGood, 2312.5),
              "exp passed 312 s ago; 60 s are tolerated (exp is 2000, this clock shows 2312)");
    EXPECT_EQ(reason(good_and(R"("nbf":1700000000)"), 1000),
              "nbf is 1699999000 s ahead; 60 s are tolerated "
              "(nbf is 1700000000, this clock shows 1000)");
    EXPECT_EQ(reason(good_and(R"("iat":1500)"), 1439),
              "iat is 61 s ahead; 60 s are tolerated (iat is 1500, this clock shows 1439)");
    EXPECT_EQ(reason(R"("iss":"https://i.example","sub":"alice")"),
              "exp is missing, expected a number");
    EXPECT_EQ(reason(R"("iss":"https://i.example","sub":"alice","exp":"2000")"),
              R"(exp is "2000", expected a finite number)");
}

TEST(AccessTokenReason, NamesTheSubject) {
    EXPECT_EQ(reason(R"("iss":"https://i.example","exp":2000,"sub":5)"),
              "sub is 5, expected a string of 1 to 255 characters");
    EXPECT_EQ(
        reason(R"("iss":"https://i.example","exp":2000,"sub":")" + std::string(300, 'a') + '"'),
        "sub is \"" + std::string(99, 'a') + "\u2026\", expected a string of 1 to 255 characters");
    EXPECT_EQ(
        reason(good_and(R"("act":{"sub":""})")),
        R"(act is {"sub":""}, expected an object whose sub is a string of 1 to 255 characters)");
}

TEST(AccessTokenReason, OfAnotherPayloadThanAnObjectSaysSo) {
    EXPECT_EQ(reason(good_and(R"("sub":"bob")")),
              "the token's payload is not a JSON object with unique names in UTF-8 without U+0000");
}

// Else a value could seem to be what was expected.
TEST(AccessTokenReason, QuotesAndCutsValues) {
    EXPECT_EQ(reason(R"("sub":"alice","exp":2000,"iss":"a\", expected \"b")"),
              R"(iss is "a\", expected \"b", expected "https://i.example")");
    EXPECT_EQ(reason(R"("sub":"alice","exp":2000,"iss":[")" + std::string(10'000, 'a') + "\"]"),
              "iss is [\"" + std::string(98, 'a') + "\u2026, expected \"https://i.example\"");
}

// Before the signature is verified, anybody can have written the claims.
TEST(AccessTokenReason, OfAWrongSignatureSaysNothingOfTheClaims) {
    const SigningKey forger = SigningKey::ec("P-256");
    const std::string token =
        test::sign_jws_with(forger, "ES256", R"({"iss":"https://j.example","exp":1})");
    try {
        static_cast<void>(TokenVerifier(keys(), rules()).verify(token, at(1000), some_time()));
        FAIL() << "the token was accepted";
    } catch (const HttpError& error) {
        EXPECT_EQ(error.reason(), "the signature does not verify with the key without kid (ES256)");
    }
}

// --- The acting party

TEST(ActingParty, IsTheSubjectOfAct) {
    const auto acting_party = [](const std::string& claims) {
        return TokenVerifier(keys(), rules())
            .verify(sign("{" + claims + "}"), at(1000), some_time())
            .acting_party;
    };
    EXPECT_EQ(acting_party(kGood), "");
    EXPECT_EQ(acting_party(good_and(R"("act":{"sub":"bob"})")), "bob");
    EXPECT_EQ(acting_party(good_and(R"("act":{"iss":"x","sub":"bob","act":{"sub":1}})")), "bob");
}

TEST(ActingParty, MustBeAnObjectWithASubject) {
    for (const std::string& act :
         {"null"s, R"("bob")"s, "1"s, "{}"s, "[]"s, R"([{"sub":"bob"}])"s, R"({"sub":""})"s,
          R"({"sub":null})"s, R"({"sub":["bob"]})"s, R"({"Sub":"bob"})"s,
          R"({"sub":")" + std::string(256, 'a') + "\"}"}) {
        EXPECT_EQ(outcome(good_and("\"act\":" + act)), kNoActingParty) << act;
    }
    EXPECT_EQ(outcome(good_and(R"("act":{"sub":")" + std::string(255, 'a') + "\"}")), "alice");
}

// --- Subject

/// The outcome of a token whose `sub` is this JSON value.
std::string outcome_of_subject(const std::string& value) {
    return outcome(R"("iss":"https://i.example","exp":2000,"sub":)" + value);
}

TEST(AccessToken, SubjectMustBeANonEmptyString) {
    EXPECT_EQ(outcome(R"("iss":"https://i.example","exp":2000)"), kNoSubject);
    for (const char* value : {R"("")", "null", "1", R"(["alice"])", "true"}) {
        EXPECT_EQ(outcome_of_subject(value), kNoSubject) << value;
    }
    EXPECT_EQ(outcome_of_subject(R"(" ")"), " ");
}

TEST(AccessToken, SubjectHasAtMost255Characters) {
    const auto repeat = [](const std::string& character, int times) {
        std::string text;
        for (int i = 0; i < times; ++i) {
            text += character;
        }
        return text;
    };
    for (const char* character : {"a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"}) {
        const std::string longest = repeat(character, 255);
        EXPECT_EQ(outcome_of_subject("\"" + longest + "\""), longest);
        EXPECT_EQ(outcome_of_subject("\"" + longest + "a\""), kNoSubject);
    }
}

TEST(AccessToken, SubjectIsNotChanged) {
    EXPECT_EQ(outcome_of_subject(R"("a@b.example")"), "a@b.example");
    EXPECT_EQ(outcome_of_subject(R"("%_'\"\\\u00e9")"), "%_'\"\\\xC3\xA9");
}

// --- Several threads

TEST(AccessToken, IsVerifiedByManyThreadsAtOnce) {
    const TokenVerifier verifier(keys(), rules());
    const std::string token = sign("{" + std::string(kGood) + "}");
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int j = 0; j < 50; ++j) {
                EXPECT_EQ(verifier.verify(token, at(1000), some_time()).subject, "alice");
                EXPECT_THROW(static_cast<void>(verifier.verify(token + "A", at(1000), some_time())),
                             HttpError);
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

TEST(MintedToken, VerifiesAgainstTheTestKeySet) {
    ScriptedKeys source({std::make_shared<const TrustedKeys>(
        TrustedKeys{parse_key_set(test::test_key_set()), test::kTestIssuer})});
    const TokenVerifier verifier(source, rules());
    const auto now = std::chrono::system_clock::now();
    EXPECT_EQ(verifier.verify(test::mint_token("a\"b"), now, some_time()).subject, "a\"b");
}

// --- Keys that change

std::string token_of(const SigningKey& key, const std::string& kid) {
    return test::sign_jws_with(key, "ES256", "{" + std::string(kGood) + "}",
                               R"("kid":")" + kid + '"');
}

std::string jwk_of(const SigningKey& key, const std::string& kid) {
    return key.jwk(R"("kid":")" + kid + '"');
}

std::string outcome_with(KeySource& source, const std::string& token) {
    try {
        return TokenVerifier(source, rules()).verify(token, at(1000), some_time()).subject;
    } catch (const HttpError& error) {
        return error.detail();
    } catch (const KeysUnavailable& error) {
        return "retry after " + std::to_string(error.retry_after().count());
    }
}

TEST(TokenVerifier, KnownKidAsksForNoNewerKeys) {
    ScriptedKeys source({trusted({jwk_of(signer(), "a")}), trusted({jwk_of(signer(), "b")})});
    EXPECT_EQ(outcome_with(source, token_of(signer(), "a")), "alice");
    EXPECT_EQ(source.renewals(), 0U);
}

TEST(TokenVerifier, UnknownKidAsksForNewerKeys) {
    ScriptedKeys source({trusted({jwk_of(signer(), "a")}), trusted({jwk_of(signer(), "b")})});
    EXPECT_EQ(outcome_with(source, token_of(signer(), "b")), "alice");
    EXPECT_EQ(source.renewals(), 1U);
    EXPECT_EQ(outcome_with(source, token_of(signer(), "c")), kUnaccepted);
}

TEST(TokenVerifier, TokenThatNoNewKeyCanVerifyAsksForNone) {
    const SigningKey other = SigningKey::ec("P-256");
    ScriptedKeys source({trusted({jwk_of(signer(), "a")}), trusted({jwk_of(other, "a")})});
    EXPECT_EQ(outcome_with(source, token_of(other, "a")), kUnaccepted);  // a forged signature
    EXPECT_EQ(outcome_with(source, sign("{" + std::string(kGood) + "}")), "alice");  // no kid
    EXPECT_EQ(outcome_with(source,
                           test::sign_jws(signer(), "ES256", R"({"alg":"none","kid":"c"})", "{}")),
              kUnaccepted);
    EXPECT_EQ(outcome_with(source, "a.b.c"), kMalformed);
    EXPECT_EQ(source.renewals(), 0U);
}

TEST(TokenVerifier, UnknownKidIsRetriedWhileKeysAreUnavailable) {
    ScriptedKeys none({nullptr}, ScriptedKeys::End::unavailable);
    EXPECT_EQ(outcome_with(none, token_of(signer(), "a")), "retry after 7");
    EXPECT_EQ(outcome_with(none, "a.b.c"), kMalformed);

    ScriptedKeys first({nullptr, trusted({jwk_of(signer(), "a")})});
    EXPECT_EQ(outcome_with(first, token_of(signer(), "a")), "alice");

    ScriptedKeys old({trusted({jwk_of(signer(), "a")})}, ScriptedKeys::End::unavailable);
    EXPECT_EQ(outcome_with(old, token_of(signer(), "b")), "retry after 7");
    EXPECT_EQ(outcome_with(old, token_of(signer(), "a")), "alice");
}

}  // namespace
}  // namespace kheops
