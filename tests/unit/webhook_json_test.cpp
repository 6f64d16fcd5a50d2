// SPDX-License-Identifier: MIT
#include "webhook_json.hpp"

#include <gtest/gtest.h>

#include "text/json.hpp"

namespace kheops {
namespace {

Webhook plain_webhook() {
    return {.id = "QAdfIstxuOvwkcm39WEO",
            .url = "https://webhook.site/123456",
            .name = "a name",
            .use_secret = false,
            .new_series = false,
            .remove_series = false,
            .new_user = false,
            .delete_album = false,
            .enabled = true,
            .last_triggers = {},
            .number_of_triggers = 0};
}

TEST(WebhookJson, AnEmptyPageIsAnEmptyArray) {
    EXPECT_EQ(to_json({}), "[]");
}

TEST(WebhookJson, MembersHaveAFixedOrder) {
    Webhook webhook = plain_webhook();
    webhook.last_triggers = {{"t2", true}, {"t1", false}};
    webhook.number_of_triggers = 11;
    webhook.use_secret = true;
    webhook.enabled = false;
    webhook.new_series = webhook.remove_series = webhook.new_user = webhook.delete_album = true;
    EXPECT_EQ(
        to_json({webhook}),
        R"([{"id":"QAdfIstxuOvwkcm39WEO","url":"https://webhook.site/123456","name":"a name",)"
        R"("use_secret":true,"events":["new_series","remove_series","new_user",)"
        R"("delete_album"],"enabled":false,"last_triggers":[{"id":"t2","status":"pass"},)"
        R"({"id":"t1","status":"fail"}],"number_of_triggers":11}])");
}

TEST(WebhookJson, WithoutTriggersLastTriggersIsAbsent) {
    EXPECT_EQ(
        to_json({plain_webhook()}),
        R"([{"id":"QAdfIstxuOvwkcm39WEO","url":"https://webhook.site/123456","name":"a name",)"
        R"("use_secret":false,"events":[],"enabled":true,"number_of_triggers":0}])");
}

TEST(WebhookJson, LargeCountsAreExact) {
    Webhook webhook = plain_webhook();
    webhook.number_of_triggers = 999999999999999;
    EXPECT_NE(to_json({webhook}).find(R"("number_of_triggers":999999999999999})"),
              std::string::npos);
}

TEST(WebhookJson, AnyTextIsPreserved) {
    std::string controls;
    for (char c = 1; c < 0x20; ++c) {
        controls += c;
    }
    for (const std::string& text :
         {controls, std::string("\"\\/\x7F"), std::string("\xC2\x80\xC2\x9F\xE2\x80\xA8"),
          std::string("\xC3\xA9\xE2\x82\xAC\xEF\xBF\xBF\xF0\x9F\x98\x80\xF4\x8F\xBF\xBF"),
          std::string(1024, 'u')}) {
        Webhook webhook = plain_webhook();
        webhook.url = text;
        webhook.name = text;
        const auto parsed = json::parse(to_json({webhook}));
        ASSERT_TRUE(parsed) << text;
        const json::View first = parsed->view().elements().at(0);
        EXPECT_EQ(first.member("url")->string(), text);
        EXPECT_EQ(first.member("name")->string(), text);
    }
}

}  // namespace
}  // namespace kheops
