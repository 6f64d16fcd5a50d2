// SPDX-License-Identifier: MIT

// The worker's log: it never blocks the worker, and nothing else is written to its descriptor.

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <memory>

#include "support/database.hpp"
#include "support/fastcgi_client.hpp"
#include "support/files.hpp"
#include "support/log_line.hpp"
#include "support/sockets.hpp"
#include "support/temporary_directory.hpp"
#include "support/test_keys.hpp"
#include "support/test_worker.hpp"

namespace kheops::test {
namespace {

constexpr const char* kList = "/albums/DemoAlbum1/webhooks";

/// A worker whose standard error is not a file.
class WorkerWithLog {
  public:
    explicit WorkerWithLog(int log, void (*before_start)() = nullptr)
        : database_({"sql/schema.sql", "sql/example-data.sql"}),
          listener_(listen_unix(directory_.file("worker.sock"))) {
        write_file(directory_.file("keys.json"), test_key_set());
        process_ = std::make_unique<ChildProcess>(Command{
            .arguments = {worker_program(WorkerBuild::standard)},
            .environment = worker_environment({{"KHEOPS_WEBHOOKS_DATABASE", database_.conninfo()},
                                               {"KHEOPS_WEBHOOKS_THREADS", "4"},
                                               {"KHEOPS_WEBHOOKS_TIMEOUT", "20"}},
                                              directory_.file("keys.json")),
            .standard_input = listener_.number(),
            .error_descriptor = log,
            .before_start = before_start});
    }

    [[nodiscard]] std::string socket_path() const { return directory_.file("worker.sock"); }
    [[nodiscard]] ChildProcess& process() { return *process_; }

  private:
    TestDatabase database_;
    TemporaryDirectory directory_;
    Descriptor listener_;
    std::unique_ptr<ChildProcess> process_;
};

/// What can be read without waiting, at most `max` octets.
std::string read_some(const Ends& ends, size_t max) {
    ::fcntl(ends.reading.number(), F_SETFL, O_NONBLOCK);
    std::string octets(max, '\0');
    size_t got = 0;
    while (got < max) {
        const ssize_t count = ::read(ends.reading.number(), octets.data() + got, max - got);
        if (count <= 0) {
            break;
        }
        got += static_cast<size_t>(count);
    }
    octets.resize(got);
    return octets;
}

constexpr size_t kEverything = 1U << 22U;

/// Sends that many requests on twice as many connections as threads, and expects 200 for each.
void expect_answers(const WorkerWithLog& worker, int count) {
    const std::string request = fastcgi_request(get_parameters(kList, mint_token("alice")), true);
    std::vector<std::unique_ptr<FastCgiClient>> clients;
    for (int i = 0; i < 8; ++i) {
        clients.push_back(std::make_unique<FastCgiClient>(worker.socket_path()));
    }
    for (int answered = 0; answered < count; answered += static_cast<int>(clients.size())) {
        for (const auto& client : clients) {
            client->send(request);
        }
        for (const auto& client : clients) {
            ASSERT_EQ(status_of(client->receive_answer()), 200);
        }
    }
}

/// The lines written and the lines reported as dropped are as many as the requests.
void expect_all_counted(const std::string& log, size_t requests) {
    size_t seen = 0;
    for (const std::string& line : log_lines(log)) {
        const auto pairs = parse_log_line(line);
        if (pairs.front() == std::make_pair(std::string("event"), std::string("log_dropped"))) {
            seen += std::stoul(log_line_value(line, "lines"));
        } else if (pairs.front().first == "user") {
            EXPECT_EQ(log_line_value(line, "status"), "200");
            ++seen;
        }
    }
    EXPECT_EQ(seen, requests);
}

void expect_unread_log_delays_nothing(const Ends& ends) {
    WorkerWithLog worker(ends.writing.number());
    // A pipe holds some 350 lines, a socket some more.
    constexpr int kRequests = 1600;
    expect_answers(worker, kRequests);
    std::string log = read_some(ends, kEverything);
    EXPECT_LT(log_lines(log).size(), kRequests) << "the log was never full";
    EXPECT_EQ(log.find("log_dropped"), std::string::npos);

    expect_answers(worker, 8);
    log += read_some(ends, kEverything);
    EXPECT_NE(log.find("event=log_dropped level=warning lines="), std::string::npos);
    expect_all_counted(log, kRequests + 8);

    expect_answers(worker, kRequests);
    worker.process().terminate();
    EXPECT_EQ(worker.process().wait(), 0);
    log = read_some(ends, kEverything);
    EXPECT_FALSE(log_lines(log).empty());
}

TEST(WorkerLog, APipeThatNobodyReadsDelaysNoRequestAndNoStop) {
    expect_unread_log_delays_nothing(make_pipe());
}

// journald gives the worker such a socket.
TEST(WorkerLog, ASocketThatNobodyReadsDelaysNoRequestAndNoStop) {
    expect_unread_log_delays_nothing(make_socket_pair());
}

TEST(WorkerLog, ClosedReaderDelaysNoRequest) {
    for (const auto make : {make_pipe, make_socket_pair}) {
        Ends ends = make();
        ends.reading = Descriptor();
        WorkerWithLog worker(ends.writing.number());
        expect_answers(worker, 8);
        worker.process().terminate();
        EXPECT_EQ(worker.process().wait(), 0);
    }
}

// FastCGI's convention is to close 1 and 2. No file opened later may get these numbers.
TEST(WorkerLog, ClosedStandardDescriptorsAreOpenedAsNull) {
    WorkerWithLog worker(-1, [] {
        ::close(STDOUT_FILENO);
        ::close(STDERR_FILENO);
    });
    expect_answers(worker, 8);
    const std::string descriptors = "/proc/" + std::to_string(worker.process().pid()) +
                                    "/fd/";  // root's, as core dumps are off
    std::error_code error;
    for (const char* number : {"1", "2"}) {
        const auto file = std::filesystem::read_symlink(descriptors + number, error);
        if (error == std::errc::permission_denied) {
            GTEST_SKIP() << "only root may look at the descriptors of a program without core dumps";
        }
        EXPECT_EQ(file, "/dev/null") << number;
    }
    worker.process().terminate();
    EXPECT_EQ(worker.process().wait(), 0);
}

}  // namespace
}  // namespace kheops::test
