// SPDX-License-Identifier: MIT
#include "support/test_tls.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdexcept>

namespace kheops::test {

namespace {

constexpr long kDay = 86400;  // seconds

void require(bool succeeded) {
    if (!succeeded) {
        throw std::runtime_error("OpenSSL failed to create a test certificate");
    }
}

std::shared_ptr<EVP_PKEY> new_key() {
    std::shared_ptr<EVP_PKEY> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    require(key != nullptr);
    return key;
}

void add_extension(X509* certificate, int kind, const std::string& value) {
    const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
        X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str()), X509_EXTENSION_free);
    require(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

/// A certificate without a signature, valid from two days ago until `days` from now.
std::shared_ptr<X509> new_certificate(const std::string& name, EVP_PKEY* key, long days) {
    std::shared_ptr<X509> certificate(X509_new(), X509_free);
    require(certificate != nullptr);
    static long serial = 0;
    require(X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
            ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial) == 1 &&
            X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -2 * kDay) != nullptr &&
            X509_gmtime_adj(X509_getm_notAfter(certificate.get()), days * kDay) != nullptr &&
            X509_set_pubkey(certificate.get(), key) == 1 &&
            X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                                       reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
                                       0) == 1);
    return certificate;
}

}  // namespace

TestAuthority::TestAuthority()
    : key_(new_key()), certificate_(new_certificate("test authority", key_.get(), 2)) {
    require(X509_set_issuer_name(certificate_.get(), X509_get_subject_name(certificate_.get())) ==
            1);
    add_extension(certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
    require(X509_sign(certificate_.get(), key_.get(), EVP_sha256()) > 0);
}

std::string TestAuthority::pem() const {
    const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), BIO_free);
    require(memory != nullptr && PEM_write_bio_X509(memory.get(), certificate_.get()) == 1);
    char* data = nullptr;
    const long size = BIO_get_mem_data(memory.get(), &data);
    return {data, static_cast<size_t>(size)};
}

std::shared_ptr<ssl_ctx_st> TestAuthority::server_context(Certificate kind) const {
    const std::shared_ptr<EVP_PKEY> key = new_key();
    const std::shared_ptr<X509> certificate =
        new_certificate("test server", key.get(), kind == Certificate::expired ? -1 : 1);
    require(X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate_.get())) ==
            1);
    add_extension(certificate.get(), NID_subject_alt_name,
                  kind == Certificate::wrong_host ? "DNS:elsewhere.invalid" : "IP:127.0.0.1");
    require(X509_sign(certificate.get(), key_.get(), EVP_sha256()) > 0);

    std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
    require(context != nullptr && SSL_CTX_use_certificate(context.get(), certificate.get()) == 1 &&
            SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1);
    return context;
}

}  // namespace kheops::test
