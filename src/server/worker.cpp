// SPDX-License-Identifier: MIT
#include "server/worker.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <cstdint>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "database/find_webhooks.hpp"
#include "server/dispatcher.hpp"
#include "server/exchange.hpp"
#include "server/fastcgi.hpp"
#include "server/gateway.hpp"
#include "server/memory_trimmer.hpp"
#include "server/metrics.hpp"
#include "server/operator_answer.hpp"
#include "server/request_queue.hpp"
#include "server/service_manager.hpp"

namespace kheops {

namespace {

/// A request that a thread takes within this time did not wait in the queue.
constexpr std::chrono::milliseconds kMaxImmediate(1);

Request read_request(FastCgi& fastcgi, const RequestFraming& framing) {
    Request request =
        to_request(Variables([&fastcgi](const char* name) { return fastcgi.parameter(name); }));
    request.nul_in_path = framing.nul_in_path;
    request.nul_elsewhere = framing.nul_elsewhere;
    return request;
}

/// The objects that a serving thread and the operator's thread use.
struct ServingContext {
    ActiveRequest& active;
    MemoryTrimmer& trimmer;
    Metrics& metrics;
    const TokenVerifier& tokens;
    const Log& log;
};

/// The result that the dispatcher gets after a request.
struct ServedRequest {
    Descriptor connection;  // empty if it broke
    Dispatcher::Disposition disposition = Dispatcher::Disposition::close;
};

/// Writes the answer to the current request.
void write_answer(FastCgi& fastcgi, const RequestFraming& framing, const Request& request,
                  const Response& response) {
    if (framing.body_complete) {
        fastcgi.discard_body();
    }
    fastcgi.write(to_gateway_text(response, request));
}

/// Takes the connection back from libfcgi.
ServedRequest end_request(FastCgi& fastcgi, const RequestFraming& framing) {
    FastCgi::EndedRequest ended = fastcgi.end();
    const Dispatcher::Disposition disposition = !framing.body_complete
                                                    ? Dispatcher::Disposition::drain
                                                : ended.keep ? Dispatcher::Disposition::keep
                                                             : Dispatcher::Disposition::close;
    return {std::move(ended.connection), disposition};
}

/// Answers a request with the Response that `respond` returns for its Request.
template <typename Respond>
ServedRequest exchange(ReadyRequest ready, FastCgi& fastcgi, const ServingContext& context,
                       const Respond& respond) {
    const int peer = ready.connection.number();
    // If the request did not wait, its peer is still connected; the query detects a hang-up.
    const bool has_waited = Clock::now() - ready.whole > kMaxImmediate;
    if (has_waited && ready.connection.has_hung_up()) {
        context.log.event(LogLevel::debug, "request_abandoned");
        return {};
    }
    if (!fastcgi.begin(std::move(ready.connection))) {
        return {};
    }
    {
        const ActiveRequest::Scope scope(context.active, peer, ready.deadline);
        const Request request = read_request(fastcgi, ready.framing);
        const Response response = respond(request);
        write_answer(fastcgi, ready.framing, request, response);
        context.trimmer.on_answer(response.body.size());
    }
    return end_request(fastcgi, ready.framing);
}

/// Refuses a request and counts it.
Response refuse(const Request& request, Clock::time_point arrived, Metrics& metrics,
                const Log& log) {
    Answer answer = answer_too_busy(request, arrived, log);
    metrics.count_refused(answer);
    return std::move(answer.response);
}

/// Answers an admitted request.
ServedRequest serve(ReadyRequest ready, FastCgi& fastcgi, ConnectionPool& database,
                    const ServingContext& context) {
    const Clock::time_point arrived = ready.arrived;
    const Deadline deadline = ready.deadline.with_peer(ready.connection.number());
    return exchange(std::move(ready), fastcgi, context, [&](const Request& request) {
        if (deadline.passed()) {
            return refuse(request, arrived, context.metrics, context.log);
        }
        Answer list = answer(request, context.tokens, database, arrived, deadline, context.log);
        context.metrics.count_answered(list);
        return std::move(list.response);
    });
}

/// Answers a refused request. One thread refuses all of them and must not wait, so it closes a
/// connection whose peer does not read.
ServedRequest serve_refused(ReadyRequest ready, FastCgi& fastcgi, Metrics& metrics,
                            const Log& log) {
    if (!ready.connection.is_writable()) {
        log.event(LogLevel::debug, "request_abandoned");
        return {};
    }
    if (!fastcgi.begin(std::move(ready.connection))) {
        return {};
    }
    const Request request = read_request(fastcgi, ready.framing);
    write_answer(fastcgi, ready.framing, request, refuse(request, ready.arrived, metrics, log));
    return end_request(fastcgi, ready.framing);
}

/// The loop of each thread, until the queue is finished. `handle` takes a request and the FastCgi
/// to answer it with. While a thread waits for a request, it owns nothing of the last one.
template <typename Handle>
void serve_lane(RequestQueue::Lane lane, RequestQueue& queue, Dispatcher& dispatcher,
                const Log& log, Handle handle) {
    std::optional<FastCgi> fastcgi(std::in_place);
    std::optional<ReadyRequest> ready = queue.next(lane);
    while (ready) {
        const std::uint64_t id = ready->id;
        ServedRequest served;
        try {
            served = handle(std::move(*ready), *fastcgi);
        } catch (const std::exception& error) {  // such as std::bad_alloc: the thread goes on
            fastcgi.emplace();                   // closes the connection
            log.event(LogLevel::error, "fault", {{"reason", error.what()}});
        }
        ready = dispatcher.next_after(lane, id, std::move(served.connection), served.disposition);
    }
}

/// The threads of all lanes. The destructor finishes the queue and joins them.
class ServingThreads {
  public:
    explicit ServingThreads(RequestQueue& queue) : queue_(queue) {}
    ~ServingThreads() { queue_.finish(); }
    ServingThreads(const ServingThreads&) = delete;
    ServingThreads& operator=(const ServingThreads&) = delete;

    /// Throws std::runtime_error if the kernel refuses a thread.
    template <typename Function>
    void start(Function function) {
        try {
            threads_.emplace_back(std::move(function));
        } catch (const std::system_error& error) {
            throw std::runtime_error("thread " + std::to_string(threads_.size() + 1) +
                                     " cannot be started (" + error.code().message() +
                                     "): KHEOPS_WEBHOOKS_THREADS is more than the limits of "
                                     "processes and memory allow");
        }
    }

  private:
    RequestQueue& queue_;
    std::vector<std::jthread> threads_;
};

}  // namespace

int run_worker(int listener, const Config& config, KeySource& keys, const TokenVerifier& tokens,
               const Log& log) {
    MemoryTrimmer trimmer;
    Metrics metrics;
    ServiceManager manager(environment_variables());
    RequestQueue queue(config.timeout);
    Dispatcher dispatcher(
        listener, config.timeout, queue, manager, [&keys] { keys.reload(); }, log);
    // Call this after the dispatcher blocks SIGTERM: otherwise libfcgi's handler catches it.
    initialize_fastcgi();
    keys.start_refreshing();
    ConnectionPool database(config.database, config.threads, log);
    const std::jthread trimming([&](const std::stop_token& stop) { trimmer.run(stop); });

    const auto state = [&]() -> WorkerState {
        return {.requests_active = dispatcher.active_requests(),
                .requests_waiting = queue.waiting(),
                .connections_open = dispatcher.open_connections(),
                .database = database.status(),
                .is_accelerated = uses_accelerated_statement(),
                .keys = keys.status(),
                .log_lines_dropped = log.dropped_lines()};
    };

    ServingThreads threads(queue);
    for (unsigned i = 0; i < config.threads; ++i) {
        threads.start([&, &active = dispatcher.add_serving_thread()] {
            const ServingContext context = {active, trimmer, metrics, tokens, log};
            serve_lane(RequestQueue::Lane::admitted, queue, dispatcher, log,
                       [&](ReadyRequest ready, FastCgi& fastcgi) {
                           return serve(std::move(ready), fastcgi, database, context);
                       });
        });
    }
    threads.start([&] {
        serve_lane(RequestQueue::Lane::refused, queue, dispatcher, log,
                   [&](ReadyRequest ready, FastCgi& fastcgi) {
                       return serve_refused(std::move(ready), fastcgi, metrics, log);
                   });
    });
    threads.start([&] {
        const ServingContext context = {dispatcher.operator_request(), trimmer, metrics, tokens,
                                        log};
        serve_lane(RequestQueue::Lane::from_operator, queue, dispatcher, log,
                   [&](ReadyRequest ready, FastCgi& fastcgi) {
                       return exchange(std::move(ready), fastcgi, context,
                                       [&](const Request& request) {
                                           return answer_operator(request, metrics, state(), log);
                                       });
                   });
    });
    log.event(LogLevel::info, "started", {{"threads", std::to_string(config.threads)}});
    manager.notify_ready();
    return dispatcher.run() == Dispatcher::End::stopped ? 0 : 1;
}

void close_waiting_connections(int listener) {
    ::fcntl(listener, F_SETFL, ::fcntl(listener, F_GETFL) | O_NONBLOCK);
    while (Descriptor(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)).number() >= 0) {
    }
}

}  // namespace kheops
