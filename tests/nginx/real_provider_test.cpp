// SPDX-License-Identifier: MIT

// A real OpenID Connect provider: oidc-provider from the npm registry. Skipped where it cannot be
// installed.

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <memory>
#include <stdexcept>

#include "support/await.hpp"
#include "support/files.hpp"
#include "support/npm_packages.hpp"
#include "support/provider_site.hpp"
#include "text/json.hpp"

namespace kheops::test {
namespace {

class RealProvider : public testing::Test {
  protected:
    void SetUp() override {
        const NpmPackages packages("oidc-provider");
        if (!packages.reason_to_skip().empty()) {
            GTEST_SKIP() << packages.reason_to_skip();
        }
        process_ = std::make_unique<ChildProcess>(
            Command{.arguments = {"node", packages.file("server.mjs")},
                    .environment = own_environment(),
                    .standard_output = directory_.file("out"),
                    .standard_error = directory_.file("err")});
        await_ready(1);
        const std::string out = read_file(directory_.file("out"));
        issuer_ = out.substr(0, out.find('\n'));
    }

    /// Returns when the provider has had that many generations of keys.
    void await_ready(long generations) const {
        await("the provider is ready", [&] {
            if (!process_->running()) {
                throw std::runtime_error(read_file(directory_.file("err")));
            }
            std::error_code none_yet;
            if (std::filesystem::file_size(directory_.file("out"), none_yet) == 0 || none_yet) {
                return false;
            }
            const std::string out = read_file(directory_.file("out"));
            return std::count(out.begin(), out.end(), '\n') >= generations;
        });
    }

    /// An access token that the provider issues to the client alice.
    [[nodiscard]] std::string token() const {
        const HttpAnswer answer = fetch("POST", issuer_ + "/token",
                                        {{"Content-Type", "application/x-www-form-urlencoded"},
                                         {"Authorization", "Basic YWxpY2U6c2VjcmV0"}},
                                        "grant_type=client_credentials");
        const auto body = json::parse(answer.body);
        const auto token = body ? body->view().member("access_token") : std::nullopt;
        if (!token) {
            throw std::runtime_error("no token: " + answer.body);
        }
        return token->string().value_or("");
    }

    TemporaryDirectory directory_;
    std::unique_ptr<ChildProcess> process_;
    std::string issuer_;
};

TEST_F(RealProvider, ItsTokensAreAcceptedBeforeAndAfterItsKeysChange) {
    ProviderSite site(issuer_, {{"KHEOPS_WEBHOOKS_AUDIENCE", "kheops"}});
    const std::string first = token();
    site.await_status(first, 200);

    process_->signal(SIGHUP);
    await_ready(2);
    const std::string second = token();
    site.await_status(second, 200);
    EXPECT_EQ(site.status(first), 200);

    process_->signal(SIGHUP);  // the first key leaves the set
    await_ready(3);
    site.await_status(token(), 200);
    EXPECT_EQ(site.status(second), 200);
    EXPECT_EQ(site.status(first), 401);

    process_->kill();
    site.worker().await_log("event=keys_lost level=error");
    EXPECT_EQ(site.status(second), 200);
}

}  // namespace
}  // namespace kheops::test
