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

/// Everything real: a database with data, the worker, and nginx with nginx/kheops-webhooks.conf.
class TestSite {
  public:
    /// `sql_files` are loaded into the new database, named from the source tree's root; `settings`
    /// are the worker's and win over its database; `substitutions` are made in nginx's file;
    /// `times` choose the program.
    explicit TestSite(const std::vector<std::string>& sql_files, Settings settings = {},
                      std::vector<Substitution> substitutions = {},
                      WorkerBuild build = WorkerBuild::standard);

    /// The header Authorization with a token for that subject, made once for each.
    [[nodiscard]] HttpHeaders authorization(const std::string& subject);

    /// Asks nginx; `target` is the path and query as sent. The rest is HttpClient::fetch's.
    [[nodiscard]] HttpAnswer fetch(const std::string& method, const std::string& target,
                                   const HttpHeaders& headers = {},
                                   const std::optional<std::string>& body = std::nullopt);
    /// GET by `subject`.
    [[nodiscard]] HttpAnswer get(const std::string& target, const std::string& subject);

    /// Whether the last request that came to the database was answered by
    /// sql/list_webhooks_accelerated.sql.
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
