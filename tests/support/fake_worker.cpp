// SPDX-License-Identifier: MIT
#include "support/fake_worker.hpp"

#include <sys/socket.h>

#include <optional>
#include <utility>

#include "support/fastcgi_client.hpp"
#include "support/sockets.hpp"

namespace kheops::test {

namespace {

constexpr size_t kFlagsAt = 2;
constexpr unsigned char kKeepConnection = 1;
constexpr size_t kEndSize = 8;
constexpr size_t kMaxContent = 32768;

/// Reads exactly `size` octets; nullopt if the connection ends before.
std::optional<std::string> receive(int connection, size_t size) {
    std::string octets(size, '\0');
    if (size > 0 &&
        ::recv(connection, octets.data(), size, MSG_WAITALL) != static_cast<ssize_t>(size)) {
        return std::nullopt;
    }
    return octets;
}

size_t octet(const std::string& octets, size_t position) {
    return static_cast<unsigned char>(octets.at(position));
}

/// Reads the length at `position` and moves `position` behind it.
size_t take_length(const std::string& stream, size_t& position) {
    size_t length = octet(stream, position++);
    if (length >= 0x80) {
        length &= 0x7F;
        for (int i = 0; i < 3; ++i) {
            length = length << 8 | octet(stream, position++);
        }
    }
    return length;
}

std::map<std::string, std::string> parameters_in(const std::string& stream) {
    std::map<std::string, std::string> parameters;
    for (size_t position = 0; position < stream.size();) {
        const size_t name_length = take_length(stream, position);
        const size_t value_length = take_length(stream, position);
        parameters.emplace(stream.substr(position, name_length),
                           stream.substr(position + name_length, value_length));
        position += name_length + value_length;
    }
    return parameters;
}

struct Received {
    FastCgiRequest request;
    bool keep = false;
};

std::optional<Received> receive_request(int connection) {
    Received received;
    std::string parameters;
    for (;;) {
        const auto header = receive(connection, 8);
        if (!header) {
            return std::nullopt;
        }
        const size_t size = octet(*header, 4) << 8 | octet(*header, 5);
        const auto content = receive(connection, size);
        if (!content || !receive(connection, octet(*header, 6))) {
            return std::nullopt;
        }
        switch (octet(*header, 1)) {
            case kFastCgiBegin:
                received.keep = (octet(*content, kFlagsAt) & kKeepConnection) != 0;
                break;
            case kFastCgiParameters:
                parameters += *content;
                break;
            case kFastCgiBody:
                received.request.body += *content;
                if (size == 0) {
                    received.request.parameters = parameters_in(parameters);
                    return received;
                }
                break;
            default:
                return std::nullopt;
        }
    }
}

std::string to_records(const std::string& answer) {
    std::string records;
    for (size_t at = 0; at < answer.size(); at += kMaxContent) {
        records += fastcgi_record(kFastCgiOutput, answer.substr(at, kMaxContent));
    }
    return records + fastcgi_record(kFastCgiOutput, "") +
           fastcgi_record(kFastCgiEnd, std::string(kEndSize, '\0'));
}

}  // namespace

FakeWorker::FakeWorker(const std::string& socket_path, Responder responder)
    : responder_(std::move(responder)),
      listener_(listen_unix(socket_path)),
      acceptor_([this] { accept_connections(); }) {}

FakeWorker::FakeWorker(const std::string& socket_path, int status)
    : FakeWorker(socket_path,
                 [status](const FastCgiRequest&) { return to_cgi_text(status, "worker"); }) {}

FakeWorker::~FakeWorker() {
    ::shutdown(listener_.number(), SHUT_RDWR);
    acceptor_.join();
    for (const Descriptor& connection : connections_) {
        ::shutdown(connection.number(), SHUT_RDWR);
    }
    for (std::thread& server : servers_) {
        server.join();
    }
}

std::vector<FastCgiRequest> FakeWorker::requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
}

std::string FakeWorker::parameter(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    if (requests_.empty()) {
        return "";
    }
    const auto& parameters = requests_.back().parameters;
    const auto found = parameters.find(name);
    return found != parameters.end() ? found->second : "";
}

size_t FakeWorker::connections() const {
    const std::lock_guard lock(mutex_);
    return connections_.size();
}

void FakeWorker::accept_connections() {
    for (;;) {
        Descriptor connection(::accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC));
        if (connection.number() < 0) {
            return;
        }
        const std::lock_guard lock(mutex_);
        const int number = connections_.emplace_back(std::move(connection)).number();
        servers_.emplace_back([this, number] { serve(number); });
    }
}

void FakeWorker::serve(int connection) {
    bool keep = true;
    while (keep) {
        const std::optional<Received> received = receive_request(connection);
        if (!received) {
            break;
        }
        {
            const std::lock_guard lock(mutex_);
            requests_.push_back(received->request);
        }
        const std::string answer = responder_(received->request);
        if (answer.empty()) {
            break;
        }
        const std::string records = to_records(answer);
        for (size_t sent = 0; sent < records.size();) {
            const ssize_t count =
                ::send(connection, records.data() + sent, records.size() - sent, MSG_NOSIGNAL);
            if (count < 0) {
                break;
            }
            sent += static_cast<size_t>(count);
        }
        keep = received->keep;
    }
    // The destructor closes the descriptor: until then, no other connection can get its number.
    ::shutdown(connection, SHUT_RDWR);
}

std::string to_cgi_text(int status, const std::string& body) {
    return "Status: " + std::to_string(status) +
           "\r\nContent-Type: text/plain\r\nX-Answered-By: worker\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace kheops::test
