// SPDX-License-Identifier: MIT

// The reason of each refusal: in the log with the value seen and the value expected, and not in the
// answer. And the acting party, in the log line.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "support/files.hpp"
#include "support/log_line.hpp"
#include "support/temporary_directory.hpp"
#include "support/test_keys.hpp"
#include "support/test_site.hpp"
#include "text/json.hpp"

namespace kheops::test {
namespace {

constexpr const char* kList = "/albums/DemoAlbum1/webhooks";
constexpr const char* kHelp = "https://github.com/OsiriX-Foundation/kheops/wiki";
constexpr const char* kIssuer = "https://issuer.example/realms/kheops";

/// A refusal as the client sees it, and its reason in the log.
struct Refusal {
    int status;
    std::string message;
    std::string detail;
    std::string challenge;  ///< the header WWW-Authenticate
    std::string reason;
};

/// The 401 for a token.
Refusal refused_token(const std::string& detail, const std::string& reason) {
    return {
        401, "Authorization error", detail,
        "Bearer realm=\"kheops\", error=\"invalid_token\", error_description=\"" + detail + "\"",
        reason};
}

Refusal malformed(const std::string& reason) {
    return refused_token("The token is malformed", reason);
}

Refusal unaccepted(const std::string& reason) {
    return refused_token("The token is not accepted", reason);
}

std::string seconds_from_now(std::chrono::seconds seconds) {
    return std::to_string(
        std::chrono::system_clock::to_time_t(std::chrono::system_clock::now() + seconds));
}

/// Claims that are accepted, as JSON without its end.
std::string good_claims() {
    return R"({"iss":")" + std::string(kIssuer) + R"(","sub":"alice","aud":["kheops","account"],)" +
           R"("scope":"openid webhooks","exp":)" + seconds_from_now(std::chrono::hours(1));
}

/// The good claims with one of them replaced by `claim`, which is JSON or empty.
std::string claims_but(const std::string& name, const std::string& claim) {
    const auto parsed = json::parse(good_claims() + "}");
    std::string claims = claim;
    for (const auto& [other, value] : parsed->view().members()) {
        if (other != name) {
            claims += claims.empty() ? "" : ",";
            claims.append("\"").append(other).append("\":").append(value.text());
        }
    }
    return "{" + claims + "}";
}

/// A worker that checks the audience and the scope, with a key file of two keys.
class Reasons : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        directory_ = std::make_unique<TemporaryDirectory>();
        const std::string file = directory_->file("keys.json");
        write_file(file, jwk_set({ec().jwk(R"("kid":"k1")"), rsa().jwk(R"("kid":"k2")")}));
        site_ = std::make_unique<TestSite>(
            std::vector<std::string>{"sql/schema.sql", "sql/example-data.sql"},
            Settings{{"KHEOPS_WEBHOOKS_JWKS", file},
                     {"KHEOPS_WEBHOOKS_ISSUER", kIssuer},
                     {"KHEOPS_WEBHOOKS_AUDIENCE", "kheops"},
                     {"KHEOPS_OAUTH_SCOPE", "webhooks"}});
    }
    static void TearDownTestSuite() {
        site_.reset();
        directory_.reset();
    }

    static const SigningKey& ec() {
        static const SigningKey key = SigningKey::ec("P-256");
        return key;
    }
    static const SigningKey& rsa() {
        static const SigningKey key = SigningKey::rsa();
        return key;
    }

    static std::string token(const std::string& claims,
                             const std::string& header_members = R"("kid":"k1")") {
        return sign_jws_with(ec(), "ES256", claims, header_members);
    }

    static HttpHeaders bearer(const std::string& token) {
        return {{"Authorization", "Bearer " + token}};
    }

    /// Asks nginx. The answer is that refusal, and its reason, or the beginning of it, is in the
    /// log line.
    static void expect_refused(const std::string& method, const std::string& target,
                               const HttpHeaders& headers, const Refusal& refusal) {
        SCOPED_TRACE(refusal.reason);
        const HttpAnswer answer = site_->fetch(method, target, headers);
        EXPECT_EQ(answer.status, refusal.status);
        EXPECT_EQ(answer.body, R"({"message":")" + refusal.message + R"(","detail":")" +
                                   refusal.detail + R"(","help":")" + kHelp + "\"}");
        EXPECT_EQ(answer.header("WWW-Authenticate"), refusal.challenge);
        const std::string line = log_lines(site_->worker().log()).back();
        EXPECT_EQ(log_line_value(line, "status"), std::to_string(refusal.status));
        EXPECT_TRUE(log_line_value(line, "reason").starts_with(refusal.reason)) << line;
    }

    /// Neither the token's payload nor its signature is in the log.
    static void expect_token_refused(const std::string& token, const Refusal& refusal) {
        expect_refused("GET", kList, bearer(token), refusal);
        const std::string log = site_->worker().log();
        constexpr size_t kPart = 20;
        EXPECT_EQ(log.find(token.substr(token.find('.'), kPart)), std::string::npos);
        EXPECT_EQ(log.find(token.substr(token.size() - kPart)), std::string::npos);
    }

    static std::unique_ptr<TemporaryDirectory> directory_;
    static std::unique_ptr<TestSite> site_;
};

std::unique_ptr<TemporaryDirectory> Reasons::directory_;
std::unique_ptr<TestSite> Reasons::site_;

TEST_F(Reasons, AGoodTokenHasNone) {
    EXPECT_EQ(site_->fetch("GET", kList, bearer(token(good_claims() + "}"))).status, 200);
    EXPECT_EQ(log_lines(site_->worker().log()).back().find(" reason="), std::string::npos);
}

TEST_F(Reasons, OfThePathAndTheMethod) {
    expect_refused(
        "GET", "/albums/short/webhooks", {},
        {404, "Not Found", "There is nothing at this path", "",
         "the path is \"/albums/short/webhooks\", expected /albums/{album_id}/webhooks"});
    expect_refused("POST", kList, {},
                   {405, "Method Not Allowed", "Allowed here: GET, HEAD, OPTIONS", "",
                    "the method is \"POST\", expected GET, HEAD, OPTIONS"});
}

TEST_F(Reasons, OfThePathWithoutATokenInIt) {
    const std::string capability = "kHEoPsCaPaBiLiTyToKeN0";
    const std::string signed_token = token(good_claims() + "}");
    for (const std::string& secret : {capability, signed_token}) {
        expect_refused("GET", "/api/link/" + secret + "/albums/DemoAlbum1/webhooks", {},
                       {404, "Not Found", "There is nothing at this path", "",
                        "the path is \"/link/…/albums/DemoAlbum1/webhooks\", expected /albums/"});
        EXPECT_EQ(site_->worker().log().find(secret.substr(0, 20)), std::string::npos);
    }
}

TEST_F(Reasons, OfTheAcceptHeader) {
    expect_refused("GET", kList, {{"Accept", "text/html"}},
                   {406, "Not Acceptable", "The answer is application/json", "",
                    "Accept is \"text/html\", expected one that allows application/json"});
    expect_refused("GET", kList, {{"Accept", "text"}},
                   {400, "Bad Request", "The header Accept cannot be parsed", "",
                    "Accept is \"text\", expected media ranges of RFC 9110"});
}

TEST_F(Reasons, OfTheAuthorizationHeaderWithoutItsContent) {
    const std::string challenge = "Bearer realm=\"kheops\"";
    const std::string malformed =
        "The Authorization header is malformed: it must be Bearer and a token";
    expect_refused("GET", kList, {},
                   {401, "Authorization error", "The Authorization header is missing", challenge,
                    "Authorization is missing"});
    expect_refused("GET", kList, {{"Authorization", "Basic YWxpY2U6c2VjcmV0"}},
                   {401, "Authorization error", malformed, challenge,
                    "the scheme of Authorization is Basic, expected Bearer"});
    expect_refused("GET", kList, {{"Authorization", "hidden secret"}},
                   {401, "Authorization error", malformed, challenge,
                    "Authorization has 13 octets and does not begin with \"Bearer \""});
    expect_refused("GET", kList, {{"Authorization", "Bearer hidden,secret"}},
                   {401, "Authorization error", malformed, challenge,
                    "character 7 of the token is \",\", which no token has there"});
    for (const char* secret : {"YWxpY2U", "hidden", "secret"}) {
        EXPECT_EQ(site_->worker().log().find(secret), std::string::npos) << secret;
    }
}

TEST_F(Reasons, OfAMalformedToken) {
    expect_token_refused("abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz",
                         malformed("the token's number of dots is 1, expected 2"));
    expect_token_refused(token(good_claims() + "}") + "=",
                         malformed("the token's signature is not base64url"));
    expect_token_refused(token(good_claims() + R"(,"sub":"bob"})"),
                         malformed("the token's payload is not a JSON object with unique names"));
    const std::string large = token(good_claims() + R"(,"x":")" + std::string(16'384, 'x') + "\"}");
    expect_token_refused(large, malformed("the token has " + std::to_string(large.size()) +
                                          " octets, expected at most 16384"));
}

TEST_F(Reasons, OfTheSignature) {
    const std::string good = good_claims() + "}";
    expect_token_refused(token(good, R"("kid":"k9")"),
                         unaccepted("the token has kid \"k9\", which no key has "
                                    "(known: key \"k1\", key \"k2\")"));
    expect_token_refused(sign_jws(ec(), "ES256", R"({"alg":"HS256","kid":"k1"})", good),
                         unaccepted("alg HS256 does not fit key \"k1\" (ES256)"));
    expect_token_refused(sign_jws(ec(), "ES256", R"({"alg":"none"})", good),
                         unaccepted("alg is \"none\", expected one of RS256, "));
    // The forger's claims are not repeated.
    const std::string forged = sign_jws_with(
        SigningKey::ec("P-256"), "ES256", R"({"iss":"https://forger.example"})", R"("kid":"k1")");
    expect_token_refused(forged,
                         unaccepted("the signature does not verify with key \"k1\" (ES256)"));
    EXPECT_EQ(site_->worker().log().find("forger"), std::string::npos);
}

TEST_F(Reasons, OfAClaim) {
    expect_token_refused(
        token(claims_but("iss", R"("iss":"https://a.example")")),
        unaccepted("iss is \"https://a.example\", expected \"" + std::string(kIssuer) + "\""));
    expect_token_refused(token(claims_but("aud", R"("aud":"account")")),
                         unaccepted("aud is \"account\", expected to contain \"kheops\""));
    expect_token_refused(
        token(claims_but("scope", R"("scope":"openid")")),
        unaccepted("scope is \"openid\", expected to contain the word \"webhooks\""));
    expect_token_refused(
        token(claims_but("exp", "\"exp\":" + seconds_from_now(-std::chrono::hours(1)))),
        refused_token("The token has expired", "exp passed 36"));
    expect_token_refused(token(claims_but("exp", "")),
                         refused_token("The token has no expiry time (exp)", "exp is missing"));
    expect_token_refused(
        token(claims_but("nbf", "\"nbf\":" + seconds_from_now(std::chrono::hours(1)))),
        refused_token("The token is not yet valid", "nbf is 35"));
    expect_token_refused(token(claims_but("sub", R"("sub":7)")),
                         refused_token("The token has no subject (sub) of 1 to 255 characters",
                                       "sub is 7, expected a string of 1 to 255 characters"));
    expect_token_refused(
        token(claims_but("act", R"("act":"bob")")),
        refused_token(
            "The token has no acting party (act) with a subject (sub) of 1 to 255 characters",
            "act is \"bob\", expected an object whose sub is a string of 1 to 255 characters"));
}

TEST_F(Reasons, OfTheQuery) {
    expect_refused(
        "GET", std::string(kList) + "?limit=abc", bearer(token(good_claims() + "}")),
        {400, "Bad Query Parameter", "'limit' must be a whole number from 0 to 2147483647", "",
         "limit is \"abc\", expected a whole number from 0 to 2147483647"});
}

TEST_F(Reasons, OfTheGatesInTheDatabase) {
    expect_refused("GET", kList, bearer(token(claims_but("sub", R"("sub":"nobody")"))),
                   {404, "User Not Found", "The user does not exist", "",
                    "no user in the database has the token's sub"});
    expect_refused("GET", kList, bearer(token(claims_but("sub", R"("sub":"carol")"))),
                   {404, "Album Not Found", "The album does not exist or you don't have access", "",
                    "the album does not exist, or is the user's inbox, or the user is not a member "
                    "of it"});
    expect_refused(
        "GET", kList, bearer(token(claims_but("sub", R"("sub":"bob")"))),
        {403, "Authorization error", "You don't have the permission to do this on this album", "",
         "the user is a member of the album, but not an administrator"});
}

TEST_F(Reasons, AValueCannotForgeAPairOrALine) {
    const std::string forged = "x\\\" reason=ok status=200\\nuser=root";
    expect_token_refused(token(claims_but("iss", R"("iss":")" + forged + '"')),
                         unaccepted("iss is \"x\\\" reason=ok status=200\\u000auser=root\""));
    const auto pairs = parse_log_line(log_lines(site_->worker().log()).back());
    EXPECT_EQ(pairs.back().first, "reason");
    EXPECT_EQ(std::count_if(pairs.begin(), pairs.end(),
                            [](const auto& pair) { return pair.first == "status"; }),
              1);
}

TEST_F(Reasons, AnActingPartyBeginsTheLogLine) {
    EXPECT_EQ(
        site_->fetch("GET", kList, bearer(token(claims_but("act", R"("act":{"sub":"carol s"})"))))
            .status,
        200);
    site_->worker().await_log(
        "\nactingParty=\"carol s\" user=alice tokenType=KEYCLOAK_TOKEN link=false ");
}

}  // namespace
}  // namespace kheops::test
