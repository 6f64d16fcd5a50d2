// SPDX-License-Identifier: MIT

// `--check` on installations with one fault each: it names the fault and what to do, and finds none
// in good ones. For the faults of the database, see tests/database/check_test.cpp.

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <regex>
#include <sstream>

#include "provider/discovery.hpp"
#include "provider/key_cache.hpp"
#include "support/database.hpp"
#include "support/files.hpp"
#include "support/process.hpp"
#include "support/sockets.hpp"
#include "support/temporary_directory.hpp"
#include "support/test_keys.hpp"
#include "support/test_provider.hpp"
#include "support/test_worker.hpp"

namespace kheops::test {
namespace {

using std::chrono::seconds;

constexpr uid_t kNobody = 65534;

/// Root may read and write every file: where the test runs as root, the program must not.
void become_nobody() {
    if (::geteuid() == 0 && ::setresuid(kNobody, kNobody, kNobody) != 0) {
        ::_exit(126);
    }
}

void give_to_nobody(const std::string& path, mode_t mode) {
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    if (::geteuid() == 0) {
        ASSERT_EQ(::chown(path.c_str(), kNobody, static_cast<gid_t>(-1)), 0);
    }
}

/// In the form of RFC 9110 section 5.6.7.
std::string http_date(std::chrono::system_clock::time_point time) {
    const std::time_t seconds_since_1970 = std::chrono::system_clock::to_time_t(time);
    std::tm utc{};
    ::gmtime_r(&seconds_since_1970, &utc);
    char date[64] = {};
    static_cast<void>(std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc));
    return date;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
        lines.push_back(line);
    }
    return lines;
}

struct CheckResult {
    int exit_status = 0;
    std::string output;
    std::string errors;

    /// The lines that match the whole extended regular expression.
    [[nodiscard]] std::vector<std::string> matching(const std::string& pattern) const {
        std::vector<std::string> found;
        for (const std::string& line : lines_of(output)) {
            if (std::regex_match(line, std::regex(pattern, std::regex::extended))) {
                found.push_back(line);
            }
        }
        return found;
    }
};

class Check : public testing::Test {
  protected:
    Check() {
        // Only root may be able to read the build tree.
        std::filesystem::copy_file(worker_program(WorkerBuild::standard), program());
        write_file(key_file(), test_key_set());
        give_to_nobody(directory_.path(), 0700);
        give_to_nobody(key_file(), 0600);
    }

    [[nodiscard]] std::string program() const { return directory_.file("program"); }
    [[nodiscard]] std::string key_file() const { return directory_.file("keys.json"); }

    [[nodiscard]] Settings with_provider(Settings more = {}) const {
        more.emplace("KHEOPS_OIDC_PROVIDER", provider_.url());
        return more;
    }

    /// Runs the check with these settings and the database.
    CheckResult check(Settings settings = {}, const std::vector<std::string>& arguments = {},
                      void (*before_start)() = nullptr, int standard_input = -1) {
        settings.emplace("KHEOPS_WEBHOOKS_DATABASE", database_.conninfo());
        const TemporaryDirectory output;
        Command command = {.arguments = {program(), "--check"},
                           .environment = worker_environment(settings, key_file()),
                           .standard_input = standard_input,
                           .standard_output = output.file("out"),
                           .standard_error = output.file("err"),
                           .before_start = before_start};
        command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
        ChildProcess process(command);
        CheckResult result;
        result.exit_status = process.wait();
        result.output = read_file(output.file("out"));
        result.errors = read_file(output.file("err"));
        EXPECT_EQ(result.errors, "");
        for (const std::string& line : lines_of(result.output)) {
            EXPECT_TRUE(std::regex_match(line, std::regex("ok: .+|(warning|problem): [^;]+; .+")))
                << line;
        }
        EXPECT_EQ(result.exit_status, result.matching("problem: .*").empty() ? 0 : 1)
            << result.output;
        return result;
    }

    /// One line, and no other of its grade about the settings, the keys and the socket.
    static void expect_only(const CheckResult& result, const std::string& grade,
                            const std::string& found, const std::string& remedy) {
        const auto lines = result.matching(grade + ": " + kSubjects + ".*");
        EXPECT_EQ(lines.size(), 1U) << result.output;
        EXPECT_EQ(result.matching(grade + ": " + found + "; .*" + remedy + ".*").size(), 1U)
            << result.output;
    }
    static void expect_problem(const CheckResult& result, const std::string& found,
                               const std::string& remedy) {
        expect_only(result, "problem", found, remedy);
    }
    static void expect_good(const CheckResult& result) {
        EXPECT_EQ(result.matching(std::string("(warning|problem): ") + kSubjects + ".*").size(), 0U)
            << result.output;
        EXPECT_EQ(result.matching("ok: settings: every value is allowed").size(), 1U)
            << result.output;
    }

    static constexpr const char* kSubjects =
        "(setting|KHEOPS|key file|provider|clock|key cache|socket)";

    TemporaryDirectory directory_;
    TestProvider provider_;
    TestDatabase database_{{"sql/schema.sql", "sql/example-data.sql"}};
};

// --- Good installations

TEST_F(Check, AGoodInstallationWithAKeyFileHasNoFault) {
    const CheckResult result = check();
    expect_good(result);
    EXPECT_EQ(result
                  .matching("ok: key file .*keys\\.json: 1 usable key, for tokens with the issuer "
                            "https://issuer\\.example/realms/kheops")
                  .size(),
              1U)
        << result.output;
}

TEST_F(Check, AGoodInstallationWithAProviderHasNoFault) {
    TestProvider secure(TestProvider::Scheme::https);
    secure.set_headers({{"Date", http_date(std::chrono::system_clock::now())}});
    // Keycloak publishes such a key in each realm.
    secure.publish(SigningKey::rsa().jwk(R"("use":"enc","alg":"RSA-OAEP","kid":"enc")"));
    const CheckResult result = check({{"KHEOPS_OIDC_PROVIDER", secure.url()},
                                      {"SSL_CERT_FILE", secure.authority_file()},
                                      {"KHEOPS_WEBHOOKS_KEYS_CACHE", directory_.file("cache")}});
    expect_good(result);
    for (const char* line : {"ok: provider .*: 1 usable key, for tokens with the issuer https://.*",
                             "ok: provider .*: not used: key \"enc\": its use is not sig",
                             "ok: clock: this machine's is [0-9]+ s (ahead of|behind) .*",
                             "ok: key cache .*can be written by the user .*, does not exist yet"}) {
        EXPECT_EQ(result.matching(line).size(), 1U) << line << "\n" << result.output;
    }
}

TEST_F(Check, TheSettingsOfAFileAreGood) {
    write_file(directory_.file("settings"),
               "# A comment\nKHEOPS_WEBHOOKS_TIMEOUT=\"2.5\"\nPGAPPNAME=other\n");
    expect_good(check({}, {"--settings", directory_.file("settings")}));
}

TEST_F(Check, ChangesNothing) {
    const std::string cache = directory_.file("cache");
    const Settings settings = with_provider({{"KHEOPS_WEBHOOKS_KEYS_CACHE", cache}});
    expect_good(check(settings));
    EXPECT_FALSE(std::filesystem::exists(cache));
    Provider provider;
    provider.url = provider_.url();
    write_key_cache(cache, {provider_.url(), provider_.url(),
                            fetch_keys(provider, Deadline(Clock::now() + seconds(60)), {}).jwk_set,
                            std::chrono::floor<seconds>(std::chrono::system_clock::now())});
    const std::string before = read_file(cache);
    provider_.rotate();
    const CheckResult result = check(settings);
    expect_good(result);
    EXPECT_EQ(result.matching("ok: key cache .*, 1 usable key, fetched [0-9]+ s ago").size(), 1U)
        << result.output;
    EXPECT_EQ(read_file(cache), before);
}

// --- The settings

TEST_F(Check, AllWrongSettingsAreNamedAtOnce) {
    const CheckResult result =
        check({{"KHEOPS_WEBHOOKS_THREADS", "0"}, {"KHEOPS_WEBHOOKS_TIMEOUT", "never"}});
    for (const char* line :
         {"problem: setting KHEOPS_WEBHOOKS_THREADS=0: must be .*; correct it.*",
          "problem: setting KHEOPS_WEBHOOKS_TIMEOUT=never: must be .*; .*", "ok: key file .*"}) {
        EXPECT_EQ(result.matching(line).size(), 1U) << line << "\n" << result.output;
    }
}

TEST_F(Check, SettingsThatExcludeEachOtherAreNamed) {
    const CheckResult result = check(with_provider({{"KHEOPS_WEBHOOKS_JWKS", key_file()}}));
    expect_problem(result,
                   "setting KHEOPS_OIDC_PROVIDER=.*: must not be set beside KHEOPS_WEBHOOKS_JWKS.*",
                   "correct it");
    EXPECT_EQ(provider_.connections(), 0U);
}

TEST_F(Check, AMisspeltNameInTheSettingsFileIsNamed) {
    write_file(directory_.file("settings"), "KHEOPS_WEBHOOKS_TIEMOUT=2\n");
    const CheckResult result = check({}, {"--settings", directory_.file("settings")});
    expect_only(result, "warning", "KHEOPS_WEBHOOKS_TIEMOUT is not a setting of this program",
                "write KHEOPS_WEBHOOKS_TIMEOUT if that is meant");
}

TEST_F(Check, AMalformedSettingsFileIsNamedWithoutItsValues) {
    write_file(directory_.file("settings"),
               "KHEOPS_WEBHOOKS_TIMEOUT=2\npassword hunter2\nX='hunter2\n");
    const CheckResult result = check({}, {"--settings", directory_.file("settings")});
    for (const char* line : {"problem: settings file .*, line 2: must be .*; .*systemd.exec.*",
                             "problem: settings file .*, line 3: must be .*; .*systemd.exec.*"}) {
        EXPECT_EQ(result.matching(line).size(), 1U) << result.output;
    }
    EXPECT_EQ(result.output.find("hunter2"), std::string::npos) << result.output;
}

TEST_F(Check, AFileThatHoldsNoSettingsIsNamedInFewLines) {
    std::string text;
    for (int i = 0; i < 1000; ++i) {
        text += "no setting\n";
    }
    write_file(directory_.file("settings"), text);
    const CheckResult result = check({}, {"--settings", directory_.file("settings")});
    EXPECT_EQ(result.matching("problem: settings file .*, line .*").size(), 20U) << result.output;
    EXPECT_EQ(result.matching("problem: settings file .*: 980 more wrong lines; .*").size(), 1U)
        << result.output;
}

TEST_F(Check, FindingsThatCannotBeWrittenAreNotGood) {
    Settings settings = {{"KHEOPS_WEBHOOKS_DATABASE", database_.conninfo()}};
    const TemporaryDirectory output;
    ChildProcess process({.arguments = {program(), "--check"},
                          .environment = worker_environment(settings, key_file()),
                          .standard_output = "/dev/full",
                          .standard_error = output.file("err")});
    EXPECT_EQ(process.wait(), 1);
    EXPECT_NE(read_file(output.file("err")).find("standard output cannot be written"),
              std::string::npos);
}

TEST_F(Check, ASettingsFileThatCannotBeReadIsTheOnlyThingLookedAt) {
    write_file(directory_.file("settings"), "");
    ASSERT_EQ(::chmod(directory_.file("settings").c_str(), 0), 0);
    const CheckResult result =
        check({}, {"--settings", directory_.file("settings")}, become_nobody);
    expect_problem(result, "settings file .*: cannot be opened: Permission denied",
                   "kheops_webhooks with mode 640, and run the check as that user");
    EXPECT_EQ(lines_of(result.output).size(), 1U) << result.output;
}

TEST_F(Check, WhereNothingIsSetNothingElseIsLookedAt) {
    write_file(directory_.file("settings"), "#KHEOPS_WEBHOOKS_JWKS=/keys.pem\n");
    const auto check_without_environment = [&](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {program(), "--check"});
        const TemporaryDirectory output;
        ChildProcess process({.arguments = arguments,
                              .standard_output = output.file("out"),
                              .before_start = become_nobody});
        EXPECT_EQ(process.wait(), 1);
        return read_file(output.file("out"));
    };
    EXPECT_EQ(check_without_environment({}),
              "problem: settings: none is set in the environment; name the file of the settings, "
              "as the user of the worker: sudo -u kheops_webhooks kheops-webhooks --check "
              "--settings /etc/kheops-webhooks/environment\n");
    EXPECT_EQ(check_without_environment({"--settings", directory_.file("settings")}),
              "problem: settings: none is set in the environment or in " +
                  directory_.file("settings") +
                  "; write them there as NAME=value, without # and export in front of the name\n");
}

TEST_F(Check, ACheckByRootIsAWarningWithTheCommandForTheWorkersUser) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "needs root";
    }
    EXPECT_EQ(check().matching("warning: user root: .*; .*runuser -u kheops_webhooks -- .*").size(),
              1U);
    EXPECT_EQ(check({}, {}, become_nobody).matching("warning: user .*").size(), 0U);
}

TEST_F(Check, APasswordIsNotShown) {
    for (const char* connection :
         {"host=a password=secret nonsense", "postgresql://u:secret@[x/"}) {
        const CheckResult result = check({{"KHEOPS_WEBHOOKS_DATABASE", connection}});
        expect_problem(result, "setting KHEOPS_WEBHOOKS_DATABASE: must be .*", "correct it");
        EXPECT_EQ(result.output.find("secret"), std::string::npos) << result.output;
    }
}

// --- A key file

TEST_F(Check, AnUnreadableKeyFileIsNamed) {
    ASSERT_EQ(::chmod(key_file().c_str(), 0), 0);
    expect_problem(check({}, {}, become_nobody), "key file .*: cannot be opened: Permission denied",
                   "let the user .* read it");
}

TEST_F(Check, AMissingKeyFileIsNamed) {
    expect_problem(check({{"KHEOPS_WEBHOOKS_JWKS", "/no/such/file"}}),
                   "key file /no/such/file: cannot be opened: No such file or directory",
                   "set KHEOPS_WEBHOOKS_JWKS to a regular file");
}

TEST_F(Check, AKeyFileWithoutAUsableKeyIsNamed) {
    write_file(key_file(), jwk_set({SigningKey::rsa(1024).jwk(R"("kid":"weak")")}));
    expect_problem(check(), "key file .*: the key set holds no usable key: key \"weak\": .*",
                   "write the public keys");
    write_file(key_file(), SigningKey::ed25519().private_pem());
    expect_problem(check(), "key file .*: the key set holds a private key, .*",
                   "write the public keys");
}

TEST_F(Check, AKeyIdForgesNeitherALineNorARemedyNorAColour) {
    write_file(key_file(),
               jwk_set({SigningKey::rsa(1024).jwk("\"kid\":\"a\u009B31m\u2028ok: b; run rm\"")}));
    expect_problem(check(), "key file .*: key \"a 31m ok: b, run rm\": .*",
                   "write the public keys");
}

TEST_F(Check, ASkippedKeyIsAWarning) {
    std::vector<std::string> keys(6, SigningKey::rsa(1024).jwk());
    keys.push_back(SigningKey::ed25519().jwk());
    write_file(key_file(), jwk_set(keys));
    const CheckResult result = check();
    EXPECT_EQ(result.matching("ok: key file .*: 1 usable key, .*").size(), 1U) << result.output;
    EXPECT_EQ(result.matching("warning: key file .*: not used: key [1-5]: .*; replace it.*").size(),
              5U)
        << result.output;
    EXPECT_EQ(result.matching("warning: key file .*: not used: 1 more keys; .*").size(), 1U)
        << result.output;
}

// --- A provider

TEST_F(Check, AnUnreachableProviderIsNamed) {
    provider_.stop();
    expect_problem(check(with_provider()),
                   "provider http.*: discovery document: Could(n't| not) connect to server",
                   "check that the provider runs.*curl http.*/.well-known/openid-configuration");
}

TEST_F(Check, AProviderWithAnotherIssuerIsNamedWithBothIssuers) {
    provider_.set_issuer("https://other.example");
    expect_problem(
        check(with_provider()),
        "provider .*: the discovery document names the issuer .*https://other\\.example.*"
        ", expected .*" +
            provider_.url() + ".*",
        "set KHEOPS_OIDC_PROVIDER to the issuer that the provider names");
}

TEST_F(Check, ADifferentIssuerInTheSettingsIsShown) {
    const CheckResult result =
        check(with_provider({{"KHEOPS_WEBHOOKS_ISSUER", "https://outside.example"}}));
    expect_good(result);
    EXPECT_EQ(result
                  .matching("ok: provider .* with the issuer https://outside\\.example \\(the "
                            "provider names " +
                            provider_.url() + "\\)")
                  .size(),
              1U)
        << result.output;
}

TEST_F(Check, AnUntrustedCertificateIsNamed) {
    TestProvider secure(TestProvider::Scheme::https);
    const Settings unknown = {{"KHEOPS_OIDC_PROVIDER", secure.url()}};
    Settings known = unknown;
    known.emplace("SSL_CERT_FILE", secure.authority_file());
    Settings missing = unknown;
    missing.emplace("SSL_CERT_FILE", "/no/such/file");
    for (const Settings& settings : {unknown, missing}) {
        expect_problem(check(settings), "provider .*: discovery document: .*(SSL|CA cert).*",
                       "update-ca-certificates.*SSL_CERT_FILE");
    }
    for (const Certificate certificate : {Certificate::expired, Certificate::wrong_host}) {
        secure.use_certificate(certificate);
        expect_problem(check(known), "provider .*: discovery document: .*SSL.*",
                       "replace it at the provider");
    }
}

TEST_F(Check, AnAnswerThatIsNoDiscoveryDocumentIsNamed) {
    for (const auto& [behaviour, found] : std::map<Behaviour, const char*>{
             {Behaviour::server_error, "discovery document: HTTP status 500"},
             {Behaviour::html_page, "the discovery document is not JSON .*"}}) {
        provider_.set_behaviour(Document::discovery, behaviour);
        expect_problem(check(with_provider()), std::string("provider .*: ") + found,
                       "check that KHEOPS_OIDC_PROVIDER is the base URL.*curl http");
    }
}

TEST_F(Check, AProviderOverHttpIsAWarning) {
    const CheckResult result = check({{"KHEOPS_OIDC_PROVIDER", "http://keycloak.invalid/realms/k"},
                                      {"KHEOPS_WEBHOOKS_PROVIDER_HTTP", "allow"},
                                      {"http_proxy", provider_.url()}});  // it answers 404
    expect_only(result, "warning", "provider .*: reached by plain http", "use https");
    expect_problem(result, "provider .*: discovery document: HTTP status 404", "base URL");
}

TEST_F(Check, AProviderOverHttpThatIsNotAllowedIsAskedNevertheless) {
    const CheckResult result = check({{"KHEOPS_OIDC_PROVIDER", "http://keycloak.invalid/realms/k"},
                                      {"http_proxy", provider_.url()}});  // it answers 404
    for (const char* line :
         {"problem: setting KHEOPS_OIDC_PROVIDER=http://keycloak\\.invalid/realms/k: must be https"
          ".*KHEOPS_WEBHOOKS_PROVIDER_HTTP=allow.*KHEOPS_WEBHOOKS_ISSUER.*; correct it.*",
          "problem: provider .*: discovery document: HTTP status 404; .*"}) {
        EXPECT_EQ(result.matching(line).size(), 1U) << line << "\n" << result.output;
    }
    EXPECT_EQ(provider_.connections(), 1U);
}

TEST_F(Check, AProviderWithoutAUsableKeyIsNamed) {
    provider_.set_behaviour(Document::keys, Behaviour::empty);
    expect_problem(check(with_provider()), "provider .*: the key set holds no usable key",
                   "let the provider publish");
}

TEST_F(Check, AClockThatIsTwoMinutesOffIsNamed) {
    const auto check_with_clock = [this](seconds lead) {
        provider_.set_headers({{"Date", http_date(std::chrono::system_clock::now() - lead)}});
        return check(with_provider());
    };
    for (const auto& [minutes, direction] :
         std::map<int, const char*>{{2, "ahead of"}, {-2, "behind"}}) {
        expect_problem(
            check_with_clock(std::chrono::minutes(minutes)),
            std::string("clock: this machine's is 1[12][0-9] s ") + direction + " the provider's",
            "synchronize the clocks of both machines by NTP; beyond 60 s");
    }
    expect_only(check_with_clock(seconds(45)), "warning",
                "clock: this machine's is 4[5-9] s ahead of the provider's", "NTP");
    expect_good(check_with_clock(seconds(10)));
}

// --- The key cache

class CheckOfTheCache : public Check {
  protected:
    CheckOfTheCache() {
        std::filesystem::create_directory(directory());
        give_to_nobody(directory(), 0700);
    }
    ~CheckOfTheCache() override {
        static_cast<void>(::chmod(directory().c_str(), 0700));  // so that it can be removed
    }

    [[nodiscard]] std::string directory() const { return directory_.file("state"); }
    [[nodiscard]] std::string file() const { return directory() + "/keys.json"; }

    /// As the user of the worker.
    CheckResult check_as_nobody(Settings more = {}) {
        more.emplace("KHEOPS_WEBHOOKS_KEYS_CACHE", file());
        return check(with_provider(std::move(more)), {}, become_nobody);
    }

    void fill(const std::string& provider, seconds age = seconds(0)) const {
        write_key_cache(file(),
                        {provider, provider, jwk_set({SigningKey::ed25519().jwk()}),
                         std::chrono::floor<seconds>(std::chrono::system_clock::now()) - age});
        give_to_nobody(file(), 0600);
    }
};

TEST_F(CheckOfTheCache, AGoodOneHasNoFault) {
    fill(provider_.url());
    expect_good(check_as_nobody());
}

TEST_F(CheckOfTheCache, AGoodOneHasNoFaultWhereRootLooks) {
    fill(provider_.url());
    expect_good(check(with_provider({{"KHEOPS_WEBHOOKS_KEYS_CACHE", file()}})));
}

TEST_F(CheckOfTheCache, OneThatCannotBeWrittenIsNamed) {
    ASSERT_EQ(::chmod(directory().c_str(), 0500), 0);
    expect_problem(check_as_nobody(),
                   "key cache .*keys\\.json: the directory .*state cannot be written: Permission "
                   "denied",
                   "let the user .* write to it");
    expect_problem(check_as_nobody({{"KHEOPS_WEBHOOKS_KEYS_CACHE", "/no/such/directory/file"}}),
                   "key cache .*: the directory /no/such/directory cannot be written: No such file "
                   "or directory",
                   "make the directory");
}

TEST_F(CheckOfTheCache, OneThatOthersCanWriteIsAWarning) {
    fill(provider_.url());
    ASSERT_EQ(::chmod(file().c_str(), 0660), 0);
    expect_only(check_as_nobody(), "warning",
                "key cache .*: not used: can be written by other users", "mode 0600");
}

TEST_F(CheckOfTheCache, OneThatCannotBeReadIsAWarning) {
    fill(provider_.url());
    ASSERT_EQ(::chmod(file().c_str(), 0), 0);
    expect_only(check_as_nobody(), "warning",
                "key cache .*: not used: cannot be opened: Permission denied", "remove it");
}

TEST_F(CheckOfTheCache, OneOfAnotherProviderIsAWarning) {
    fill("https://other.example");
    expect_only(check_as_nobody(), "warning",
                "key cache .*: not used: belongs to the provider .*https://other\\.example.* with "
                "the issuer .*, expected .*" +
                    provider_.url() + ".* with .*" + provider_.url() + ".*",
                "remove it");
}

TEST_F(CheckOfTheCache, AnOldOneIsAWarning) {
    fill(provider_.url(), std::chrono::hours(25));
    expect_only(check_as_nobody(), "warning", "key cache .*: not used: is too old", "remove it");
}

// --- The socket

TEST_F(Check, AListeningSocketAsDescriptor0IsGood) {
    const Descriptor listener = listen_unix(directory_.file("worker.sock"));
    const CheckResult result = check({}, {}, nullptr, listener.number());
    expect_good(result);
    EXPECT_EQ(result.matching("ok: socket: descriptor 0 is a listening socket").size(), 1U)
        << result.output;
}

}  // namespace
}  // namespace kheops::test
