// SPDX-License-Identifier: MIT
//
// Checks is_verified and parse_key_set with the vectors of Project Wycheproof for JSON Web
// Signatures and Keys. The vectors are not part of this project: KHEOPS_WYCHEPROOF_DIR names their
// directory.

#include <cjson/cJSON.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "http/message.hpp"
#include "support/files.hpp"
#include "token/jws.hpp"

namespace kheops {
namespace {

/// Vectors whose result differs here on purpose: their number and the reason.
using Exceptions = std::map<int, std::string>;

struct FreeJson {
    void operator()(cJSON* node) const { cJSON_Delete(node); }
    void operator()(char* text) const { cJSON_free(text); }
};

/// A string's text, or any other value as JSON.
std::string text_of(const cJSON* node) {
    if (cJSON_IsString(node) != 0) {
        return node->valuestring;
    }
    return std::unique_ptr<char, FreeJson>(cJSON_PrintUnformatted(node)).get();
}

/// The member `name`, or else `other_name`.
const cJSON* member(const cJSON* object, const char* name, const char* other_name = "") {
    const cJSON* found = cJSON_GetObjectItemCaseSensitive(object, name);
    return found != nullptr ? found : cJSON_GetObjectItemCaseSensitive(object, other_name);
}

bool verifies(const std::string& keys, const std::string& token) {
    try {
        return is_verified(parse_jws(token), parse_key_set(keys));
    } catch (const KeySetError&) {
        return false;
    } catch (const HttpError&) {
        return false;
    }
}

/// Checks that a vector gives its own result or, if it is an exception, the opposite. Returns its
/// number.
int check(const std::string& keys, const cJSON* vector, const Exceptions& exceptions) {
    const int id = member(vector, "tcId")->valueint;
    const auto exception = exceptions.find(id);
    const bool is_exception = exception != exceptions.end();
    const bool is_valid = text_of(member(vector, "result")) == "valid";
    EXPECT_EQ(verifies(keys, text_of(member(vector, "jws", "jwe"))), is_valid != is_exception)
        << "vector " << id << ", " << text_of(member(vector, "comment"))
        << (is_exception ? ", listed as an exception: " + exception->second : "");
    return id;
}

/// Checks all vectors of a file. It must have each exception.
void check_file(const std::string& name, const Exceptions& exceptions) {
    const std::string path = std::string(KHEOPS_WYCHEPROOF_DIR) + "/" + name;
    if (!std::filesystem::exists(path)) {
        GTEST_SKIP() << "Project Wycheproof's vectors are missing: " << path;
    }
    const std::unique_ptr<cJSON, FreeJson> file(cJSON_Parse(test::read_file(path).c_str()));
    ASSERT_NE(file, nullptr) << path;
    std::set<int> checked;
    const cJSON* group = nullptr;
    const cJSON* vector = nullptr;
    cJSON_ArrayForEach(group, member(file.get(), "testGroups")) {
        const std::string keys = text_of(member(group, "public", "private"));
        cJSON_ArrayForEach(vector, member(group, "tests")) {
            checked.insert(check(keys, vector, exceptions));
        }
    }
    EXPECT_EQ(checked.size(),
              static_cast<std::size_t>(member(file.get(), "numberOfTests")->valueint));
    for (const auto& [id, reason] : exceptions) {
        EXPECT_TRUE(checked.contains(id)) << "there is no vector " << id << ": " << reason;
    }
}

constexpr const char* kNarrowed = "the token's PS384 is not the key's own alg, PS256";
constexpr const char* kUnknownAlg = "the key's own alg, ES521, is no known algorithm";
constexpr const char* kInserted = "the base64url has an invalid character";
constexpr const char* kNotPadded = "it has the same octets as the valid vector 357";
constexpr const char* kMixed =
    "a key set may hold keys of several types, an HMAC secret among them";
constexpr const char* kRoca = "ROCA-weak keys are not detected";
constexpr const char* kEncrypted = "encrypted tokens are refused";

TEST(Wycheproof, JsonWebSignature) {
    check_file("json_web_signature_test.json", {{346, kNarrowed},
                                                {347, kUnknownAlg},
                                                {350, kNarrowed},
                                                {351, kUnknownAlg},
                                                {367, kNotPadded},
                                                {370, kNotPadded},
                                                {372, kInserted},
                                                {373, kInserted}});
}

TEST(Wycheproof, JsonWebKey) {
    check_file("json_web_key_test.json",
               {{1, kMixed},
                {4, "the second key of that kid is skipped: unused bits of its k are not zero"},
                {7, kRoca}});
}

TEST(Wycheproof, JsonWebCrypto) {
    check_file("json_web_crypto_test.json",
               {{46, kRoca}, {47, kMixed}, {50, kEncrypted}, {67, kEncrypted}});
}

}  // namespace
}  // namespace kheops
