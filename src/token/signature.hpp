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

/// Verifies signatures with keys, and computes digests. Only signature.cpp uses OpenSSL.
namespace kheops {

/// The supported signature algorithms of RFC 7518 section 3.1 and RFC 8037.
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

/// Returns the algorithm with that name in `alg`. `Ed25519` (RFC 9864) is another name of EdDSA.
/// Null for any other name, such as `none`.
[[nodiscard]] std::optional<Algorithm> algorithm_named(std::string_view name);

/// The names of algorithms, separated by a comma and a space.
[[nodiscard]] std::string names_of(const std::vector<Algorithm>& algorithms);

/// All algorithms, in the order of the enumeration.
[[nodiscard]] std::vector<Algorithm> supported_algorithms();

/// A key cannot be used. what() is the reason, written to follow the key's name and a colon. It
/// contains no key material.
class KeyError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// A key that verifies signatures, parsed and checked once (contract section 5). The type of the
/// key decides which algorithms it fits. The static functions throw KeyError if the key cannot be
/// used. Safe to use from several threads.
class VerificationKey {
  public:
    /// `modulus` and `exponent` are big-endian. The modulus has 2048 to 16384 bits; the exponent is
    /// odd and at least 3. Fits RS256 to RS512 and PS256 to PS512.
    [[nodiscard]] static VerificationKey rsa(std::string_view modulus, std::string_view exponent);

    /// `curve` is P-256, P-384 or P-521. `x` and `y` are big-endian, and as long as a field element
    /// of the curve. Fits the one algorithm of the curve.
    [[nodiscard]] static VerificationKey ec(std::string_view curve, std::string_view x,
                                            std::string_view y);

    /// `x` is the 32 octets of RFC 8032. Fits EdDSA.
    [[nodiscard]] static VerificationKey ed25519(std::string_view x);

    /// Fits each of HS256, HS384 and HS512 whose hash is not longer than `secret`.
    [[nodiscard]] static VerificationKey hmac(std::string_view secret);

    /// `block` is a PEM text that begins with a public key (RFC 7468 section 13) or a certificate.
    /// Does not check the dates and the issuer of the certificate. A key of the type RSA-PSS fits
    /// PS256 to PS512 only.
    [[nodiscard]] static VerificationKey pem(std::string_view block);

    [[nodiscard]] bool fits(Algorithm algorithm) const;
    /// The algorithms that the key fits; not empty.
    [[nodiscard]] const std::vector<Algorithm>& algorithms() const { return algorithms_; }

    /// Returns whether `signature`, in the form of RFC 7518 section 3, is a valid signature of
    /// `message` by this key with `algorithm`. False if the key does not fit the algorithm.
    [[nodiscard]] bool verify(Algorithm algorithm, std::string_view message,
                              std::string_view signature) const;

  private:
    struct Free {
        void operator()(evp_pkey_st* key) const;
    };
    using PublicKey = std::unique_ptr<evp_pkey_st, Free>;

    explicit VerificationKey(PublicKey public_key);
    explicit VerificationKey(std::string_view secret);

    PublicKey public_key_;  // null: an HMAC key
    std::string secret_;    // of an HMAC key
    std::vector<Algorithm> algorithms_;
};

/// Returns the SHA-256 digest of `message` (FIPS 180-4): 32 octets. Thread-safe. Throws
/// std::runtime_error if OpenSSL has no memory.
[[nodiscard]] std::string sha256(std::string_view message);

}  // namespace kheops
