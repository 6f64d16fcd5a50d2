// SPDX-License-Identifier: MIT
#include "webhook_json.hpp"

#include "text/json.hpp"

namespace kheops {

namespace {

json::Value events_of(const Webhook& webhook) {
    json::Value events = json::Value::array();
    const auto append_if = [&events](bool on, const char* event) {
        if (on) {
            events.append(json::Value::string(event));
        }
    };
    append_if(webhook.new_series, "new_series");
    append_if(webhook.remove_series, "remove_series");
    append_if(webhook.new_user, "new_user");
    append_if(webhook.delete_album, "delete_album");
    return events;
}

json::Value to_value(const std::vector<Trigger>& triggers) {
    json::Value array = json::Value::array();
    for (const Trigger& trigger : triggers) {
        json::Value object = json::Value::object();
        object.add("id", json::Value::string(trigger.id));
        object.add("status", json::Value::string(trigger.passed ? "pass" : "fail"));
        array.append(std::move(object));
    }
    return array;
}

json::Value to_value(const Webhook& webhook) {
    json::Value object = json::Value::object();
    object.add("id", json::Value::string(webhook.id));
    object.add("url", json::Value::string(webhook.url));
    object.add("name", json::Value::string(webhook.name));
    object.add("use_secret", json::Value::boolean(webhook.use_secret));
    object.add("events", events_of(webhook));
    object.add("enabled", json::Value::boolean(webhook.enabled));
    if (!webhook.last_triggers.empty()) {
        object.add("last_triggers", to_value(webhook.last_triggers));
    }
    object.add("number_of_triggers",
               json::Value::number(static_cast<double>(webhook.number_of_triggers)));
    return object;
}

}  // namespace

std::string to_json(const std::vector<Webhook>& webhooks) {
    // Serialize each webhook alone: one tree for all takes ten times the memory of the text.
    std::string text = "[";
    for (const Webhook& webhook : webhooks) {
        text += text.size() > 1 ? "," : "";
        text += to_value(webhook).text();
    }
    return text + ']';
}

}  // namespace kheops
