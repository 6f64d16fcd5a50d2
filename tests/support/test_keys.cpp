// SPDX-License-Identifier: MIT
#include "support/test_keys.hpp"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "text/json.hpp"

namespace kheops::test {

namespace {

/// Returns `handle`; throws if it is null.
template <typename Handle>
Handle* not_null(Handle* handle) {
    if (handle == nullptr) {
        throw std::runtime_error("OpenSSL failed to create or use a test key");
    }
    return handle;
}

void require(bool succeeded) {
    if (!succeeded) {
        throw std::runtime_error("OpenSSL failed to create or use a test key");
    }
}

std::string text_in(BIO* memory) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(memory, &data);
    return {data, static_cast<std::size_t>(size)};
}

/// What `write` writes to the BIO that it gets.
template <typename Write>
std::string written(const Write& write) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> memory(not_null(BIO_new(BIO_s_mem())),
                                                           BIO_free);
    require(write(memory.get()) == 1);
    return text_in(memory.get());
}

std::string big_endian(const BIGNUM* number, int octets) {
    std::string text(static_cast<std::size_t>(octets), '\0');
    require(BN_bn2binpad(number, reinterpret_cast<unsigned char*>(text.data()), octets) == octets);
    return text;
}

int field_octets(const EVP_PKEY* key) {
    return (EVP_PKEY_get_bits(key) + 7) / 8;
}

std::string number_in(const EVP_PKEY* key, const char* parameter, std::optional<int> octets) {
    BIGNUM* number = nullptr;
    require(EVP_PKEY_get_bn_param(key, parameter, &number) == 1);
    const std::unique_ptr<BIGNUM, decltype(&BN_free)> owner(number, BN_free);
    return big_endian(number, octets.value_or(BN_num_bytes(number)));
}

std::string raw_public_key(const EVP_PKEY* key) {
    std::string octets(32, '\0');
    std::size_t size = octets.size();
    require(EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(octets.data()),
                                        &size) == 1);
    return octets;
}

/// The JWK name of an EC key's curve.
std::string curve_name(const EVP_PKEY* key) {
    switch (EVP_PKEY_get_bits(key)) {
        case 256:
            return "P-256";
        case 384:
            return "P-384";
        default:
            return "P-521";
    }
}

std::string member(const std::string& name, const std::string& value) {
    return "\"" + name + "\":\"" + value + "\"";
}

const EVP_MD* digest_of(const std::string& algorithm) {
    if (algorithm.ends_with("256")) {
        return EVP_sha256();
    }
    if (algorithm.ends_with("384")) {
        return EVP_sha384();
    }
    return algorithm.ends_with("512") ? EVP_sha512() : nullptr;
}

std::string to_raw_ecdsa(const std::string& der, int octets) {
    const auto* position = reinterpret_cast<const unsigned char*>(der.data());
    const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> pair(
        not_null(d2i_ECDSA_SIG(nullptr, &position, static_cast<long>(der.size()))), ECDSA_SIG_free);
    return big_endian(ECDSA_SIG_get0_r(pair.get()), octets) +
           big_endian(ECDSA_SIG_get0_s(pair.get()), octets);
}

std::string sign_hmac(const std::string& secret, const std::string& algorithm,
                      std::string_view message) {
    std::string signature(EVP_MAX_MD_SIZE, '\0');
    unsigned size = 0;
    not_null(HMAC(digest_of(algorithm), secret.data(), static_cast<int>(secret.size()),
                  reinterpret_cast<const unsigned char*>(message.data()), message.size(),
                  reinterpret_cast<unsigned char*>(signature.data()), &size));
    signature.resize(size);
    return signature;
}

const SigningKey& minting_key() {
    static const SigningKey key = SigningKey::ec("P-256");
    return key;
}

}  // namespace

std::string encode_base64url(std::string_view octets) {
    std::string text((octets.size() + 2) / 3 * 4 + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(octets.data()),
                                     static_cast<int>(octets.size()));
    text.resize(static_cast<std::size_t>(size));
    text.resize(std::min(text.find('='), text.size()));
    for (char& c : text) {
        c = c == '+' ? '-' : c == '/' ? '_' : c;
    }
    return text;
}

SigningKey::SigningKey(evp_pkey_st* key) {
    if (key != nullptr) {
        key_.reset(key, EVP_PKEY_free);
    }
}

SigningKey SigningKey::rsa(unsigned bits) {
    return SigningKey(not_null(EVP_RSA_gen(bits)));
}

SigningKey SigningKey::rsa_pss() {
    const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
        not_null(EVP_PKEY_CTX_new_from_name(nullptr, "RSA-PSS", nullptr)), EVP_PKEY_CTX_free);
    EVP_PKEY* key = nullptr;
    require(EVP_PKEY_keygen_init(context.get()) == 1 &&
            EVP_PKEY_generate(context.get(), &key) == 1);
    return SigningKey(key);
}

SigningKey SigningKey::ec(const std::string& curve) {
    return SigningKey(not_null(EVP_EC_gen(curve.c_str())));
}

SigningKey SigningKey::ed25519() {
    return SigningKey(not_null(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")));
}

SigningKey SigningKey::hmac(const std::string& secret) {
    SigningKey key(nullptr);
    key.secret_ = secret;
    return key;
}

std::string SigningKey::jwk_octets(const std::string& name) const {
    if (name == "k") {
        return secret_;
    }
    if (name == "n" || name == "e") {
        return number_in(key_.get(), name.c_str(), std::nullopt);
    }
    if (EVP_PKEY_is_a(key_.get(), "ED25519") == 1) {
        return raw_public_key(key_.get());
    }
    const char* parameter = name == "x" ? OSSL_PKEY_PARAM_EC_PUB_X : OSSL_PKEY_PARAM_EC_PUB_Y;
    return number_in(key_.get(), parameter, field_octets(key_.get()));
}

std::string SigningKey::jwk(const std::string& more) const {
    const auto octets = [this](const char* name) {
        return "," + member(name, encode_base64url(jwk_octets(name)));
    };
    std::string members;
    if (!key_) {
        members = member("kty", "oct") + octets("k");
    } else if (EVP_PKEY_is_a(key_.get(), "EC") == 1) {
        members = member("kty", "EC") + "," + member("crv", curve_name(key_.get())) + octets("x") +
                  octets("y");
    } else if (EVP_PKEY_is_a(key_.get(), "ED25519") == 1) {
        members = member("kty", "OKP") + "," + member("crv", "Ed25519") + octets("x");
    } else {
        members = member("kty", "RSA") + octets("n") + octets("e");
    }
    return "{" + members + (more.empty() ? "" : ",") + more + "}";
}

std::string SigningKey::public_pem() const {
    return written([this](BIO* memory) { return PEM_write_bio_PUBKEY(memory, key_.get()); });
}

std::string SigningKey::public_der() const {
    return written([this](BIO* memory) { return i2d_PUBKEY_bio(memory, key_.get()); });
}

std::string SigningKey::private_pem() const {
    return written([this](BIO* memory) {
        return PEM_write_bio_PrivateKey(memory, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
}

std::string SigningKey::certificate_pem() const {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(not_null(X509_new()), X509_free);
    require(ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1) == 1);
    not_null(X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0));
    not_null(X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600));
    require(X509_set_pubkey(certificate.get(), key_.get()) == 1);
    const EVP_MD* digest = EVP_PKEY_is_a(key_.get(), "ED25519") == 1 ? nullptr : EVP_sha256();
    require(X509_sign(certificate.get(), key_.get(), digest) > 0);
    return written([&](BIO* memory) { return PEM_write_bio_X509(memory, certificate.get()); });
}

std::string SigningKey::sign(const std::string& algorithm, std::string_view message,
                             std::optional<int> salt_octets) const {
    if (!key_) {
        return sign_hmac(secret_, algorithm, message);
    }
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(
        not_null(EVP_MD_CTX_new()), EVP_MD_CTX_free);
    EVP_PKEY_CTX* options = nullptr;
    require(EVP_DigestSignInit(context.get(), &options, digest_of(algorithm), nullptr,
                               key_.get()) == 1);
    if (algorithm.starts_with("PS")) {
        require(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1);
        require(EVP_PKEY_CTX_set_rsa_pss_saltlen(
                    options, salt_octets.value_or(RSA_PSS_SALTLEN_DIGEST)) == 1);
    }
    const auto* data = reinterpret_cast<const unsigned char*>(message.data());
    std::size_t size = 0;
    require(EVP_DigestSign(context.get(), nullptr, &size, data, message.size()) == 1);
    std::string signature(size, '\0');
    require(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                           data, message.size()) == 1);
    signature.resize(size);
    return algorithm.starts_with("ES") ? to_raw_ecdsa(signature, field_octets(key_.get()))
                                       : signature;
}

std::string jwk_set(const std::vector<std::string>& jwks) {
    std::string list;
    for (const std::string& jwk : jwks) {
        list += (list.empty() ? "" : ",") + jwk;
    }
    return R"({"keys":[)" + list + "]}";
}

std::string sign_jws(const SigningKey& key, const std::string& algorithm, std::string_view header,
                     std::string_view payload) {
    const std::string message = encode_base64url(header) + "." + encode_base64url(payload);
    return message + "." + encode_base64url(key.sign(algorithm, message));
}

std::string sign_jws_with(const SigningKey& key, const std::string& algorithm,
                          std::string_view payload, const std::string& more) {
    const std::string header =
        "{" + member("alg", algorithm) + (more.empty() ? "" : ",") + more + "}";
    return sign_jws(key, algorithm, header, payload);
}

std::string test_key_set() {
    return jwk_set({minting_key().jwk(R"("kid":"test","alg":"ES256","use":"sig")")});
}

std::string mint_token(const std::string& subject) {
    return mint_token(subject, kTestIssuer, minting_key(), "test");
}

std::string mint_token(const std::string& subject, const std::string& issuer, const SigningKey& key,
                       const std::string& kid) {
    const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    json::Value claims = json::Value::object();
    claims.add("iss", json::Value::string(issuer));
    claims.add("sub", json::Value::string(subject));
    claims.add("iat", json::Value::number(static_cast<double>(now)));
    claims.add("exp", json::Value::number(static_cast<double>(now + 3600)));
    return sign_jws_with(key, "ES256", claims.text(), member("kid", kid));
}

}  // namespace kheops::test
