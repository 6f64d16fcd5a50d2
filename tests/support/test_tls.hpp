// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

struct evp_pkey_st;
struct ssl_ctx_st;
struct x509_st;

namespace kheops::test {

/// What a TLS server on 127.0.0.1 shows of itself.
enum class Certificate { valid, expired, wrong_host };

/// A certificate authority of the test's own, which nobody trusts unless told.
class TestAuthority {
  public:
    TestAuthority();

    /// Its own certificate, for those who are to trust it.
    [[nodiscard]] std::string pem() const;

    /// The context of a server with such a certificate and a key of its own.
    [[nodiscard]] std::shared_ptr<ssl_ctx_st> server_context(Certificate certificate) const;

  private:
    std::shared_ptr<evp_pkey_st> key_;
    std::shared_ptr<x509_st> certificate_;
};

}  // namespace kheops::test
