// SPDX-License-Identifier: MIT
#include "server/worker.hpp"

#include <malloc.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "server/dispatcher.hpp"
#include "server/exchange.hpp"
#include "server/fastcgi.hpp"
#include "server/gateway.hpp"
#include "server/service_manager.hpp"

namespace kheops {

namespace {

/// A request that came to a thread within this had not to wait for one.
constexpr std::chrono::milliseconds kNoWait(1);

Request read_request(const FastCgi& fastcgi, const RequestFraming& framing) {
    Request request = to_request([&fastcgi](const char* name) { return fastcgi.parameter(name); });
    if (framing.nul_in_path) {
        request.path += '\0';  // libfcgi's strings end there, and what is left could match
    }
    request.holds_nul = framing.nul_elsewhere;
    return request;
}

/// What each serving thread does until there is no request to come.
void serve(Dispatcher& dispatcher, Dispatcher::Queue queue, Database database,
           const TokenVerifier& tokens, const Log& log) {
    FastCgi fastcgi;
    std::optional<ReadyRequest> ready = dispatcher.next(queue);
    while (ready) {
        const Deadline deadline = ready->deadline.with_caller(ready->connection.number());
        // One that did not wait has its caller; whoever leaves later is noticed by the query.
        const bool has_waited = Clock::now() - ready->whole > kNoWait;
        if (has_waited && ready->connection.has_hung_up()) {
            log.event(LogLevel::debug, "request_abandoned");
            ready = dispatcher.next_after(queue, ready->id, Descriptor(), Dispatcher::Fate::close);
            continue;
        }
        if (!fastcgi.begin(std::move(ready->connection))) {
            ready = dispatcher.next_after(queue, ready->id, Descriptor(), Dispatcher::Fate::close);
            continue;
        }
        const Request request = read_request(fastcgi, ready->framing);
        const Response response = answer(request, tokens, database, ready->arrived, deadline, log);
        fastcgi.write(to_gateway_text(response, request));

        FastCgi::Ended ended = fastcgi.end(ready->framing.ends_here);
        const Dispatcher::Fate fate = !ready->framing.ends_here ? Dispatcher::Fate::drain
                                      : ended.keep              ? Dispatcher::Fate::keep
                                                                : Dispatcher::Fate::close;
        ready = dispatcher.next_after(queue, ready->id, std::move(ended.connection), fate);
    }
}

/// An answer of a thousand webhooks takes some 3 MiB for a moment. glibc would give them back to
/// the kernel after each, and fetching them again page by page costs more than the answer itself.
void keep_freed_memory() {
    constexpr int kMebibyte = 1024 * 1024;
    ::mallopt(M_TRIM_THRESHOLD, 8 * kMebibyte);
    ::mallopt(M_MMAP_THRESHOLD, 8 * kMebibyte);
}

}  // namespace

int run_worker(int listener, const Config& config, KeySource& keys, const TokenVerifier& tokens,
               const Log& log) {
    keep_freed_memory();
    ServiceManager manager([](const char* name) { return std::getenv(name); });
    Dispatcher dispatcher(
        listener, config.timeout, manager, [&keys] { keys.reload(); }, log);
    // Not sooner: libfcgi catches SIGTERM and forgets it, unless the dispatcher has blocked it.
    initialize_fastcgi();
    keys.keep_fresh();
    DatabaseHealth health(log);

    std::jthread watchman([&](const std::stop_token& stop) {
        health.look_after(stop, config.timeout, [&](Deadline deadline) {
            Database(config.database, health).connect(deadline);
        });
    });

    std::vector<std::jthread> threads;
    const auto start_thread = [&](Dispatcher::Queue queue) {
        threads.emplace_back([&, queue] {
            serve(dispatcher, queue, Database(config.database, health), tokens, log);
        });
    };
    for (unsigned i = 0; i < config.threads; ++i) {
        start_thread(Dispatcher::Queue::served);
    }
    // It never gets as far as the database, and so is never held up.
    start_thread(Dispatcher::Queue::refused);
    log.event(LogLevel::info, "started", {{"threads", std::to_string(config.threads)}});
    manager.tell_ready();
    const Dispatcher::End end = dispatcher.run();
    threads.clear();
    log.event(LogLevel::info, "stopped");
    return end == Dispatcher::End::stopped ? 0 : 1;
}

}  // namespace kheops
