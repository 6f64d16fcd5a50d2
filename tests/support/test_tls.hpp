// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

struct evp_pkey_st;
struct ssl_ctx_st;
struct x509_st;

namespace kheops::test {

/// The certificate of a TLS server on 127.0.0.1.
enum class Certificate { valid, expired, wrong_host };

/// A certificate authority for one test. Clients must be configured to trust it.
class TestAuthority {
  public:
    TestAuthority();

    /// The CA certificate.
    [[nodiscard]] std::string pem() const;

    /// A server context with such a certificate and a new key.
    [[nodiscard]] std::shared_ptr<ssl_ctx_st> server_context(Certificate certificate) const;

  private:
    std::shared_ptr<evp_pkey_st> key_;
    std::shared_ptr<x509_st> certificate_;
};

}  // namespace kheops::test
