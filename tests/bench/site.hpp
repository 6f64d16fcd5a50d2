// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "descriptor.hpp"
#include "support/nginx.hpp"
#include "support/process.hpp"
#include "support/temporary_directory.hpp"
#include "support/test_worker.hpp"

namespace kheops::bench {

/// How many requests every program serves at once, each with its own database connection.
constexpr unsigned kThreads = 16;

/// RS256 tokens for the user "admin", all different, and the key that verifies them.
class Tokens {
  public:
    /// Takes a millisecond for each token.
    explicit Tokens(std::size_t count);

    /// Returns the tokens in turn; after the last one, the first.
    [[nodiscard]] const std::string& next();
    /// The public key, in PEM.
    [[nodiscard]] std::string key_file() const { return directory_.file("key.pem"); }

  private:
    test::TemporaryDirectory directory_;
    std::vector<std::string> tokens_;
    std::size_t next_ = 0;
};

/// A program that answers FastCGI requests.
struct Program {
    std::string name;       ///< also its server_name in nginx
    test::Command command;  ///< started with its listening socket as descriptor 0
    /// The program makes its socket itself instead, at the path in the variable SOCKET.
    bool listens = false;
    std::string nginx_lines = {};  ///< for nginx's `location`
};

/// The worker with its default settings, except `settings`.
[[nodiscard]] Program worker(const std::string& name, const std::string& conninfo,
                             test::Settings settings);
/// tests/bench/minimal.cpp; `statement` is the file of the SQL statement, here and below.
[[nodiscard]] Program minimal(const std::string& conninfo, const std::string& statement,
                              const Tokens& tokens);
/// tests/bench/list.php in PHP-FPM.
[[nodiscard]] Program php(const std::string& conninfo, const std::string& statement,
                          const Tokens& tokens);

/// Programs behind one nginx. Each has nginx/kheops-webhooks.conf as its server, without the
/// request limit.
class Site {
  public:
    /// Starts all. nginx keeps its connections to the programs open (fastcgi_keep_conn). In most
    /// FastCGI programs an open connection occupies a thread or process: of more than kThreads
    /// connections, some would never be served.
    explicit Site(const std::vector<Program>& programs);
    /// Stops all with SIGTERM and waits: if PHP-FPM were killed, its children would go on.
    ~Site();
    Site(const Site&) = delete;
    Site& operator=(const Site&) = delete;

    [[nodiscard]] std::uint16_t port() const { return nginx_->port(); }
    [[nodiscard]] pid_t nginx() const { return nginx_->pid(); }
    [[nodiscard]] pid_t pid(const std::string& name) const { return running_.at(name)->pid(); }

  private:
    void start(const Program& program);
    [[nodiscard]] std::string socket_of(const std::string& name) const;

    test::TemporaryDirectory directory_;
    std::map<std::string, Descriptor> listeners_;
    std::map<std::string, std::unique_ptr<test::ChildProcess>> running_;
    std::unique_ptr<test::TestNginx> nginx_;
};

}  // namespace kheops::bench
