// SPDX-License-Identifier: MIT
#include "server/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <chrono>
#include <limits>
#include <utility>
#include <vector>

#include "server/process_usage.hpp"

namespace kheops {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

/// All statuses that the worker sends. Each is there from the start, at 0: Prometheus sees no
/// increase in a metric that begins with 1. The last one also counts what is not listed.
constexpr std::array kStatuses = {200, 204, 304, 400, 401, 403, 404, 405, 406, 503, 500};

/// The upper limits of the buckets, in seconds: from a fast list, which takes half a millisecond,
/// beyond the usual budget of five seconds.
constexpr std::array kBuckets = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                 0.1,    0.25,  0.5,    1.0,   2.5,  5.0,   10.0};

prometheus::Histogram::BucketBoundaries buckets() {
    return {kBuckets.begin(), kBuckets.end()};
}

double seconds(Clock::duration duration) {
    return std::chrono::duration<double>(duration).count();
}

MetricFamily family(MetricType type, const char* name, const char* help,
                    std::vector<ClientMetric> metrics) {
    return {name, help, type, std::move(metrics)};
}

template <typename Number>
MetricFamily gauge(const char* name, const char* help, Number value) {
    ClientMetric metric;
    metric.gauge.value = static_cast<double>(value);
    return family(MetricType::Gauge, name, help, {metric});
}

template <typename Number>
MetricFamily counter(const char* name, const char* help, Number value) {
    ClientMetric metric;
    metric.counter.value = static_cast<double>(value);
    return family(MetricType::Counter, name, help, {metric});
}

MetricFamily histogram(const char* name, const char* help, const prometheus::Histogram& histogram) {
    return family(MetricType::Histogram, name, help, {histogram.Collect()});
}

MetricFamily build_info() {
    ClientMetric metric;
    metric.label = {{"version", KHEOPS_VERSION}};
    metric.gauge.value = 1;
    return family(MetricType::Gauge, "kheops_webhooks_build_info",
                  "The version of the worker; the value is 1.", {metric});
}

void append_state(std::vector<MetricFamily>& families, const WorkerState& state) {
    families.insert(
        families.end(),
        {gauge("kheops_webhooks_requests_active", "Requests that serving threads are answering.",
               state.requests_active),
         gauge("kheops_webhooks_requests_waiting", "Requests that wait for a serving thread.",
               state.requests_waiting),
         gauge("kheops_webhooks_connections_open", "Open connections of web servers.",
               state.connections_open),
         gauge("kheops_webhooks_database_connections_open",
               "Open connections to the database, idle or in use.", state.database.open),
         gauge("kheops_webhooks_database_connections_in_use",
               "Connections to the database that requests or probes use.", state.database.in_use),
         gauge("kheops_webhooks_database_up",
               "0 while the worker knows that the database is down, otherwise 1. The first request "
               "finds out.",
               state.database.is_down ? 0 : 1),
         gauge("kheops_webhooks_accelerated",
               "1 if the last list was read with accelerate.sql in force, otherwise 0.",
               state.is_accelerated ? 1 : 0),
         gauge(
             "kheops_webhooks_keys_age_seconds",
             "Time since the provider sent the last keys; NaN if it has sent none or the keys "
             "are those of a file.",
             state.keys.age ? seconds(*state.keys.age) : std::numeric_limits<double>::quiet_NaN()),
         gauge("kheops_webhooks_keys_usable", "Keys that can verify tokens.", state.keys.usable),
         counter("kheops_webhooks_key_downloads_total",
                 "Downloads of the provider's keys that have ended, failed ones included.",
                 state.keys.downloads),
         counter("kheops_webhooks_key_download_failures_total",
                 "Downloads of the provider's keys that failed.", state.keys.failed_downloads),
         counter("kheops_webhooks_log_lines_dropped_total",
                 "Log lines that could not be written at once.", state.log_lines_dropped),
         build_info()});
}

/// The names are those of Prometheus' own client libraries.
void append_process(std::vector<MetricFamily>& families, double started) {
    const ProcessUsage usage = process_usage();
    families.insert(
        families.end(),
        {counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.",
                 usage.processor_seconds),
         gauge("process_resident_memory_bytes", "Resident memory size in bytes.",
               usage.resident_memory),
         gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.",
               usage.virtual_memory),
         gauge("process_open_fds", "Number of open file descriptors.", usage.open_descriptors),
         gauge("process_max_fds", "Maximum number of open file descriptors.",
               usage.max_descriptors),
         gauge("process_start_time_seconds",
               "Start time of the process since unix epoch in seconds.", started)});
}

}  // namespace

struct Metrics::Counts {
    std::array<prometheus::Counter, kStatuses.size()> answers;  // in the order of kStatuses
    prometheus::Counter refused;
    prometheus::Histogram waited{buckets()};
    prometheus::Histogram database{buckets()};
    prometheus::Histogram total{buckets()};

    void count(const Answer& answer) {
        std::size_t position = 0;
        while (position + 1 < kStatuses.size() && kStatuses[position] != answer.response.status) {
            ++position;
        }
        answers[position].Increment();
        if (answer.times.database) {
            database.Observe(seconds(*answer.times.database));
        }
        total.Observe(seconds(answer.times.total));
    }

    [[nodiscard]] MetricFamily by_status() const {
        std::vector<ClientMetric> metrics;
        for (std::size_t i = 0; i < kStatuses.size(); ++i) {
            metrics.push_back(answers[i].Collect());
            metrics.back().label = {{"status", std::to_string(kStatuses[i])}};
        }
        return family(MetricType::Counter, "kheops_webhooks_requests_total",
                      "Requests that were answered, by the status of the answer.",
                      std::move(metrics));
    }
};

Metrics::Metrics()
    : counts_(std::make_unique<Counts>()),
      started_(std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
                   .count()) {}

Metrics::~Metrics() = default;

void Metrics::count_answered(const Answer& answer) {
    counts_->count(answer);
    counts_->waited.Observe(seconds(answer.times.waited));
}

void Metrics::count_refused(const Answer& answer) {
    counts_->count(answer);
    counts_->refused.Increment();
}

std::string Metrics::text(const WorkerState& state) const {
    std::vector<MetricFamily> families = {
        counts_->by_status(),
        counter("kheops_webhooks_requests_refused_total",
                "Requests that were answered with 503 as all serving threads were busy.",
                counts_->refused.Value()),
        histogram("kheops_webhooks_wait_seconds",
                  "Time from the arrival of a request until a thread took it, without refused "
                  "requests.",
                  counts_->waited),
        histogram("kheops_webhooks_database_seconds",
                  "Time that a request waited for the database, a connection included.",
                  counts_->database),
        histogram("kheops_webhooks_request_seconds",
                  "Time from the arrival of a request until its answer was complete.",
                  counts_->total)};
    append_state(families, state);
    append_process(families, started_);
    return prometheus::TextSerializer().Serialize(families);
}

}  // namespace kheops
