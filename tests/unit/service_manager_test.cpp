// SPDX-License-Identifier: MIT
#include "server/service_manager.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "support/notify_socket.hpp"
#include "support/temporary_directory.hpp"

namespace kheops {
namespace {

using namespace std::chrono_literals;

const Clock::time_point kNow{24h};

/// As if systemd had set these variables.
ServiceManager started_with(const std::map<std::string, std::string>& variables) {
    return ServiceManager(Variables([&variables](const char* name) {
        const auto found = variables.find(name);
        return found != variables.end() ? found->second.c_str() : nullptr;
    }));
}

TEST(ServiceManager, IsNotifiedOfStartAndStop) {
    const test::TemporaryDirectory directory;
    for (const std::string& address :
         {directory.file("notify"), "@kheops-webhooks-test-" + std::to_string(::getpid())}) {
        test::NotifySocket socket(address);
        const ServiceManager manager = started_with({{"NOTIFY_SOCKET", address}});
        manager.notify_ready();
        EXPECT_EQ(socket.receive_now(), "READY=1");
        manager.notify_stopping(300s);
        EXPECT_EQ(socket.receive_now(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=300000000");
    }
}

TEST(ServiceManager, MissingOrInvalidSocketIsIgnored) {
    for (const std::string& address : {std::string(), std::string("/nowhere/notify"),
                                       std::string("@"), std::string(5000, 'x')}) {
        ServiceManager manager =
            started_with({{"NOTIFY_SOCKET", address}, {"WATCHDOG_USEC", "1000"}});
        manager.notify_ready();
        manager.ping_watchdog(kNow);
        manager.notify_stopping(5s);
    }
    EXPECT_EQ(started_with({}).max_wait(), std::nullopt);
}

TEST(ServiceManager, TheWatchdogIsPingedOnceInAQuarterOfItsTime) {
    const test::TemporaryDirectory directory;
    test::NotifySocket socket(directory.file("notify"));
    ServiceManager manager = started_with({{"NOTIFY_SOCKET", directory.file("notify")},
                                           {"WATCHDOG_USEC", "600000000"},
                                           {"WATCHDOG_PID", std::to_string(::getpid())}});
    EXPECT_EQ(manager.max_wait(), 300s);
    manager.ping_watchdog(kNow);
    EXPECT_EQ(socket.receive_now(), "WATCHDOG=1");
    manager.ping_watchdog(kNow + 149s);  // too soon for another ping
    EXPECT_EQ(socket.receive_now(), "");
    manager.ping_watchdog(kNow + 150s);
    EXPECT_EQ(socket.receive_now(), "WATCHDOG=1");
}

TEST(ServiceManager, AMissingOrForeignWatchdogIsNotPinged) {
    const test::TemporaryDirectory directory;
    test::NotifySocket socket(directory.file("notify"));
    for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
             {"WATCHDOG_PID", "1"}, {"WATCHDOG_USEC", "0"}, {"WATCHDOG_USEC", "soon"}}) {
        std::map<std::string, std::string> variables = {{name, value}};
        variables.emplace("NOTIFY_SOCKET", directory.file("notify"));
        variables.emplace("WATCHDOG_USEC", "1000000");
        ServiceManager manager = started_with(variables);
        EXPECT_EQ(manager.max_wait(), std::nullopt) << name << value;
        manager.ping_watchdog(kNow);
        EXPECT_EQ(socket.receive_now(), "");
    }
}

}  // namespace
}  // namespace kheops
