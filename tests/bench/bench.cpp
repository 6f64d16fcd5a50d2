// SPDX-License-Identifier: MIT

// Measures, and judges nothing: every sample becomes a line of JSON on standard output, which
// report.jq sums up. What is to be compared takes turns, round after round, so that whatever else
// the machine does falls on all alike. scripts/bench runs it.

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "bench/load.hpp"
#include "bench/site.hpp"
#include "bench/usage.hpp"
#include "deadline.hpp"
#include "support/await.hpp"
#include "support/database.hpp"
#include "support/files.hpp"
#include "support/http_client.hpp"
#include "support/list_statement.hpp"
#include "support/psql.hpp"
#include "support/test_keys.hpp"
#include "support/test_provider.hpp"
#include "text/json.hpp"

namespace kheops::bench {
namespace {

/// How much is measured: a run whose figures mean something, or one that shows that it works.
struct Extent {
    bool quick;
    std::chrono::duration<double> time;  ///< of one sample
    [[nodiscard]] int rounds() const { return quick ? 1 : 3; }
    [[nodiscard]] std::vector<std::size_t> connections() const {
        return quick ? std::vector<std::size_t>{1, 64} : std::vector<std::size_t>{1, 8, 64};
    }
};

// --- What is written ---

void say(const std::string& text) {
    static const Clock::time_point start = Clock::now();
    std::fprintf(stderr, "bench: %4.0f s  %s\n",
                 std::chrono::duration<double>(Clock::now() - start).count(), text.c_str());
}

/// One line of the output, from its first member to its last.
class Sample {
  public:
    explicit Sample(const std::string& part) { with("part", part); }

    Sample& with(json::Name name, const std::string& text) {
        value_.add(name, json::Value::string(text));
        return *this;
    }
    Sample& with(json::Name name, double number) {
        value_.add(name, json::Value::number(number));
        return *this;
    }
    Sample& with(json::Name name, std::same_as<bool> auto truth) {
        value_.add(name, json::Value::boolean(truth));
        return *this;
    }
    /// Statuses, rate, and how long the answers with status 200 took, in milliseconds.
    Sample& with(const Outcome& outcome) {
        std::string statuses;
        for (const auto& [status, times] : outcome.milliseconds) {
            statuses += (statuses.empty() ? "{\"" : ",\"") + std::to_string(status) +
                        "\":" + std::to_string(times.size());
        }
        value_.add("statuses", *json::parse(statuses.empty() ? "{}" : statuses + "}"));
        const auto good = outcome.milliseconds.find(200);
        const std::vector<double> times =
            good != outcome.milliseconds.end() ? good->second : std::vector<double>();
        return with("per_second", static_cast<double>(times.size()) / outcome.seconds)
            .with("median_ms", quantile(times, 0.5))
            .with("p99_ms", quantile(times, 0.99));
    }
    void print() const {
        std::printf("%s\n", value_.text().c_str());
        std::fflush(stdout);
    }

  private:
    json::Value value_ = json::Value::object();
};

// --- Data ---

/// Ten characters: a letter and a number.
std::string album_id(char kind, std::size_t number) {
    std::string digits = std::to_string(number);
    return kind + std::string(9 - digits.size(), '0') + digits;
}

class Data {
  public:
    Data() : database_({"sql/schema.sql", "tests/bench/data.sql"}) {}

    /// An album `id` with so many webhooks, each of which has fired so often.
    void album(const std::string& id, std::size_t webhooks, std::size_t triggers) {
        call("add_album('" + id + "', " + std::to_string(webhooks) + ", " +
             std::to_string(triggers) + ")");
    }
    /// So many albums of ten webhooks that nobody asks for.
    void others(std::size_t albums, std::size_t triggers) {
        for (std::size_t i = 0; i < albums; ++i) {
            album(album_id('O', i), 10, triggers);
        }
    }
    void members(std::size_t count) { call("add_members(" + std::to_string(count) + ")"); }
    void finish() {
        database_.execute("CALL make_histories()");
        analyze();
    }
    /// Runs sql/accelerate.sql as an administrator does; returns how many seconds that took.
    double accelerate() {
        const Clock::time_point start = Clock::now();
        const test::Outcome outcome = test::run_script("sql/accelerate.sql", database_);
        const std::chrono::duration<double> took = Clock::now() - start;
        if (outcome.status != 0) {
            throw std::runtime_error(outcome.output);
        }
        analyze();
        return took.count();
    }

    [[nodiscard]] std::string conninfo() const { return database_.conninfo(); }
    test::Rows execute(const std::string& sql) { return database_.execute(sql); }
    /// The server's first process, of which all others are children.
    [[nodiscard]] pid_t server() {
        return std::stoi(database_.execute("SELECT pg_read_file('postmaster.pid')").text(0, 0));
    }
    /// The environment in which PostgreSQL's own programs find it.
    [[nodiscard]] std::map<std::string, std::string> environment() const {
        return {{"PGHOST", database_.host()},
                {"PGPORT", "5432"},
                {"PGUSER", "postgres"},
                {"PGDATABASE", database_.name()},
                {"PGOPTIONS", "-c plan_cache_mode=force_generic_plan -c jit=off"}};
    }

  private:
    void call(const std::string& function) { database_.execute("SELECT " + function); }
    void analyze() { database_.execute("VACUUM ANALYZE"); }
    test::TestDatabase database_;
};

std::string statement_file(bool accelerated) {
    return accelerated ? test::kAccelerated : test::kStock;
}

// --- One sample ---

/// CPU time that is used between the making of this and add_to().
class Usage {
  public:
    Usage(const Site& site, const std::string& program, pid_t database)
        : processes_{{json::Name("nginx_us"), site.nginx()},
                     {json::Name("program_us"), site.pid(program)},
                     {json::Name("postgresql_us"), database}} {
        for (const auto& [name, process] : processes_) {
            before_.push_back(cpu_seconds(process));
        }
    }

    /// Microseconds for each request.
    void add_to(Sample& sample, std::size_t requests) const {
        for (std::size_t i = 0; i < processes_.size(); ++i) {
            const auto& [name, process] = processes_[i];
            sample.with(name,
                        (cpu_seconds(process) - before_[i]) * 1e6 / static_cast<double>(requests));
        }
    }

  private:
    std::vector<std::pair<json::Name, pid_t>> processes_;
    std::vector<double> before_;
};

class Measurement {
  public:
    Measurement(std::string part, Extent extent)
        : part_(std::move(part)), extent_(extent), tokens_(extent.quick ? 20 : 1000) {}

    [[nodiscard]] const Extent& extent() const { return extent_; }
    [[nodiscard]] const std::string& part() const { return part_; }
    [[nodiscard]] Tokens& tokens() { return tokens_; }

    [[nodiscard]] Program bench_worker(const std::string& name, const Data& data,
                                       test::Settings settings = {}) const {
        settings.emplace("KHEOPS_WEBHOOKS_JWKS", tokens_.key_file());
        return worker(name, data.conninfo(), std::move(settings));
    }

    [[nodiscard]] Load load(const Site& site, const std::string& program, const std::string& album,
                            std::size_t connections) {
        return {.port = site.port(),
                .host = program,
                .target = "/albums/" + album + "/webhooks",
                .token = [this] { return tokens_.next(); },
                .connections = connections,
                .time = extent_.time};
    }

    void measure(Sample sample, const Site& site, pid_t database, const Load& load) {
        const Usage usage(site, load.host, database);
        const Outcome outcome = run(load);
        sample.with("program", load.host)
            .with("connections", static_cast<double>(load.connections))
            .with(outcome);
        usage.add_to(sample, outcome.answers());
        sample.print();
    }

    /// Makes sure that all programs give the same answer, and that all their threads have
    /// connections and plans.
    void warm_up(const Site& site, const std::vector<std::string>& programs,
                 const std::string& album, std::size_t connections) {
        std::string expected;
        for (const std::string& program : programs) {
            test::HttpClient client;
            const test::HttpAnswer answer =
                client.fetch("GET",
                             "http://127.0.0.1:" + std::to_string(site.port()) + "/albums/" +
                                 album + "/webhooks",
                             {{"Host", program}, {"Authorization", "Bearer " + tokens_.next()}});
            if (expected.empty()) {
                expected = answer.body;
            }
            if (answer.status != 200 || answer.body != expected) {
                throw std::runtime_error(program + " answers " + std::to_string(answer.status) +
                                         "\n" + answer.body + "\ninstead of\n" + expected);
            }
            Load warm = load(site, program, album, std::max<std::size_t>(connections, kThreads));
            constexpr std::size_t kEach = 20;
            warm.time = std::chrono::seconds(10);
            warm.requests = warm.connections * kEach;
            static_cast<void>(run(warm));
        }
    }

  private:
    std::string part_;
    Extent extent_;
    Tokens tokens_;
};

// --- The parts ---

/// pgbench with the program's statement: what the database alone can do. Its parameters cannot be
/// null, so those that are stand in the text.
void measure_pgbench(Sample sample, Data& data, const std::string& statement,
                     const std::string& album, std::size_t connections, const Extent& extent) {
    const test::TemporaryDirectory directory;
    std::istringstream lines(test::read_file(statement));
    std::string script = "\\set offset 0\n";
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("--")) {
            script += line + "\n";
        }
    }
    for (const auto& [from, to] : std::map<std::string, std::string>{
             {"$1", ":sub"}, {"$2", ":album"}, {"$3", "NULL"}, {"$4", "NULL"}, {"$5", ":offset"}}) {
        for (std::size_t at = script.find(from); at != std::string::npos; at = script.find(from)) {
            script.replace(at, from.size(), to);
        }
    }
    test::write_file(directory.file("script.sql"), script + ";\n");

    const std::size_t clients = std::min<std::size_t>(connections, kThreads);
    const int seconds = std::max(1, static_cast<int>(extent.time.count()));
    const double before = cpu_seconds(data.server());
    test::ChildProcess pgbench(
        {.arguments = {"pgbench", "-n", "-M", "prepared", "-c", std::to_string(clients),
                       extent.quick ? "-t" : "-T", std::to_string(extent.quick ? 20 : seconds),
                       "-D", "sub=admin", "-D", "album=" + album, "-f",
                       directory.file("script.sql")},
         .environment = data.environment(),
         .standard_output = directory.file("output"),
         .standard_error = directory.file("output")});
    const int status = pgbench.wait(std::chrono::minutes(10));
    const std::string output = test::read_file(directory.file("output"));
    const auto number_behind = [&output](const std::string& text) {
        const std::size_t at = output.find(text);
        if (at == std::string::npos) {
            throw std::runtime_error("pgbench says:\n" + output);
        }
        return std::stod(output.substr(at + text.size()));
    };
    if (status != 0) {
        throw std::runtime_error("pgbench fails:\n" + output);
    }
    sample.with("program", "pgbench")
        .with("connections", static_cast<double>(connections))
        .with("per_second", number_behind("\ntps = "))
        .with("median_ms", number_behind("latency average = "))
        .with("postgresql_us",
              (cpu_seconds(data.server()) - before) * 1e6 / number_behind("actually processed: "));
    sample.print();
}

/// The same request answered by the worker, by the least that can, by PHP and by the database
/// alone.
void measure_programs(Measurement& bench) {
    const std::vector<std::size_t> sizes = bench.extent().quick
                                               ? std::vector<std::size_t>{1, 10}
                                               : std::vector<std::size_t>{1, 10, 100, 1000};
    std::vector<std::string> programs = {"worker", "minimal", "php"};
    Data data;
    for (const std::size_t size : sizes) {
        data.album(album_id('W', size), size, 10);
    }
    data.others(bench.extent().quick ? 10 : 1000, 10);
    data.finish();
    const pid_t database = data.server();

    for (const bool accelerated : {false, true}) {
        if (accelerated) {
            data.accelerate();
        }
        const std::string statement = statement_file(accelerated);
        for (const std::size_t connections : bench.extent().connections()) {
            say("programs" + std::string(accelerated ? ", accelerated" : "") + ", " +
                std::to_string(connections) + " connections");
            const Site site({bench.bench_worker("worker", data),
                             minimal(data.conninfo(), statement, bench.tokens()),
                             php(data.conninfo(), statement, bench.tokens())},
                            connections <= kThreads);
            for (const std::size_t size : sizes) {
                bench.warm_up(site, programs, album_id('W', size), connections);
            }
            for (int round = 0; round < bench.extent().rounds(); ++round) {
                for (const std::size_t size : sizes) {
                    const std::string album = album_id('W', size);
                    const auto sample = [&] {
                        return std::move(Sample(bench.part())
                                             .with("accelerated", accelerated)
                                             .with("webhooks", static_cast<double>(size))
                                             .with("triggers", 10.0));
                    };
                    for (const std::string& program : programs) {
                        bench.measure(sample(), site, database,
                                      bench.load(site, program, album, connections));
                    }
                    measure_pgbench(sample(), data, statement, album, connections, bench.extent());
                }
                std::ranges::reverse(programs);  // nobody always has the caches of another
            }
        }
    }
}

/// Ten webhooks with short and long histories, and a pass over the same rows.
void measure_history(Measurement& bench) {
    const std::vector<std::size_t> lengths =
        bench.extent().quick ? std::vector<std::size_t>{10, 1000}
                             : std::vector<std::size_t>{10, 1000, 100'000, 1'000'000};
    constexpr std::size_t kLong = 100'000;
    std::vector<std::string> programs = {"worker", "php"};
    say("history: making " + std::to_string(lengths.back() * 10) + " triggers and more");
    Data data;
    for (const std::size_t length : lengths) {
        data.album(album_id('H', length), 10, length);
    }
    data.others(bench.extent().quick ? 10 : 1000, 10);
    data.finish();
    const pid_t database = data.server();
    data.execute("SET max_parallel_workers_per_gather = 0");  // for the pass: one process for each

    for (const bool accelerated : {false, true}) {
        if (accelerated) {
            say("history: running accelerate.sql");
            const double seconds = data.accelerate();
            Sample("installation")
                .with("triggers",
                      std::stod(data.execute("SELECT count(*) FROM webhook_triggers").text(0, 0)))
                .with("seconds", seconds)
                .print();
        }
        for (const std::size_t connections : bench.extent().connections()) {
            say("history" + std::string(accelerated ? ", accelerated" : "") + ", " +
                std::to_string(connections) + " connections");
            const Site site(
                {bench.bench_worker("worker", data, {{"KHEOPS_WEBHOOKS_TIMEOUT", "300"}}),
                 php(data.conninfo(), statement_file(accelerated), bench.tokens())},
                connections <= kThreads);
            bench.warm_up(site, programs, album_id('H', lengths.front()), connections);
            for (int round = 0; round < bench.extent().rounds(); ++round) {
                for (const std::size_t length : lengths) {
                    const bool slow = !accelerated && length >= kLong;
                    if (slow && connections > 1) {
                        continue;
                    }
                    const auto sample = [&] {
                        return std::move(Sample(bench.part())
                                             .with("accelerated", accelerated)
                                             .with("webhooks", 10.0)
                                             .with("triggers", static_cast<double>(length)));
                    };
                    for (const std::string& program : programs) {
                        Load load = bench.load(site, program, album_id('H', length), connections);
                        if (slow) {
                            load.requests = 1;
                            // Whoever comes after another finds more of so much in PostgreSQL's
                            // memory than whoever is first: each comes after itself.
                            static_cast<void>(run(load));
                        }
                        bench.measure(sample(), site, database, load);
                    }
                    if (!accelerated && connections == 1) {
                        const Clock::time_point start = Clock::now();
                        data.execute(
                            "SELECT count(id) FROM webhook_triggers WHERE webhook_fk = ANY(ARRAY("
                            "SELECT w.pk FROM webhooks AS w JOIN albums AS a ON a.pk = w.album_fk "
                            "WHERE a.id = '" +
                            album_id('H', length) + "'))");
                        const std::chrono::duration<double, std::milli> took = Clock::now() - start;
                        Sample pass = sample();
                        pass.with("program", "count(id)")
                            .with("connections", 1.0)
                            .with("median_ms", took.count())
                            .print();
                    }
                }
                std::ranges::reverse(programs);
            }
        }
    }
}

/// One album alone, and with more around it that should not matter.
void measure_around(Measurement& bench) {
    const std::size_t scale = bench.extent().quick ? 100 : 1;
    const std::string album = album_id('W', 10);
    std::map<std::string, Data> databases;
    for (const char* around : {"nothing", "webhooks", "members", "history"}) {
        say(std::string("around: making ") + around);
        Data& data = databases[around];
        data.album(album, 10, 10);
        if (around == std::string("webhooks")) {
            data.others(1000 / scale, 10);
        } else if (around == std::string("members")) {
            data.members(5000 / scale);
        } else if (around == std::string("history")) {
            data.album(album_id('H', 1), 10, 100'000 / scale);
        }
        data.finish();
    }
    std::vector<std::string> names;
    std::vector<Program> programs;
    for (const auto& [around, data] : databases) {
        names.push_back(around);
        programs.push_back(bench.bench_worker(around, data));
    }
    for (const bool accelerated : {false, true}) {
        const pid_t database = databases.begin()->second.server();
        for (auto& [around, data] : databases) {
            if (accelerated) {
                data.accelerate();
            }
        }
        const Site site(programs);
        bench.warm_up(site, {"nothing"}, album, kThreads);
        for (const std::string& name : names) {
            bench.warm_up(site, {name}, album, kThreads);
        }
        for (const std::size_t connections : {1, 8}) {
            say("around" + std::string(accelerated ? ", accelerated" : "") + ", " +
                std::to_string(connections) + " connections");
            for (int round = 0; round < 2 * bench.extent().rounds(); ++round) {
                for (const std::string& name : names) {
                    bench.measure(std::move(Sample(bench.part()).with("accelerated", accelerated)),
                                  site, database, bench.load(site, name, album, connections));
                }
            }
        }
    }
}

/// The worker's resident memory while it sees ever new tokens. They are ES256, which can be made
/// fast enough.
void measure_memory(Measurement& bench) {
    const std::size_t step = bench.extent().quick ? 500 : 100'000;
    constexpr int kSteps = 10;
    const std::string album = album_id('W', 10);
    Data data;
    data.album(album, 10, 10);
    data.others(bench.extent().quick ? 10 : 1000, 10);
    data.finish();
    data.accelerate();
    const test::TemporaryDirectory directory;
    test::write_file(directory.file("keys.json"), test::test_key_set());
    const Site site({worker("worker", data.conninfo(),
                            {{"KHEOPS_WEBHOOKS_JWKS", directory.file("keys.json")},
                             {"KHEOPS_WEBHOOKS_LOG", "warning"}})});
    for (int i = 1; i <= kSteps; ++i) {
        Load load = bench.load(site, "worker", album, kThreads);
        load.token = [] { return test::mint_token("admin"); };
        load.time = std::chrono::hours(1);
        load.requests = step;
        const Outcome outcome = run(load);
        Sample sample(bench.part());
        sample.with("requests", static_cast<double>(step) * i)
            .with("threads", static_cast<double>(kThreads))
            .with("resident_mib", resident_mebibytes(site.pid("worker")))
            .with(outcome)
            .print();
        say("memory: " + std::to_string(step * static_cast<std::size_t>(i)) + " requests");
    }
}

/// From the start of the program to its first answer.
void measure_start(Measurement& bench) {
    const std::string album = album_id('W', 10);
    Data data;
    data.album(album, 10, 10);
    data.finish();
    Site site({bench.bench_worker("worker", data)});
    say("start");
    for (int i = 0; i < (bench.extent().quick ? 2 : 20); ++i) {
        site.stop("worker");
        const Clock::time_point start = Clock::now();
        site.start("worker");
        Load load = bench.load(site, "worker", album, 1);
        load.requests = 1;
        load.time = std::chrono::minutes(1);
        const Outcome outcome = run(load);
        const std::chrono::duration<double, std::milli> took = Clock::now() - start;
        Sample(bench.part()).with("first_answer_ms", took.count()).with(outcome).print();
    }
}

/// One machine as two: clients and nginx on one of its processors, program and database on the
/// others. Clients that ask for more than can be served would otherwise take the time in which they
/// could be served, and nginx would have the share of one among all those processes that compute.
/// Nothing is parted where there is one processor.
class TwoMachines {
  public:
    /// `program` and `database` are behind; this process, and what else it has started, in front.
    TwoMachines(pid_t program, pid_t database) : database_(database) {
        ::sched_getaffinity(0, sizeof all_, &all_);
        if (CPU_COUNT(&all_) < 2) {
            return;
        }
        int first = 0;
        while (!CPU_ISSET(first, &all_)) {
            ++first;
        }
        cpu_set_t front = {};
        CPU_SET(first, &front);
        cpu_set_t others = all_;
        CPU_CLR(first, &others);
        run_on(::getpid(), front);
        run_on(program, others);
        run_on(database, others);
    }
    ~TwoMachines() {
        run_on(::getpid(), all_);
        run_on(database_, all_);
    }
    TwoMachines(const TwoMachines&) = delete;
    TwoMachines& operator=(const TwoMachines&) = delete;

  private:
    pid_t database_;
    cpu_set_t all_ = {};
};

/// More requests than can be served, for longer than any of them may wait. The album has 100
/// webhooks: it is the database that sets the limit, as in life.
void measure_overload(Measurement& bench) {
    constexpr std::size_t kWebhooks = 100;
    const std::string album = album_id('W', kWebhooks);
    Data data;
    data.album(album, kWebhooks, 10);
    data.finish();
    const Site site({bench.bench_worker(
        "worker", data, {{"KHEOPS_WEBHOOKS_TIMEOUT", "1"}, {"KHEOPS_WEBHOOKS_LOG", "warning"}})});
    const TwoMachines machines(site.pid("worker"), data.server());
    bench.warm_up(site, {"worker"}, album, kThreads);
    double peak = 0;
    for (int round = 0; round < bench.extent().rounds(); ++round) {
        for (const double times : {0.0, 2.0, 5.0}) {
            constexpr std::size_t kMaxConnections = 2000;
            Load load = bench.load(site, "worker", album, times > 0 ? kMaxConnections : kThreads);
            load.rate = times * peak;
            load.time = bench.extent().time * 5;
            const Outcome outcome = run(load);
            Sample sample(bench.part());
            sample.with("times_peak", times)
                .with("asked_per_second", load.rate)
                .with("resident_mib", resident_mebibytes(site.pid("worker")))
                .with(outcome);
            std::vector<double> refused;
            for (const auto& [status, took] : outcome.milliseconds) {
                if (status == 200) {
                    peak = times > 0 ? peak : static_cast<double>(took.size()) / outcome.seconds;
                } else {
                    refused.insert(refused.end(), took.begin(), took.end());
                }
            }
            sample.with("refused_median_ms", quantile(refused, 0.5))
                .with("refused_p99_ms", quantile(refused, 0.99))
                .print();
            say("overload: " + std::to_string(static_cast<int>(times)) + " times the peak");
        }
    }
}

/// As many clients as the worker has threads, where the server gives it two connections; and a
/// worker with no more threads than that.
void measure_limited(Measurement& bench) {
    constexpr std::size_t kWebhooks = 10;
    const std::string album = album_id('W', kWebhooks);
    Data data;
    data.album(album, kWebhooks, 10);
    data.finish();
    data.accelerate();
    std::vector<std::string> names;
    std::vector<Program> programs;
    for (const unsigned threads : {kThreads, 2U}) {
        const std::string name = "threads_" + std::to_string(threads);
        const std::string role = "limited_" + std::to_string(threads);
        data.execute("CREATE ROLE " + role +
                     " LOGIN CONNECTION LIMIT 2; GRANT pg_read_all_data TO " + role);
        names.push_back(name);
        programs.push_back(worker(name, data.conninfo() + " user=" + role,
                                  {{"KHEOPS_WEBHOOKS_JWKS", bench.tokens().key_file()},
                                   {"KHEOPS_WEBHOOKS_THREADS", std::to_string(threads)}}));
    }
    const Site site(programs);
    for (const std::string& name : names) {
        bench.warm_up(site, {name}, album, kThreads);
    }
    say("limited");
    for (int round = 0; round < 2 * bench.extent().rounds(); ++round) {
        for (const std::string& name : names) {
            bench.measure(std::move(Sample(bench.part())
                                        .with("webhooks", static_cast<double>(kWebhooks))
                                        .with("triggers", 10.0)),
                          site, data.server(), bench.load(site, name, album, kThreads));
        }
    }
}

/// A token with another `kid`, which no key verifies.
std::string with_invented_key(const std::string& token, std::size_t number) {
    const std::string header =
        R"({"alg":"ES256","kid":"invented )" + std::to_string(number) + "\"}";
    return test::encode_base64url(header) + token.substr(token.find('.'));
}

/// Good tokens over one connection, alone; beside many more of them; and beside as many whose keys
/// are invented, each of which the provider might have published a moment ago.
void measure_flood(Measurement& bench) {
    const std::size_t crowd_size = bench.extent().quick ? 200 : 34'000;
    const std::string album = album_id('W', 10);
    Data data;
    data.album(album, 10, 10);
    data.finish();
    test::TestProvider provider;
    const Site site({worker("worker", data.conninfo(),
                            {{"KHEOPS_OIDC_PROVIDER", provider.url()},
                             {"KHEOPS_WEBHOOKS_ISSUER", provider.url()},
                             {"KHEOPS_WEBHOOKS_LOG", "warning"}})});
    const std::string good = provider.token("admin");
    Load load = bench.load(site, "worker", album, 1);
    load.token = [&good] { return good; };
    test::await("the worker has keys", [&load] {
        Load one = load;
        one.requests = 1;
        return run(one).milliseconds.contains(200);
    });

    for (int round = 0; round < bench.extent().rounds(); ++round) {
        for (const std::string beside : {"nothing", "good tokens", "invented keys"}) {
            say("flood: beside " + beside);
            const std::size_t before = provider.count(test::Document::keys);
            std::atomic<bool> crowded = beside != "nothing";
            Load crowd = bench.load(site, "worker", album, 8);
            crowd.time = std::chrono::hours(1);
            crowd.requests = crowded ? crowd_size : 0;
            crowd.token = [&, number = std::size_t{0}]() mutable {
                return beside == "good tokens" ? good : with_invented_key(good, ++number);
            };
            std::thread others([&] {
                static_cast<void>(run(crowd));
                crowded = false;
            });
            Outcome all;
            do {
                const Outcome part = run(load);
                all.seconds += part.seconds;
                for (const auto& [status, times] : part.milliseconds) {
                    std::vector<double>& seen = all.milliseconds[status];
                    seen.insert(seen.end(), times.begin(), times.end());
                }
            } while (crowded);
            others.join();
            Sample sample(bench.part());
            sample.with("beside", beside)
                .with("crowd", static_cast<double>(crowd.requests))
                .with("downloads",
                      static_cast<double>(provider.count(test::Document::keys) - before))
                .with(all)
                .with("seconds", all.seconds)
                .print();
        }
    }
}

int measure(const std::string& part, const Extent& extent) {
    // A connection each, whatever the shell allows.
    rlimit files = {};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);

    const std::map<std::string, void (*)(Measurement&)> parts = {
        {"programs", measure_programs}, {"history", measure_history},
        {"around", measure_around},     {"memory", measure_memory},
        {"start", measure_start},       {"overload", measure_overload},
        {"flood", measure_flood},       {"limited", measure_limited}};
    Measurement bench(part, extent);
    parts.at(part)(bench);
    return EXIT_SUCCESS;
}

}  // namespace
}  // namespace kheops::bench

/// bench PART quick|full SECONDS
int main(int, char** arguments) {
    try {
        return kheops::bench::measure(
            arguments[1], {.quick = arguments[2] == std::string("quick"),
                           .time = std::chrono::duration<double>(std::stod(arguments[3]))});
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
