// SPDX-License-Identifier: MIT
#include "support/test_site.hpp"

#include "support/test_keys.hpp"

namespace kheops::test {

namespace {

Settings with_database(Settings settings, const TestDatabase& database) {
    settings.emplace("KHEOPS_WEBHOOKS_DATABASE", database.conninfo());
    return settings;
}

std::vector<Substitution> with_addresses(std::vector<Substitution> substitutions,
                                         const TestWorker& worker) {
    substitutions.push_back({"listen 127.0.0.1:8080;", "listen 127.0.0.1:@PORT@;"});
    substitutions.push_back({"server unix:/run/kheops-webhooks/worker.sock;",
                             "server unix:" + worker.socket_path() + ";"});
    return substitutions;
}

}  // namespace

TestSite::TestSite(const std::vector<std::string>& sql_files, Settings settings,
                   std::vector<Substitution> substitutions, WorkerBuild build)
    : database_(sql_files),
      worker_(with_database(std::move(settings), database_), build),
      nginx_(
          nginx_file("kheops-webhooks.conf", with_addresses(std::move(substitutions), worker_))) {}

HttpHeaders TestSite::authorization(const std::string& subject) {
    std::string& token = tokens_[subject];
    if (token.empty()) {
        token = mint_token(subject);
    }
    return {{"Authorization", "Bearer " + token}};
}

HttpAnswer TestSite::fetch(const std::string& method, const std::string& target,
                           const HttpHeaders& headers, const std::optional<std::string>& body) {
    return client_.fetch(method, nginx_.url(target), headers, body);
}

HttpAnswer TestSite::get(const std::string& target, const std::string& subject) {
    return fetch("GET", target, authorization(subject));
}

bool TestSite::used_accelerated_statement() {
    const std::vector<std::string> accelerated = database_.column(
        "SELECT query LIKE '%instead of list_webhooks.sql%' FROM pg_stat_activity WHERE datname = "
        "current_database() AND application_name = 'kheops-webhooks' "
        "ORDER BY query_start DESC LIMIT 1");
    return accelerated == std::vector<std::string>{"t"};
}

}  // namespace kheops::test
