// SPDX-License-Identifier: MIT
#include "support/hostile_server.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "support/sockets.hpp"

namespace kheops::test {

namespace {

/// Reads `size` octets, or fewer if the connection ends.
std::string read(const Descriptor& socket, size_t size) {
    if (size == 0) {
        return "";
    }
    std::string octets(size, '\0');
    const ssize_t count = ::recv(socket.number(), octets.data(), size, MSG_WAITALL);
    octets.resize(static_cast<size_t>(std::max<ssize_t>(count, 0)));
    return octets;
}

std::optional<std::string> read_body(const Descriptor& socket) {
    const std::string head = read(socket, 4);
    if (head.size() < 4) {
        return std::nullopt;
    }
    size_t size = 0;
    for (const char c : head) {
        size = size << 8U | static_cast<unsigned char>(c);
    }
    std::string body = read(socket, size - 4);
    return body.size() == size - 4 ? std::optional(body) : std::nullopt;
}

bool send_all(const Descriptor& socket, const std::string& octets) {
    for (size_t at = 0; at < octets.size();) {
        const ssize_t sent =
            ::send(socket.number(), octets.data() + at, octets.size() - at, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        at += static_cast<size_t>(sent);
    }
    return true;
}

std::string text(const std::string& value) {
    return value + '\0';
}

std::string array(const std::vector<std::string>& elements) {
    std::string octets = pg_integer(1, 4) + pg_integer(0, 4) + pg_integer(25, 4) +
                         pg_integer(static_cast<std::int64_t>(elements.size()), 4) +
                         pg_integer(1, 4);
    for (const std::string& element : elements) {
        octets += pg_integer(static_cast<std::int64_t>(element.size()), 4) + element;
    }
    return octets;
}

}  // namespace

std::string pg_integer(std::int64_t value, size_t size) {
    std::string octets;
    for (size_t i = size; i-- > 0;) {
        octets += static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i) & 0xFFU);
    }
    return octets;
}

std::string pg_message(char type, const std::string& body) {
    return type + pg_integer(static_cast<std::int64_t>(body.size()) + 4, 4) + body;
}

std::string pg_columns(size_t count) {
    std::string body = pg_integer(static_cast<std::int64_t>(count), 2);
    for (size_t i = 0; i < count; ++i) {
        // The name, then table, column, type, size, modifier and format.
        body += text("") + std::string(4 + 2 + 4 + 2 + 4, '\0') + pg_integer(1, 2);
    }
    return pg_message('T', body);
}

std::string pg_row(const std::vector<std::optional<std::string>>& values) {
    std::string body = pg_integer(static_cast<std::int64_t>(values.size()), 2);
    for (const auto& value : values) {
        body += value ? pg_integer(static_cast<std::int64_t>(value->size()), 4) + *value
                      : pg_integer(-1, 4);
    }
    return pg_message('D', body);
}

std::string pg_error(const std::string& sqlstate, const std::string& text,
                     const std::string& severity) {
    return pg_message('E', "S" + severity + '\0' + "V" + severity + '\0' + "C" + sqlstate + '\0' +
                               "M" + text + '\0' + '\0');
}

std::string pg_complete() {
    return pg_message('C', text("SELECT 1"));
}

std::string pg_ready() {
    return pg_message('Z', "I");
}

HostileServer::HostileServer(Script script)
    : listener_(listen_unix(socket_path())),
      script_(std::move(script)),
      thread_([this] { accept_connections(); }) {}

HostileServer::~HostileServer() {
    ::shutdown(listener_.number(), SHUT_RDWR);
    thread_.join();
    for (Peer& peer : peers_) {
        ::shutdown(peer.socket.number(), SHUT_RDWR);
        peer.thread.join();
    }
}

HostileServer::Reply HostileServer::honest(const Request& request) {
    switch (request.kind) {
        case Request::Kind::startup:
            return startup("15.0");
        case Request::Kind::session:
            return {pg_complete() + pg_columns(1) + pg_row({"\1"}) + pg_complete() + pg_complete() +
                    pg_ready()};
        case Request::Kind::ping:
            return {pg_message('I') + pg_ready()};
        case Request::Kind::prepare:
            return {pg_message('1') + pg_ready()};
        default:
            return {rows({honest_row()})};
    }
}

HostileServer::Reply HostileServer::startup(const std::string& version) {
    return {pg_message('R', pg_integer(0, 4)) +
            pg_message('S', text("server_version") + text(version)) +
            pg_message('S', text("client_encoding") + text("UTF8")) +
            pg_message('K', pg_integer(7, 4) + pg_integer(8, 4)) + pg_ready()};
}

std::vector<std::optional<std::string>> HostileServer::honest_row() {
    const std::string yes = "\1";
    return {
        yes, yes, yes, pg_integer(1, 8), "id",         "http://url", "name",          yes, yes, yes,
        yes, yes, yes, pg_integer(1, 8), array({"t"}), array({yes}), pg_integer(0, 8)};
}

std::string HostileServer::rows(const std::vector<std::vector<std::optional<std::string>>>& rows) {
    std::string all = pg_message('2') + pg_columns(honest_row().size());
    for (const auto& row : rows) {
        all += pg_row(row);
    }
    return all + pg_complete() + pg_ready();
}

std::string HostileServer::conninfo() const {
    return "host='" + directory_.path() + "' port=5432 user=someone dbname=some";
}

int HostileServer::connections() {
    const std::lock_guard lock(mutex_);
    return static_cast<int>(peers_.size());
}

int HostileServer::open_connections() {
    const std::lock_guard lock(mutex_);
    return static_cast<int>(
        std::count_if(peers_.begin(), peers_.end(), [](const Peer& peer) { return peer.open; }));
}

void HostileServer::end_connections() {
    const std::lock_guard lock(mutex_);
    for (const Peer& peer : peers_) {
        ::shutdown(peer.socket.number(), SHUT_RDWR);
    }
}

std::chrono::milliseconds HostileServer::age_of_last_connection() {
    const std::lock_guard lock(mutex_);
    return peers_.empty() || !peers_.back().open
               ? std::chrono::milliseconds(0)
               : std::chrono::floor<std::chrono::milliseconds>(Clock::now() - peers_.back().since);
}

int HostileServer::count_requests(Request::Kind kind, const std::string& statement) {
    const std::lock_guard lock(mutex_);
    return static_cast<int>(
        std::count_if(requests_.begin(), requests_.end(), [&](const Request& request) {
            return request.kind == kind && request.statement == statement;
        }));
}

void HostileServer::accept_connections() {
    for (;;) {
        Descriptor socket(::accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC));
        if (socket.number() < 0) {
            return;
        }
        const std::lock_guard lock(mutex_);
        Peer& peer = peers_.emplace_back(Peer{.socket = std::move(socket)});
        peer.thread = std::thread([this, &peer] {
            serve(peer);
            const std::lock_guard lock_at_end(mutex_);
            ::shutdown(peer.socket.number(), SHUT_RDWR);
            peer.open = false;
        });
    }
}

void HostileServer::serve(Peer& peer) {
    using Kind = Request::Kind;
    if (!read_body(peer.socket) || !answer(peer, {Kind::startup, ""})) {
        return;
    }
    Request request{Kind::execute, ""};
    for (;;) {
        const std::string type = read(peer.socket, 1);
        const std::optional<std::string> body = read_body(peer.socket);
        if (type.empty() || !body) {
            return;
        }
        bool open = true;
        switch (type[0]) {
            case 'Q':
                open = answer(peer, {*body == text("") ? Kind::ping : Kind::session, ""});
                break;
            case 'P':
                request = {Kind::prepare, body->c_str()};
                break;
            case 'B':  // begins with the names of the portal and of the statement
                request = {Kind::execute, body->c_str() + body->find('\0') + 1};
                break;
            case 'S':
                open = answer(peer, request);
                break;
            default:
                break;
        }
        if (!open) {
            return;
        }
    }
}

bool HostileServer::answer(Peer& peer, const Request& request) {
    Reply reply;
    {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
        reply = script_(request);
    }
    bool open = send_all(peer.socket, reply.once);
    while (open && !reply.repeated.empty()) {
        open = send_all(peer.socket, reply.repeated);
        std::this_thread::sleep_for(reply.pause);
    }
    return open && !reply.close;
}

}  // namespace kheops::test
