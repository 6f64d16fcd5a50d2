// SPDX-License-Identifier: MIT
#include "token/signature.hpp"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <utility>

namespace kheops {

namespace {

template <auto kFree>
struct FreeWith {
    template <typename Handle>
    void operator()(Handle* handle) const {
        kFree(handle);
    }
};
template <typename Handle, auto kFree>
using Owned = std::unique_ptr<Handle, FreeWith<kFree>>;

using BigNumber = Owned<BIGNUM, BN_free>;
using BigNumberContext = Owned<BN_CTX, BN_CTX_free>;
using Certificate = Owned<X509, X509_free>;
using Digest = Owned<EVP_MD, EVP_MD_free>;
using DigestContext = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using EcdsaSignature = Owned<ECDSA_SIG, ECDSA_SIG_free>;
using KeyContext = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using Memory = Owned<BIO, BIO_free>;
using ParameterBuilder = Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;
using Parameters = Owned<OSSL_PARAM, OSSL_PARAM_free>;

/// Clears OpenSSL's error queue of this thread at the end of a scope, so that the next call does
/// not find old errors.
struct ClearErrors {
    ClearErrors() = default;
    ClearErrors(const ClearErrors&) = delete;
    ClearErrors& operator=(const ClearErrors&) = delete;
    ~ClearErrors() { ERR_clear_error(); }
};

const unsigned char* octets(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

// --- Algorithms

enum class Scheme : std::uint8_t { rsa_pkcs1, rsa_pss, ecdsa, hmac, eddsa };

struct AlgorithmTraits {
    std::string_view name;
    Scheme scheme;
    std::size_t hash_octets;  // 0: the scheme hashes by itself
};

/// In the order of Algorithm.
constexpr std::array<AlgorithmTraits, 13> kAlgorithms = {{
    {"RS256", Scheme::rsa_pkcs1, 32},
    {"RS384", Scheme::rsa_pkcs1, 48},
    {"RS512", Scheme::rsa_pkcs1, 64},
    {"PS256", Scheme::rsa_pss, 32},
    {"PS384", Scheme::rsa_pss, 48},
    {"PS512", Scheme::rsa_pss, 64},
    {"ES256", Scheme::ecdsa, 32},
    {"ES384", Scheme::ecdsa, 48},
    {"ES512", Scheme::ecdsa, 64},
    {"HS256", Scheme::hmac, 32},
    {"HS384", Scheme::hmac, 48},
    {"HS512", Scheme::hmac, 64},
    {"EdDSA", Scheme::eddsa, 0},
}};
static_assert(kAlgorithms[static_cast<std::size_t>(Algorithm::EdDSA)].name == "EdDSA");

const AlgorithmTraits& traits_of(Algorithm algorithm) {
    return kAlgorithms[static_cast<std::size_t>(algorithm)];
}

/// The algorithms of a scheme whose hash is not longer than `max_hash_octets`.
std::vector<Algorithm> algorithms_by(Scheme scheme, std::size_t max_hash_octets) {
    std::vector<Algorithm> algorithms;
    for (std::size_t i = 0; i < kAlgorithms.size(); ++i) {
        if (kAlgorithms[i].scheme == scheme && kAlgorithms[i].hash_octets <= max_hash_octets) {
            algorithms.push_back(static_cast<Algorithm>(i));
        }
    }
    return algorithms;
}

constexpr std::size_t kMaxHashOctets = 64;

Digest fetch(const char* name) {
    Digest digest(EVP_MD_fetch(nullptr, name, nullptr));
    if (!digest) {
        // Without a digest, OpenSSL would use a default digest.
        throw std::runtime_error("OpenSSL has no " + std::string(name));
    }
    return digest;
}

/// The hash of that length. Null for 0.
const EVP_MD* digest_of(std::size_t hash_octets) {
    static const Digest sha256 = fetch("SHA256");
    static const Digest sha384 = fetch("SHA384");
    static const Digest sha512 = fetch("SHA512");
    switch (hash_octets) {
        case 32:
            return sha256.get();
        case 48:
            return sha384.get();
        case 64:
            return sha512.get();
        default:
            return nullptr;
    }
}

// --- Making keys

BigNumber big_number(std::string_view big_endian) {
    return BigNumber(BN_bin2bn(octets(big_endian), static_cast<int>(big_endian.size()), nullptr));
}

/// Creates a public key of `type` from the parameters in `builder`. Null if they are invalid.
EVP_PKEY* public_key_of(const char* type, OSSL_PARAM_BLD* builder) {
    const Parameters parameters(OSSL_PARAM_BLD_to_param(builder));
    const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    EVP_PKEY* key = nullptr;
    if (parameters && context && EVP_PKEY_fromdata_init(context.get()) == 1) {
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get());
    }
    return key;
}

/// A callback for OpenSSL's PEM parsers, which would ask for a passphrase at the terminal.
int refuse_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) {
    return -1;
}

EVP_PKEY* public_key_in_pem(std::string_view block) {
    const auto memory_of = [](std::string_view text) {
        return Memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    };
    if (EVP_PKEY* key =
            PEM_read_bio_PUBKEY(memory_of(block).get(), nullptr, refuse_passphrase, nullptr)) {
        return key;
    }
    const Certificate certificate(
        PEM_read_bio_X509(memory_of(block).get(), nullptr, refuse_passphrase, nullptr));
    return certificate ? X509_get_pubkey(certificate.get()) : nullptr;
}

// --- Checking keys

struct Curve {
    std::string_view name;  // in a JWK (RFC 7518 section 6.2.1.1)
    const char* group;      // in OpenSSL
    std::size_t field_octets;
    Algorithm algorithm;
};

constexpr std::array<Curve, 3> kCurves = {{
    {"P-256", "prime256v1", 32, Algorithm::ES256},
    {"P-384", "secp384r1", 48, Algorithm::ES384},
    {"P-521", "secp521r1", 66, Algorithm::ES512},
}};

BigNumber number_in(const EVP_PKEY* key, const char* parameter) {
    BIGNUM* number = nullptr;
    if (EVP_PKEY_get_bn_param(key, parameter, &number) != 1) {
        throw KeyError("it cannot be read");
    }
    return BigNumber(number);
}

void require_valid_rsa(const EVP_PKEY* key) {
    const BigNumber modulus = number_in(key, OSSL_PKEY_PARAM_RSA_N);
    const int bits = BN_num_bits(modulus.get());
    if (bits < 2048 || bits > 16384 || BN_is_odd(modulus.get()) == 0) {
        throw KeyError("its RSA modulus of " + std::to_string(bits) +
                       " bits is not an odd number of 2048 to 16384 bits");
    }
    const BigNumber exponent = number_in(key, OSSL_PKEY_PARAM_RSA_E);
    if (BN_is_odd(exponent.get()) == 0 || BN_is_one(exponent.get()) == 1) {
        throw KeyError("its RSA exponent is not an odd number of at least 3");
    }
}

/// Returns the algorithm of the key's curve. Throws KeyError if its point is not on the curve.
Algorithm algorithm_of_ec(EVP_PKEY* key) {
    std::array<char, 32> group{};
    EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr);
    const auto* const curve = std::find_if(kCurves.begin(), kCurves.end(), [&](const Curve& known) {
        return std::string_view(known.group) == group.data();
    });
    if (curve == kCurves.end()) {
        throw KeyError("its curve is not P-256, P-384 or P-521");
    }
    const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
    if (!context || EVP_PKEY_public_check(context.get()) != 1) {
        throw KeyError("its point is not on the curve");
    }
    return curve->algorithm;
}

constexpr std::size_t kEd25519Octets = 32;

BigNumber number_of(const char* hex) {
    BIGNUM* number = nullptr;
    BN_hex2bn(&number, hex);
    return BigNumber(number);
}

/// Returns whether edwards25519 has a point with this `y`, that is whether (y² - 1) / (d y² + 1)
/// has a square root modulo p (RFC 8032 section 5.1.3). OpenSSL checks this only when it verifies,
/// and then reports a wrong signature.
bool is_on_edwards25519(const BigNumber& y) {
    const BigNumber p =
        number_of("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed");
    const BigNumber d =
        number_of("52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3");
    const BigNumberContext context(BN_CTX_new());
    const BigNumber square(BN_new());
    const BigNumber numerator(BN_new());
    const BigNumber denominator(BN_new());
    const BigNumber product(BN_new());  // is a square if and only if the quotient is
    return BN_cmp(y.get(), p.get()) < 0 &&
           BN_mod_sqr(square.get(), y.get(), p.get(), context.get()) == 1 &&
           BN_mod_sub(numerator.get(), square.get(), BN_value_one(), p.get(), context.get()) == 1 &&
           BN_mod_mul(denominator.get(), square.get(), d.get(), p.get(), context.get()) == 1 &&
           BN_add_word(denominator.get(), 1) == 1 &&
           BN_mod_mul(product.get(), numerator.get(), denominator.get(), p.get(), context.get()) ==
               1 &&
           BN_kronecker(product.get(), p.get(), context.get()) >= 0;
}

/// Returns whether the points of edwards25519 with this `y` have the order 1, 2, 4 or 8. Anybody
/// can forge signatures for such a key, and OpenSSL accepts it.
bool has_small_order(const BigNumber& y) {
    constexpr std::array<const char*, 5> kAll = {
        "1",                                                                 // order 1
        "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffec",  // order 2
        "0",                                                                 // order 4
        "7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7",  // order 8
        "05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826",  // order 8
    };
    return std::any_of(kAll.begin(), kAll.end(), [&y](const char* hex) {
        return BN_cmp(y.get(), number_of(hex).get()) == 0;
    });
}

void require_valid_ed25519(const EVP_PKEY* key) {
    std::array<unsigned char, kEd25519Octets> encoded{};
    std::size_t size = encoded.size();
    const bool is_read = EVP_PKEY_get_raw_public_key(key, encoded.data(), &size) == 1;
    encoded.back() &= 0x7F;  // the sign of x (RFC 8032 section 5.1.2)
    const BigNumber y(BN_lebin2bn(encoded.data(), encoded.size(), nullptr));
    if (!is_read || !is_on_edwards25519(y)) {
        throw KeyError("its point is not on the curve Ed25519");
    }
    if (has_small_order(y)) {
        throw KeyError("its point is of small order");
    }
}

/// Returns the algorithms that a key fits. Throws KeyError if the key is invalid.
std::vector<Algorithm> algorithms_of(EVP_PKEY* key) {
    if (EVP_PKEY_is_a(key, "RSA") == 1) {
        require_valid_rsa(key);
        std::vector<Algorithm> algorithms = algorithms_by(Scheme::rsa_pkcs1, kMaxHashOctets);
        const std::vector<Algorithm> pss = algorithms_by(Scheme::rsa_pss, kMaxHashOctets);
        algorithms.insert(algorithms.end(), pss.begin(), pss.end());
        return algorithms;
    }
    if (EVP_PKEY_is_a(key, "RSA-PSS") == 1) {
        require_valid_rsa(key);
        return algorithms_by(Scheme::rsa_pss, kMaxHashOctets);
    }
    if (EVP_PKEY_is_a(key, "EC") == 1) {
        return {algorithm_of_ec(key)};
    }
    if (EVP_PKEY_is_a(key, "ED25519") == 1) {
        require_valid_ed25519(key);
        return {Algorithm::EdDSA};
    }
    throw KeyError("its type is not RSA, RSA-PSS, EC or Ed25519");
}

// --- Verifying

bool verify_hmac(const EVP_MD* digest, std::string_view secret, std::string_view message,
                 std::string_view signature) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> expected{};
    unsigned size = 0;
    const bool is_made = HMAC(digest, secret.data(), static_cast<int>(secret.size()),
                              octets(message), message.size(), expected.data(), &size) != nullptr;
    return is_made && signature.size() == size &&
           CRYPTO_memcmp(signature.data(), expected.data(), size) == 0;
}

/// Converts an ECDSA signature from r and s, each as long as a field element (RFC 7518 section
/// 3.4), to DER. Null if the length is wrong.
std::optional<std::string> to_der(std::string_view signature, std::size_t field_octets) {
    if (signature.size() != 2 * field_octets) {
        return std::nullopt;
    }
    BigNumber r = big_number(signature.substr(0, field_octets));
    BigNumber s = big_number(signature.substr(field_octets));
    const EcdsaSignature pair(ECDSA_SIG_new());
    if (!pair || ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1) {
        return std::nullopt;
    }
    static_cast<void>(r.release());  // owned by `pair` now
    static_cast<void>(s.release());
    std::string der(static_cast<std::size_t>(i2d_ECDSA_SIG(pair.get(), nullptr)), '\0');
    auto* position = reinterpret_cast<unsigned char*>(der.data());
    i2d_ECDSA_SIG(pair.get(), &position);
    return der;
}

/// Converts a signature to the form that OpenSSL expects. Null if its length does not fit the key.
std::optional<std::string> to_openssl(std::string_view signature, const EVP_PKEY* key,
                                      Scheme scheme) {
    if (scheme == Scheme::ecdsa) {
        const auto bits = static_cast<std::size_t>(EVP_PKEY_get_bits(key));
        return to_der(signature, (bits + 7) / 8);
    }
    // OpenSSL accepts a PSS signature without its leading zeros; RFC 8017 section 8.1.2 does not.
    if (signature.size() != static_cast<std::size_t>(EVP_PKEY_get_size(key))) {
        return std::nullopt;
    }
    return std::string(signature);
}

/// Padding of RFC 7518 section 3.5: salt as long as the hash, the same hash in MGF1.
bool set_pss(EVP_PKEY_CTX* context, const EVP_MD* digest) {
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(context, digest) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

bool verify_public(EVP_PKEY* key, const AlgorithmTraits& traits, std::string_view message,
                   std::string_view signature) {
    const std::optional<std::string> converted = to_openssl(signature, key, traits.scheme);
    const DigestContext context(EVP_MD_CTX_new());
    const EVP_MD* digest = digest_of(traits.hash_octets);
    EVP_PKEY_CTX* options = nullptr;  // owned by `context`
    return converted && context &&
           EVP_DigestVerifyInit(context.get(), &options, digest, nullptr, key) == 1 &&
           (traits.scheme != Scheme::rsa_pss || set_pss(options, digest)) &&
           EVP_DigestVerify(context.get(), octets(*converted), converted->size(), octets(message),
                            message.size()) == 1;
}

}  // namespace

std::optional<Algorithm> algorithm_named(std::string_view name) {
    if (name == "Ed25519") {
        return Algorithm::EdDSA;
    }
    const auto* const found =
        std::find_if(kAlgorithms.begin(), kAlgorithms.end(),
                     [name](const AlgorithmTraits& traits) { return traits.name == name; });
    if (found == kAlgorithms.end()) {
        return std::nullopt;
    }
    return static_cast<Algorithm>(found - kAlgorithms.begin());
}

std::string names_of(const std::vector<Algorithm>& algorithms) {
    std::string names;
    for (const Algorithm algorithm : algorithms) {
        names += names.empty() ? "" : ", ";
        names += traits_of(algorithm).name;
    }
    return names;
}

std::vector<Algorithm> supported_algorithms() {
    std::vector<Algorithm> algorithms;
    for (std::size_t i = 0; i < kAlgorithms.size(); ++i) {
        algorithms.push_back(static_cast<Algorithm>(i));
    }
    return algorithms;
}

void VerificationKey::Free::operator()(evp_pkey_st* key) const {
    EVP_PKEY_free(key);
}

VerificationKey::VerificationKey(PublicKey public_key)
    : public_key_(std::move(public_key)), algorithms_(algorithms_of(public_key_.get())) {}

VerificationKey::VerificationKey(std::string_view secret)
    : secret_(secret), algorithms_(algorithms_by(Scheme::hmac, secret.size())) {}

VerificationKey VerificationKey::rsa(std::string_view modulus, std::string_view exponent) {
    const ClearErrors clear;
    const BigNumber n = big_number(modulus);
    const BigNumber e = big_number(exponent);
    const ParameterBuilder builder(OSSL_PARAM_BLD_new());
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
    PublicKey key(public_key_of("RSA", builder.get()));
    if (!key) {
        throw KeyError("its modulus and exponent are not a valid RSA key");
    }
    return VerificationKey(std::move(key));
}

VerificationKey VerificationKey::ec(std::string_view curve, std::string_view x,
                                    std::string_view y) {
    const ClearErrors clear;
    const auto* const known = std::find_if(kCurves.begin(), kCurves.end(),
                                           [&](const Curve& c) { return c.name == curve; });
    if (known == kCurves.end()) {
        throw KeyError("its curve is not P-256, P-384 or P-521");
    }
    if (x.size() != known->field_octets || y.size() != known->field_octets) {
        throw KeyError("its coordinates have the wrong length for its curve");
    }
    const std::string point = std::string("\x04").append(x).append(y);  // SEC 1 section 2.3.3
    const ParameterBuilder builder(OSSL_PARAM_BLD_new());
    OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, known->group, 0);
    OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                     point.size());
    PublicKey key(public_key_of("EC", builder.get()));
    if (!key) {
        throw KeyError("its point is not on the curve");
    }
    return VerificationKey(std::move(key));
}

VerificationKey VerificationKey::ed25519(std::string_view x) {
    const ClearErrors clear;
    PublicKey key(EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, octets(x), x.size()));
    if (!key) {
        throw KeyError("its point is not 32 octets long");
    }
    return VerificationKey(std::move(key));
}

VerificationKey VerificationKey::hmac(std::string_view secret) {
    VerificationKey key(secret);
    if (key.algorithms_.empty()) {
        throw KeyError("its secret is shorter than 32 octets");
    }
    return key;
}

VerificationKey VerificationKey::pem(std::string_view block) {
    const ClearErrors clear;
    PublicKey key(public_key_in_pem(block));
    if (!key) {
        throw KeyError("it is not a valid public key or certificate");
    }
    return VerificationKey(std::move(key));
}

bool VerificationKey::fits(Algorithm algorithm) const {
    return std::find(algorithms_.begin(), algorithms_.end(), algorithm) != algorithms_.end();
}

bool VerificationKey::verify(Algorithm algorithm, std::string_view message,
                             std::string_view signature) const {
    const ClearErrors clear;
    if (!fits(algorithm)) {
        return false;
    }
    const AlgorithmTraits& traits = traits_of(algorithm);
    if (traits.scheme == Scheme::hmac) {
        return verify_hmac(digest_of(traits.hash_octets), secret_, message, signature);
    }
    return verify_public(public_key_.get(), traits, message, signature);
}

std::string sha256(std::string_view message) {
    const ClearErrors clear;
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    if (EVP_Digest(message.data(), message.size(), digest.data(), &size, digest_of(32), nullptr) !=
        1) {
        throw std::runtime_error("OpenSSL cannot compute a SHA-256 digest");
    }
    return {digest.begin(), digest.begin() + size};
}

}  // namespace kheops
