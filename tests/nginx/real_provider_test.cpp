// SPDX-License-Identifier: MIT

// A real OpenID Connect provider: oidc-provider from the npm registry. Skipped where it cannot be
// installed.

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>

#include "support/await.hpp"
#include "support/files.hpp"
#include "support/provider_site.hpp"
#include "text/json.hpp"

namespace kheops::test {
namespace {

constexpr const char* kFolder = KHEOPS_SOURCE_DIR "/tests/support/oidc-provider";

/// This process's own environment.
Settings environment() {
    Settings all;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        const std::string text = *variable;
        const size_t equals = text.find('=');
        all.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return all;
}

class RealProvider : public testing::Test {
  protected:
    void SetUp() override {
        const std::string place = std::string(std::getenv("BUILD_DIR")) + "/tests/oidc-provider";
        ChildProcess installation(Command{.arguments = {kFolder + std::string("/install"), place},
                                          .environment = environment(),
                                          .standard_output = directory_.file("reason")});
        const int status = installation.wait(std::chrono::minutes(5));
        if (status == 77) {
            GTEST_SKIP() << read_file(directory_.file("reason"));
        }
        ASSERT_EQ(status, 0);
        process_ =
            std::make_unique<ChildProcess>(Command{.arguments = {"node", place + "/server.mjs"},
                                                   .environment = environment(),
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
