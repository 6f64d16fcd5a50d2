// SPDX-License-Identifier: MIT

// Measures, and judges nothing: prints every sample as a line of JSON, and report.jq sums the lines
// up. Programs that are compared take turns, round after round, so that other work of the machine
// slows all of them alike. scripts/bench runs it.

#include <algorithm>
#include <concepts>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <string>
#include <vector>

#include "bench/load.hpp"
#include "bench/site.hpp"
#include "bench/usage.hpp"
#include "deadline.hpp"
#include "http/conditional.hpp"
#include "support/database.hpp"
#include "support/files.hpp"
#include "support/http_client.hpp"
#include "support/list_statement.hpp"
#include "support/psql.hpp"
#include "support/test_keys.hpp"
#include "text/json.hpp"
#include "token/signature.hpp"
#include "webhook.hpp"
#include "webhook_json.hpp"

namespace kheops::bench {
namespace {

/// How much is measured. A quick run only shows that the benchmark works.
struct Extent {
    bool quick;
    [[nodiscard]] int rounds() const { return quick ? 1 : 3; }
    /// How long one sample takes.
    [[nodiscard]] std::chrono::milliseconds time() const {
        return std::chrono::milliseconds(quick ? 50 : 1000);
    }
};

// --- Output ---

void say(const std::string& text) {
    static const Clock::time_point start = Clock::now();
    std::fprintf(stderr, "bench: %4.0f s  %s\n",
                 std::chrono::duration<double>(Clock::now() - start).count(), text.c_str());
}

/// One line of the output; its members are printed in the order in which they are added.
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
    /// Adds the statuses; of the answers with status 200, their rate and their times.
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

    /// Adds an album with this many webhooks, each with this many triggers.
    void album(const std::string& id, std::size_t webhooks, std::size_t triggers) {
        call("add_album('" + id + "', " + std::to_string(webhooks) + ", " +
             std::to_string(triggers) + ")");
    }
    /// Adds albums of ten webhooks that no request names.
    void others(std::size_t albums, std::size_t triggers) {
        for (std::size_t i = 0; i < albums; ++i) {
            album(album_id('O', i), 10, triggers);
        }
    }
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
    /// The postmaster; the server's other processes are its children.
    [[nodiscard]] pid_t server() {
        return std::stoi(database_.execute("SELECT pg_read_file('postmaster.pid')").text(0, 0));
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

/// The CPU time that nginx, the program and PostgreSQL use between construction and add_to().
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

    /// Adds microseconds per request.
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
                .time = extent_.time()};
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

    /// Checks that all programs give the same answer, and makes all their threads connect and plan.
    void warm_up(const Site& site, const std::vector<std::string>& programs,
                 const std::string& album) {
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
            Load warm = load(site, program, album, kThreads);
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

constexpr std::size_t kWebhooks = 10;

/// How many milliseconds PostgreSQL takes to count the triggers of an album.
double count_milliseconds(Data& data, const std::string& album) {
    const Clock::time_point start = Clock::now();
    data.execute(
        "SELECT count(id) FROM webhook_triggers WHERE webhook_fk = ANY(ARRAY("
        "SELECT w.pk FROM webhooks AS w JOIN albums AS a ON a.pk = w.album_fk WHERE a.id = '" +
        album + "'))");
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// Measures how these programs list albums. `lengths`: one album each, with this many triggers for
/// each webhook.
void measure_lists(Measurement& bench, const std::vector<std::size_t>& lengths,
                   std::vector<std::string> programs) {
    constexpr std::size_t kLong = 100'000;
    const bool is_history = bench.part() == "history";
    say(bench.part() + ": making the data");
    Data data;
    for (const std::size_t length : lengths) {
        data.album(album_id('H', length), kWebhooks, length);
    }
    data.others(bench.extent().quick ? 10 : 1000, 10);
    data.finish();
    const pid_t database = data.server();
    data.execute("SET max_parallel_workers_per_gather = 0");  // count_milliseconds: one process

    for (const bool accelerated : {false, true}) {
        if (accelerated) {
            const double seconds = data.accelerate();
            if (is_history) {
                const test::Rows rows = data.execute("SELECT count(*) FROM webhook_triggers");
                Sample("installation")
                    .with("triggers", std::stod(rows.text(0, 0)))
                    .with("seconds", seconds)
                    .print();
            }
        }
        const std::string statement = statement_file(accelerated);
        const Site site({bench.bench_worker("worker", data, {{"KHEOPS_WEBHOOKS_TIMEOUT", "300"}}),
                         minimal(data.conninfo(), statement, bench.tokens()),
                         php(data.conninfo(), statement, bench.tokens())});
        bench.warm_up(site, programs, album_id('H', lengths.front()));
        for (const std::size_t connections : {1, 8}) {
            say(bench.part() + (accelerated ? ", accelerated, " : ", ") +
                std::to_string(connections) + " connections");
            for (int round = 0; round < bench.extent().rounds(); ++round) {
                for (const std::size_t length : lengths) {
                    const bool slow = !accelerated && length >= kLong;
                    if (slow && connections > 1) {
                        continue;
                    }
                    const std::string album = album_id('H', length);
                    const auto sample = [&] {
                        return std::move(Sample(bench.part())
                                             .with("accelerated", accelerated)
                                             .with("triggers", static_cast<double>(length)));
                    };
                    for (const std::string& program : programs) {
                        Load load = bench.load(site, program, album, connections);
                        if (slow) {
                            load.requests = 1;
                            // The first program would find fewer of these rows in PostgreSQL's
                            // memory than the others.
                            static_cast<void>(run(load));
                        }
                        bench.measure(sample(), site, database, load);
                    }
                    if (is_history && !accelerated && connections == 1) {
                        sample()
                            .with("program", "count(id)")
                            .with("connections", 1.0)
                            .with("median_ms", count_milliseconds(data, album))
                            .print();
                    }
                }
                std::ranges::reverse(programs);  // no program always has the caches of another
            }
        }
    }
}

/// The processor time that the ETag of a list takes: digest and text, without the comparison.
void measure_tag(const Extent& extent) {
    const Webhook webhook = {.id = std::string(20, 'i'),
                             .url = "https://hooks.example.org/" + std::string(30, 'u'),
                             .name = std::string(20, 'n'),
                             .use_secret = true,
                             .new_series = true,
                             .remove_series = false,
                             .new_user = true,
                             .delete_album = false,
                             .enabled = true,
                             .last_triggers = std::vector<Trigger>(5, {std::string(30, 't'), true}),
                             .number_of_triggers = 10};
    const std::string list = to_json(std::vector<Webhook>(kWebhooks, webhook));
    constexpr int kTags = 100;
    for (int batch = 0; batch < (extent.quick ? 3 : 300); ++batch) {
        const std::clock_t start = std::clock();
        std::size_t octets = 0;
        for (int i = 0; i < kTags; ++i) {
            octets += entity_tag(sha256(list)).size();
        }
        const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
        Sample("tag")
            .with("octets", static_cast<double>(list.size()))
            .with("tag_octets", static_cast<double>(octets) / kTags)
            .with("us_per_tag", seconds / kTags * 1e6)
            .print();
    }
}

/// The worker beside other programs.
void measure_programs(Measurement& bench) {
    measure_tag(bench.extent());
    measure_lists(bench, {10}, {"worker", "minimal", "php"});
}

/// Short and long histories; also how long count(id) of the same rows takes.
void measure_history(Measurement& bench) {
    measure_lists(bench,
                  bench.extent().quick ? std::vector<std::size_t>{10, 1000}
                                       : std::vector<std::size_t>{10, 1000, 100'000, 1'000'000},
                  {"worker", "php"});
}

/// The worker's resident memory while each request has a new token. The tokens are ES256, because
/// RS256 signatures take too long to make.
void measure_memory(Measurement& bench) {
    const std::size_t step = bench.extent().quick ? 500 : 100'000;
    constexpr int kSteps = 10;
    const std::string album = album_id('W', 1);
    Data data;
    data.album(album, kWebhooks, 10);
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

/// Sixteen clients of a worker with 16 threads, and of one with two, where PostgreSQL allows each
/// worker two connections.
void measure_limited(Measurement& bench) {
    const std::string album = album_id('W', 1);
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
        bench.warm_up(site, {name}, album);
    }
    say("limited");
    for (int round = 0; round < 2 * bench.extent().rounds(); ++round) {
        for (const std::string& name : names) {
            bench.measure(std::move(Sample(bench.part()).with("triggers", 10.0)), site,
                          data.server(), bench.load(site, name, album, kThreads));
        }
    }
}

int measure(const std::string& part, const Extent& extent) {
    const std::map<std::string, void (*)(Measurement&)> parts = {{"programs", measure_programs},
                                                                 {"history", measure_history},
                                                                 {"memory", measure_memory},
                                                                 {"limited", measure_limited}};
    Measurement bench(part, extent);
    parts.at(part)(bench);
    return EXIT_SUCCESS;
}

}  // namespace
}  // namespace kheops::bench

/// bench PART quick|full
int main(int, char** arguments) {
    try {
        return kheops::bench::measure(arguments[1],
                                      {.quick = arguments[2] == std::string("quick")});
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
