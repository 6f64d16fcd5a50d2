// SPDX-License-Identifier: MIT
#include "token/signature.hpp"

#include <gtest/gtest.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <functional>
#include <string>
#include <vector>

#include "support/test_keys.hpp"
#include "text/base64url.hpp"

namespace kheops {
namespace {

using test::SigningKey;

const std::vector<std::string> kAllNames = {"RS256", "RS384", "RS512", "PS256", "PS384",
                                            "PS512", "ES256", "ES384", "ES512", "HS256",
                                            "HS384", "HS512", "EdDSA"};
constexpr const char* kMessage = "a message";

const SigningKey& rsa() {
    static const SigningKey key = SigningKey::rsa();
    return key;
}

VerificationKey public_rsa(const SigningKey& key) {
    return VerificationKey::rsa(key.jwk_octets("n"), key.jwk_octets("e"));
}

VerificationKey public_ec(const std::string& curve, const SigningKey& key) {
    return VerificationKey::ec(curve, key.jwk_octets("x"), key.jwk_octets("y"));
}

std::vector<std::string> fitting(const VerificationKey& key) {
    std::vector<std::string> names;
    for (const std::string& name : kAllNames) {
        if (key.fits(*algorithm_named(name))) {
            names.push_back(name);
        }
    }
    return names;
}

bool verifies(const VerificationKey& key, const std::string& algorithm,
              const std::string& signature) {
    return key.verify(*algorithm_named(algorithm), kMessage, signature);
}

/// Why `make` refuses; empty if it does not.
std::string refusal(const std::function<VerificationKey()>& make) {
    try {
        static_cast<void>(make());
        return "";
    } catch (const KeyError& error) {
        EXPECT_EQ(ERR_peek_error(), 0U) << "OpenSSL's error is still queued";
        return error.what();
    }
}

/// The signature verifies, but not after a bit of it or the message has changed.
void expect_verifies(const VerificationKey& key, const std::string& algorithm,
                     const std::string& signature) {
    EXPECT_TRUE(verifies(key, algorithm, signature)) << algorithm;
    std::string changed = signature;
    changed.back() = static_cast<char>(changed.back() ^ 1);
    EXPECT_FALSE(verifies(key, algorithm, changed)) << algorithm;
    EXPECT_FALSE(verifies(key, algorithm, "")) << algorithm;
    EXPECT_FALSE(verifies(key, algorithm, signature + '\0')) << algorithm;
    EXPECT_FALSE(verifies(key, algorithm, signature.substr(1))) << algorithm;
    EXPECT_FALSE(key.verify(*algorithm_named(algorithm), "another message", signature))
        << algorithm;
    EXPECT_EQ(ERR_peek_error(), 0U) << "OpenSSL's error is still queued";
}

void expect_only(const VerificationKey& key, const SigningKey& signer,
                 const std::vector<std::string>& algorithms) {
    EXPECT_EQ(fitting(key), algorithms);
    for (const std::string& algorithm : algorithms) {
        expect_verifies(key, algorithm, signer.sign(algorithm, kMessage));
    }
}

TEST(Algorithms, AreKnownByTheirExactNames) {
    for (const std::string& name : kAllNames) {
        EXPECT_TRUE(algorithm_named(name)) << name;
    }
    for (const char* name : {"none", "None", "", "rs256", "RS256 ", "RS1", "HS1", "ES256K", "EDDSA",
                             "ed25519", "Ed448", "RSA1_5", "ES521"}) {
        EXPECT_FALSE(algorithm_named(name)) << name;
    }
    EXPECT_EQ(algorithm_named("Ed25519"), Algorithm::EdDSA);
}

TEST(RsaKey, VerifiesBothPaddings) {
    expect_only(public_rsa(rsa()), rsa(), {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"});
}

TEST(RsaKey, SignatureFailsWithTheOtherPadding) {
    const VerificationKey key = public_rsa(rsa());
    EXPECT_FALSE(verifies(key, "PS256", rsa().sign("RS256", kMessage)));
    EXPECT_FALSE(verifies(key, "RS256", rsa().sign("PS256", kMessage)));
    EXPECT_FALSE(verifies(key, "RS384", rsa().sign("RS256", kMessage)));
}

TEST(RsaKey, PssSaltIsAsLongAsTheHash) {
    const VerificationKey key = public_rsa(rsa());
    for (const int salt : {0, 20, 31, 33, 48, 64}) {
        EXPECT_FALSE(verifies(key, "PS256", rsa().sign("PS256", kMessage, salt))) << salt;
    }
    EXPECT_TRUE(verifies(key, "PS256", rsa().sign("PS256", kMessage, 32)));
}

TEST(RsaKey, PssSignaturesKeepTheirLeadingZeros) {
    const VerificationKey key = public_rsa(rsa());
    std::string signature;
    do {  // one in 256 begins with a zero
        signature = rsa().sign("PS256", kMessage);
    } while (signature.front() != '\0');
    EXPECT_TRUE(verifies(key, "PS256", signature));
    EXPECT_FALSE(verifies(key, "PS256", signature.substr(1)));
    EXPECT_FALSE(verifies(key, "PS256", '\0' + signature));
}

TEST(RsaKey, ModulusHas2048To16384Bits) {
    const auto with_octets = [](std::size_t octets) {
        return std::string("\x80") + std::string(octets - 2, '\0') + '\x01';
    };
    const auto refusal_of = [](const std::string& modulus) {
        return refusal([&] { return VerificationKey::rsa(modulus, rsa().jwk_octets("e")); });
    };
    EXPECT_NE(refusal_of(SigningKey::rsa(1024).jwk_octets("n")).find("1024 bits"),
              std::string::npos);
    std::string one_bit_short = with_octets(256);
    one_bit_short.front() = '\x7F';
    EXPECT_NE(refusal_of(one_bit_short).find("2047 bits"), std::string::npos);
    EXPECT_EQ(refusal_of(with_octets(256)), "");
    EXPECT_EQ(refusal_of(with_octets(2048)), "");
    EXPECT_NE(refusal_of('\x01' + with_octets(2048)).find("16385 bits"), std::string::npos);
    EXPECT_NE(refusal_of(""), "");
}

TEST(RsaKey, RefusesEvenModulus) {
    std::string modulus = rsa().jwk_octets("n");
    modulus.back() = static_cast<char>(modulus.back() & 0xFE);
    EXPECT_NE(refusal([&] { return VerificationKey::rsa(modulus, rsa().jwk_octets("e")); }), "");
}

TEST(RsaKey, ExponentIsOddAndAtLeastThree) {
    const auto refusal_of = [](const std::string& exponent) {
        return refusal([&] { return VerificationKey::rsa(rsa().jwk_octets("n"), exponent); });
    };
    for (const std::string& exponent :
         {std::string("\x01"), std::string("\x02"), std::string("\x04"),
          std::string("\x01\x00\x00", 3), std::string("\x00", 1), std::string()}) {
        EXPECT_NE(refusal_of(exponent), "") << testing::PrintToString(exponent);
    }
    EXPECT_EQ(refusal_of("\x03"), "");
}

TEST(EcKey, VerifiesTheAlgorithmOfItsCurve) {
    const SigningKey p256 = SigningKey::ec("P-256");
    const SigningKey p384 = SigningKey::ec("P-384");
    const SigningKey p521 = SigningKey::ec("P-521");
    expect_only(public_ec("P-256", p256), p256, {"ES256"});
    expect_only(public_ec("P-384", p384), p384, {"ES384"});
    expect_only(public_ec("P-521", p521), p521, {"ES512"});
}

TEST(EcKey, RefusesDerSignature) {
    const SigningKey signer = SigningKey::ec("P-256");
    const std::string raw = signer.sign("ES256", kMessage);
    const auto* octets = reinterpret_cast<const unsigned char*>(raw.data());
    ECDSA_SIG* pair = ECDSA_SIG_new();
    ECDSA_SIG_set0(pair, BN_bin2bn(octets, 32, nullptr), BN_bin2bn(octets + 32, 32, nullptr));
    unsigned char* der = nullptr;
    const int size = i2d_ECDSA_SIG(pair, &der);
    const std::string signature(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    ECDSA_SIG_free(pair);
    EXPECT_TRUE(verifies(public_ec("P-256", signer), "ES256", raw));
    EXPECT_FALSE(verifies(public_ec("P-256", signer), "ES256", signature));
}

TEST(EcKey, RefusesSignaturesOfZeros) {
    const SigningKey signer = SigningKey::ec("P-256");
    const VerificationKey key = public_ec("P-256", signer);
    const std::string signature = signer.sign("ES256", kMessage);
    const std::string zeros(32, '\0');
    EXPECT_FALSE(verifies(key, "ES256", zeros + zeros));
    EXPECT_FALSE(verifies(key, "ES256", zeros + signature.substr(32)));
    EXPECT_FALSE(verifies(key, "ES256", signature.substr(0, 32) + zeros));
    EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST(EcKey, RefusesOtherLengthsOfRAndS) {
    const SigningKey signer = SigningKey::ec("P-256");
    const std::string signature = signer.sign("ES256", kMessage);
    const std::string r = signature.substr(0, 32);
    const std::string s = signature.substr(32);
    const std::string zero(1, '\0');
    EXPECT_FALSE(verifies(public_ec("P-256", signer), "ES256", zero + r + zero + s));
    EXPECT_FALSE(verifies(public_ec("P-256", signer), "ES256", r + zero + s));
}

TEST(EcKey, PointIsOnTheCurve) {
    const SigningKey signer = SigningKey::ec("P-256");
    std::string y = signer.jwk_octets("y");
    y.back() = static_cast<char>(y.back() ^ 1);
    const std::string x = signer.jwk_octets("x");
    EXPECT_NE(refusal([&] { return VerificationKey::ec("P-256", x, y); }).find("not on the curve"),
              std::string::npos);
    const std::string zeros(32, '\0');
    EXPECT_NE(refusal([&] { return VerificationKey::ec("P-256", zeros, zeros); }), "");
}

TEST(EcKey, CoordinatesAreAsLongAsTheField) {
    const SigningKey signer = SigningKey::ec("P-256");
    const std::string x = signer.jwk_octets("x");
    const std::string y = signer.jwk_octets("y");
    EXPECT_NE(refusal([&] { return VerificationKey::ec("P-256", '\0' + x, y); }), "");
    EXPECT_NE(refusal([&] { return VerificationKey::ec("P-256", x, y.substr(1)); }), "");
    EXPECT_NE(refusal([&] { return VerificationKey::ec("P-256", x + y, ""); }), "");
    EXPECT_NE(refusal([&] { return VerificationKey::ec("P-384", x, y); }), "");
}

TEST(EcKey, OtherCurvesAreRefused) {
    const SigningKey signer = SigningKey::ec("P-256");
    for (const char* curve : {"secp256k1", "prime256v1", "P-224", "p-256", ""}) {
        EXPECT_NE(refusal([&] {
                      return VerificationKey::ec(curve, signer.jwk_octets("x"),
                                                 signer.jwk_octets("y"));
                  }),
                  "")
            << curve;
    }
    EXPECT_NE(
        refusal([] { return VerificationKey::pem(SigningKey::ec("secp256k1").public_pem()); }), "");
}

TEST(Ed25519Key, VerifiesEdDsa) {
    const SigningKey signer = SigningKey::ed25519();
    expect_only(VerificationKey::ed25519(signer.jwk_octets("x")), signer, {"EdDSA"});
}

TEST(Ed25519Key, PointIsOnTheCurve) {
    const auto refusal_of = [](const std::string& x) {
        return refusal([&] { return VerificationKey::ed25519(x); });
    };
    const auto little_endian = [](char low) { return low + std::string(31, '\0'); };
    // y = 2 has no x (RFC 8032 section 5.1.3), y = 3 has one.
    EXPECT_NE(refusal_of(little_endian(2)).find("not on the curve"), std::string::npos);
    EXPECT_EQ(refusal_of(little_endian(3)), "");
    EXPECT_NE(refusal_of(std::string(31, '\xFF') + '\x7F'), "");  // y above p
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(refusal_of(SigningKey::ed25519().jwk_octets("x")), "");
    }
}

/// A public key of Ed25519 in DER (RFC 8410 section 4), written as PEM.
std::string ed25519_pem(const std::string& x) {
    const std::string der = std::string("\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\0", 12) + x;
    std::string base64(4 * ((der.size() + 2) / 3) + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(base64.data()),
                                     reinterpret_cast<const unsigned char*>(der.data()),
                                     static_cast<int>(der.size()));
    base64.resize(static_cast<size_t>(size));
    return "-----BEGIN PUBLIC KEY-----\n" + base64 + "\n-----END PUBLIC KEY-----\n";
}

TEST(Ed25519Key, RefusesPointsOfSmallOrder) {
    // With the first point, R = 1 and S = 0 are a signature of every message.
    const std::vector<std::string> points = {
        '\1' + std::string(31, '\0'),
        '\xEC' + std::string(30, '\xFF') + '\x7F',
        std::string(32, '\0'),
        *decode_base64url("xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o"),
        *decode_base64url("JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU"),
        // y = p and y = p + 1: other forms of 0 and 1.
        '\xED' + std::string(30, '\xFF') + '\x7F',
        '\xEE' + std::string(30, '\xFF') + '\x7F',
    };
    for (std::string point : points) {
        for (int sign = 0; sign < 2; ++sign) {
            point.back() = static_cast<char>(point.back() ^ 0x80);
            const std::string jwk = refusal([&] { return VerificationKey::ed25519(point); });
            EXPECT_EQ(jwk.find("its point is "), 0U) << jwk;
            const std::string pem =
                refusal([&] { return VerificationKey::pem(ed25519_pem(point)); });
            EXPECT_EQ(pem.find("its point is "), 0U) << pem;
        }
    }
    const std::string valid = SigningKey::ed25519().jwk_octets("x");
    EXPECT_EQ(refusal([&] { return VerificationKey::pem(ed25519_pem(valid)); }), "");
}

TEST(Ed25519Key, PointIs32OctetsLong) {
    const std::string x = SigningKey::ed25519().jwk_octets("x");
    for (const std::string& wrong : {x.substr(1), x + '\0', std::string()}) {
        EXPECT_NE(refusal([&] { return VerificationKey::ed25519(wrong); }), "");
    }
}

TEST(HmacKey, FitsHashesThatAreNoLongerThanTheSecret) {
    const auto expect_fits = [](std::size_t octets, const std::vector<std::string>& algorithms) {
        const std::string secret(octets, 's');
        expect_only(VerificationKey::hmac(secret), SigningKey::hmac(secret), algorithms);
    };
    expect_fits(32, {"HS256"});
    expect_fits(47, {"HS256"});
    expect_fits(48, {"HS256", "HS384"});
    expect_fits(63, {"HS256", "HS384"});
    expect_fits(64, {"HS256", "HS384", "HS512"});
    expect_fits(200, {"HS256", "HS384", "HS512"});
    for (const std::size_t octets : {0U, 1U, 31U}) {
        EXPECT_NE(refusal([&] { return VerificationKey::hmac(std::string(octets, 's')); }), "");
    }
}

TEST(HmacKey, RefusesPartOfASignature) {
    const std::string secret(32, 's');
    const std::string signature = SigningKey::hmac(secret).sign("HS256", kMessage);
    EXPECT_FALSE(verifies(VerificationKey::hmac(secret), "HS256", signature.substr(0, 16)));
}

TEST(PublicKey, IsNeverAnHmacSecret) {
    const VerificationKey key = public_rsa(rsa());
    for (const std::string& secret :
         {rsa().public_pem(), rsa().public_der(), rsa().jwk_octets("n"), std::string()}) {
        const std::string signature = SigningKey::hmac(secret).sign("HS256", kMessage);
        EXPECT_FALSE(verifies(key, "HS256", signature));
    }
}

TEST(PemKey, MayBeOfEveryPublicType) {
    const SigningKey ec = SigningKey::ec("P-384");
    const SigningKey ed25519 = SigningKey::ed25519();
    expect_only(VerificationKey::pem(rsa().public_pem()), rsa(),
                {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"});
    expect_only(VerificationKey::pem(ec.public_pem()), ec, {"ES384"});
    expect_only(VerificationKey::pem(ed25519.public_pem()), ed25519, {"EdDSA"});
}

TEST(PemKey, OfTypeRsaPssFitsPssOnly) {
    const SigningKey signer = SigningKey::rsa_pss();
    expect_only(VerificationKey::pem(signer.public_pem()), signer, {"PS256", "PS384", "PS512"});
}

TEST(PemKey, MayBeACertificate) {
    const SigningKey ec = SigningKey::ec("P-256");
    expect_only(VerificationKey::pem(ec.certificate_pem()), ec, {"ES256"});
}

TEST(PemKey, IsCheckedLikeAJwk) {
    const SigningKey small = SigningKey::rsa(1024);
    EXPECT_NE(refusal([&] { return VerificationKey::pem(small.public_pem()); }).find("1024 bits"),
              std::string::npos);
    EXPECT_NE(
        refusal([&] { return VerificationKey::pem(small.certificate_pem()); }).find("1024 bits"),
        std::string::npos);
}

TEST(PemKey, RefusesOtherPemBlocks) {
    std::string damaged = SigningKey::ec("P-256").public_pem();
    damaged.replace(damaged.find("MFk"), 3, "AAA");
    for (const std::string& block :
         {std::string(), std::string("-----BEGIN PUBLIC KEY-----\n"), damaged,
          std::string(
              "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n")}) {
        EXPECT_NE(refusal([&] { return VerificationKey::pem(block); }), "") << block;
    }
}

// The examples of FIPS 180-4.
TEST(Digest, Sha256OfTheExamplesOfTheStandard) {
    const auto hexadecimal = [](std::string_view octets) {
        std::string digits;
        for (const char c : octets) {
            const auto octet = static_cast<unsigned char>(c);
            digits += "0123456789abcdef"[octet / 16];
            digits += "0123456789abcdef"[octet % 16];
        }
        return digits;
    };
    EXPECT_EQ(hexadecimal(sha256("abc")),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(hexadecimal(sha256("")),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

}  // namespace
}  // namespace kheops
