// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

struct evp_pkey_st;

/// Keys, and whether a signature is theirs. The only file that uses OpenSSL.
namespace kheops {

/// The signature algorithms of RFC 7518 section 3.1 and RFC 8037 that are verified here.
enum class Algorithm : std::uint8_t {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    HS256,
    HS384,
    HS512,
    EdDSA,
};

/// The algorithm of that name, as `alg` has it; nothing for any other, such as `none`.
[[nodiscard]] std::optional<Algorithm> algorithm_named(std::string_view name);

/// A key that cannot serve. what() says why, to follow the key's name and a colon; it holds nothing
/// of the key.
class KeyError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// A key that verifies signatures: parsed and checked once (contract section 5). It decides which
/// algorithms it fits. The factories throw KeyError.
class VerificationKey {
  public:
    /// `modulus` and `exponent` are big-endian. 2048 to 16384 bits, an odd exponent of at least 3.
    /// Fits RS256 to RS512 and PS256 to PS512.
    [[nodiscard]] static VerificationKey rsa(std::string_view modulus, std::string_view exponent);

    /// `curve` is P-256, P-384 or P-521; `x` and `y` are big-endian and as long as its field. Fits
    /// the curve's one algorithm.
    [[nodiscard]] static VerificationKey ec(std::string_view curve, std::string_view x,
                                            std::string_view y);

    /// `x` is the 32 octets of RFC 8032. Fits EdDSA.
    [[nodiscard]] static VerificationKey ed25519(std::string_view x);

    /// Fits HS256 to HS512 as far as `secret` is at least as long as their hash.
    [[nodiscard]] static VerificationKey hmac(std::string_view secret);

    /// The first block of a PEM text: a public key (RFC 7468 section 13) or a certificate, whose
    /// dates and issuer are not looked at. A key of the type RSA-PSS fits PS256 to PS512 only.
    [[nodiscard]] static VerificationKey pem(std::string_view block);

    [[nodiscard]] bool fits(Algorithm algorithm) const;

    /// Whether `signature`, in the form of RFC 7518 section 3, is this key's over `message` by
    /// `algorithm`. False where the key does not fit it. Safe to call from several threads.
    [[nodiscard]] bool verify(Algorithm algorithm, std::string_view message,
                              std::string_view signature) const;

  private:
    struct Free {
        void operator()(evp_pkey_st* key) const;
    };
    using PublicKey = std::unique_ptr<evp_pkey_st, Free>;

    explicit VerificationKey(PublicKey public_key);
    explicit VerificationKey(std::string_view secret);

    PublicKey public_key_;  // none: an HMAC key
    std::string secret_;    // of an HMAC key
    std::vector<Algorithm> algorithms_;
};

}  // namespace kheops
