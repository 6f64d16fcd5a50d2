// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>
#include <vector>

#include "support/database.hpp"
#include "support/http_client.hpp"
#include "support/nginx.hpp"
#include "support/test_worker.hpp"

namespace kheops::test {

/// A complete installation: a database, the worker, and nginx with nginx/kheops-webhooks.conf.
class TestSite {
  public:
    /// Loads `sql_files` (paths relative to the source tree's root) into a new database. `settings`
    /// are the worker's; they override the database. `substitutions` apply to nginx's file.
    explicit TestSite(const std::vector<std::string>& sql_files, Settings settings = {},
                      std::vector<Substitution> substitutions = {},
                      WorkerBuild build = WorkerBuild::standard);

    /// An Authorization header with a token for `subject`, the same at each call.
    [[nodiscard]] HttpHeaders authorization(const std::string& subject);

    /// Sends a request to nginx. `target` is path and query; for the rest see HttpClient::fetch.
    [[nodiscard]] HttpAnswer fetch(const std::string& method, const std::string& target,
                                   const HttpHeaders& headers = {},
                                   const std::optional<std::string>& body = std::nullopt);
    /// A GET request by `subject`.
    [[nodiscard]] HttpAnswer get(const std::string& target, const std::string& subject);

    /// Whether the worker's latest statement was sql/list_webhooks_accelerated.sql.
    [[nodiscard]] bool used_accelerated_statement();

    [[nodiscard]] TestDatabase& database() { return database_; }
    [[nodiscard]] TestWorker& worker() { return worker_; }
    [[nodiscard]] const TestNginx& nginx() const { return nginx_; }

  private:
    TestDatabase database_;
    TestWorker worker_;
    TestNginx nginx_;
    HttpClient client_;
    std::map<std::string, std::string> tokens_;
};

}  // namespace kheops::test
