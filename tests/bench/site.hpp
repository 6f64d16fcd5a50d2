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

/// Requests that every program serves at once, each on a database connection of its own.
constexpr unsigned kThreads = 16;

/// RS256 tokens for the user "admin", all different, and the key that verifies them.
class Tokens {
  public:
    /// Making one takes a millisecond.
    explicit Tokens(std::size_t count);

    /// One after the other, again and again.
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
    std::string name;  ///< the Host by which nginx knows it
    /// Finds its listening socket as descriptor 0.
    test::Command command;
    /// It makes its socket itself instead, at the path in the variable SOCKET.
    bool listens = false;
    std::string nginx_lines = {};  ///< for nginx's `location`
};

/// The worker, with the settings that operators have unless `settings` says otherwise.
[[nodiscard]] Program worker(const std::string& name, const std::string& conninfo,
                             test::Settings settings);
/// tests/bench/minimal.cpp; `statement` is the file of the SQL statement, here and below.
[[nodiscard]] Program minimal(const std::string& conninfo, const std::string& statement,
                              const Tokens& tokens);
/// tests/bench/list.php in PHP-FPM.
[[nodiscard]] Program php(const std::string& conninfo, const std::string& statement,
                          const Tokens& tokens);

/// Programs behind one nginx, whose configuration is nginx/kheops-webhooks.conf for each of them,
/// without its limit of requests.
class Site {
  public:
    /// Starts all. nginx keeps its connections to them from request to request. To most FastCGI
    /// programs, a kept connection occupies a thread or process for as long as it lasts: with more
    /// than kThreads connections, some would never be served.
    explicit Site(const std::vector<Program>& programs);
    /// Ends all, and waits: PHP-FPM, killed, would leave its children behind.
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
