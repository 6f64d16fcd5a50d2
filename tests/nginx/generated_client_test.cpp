// SPDX-License-Identifier: MIT

// A client that a standard generator makes from docs/openapi.yaml. Skipped where the generator
// cannot be installed.

#include <gtest/gtest.h>

#include "support/files.hpp"
#include "support/npm_packages.hpp"
#include "support/process.hpp"
#include "support/temporary_directory.hpp"
#include "support/test_keys.hpp"
#include "support/test_site.hpp"

namespace kheops::test {
namespace {

class GeneratedClient : public testing::Test {
  protected:
    /// Runs a program and returns what it printed.
    std::string run(const std::vector<std::string>& arguments) {
        const std::string output = directory_.file(std::to_string(++runs_));
        ChildProcess process(Command{.arguments = arguments,
                                     .environment = own_environment(),
                                     .standard_output = output,
                                     .standard_error = output});
        EXPECT_EQ(process.wait(std::chrono::minutes(2)), 0) << read_file(output);
        return read_file(output);
    }

    TemporaryDirectory directory_;
    int runs_ = 0;
};

TEST_F(GeneratedClient, GetsATypedListAndRefusesMisuse) {
    const NpmPackages packages("openapi");
    if (!packages.reason_to_skip().empty()) {
        GTEST_SKIP() << packages.reason_to_skip();
    }
    run({packages.file("node_modules/.bin/openapi-typescript"),
         KHEOPS_SOURCE_DIR "/docs/openapi.yaml", "-o", packages.file("api.d.ts")});
    run({packages.file("node_modules/.bin/tsc"), "--strict", "--skipLibCheck", "--target", "es2022",
         "--module", "nodenext", packages.file("client.ts")});

    TestSite site({"sql/schema.sql", "sql/example-data.sql"});
    EXPECT_EQ(run({"node", packages.file("client.js"), site.nginx().url(""), mint_token("alice")}),
              "a name: 11, pass\n"
              "another name: 0, none\n"
              "Radiology \"on call\" \u2013 Z\u00fcrich: 2, fail\n"
              "switched off: 0, none\n"
              "the first one: 0, none\n"
              "404 Album Not Found\n");
}

}  // namespace
}  // namespace kheops::test
