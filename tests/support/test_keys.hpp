// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct evp_pkey_st;

/// Keys and tokens for tests of src/token: what an issuer creates.
namespace kheops::test {

[[nodiscard]] std::string encode_base64url(std::string_view octets);

/// A new key that can sign. Copies of this object share the key.
class SigningKey {
  public:
    [[nodiscard]] static SigningKey rsa(unsigned bits = 2048);
    /// An RSA key restricted to PSS.
    [[nodiscard]] static SigningKey rsa_pss();
    /// `curve` is a curve name of JWK, such as P-256.
    [[nodiscard]] static SigningKey ec(const std::string& curve);
    [[nodiscard]] static SigningKey ed25519();
    [[nodiscard]] static SigningKey hmac(const std::string& secret);

    /// The public key, or the secret of an HMAC key, as a JWK. `more` is appended: JSON members
    /// without braces.
    [[nodiscard]] std::string jwk(const std::string& more = "") const;
    /// The octets of a JWK member that is written in base64url, such as n.
    [[nodiscard]] std::string jwk_octets(const std::string& name) const;
    [[nodiscard]] std::string public_pem() const;
    [[nodiscard]] std::string public_der() const;
    [[nodiscard]] std::string private_pem() const;
    /// A self-signed certificate, valid for an hour.
    [[nodiscard]] std::string certificate_pem() const;

    /// The signature as in a JWS. `salt_octets` replaces the length that PS256, PS384 and PS512
    /// prescribe.
    [[nodiscard]] std::string sign(const std::string& algorithm, std::string_view message,
                                   std::optional<int> salt_octets = std::nullopt) const;

  private:
    explicit SigningKey(evp_pkey_st* key);

    std::shared_ptr<evp_pkey_st> key_;  // null for an HMAC key
    std::string secret_;
};

/// `{"keys":[…]}` of JWKs.
[[nodiscard]] std::string jwk_set(const std::vector<std::string>& jwks);

/// A compact JWS of these parts, valid or not, signed with `algorithm`.
[[nodiscard]] std::string sign_jws(const SigningKey& key, const std::string& algorithm,
                                   std::string_view header, std::string_view payload);

/// The same with a header of `alg` and `more`: JSON members without braces.
[[nodiscard]] std::string sign_jws_with(const SigningKey& key, const std::string& algorithm,
                                        std::string_view payload, const std::string& more = "");

inline constexpr const char* kTestIssuer = "https://issuer.example/realms/kheops";

/// The JWK Set that verifies mint_token's tokens. Each process generates its key at the first use.
[[nodiscard]] std::string test_key_set();

/// A token for `subject` from kTestIssuer, valid for an hour from now.
[[nodiscard]] std::string mint_token(const std::string& subject);

/// The same from any issuer, signed by a P-256 key with this `kid`.
[[nodiscard]] std::string mint_token(const std::string& subject, const std::string& issuer,
                                     const SigningKey& key, const std::string& kid);

}  // namespace kheops::test
