// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct evp_pkey_st;

/// Keys and tokens for tests: the issuer's side of what src/token verifies.
namespace kheops::test {

[[nodiscard]] std::string encode_base64url(std::string_view octets);

/// A new key that can sign. Copies share it.
class SigningKey {
  public:
    [[nodiscard]] static SigningKey rsa(unsigned bits = 2048);
    /// An RSA key whose type allows PSS only.
    [[nodiscard]] static SigningKey rsa_pss();
    /// `curve` as JWK has it, P-256 for one.
    [[nodiscard]] static SigningKey ec(const std::string& curve);
    [[nodiscard]] static SigningKey ed25519();
    [[nodiscard]] static SigningKey hmac(const std::string& secret);

    /// The public half, or the secret of an HMAC key, as a JWK with `more` members behind its own,
    /// written as JSON without braces.
    [[nodiscard]] std::string jwk(const std::string& more = "") const;
    /// The octets of a member of the JWK that is base64url there, n for one.
    [[nodiscard]] std::string jwk_octets(const std::string& name) const;
    [[nodiscard]] std::string public_pem() const;
    [[nodiscard]] std::string public_der() const;
    [[nodiscard]] std::string private_pem() const;
    /// Signed by itself with SHA-256, valid for an hour.
    [[nodiscard]] std::string certificate_pem() const;

    /// The signature in the form of JWS. `salt_octets` replaces the length that PS256 and its kin
    /// prescribe.
    [[nodiscard]] std::string sign(const std::string& algorithm, std::string_view message,
                                   std::optional<int> salt_octets = std::nullopt) const;

  private:
    explicit SigningKey(evp_pkey_st* key);

    std::shared_ptr<evp_pkey_st> key_;  // none: an HMAC key
    std::string secret_;
};

/// `{"keys":[…]}` of JWKs.
[[nodiscard]] std::string jwk_set(const std::vector<std::string>& jwks);

/// A compact JWS of these parts, whatever they hold, signed by `algorithm`.
[[nodiscard]] std::string sign_jws(const SigningKey& key, const std::string& algorithm,
                                   std::string_view header, std::string_view payload);

/// The same with a header that names the algorithm and has `more` members behind it, written as
/// JSON without braces.
[[nodiscard]] std::string sign_jws_with(const SigningKey& key, const std::string& algorithm,
                                        std::string_view payload, const std::string& more = "");

inline constexpr const char* kTestIssuer = "https://issuer.example/realms/kheops";

/// The JWK Set that verifies mint_token's tokens. Its key is made at first use in each process.
[[nodiscard]] std::string test_key_set();

/// A token for `subject` from kTestIssuer, good for an hour from now.
[[nodiscard]] std::string mint_token(const std::string& subject);

/// The same from any issuer, signed by a P-256 key that the token names by `kid`.
[[nodiscard]] std::string mint_token(const std::string& subject, const std::string& issuer,
                                     const SigningKey& key, const std::string& kid);

}  // namespace kheops::test
