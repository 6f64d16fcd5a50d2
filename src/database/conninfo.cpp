// SPDX-License-Identifier: MIT
#include "database/conninfo.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <optional>

#include "regular_file.hpp"

namespace kheops {

namespace {

/// Splits a comma-separated list.
std::vector<std::string> split(const std::string& list) {
    std::vector<std::string> parts(1);
    for (const char c : list) {
        if (c == ',') {
            parts.emplace_back();
        } else {
            parts.back() += c;
        }
    }
    return parts;
}

/// Returns the first line of the file. Throws FileError.
std::string read_first_line(const std::string& file) {
    constexpr size_t kMaxSize = 4096;
    const std::string text = RegularFile(file).read(kMaxSize);
    if (text.empty()) {
        throw FileError("is empty", false);
    }
    return text.substr(0, text.find('\n'));
}

/// std::nullopt if there is none, so that libpq looks for a password itself.
std::optional<std::string> read_password(const std::string& file) {
    if (file.empty()) {
        return std::nullopt;
    }
    try {
        return read_first_line(file);
    } catch (const FileError&) {
        return std::nullopt;
    }
}

struct FreeOptions {
    void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

/// The options of a connection from its connection string, environment, service file or libpq's
/// defaults. Empty if not set.
class Options {
  public:
    explicit Options(PGconn* connection) : options_(PQconninfo(connection)) {}

    [[nodiscard]] std::string operator[](std::string_view keyword) const {
        for (const PQconninfoOption* option = options_.get();
             option != nullptr && option->keyword != nullptr; ++option) {
            if (option->keyword == keyword && option->val != nullptr) {
                return option->val;
            }
        }
        return "";
    }

  private:
    std::unique_ptr<PQconninfoOption, FreeOptions> options_;
};

/// Returns `times` copies of `value` in a comma-separated list.
std::string repeat(const char* value, size_t times) {
    std::string list = value;
    for (size_t i = 1; i < times; ++i) {
        list += std::string(",") + value;
    }
    return list;
}

/// Whether `text` is an integer from `min` to `max`, by libpq's rules.
bool is_integer(const std::string& text, long min, long max) {
    char* end = nullptr;
    errno = 0;
    const long value = std::strtol(text.c_str(), &end, 10);
    const bool read = end != text.c_str() && errno == 0 && value >= min && value <= max;
    return read &&
           text.find_first_not_of(" \t\n\v\f\r", static_cast<std::size_t>(end - text.c_str())) ==
               std::string::npos;
}

/// Options that libpq parses as integers only after it has reached a server.
constexpr std::array<const char*, 6> kIntegers = {"connect_timeout",  "keepalives",
                                                  "keepalives_idle",  "keepalives_interval",
                                                  "keepalives_count", "tcp_user_timeout"};

using Option = std::pair<const char*, const char*>;  // keyword and value

/// Whether the path of a URI contains a raw @. libpq then takes a part of a password that contains
/// a slash for the name of the database, which messages name.
bool has_at_in_path(std::string_view uri) {
    if (!uri.starts_with("postgresql://") && !uri.starts_with("postgres://")) {
        return false;
    }
    uri.remove_prefix(uri.find("//") + 2);
    uri = uri.substr(0, uri.find('?'));
    const std::size_t path = uri.find('/');
    return path != std::string_view::npos && uri.find('@', path) != std::string_view::npos;
}

/// Keeps libpq from printing notices to standard error. If a notice says that the server closes the
/// connection, the next query reports that again.
void ignore_notice(void* /*argument*/, const PGresult* /*notice*/) {}

/// Starts to connect with the settings. Non-empty values of `overrides` replace settings.
PgConnection start(const DatabaseSettings& settings, const std::vector<Option>& overrides) {
    std::vector<const char*> keywords;
    std::vector<const char*> values;
    const auto set = [&](const char* keyword, const char* value) {
        keywords.push_back(keyword);
        values.push_back(value);
    };
    const std::optional<std::string> password = read_password(settings.password_file);

    // Options before the connection string are defaults.
    set("fallback_application_name", "kheops-webhooks");
    set("keepalives_idle", "30");
    set("keepalives_interval", "10");
    set("keepalives_count", "3");
    // Only the first dbname is parsed as a connection string; later options override it.
    set("dbname", settings.connection.c_str());
    set("client_encoding", "UTF8");
    if (!settings.name.empty()) {
        set("dbname", settings.name.c_str());
    }
    if (!settings.user.empty()) {
        set("user", settings.user.c_str());
    }
    if (password) {
        set("password", password->c_str());
    }
    for (const auto& [keyword, value] : overrides) {
        set(keyword, value);
    }
    set(nullptr, nullptr);

    PgConnection connection(PQconnectStartParams(keywords.data(), values.data(), 1));
    if (connection == nullptr) {
        throw std::bad_alloc();
    }
    // Set it early: the server may send notices while the session starts.
    PQsetNoticeReceiver(connection.get(), ignore_notice, nullptr);
    return connection;
}

std::string joined(const std::vector<Host>& hosts, std::string Host::*part) {
    std::string list;
    for (const Host& host : hosts) {
        list += &host == &hosts.front() ? "" : ",";
        list += host.*part;
    }
    return list;
}

/// Returns the hosts of libpq's three comma-separated lists; see hosts_of().
std::vector<Host> hosts_in(const std::string& name_list, const std::string& address_list,
                           const std::string& port_list) {
    const std::vector<std::string> names = split(name_list);
    const std::vector<std::string> addresses = split(address_list);
    const std::vector<std::string> ports = split(port_list);
    const bool named = !name_list.empty();
    const bool addressed = !address_list.empty();
    std::vector<Host> hosts(addressed ? addresses.size() : names.size());
    if ((named && names.size() != hosts.size()) ||
        (ports.size() != 1 && ports.size() != hosts.size())) {
        return {};
    }
    for (size_t i = 0; i < hosts.size(); ++i) {
        hosts[i] = {named ? names[i] : "", addressed ? addresses[i] : "",
                    ports[ports.size() == 1 ? 0 : i]};
        if ((named && hosts[i].name.empty()) || (addressed && hosts[i].address.empty()) ||
            hosts[i].port.empty()) {
            return {};
        }
    }
    return hosts;
}

/// Two connections that libpq begins without creating a socket or resolving a name. It rejects port
/// 0 before it resolves a name, and an invalid address before it creates a socket. Each has all
/// options of the settings but the one that makes it fail.
struct NowhereConnections {
    static constexpr const char* kInvalidAddress = "kheops-webhooks-connects-nowhere";

    explicit NowhereConnections(const DatabaseSettings& settings)
        : without_port(start(settings, {{"port", "0"}})) {
        const Options options(without_port.get());
        const std::string listed =
            options["hostaddr"].empty() ? options["host"] : options["hostaddr"];
        hosts = split(listed).size();
        const std::string addresses = repeat(kInvalidAddress, hosts);
        without_address = start(settings, {{"hostaddr", addresses.c_str()}});
    }

    PgConnection without_port;
    PgConnection without_address;
    size_t hosts = 0;  ///< their number
};

}  // namespace

PgConnection start_connecting(const DatabaseSettings& settings, const std::vector<Host>& hosts) {
    const std::string names = joined(hosts, &Host::name);
    const std::string addresses = joined(hosts, &Host::address);
    const std::string ports = joined(hosts, &Host::port);
    std::vector<Option> overrides;
    if (!hosts.empty()) {
        overrides = {
            {"host", names.c_str()}, {"hostaddr", addresses.c_str()}, {"port", ports.c_str()}};
    }
    return start(settings, overrides);
}

std::string password_file_error(const std::string& file) {
    try {
        static_cast<void>(read_first_line(file));
        return "";
    } catch (const FileError& error) {
        return error.what();
    }
}

PgConnection start_connecting_to(const DatabaseSettings& settings, const Host& host) {
    return start(settings, {{"host", host.name.c_str()},
                            {"hostaddr", host.address.c_str()},
                            {"port", host.port.c_str()},
                            {"target_session_attrs", "any"}});
}

std::vector<Host> hosts_of(pg_conn* connection) {
    const Options options(connection);
    return hosts_in(options["host"], options["hostaddr"], options["port"]);
}

DatabaseTarget target_of(const DatabaseSettings& settings) {
    const NowhereConnections nowhere(settings);
    const Options options(nowhere.without_port.get());
    DatabaseTarget target = {
        .hosts = hosts_in(options["host"], options["hostaddr"],
                          Options(nowhere.without_address.get())["port"]),
        .user = PQuser(nowhere.without_port.get()),
        .database = PQdb(nowhere.without_port.get()),
    };
    // Without a host, libpq uses its default, which it does not report as an option.
    if (target.hosts.size() == 1 && target.hosts.front().address_or_name().empty()) {
        target.hosts.front().name = PQhost(nowhere.without_port.get());
    }
    return target;
}

std::optional<std::string> conninfo_error(const DatabaseSettings& settings) {
    const std::unique_ptr<PQconninfoOption, FreeOptions> parsed(
        PQconninfoParse(settings.connection.c_str(), nullptr));
    if (parsed == nullptr) {
        return "it cannot be parsed";
    }
    if (has_at_in_path(settings.connection)) {
        return "the path of the URI contains @: write an @ and a / in a user name or password as "
               "%40 "
               "and %2F";
    }
    // libpq checks most options only when it starts to connect.
    const NowhereConnections nowhere(settings);
    const Options options(nowhere.without_address.get());

    for (const char* keyword : kIntegers) {
        constexpr long kMax = std::numeric_limits<int>::max();
        if (const std::string value = options[keyword];
            !value.empty() && !is_integer(value, -kMax, kMax)) {
            return std::string(keyword) + " is not an integer";
        }
    }
    constexpr long kMaxPort = 65535;
    for (const std::string& port : split(options["port"])) {
        if (!port.empty() && !is_integer(port, 1, kMaxPort)) {
            return "port is not a number from 1 to 65535";
        }
    }
    // In a URI, libpq takes what follows a raw @ in a password for the host, which messages name.
    for (const std::string& host : split(Options(nowhere.without_port.get())["host"])) {
        if (!host.starts_with('/') && host.find('@', 1) != std::string::npos) {
            return "a host contains @: write an @ in a user name or password as %40";
        }
    }
    // The options are valid if libpq rejects nothing but the address of each host.
    std::string message = PQerrorMessage(nowhere.without_address.get());
    size_t invalid_count = 0;
    for (size_t at = message.find(NowhereConnections::kInvalidAddress); at != std::string::npos;
         at = message.find(NowhereConnections::kInvalidAddress, at + 1)) {
        ++invalid_count;
    }
    if (invalid_count == nowhere.hosts) {
        return std::nullopt;
    }
    // libpq 17 quotes the names of these two options, too.
    for (const char* keyword : {"ssl_min_protocol_version", "ssl_max_protocol_version"}) {
        const std::string name = std::string("invalid \"") + keyword + "\" ";
        if (message.starts_with(name)) {
            message.replace(0, name.size(), std::string("invalid ") + keyword + ' ');
        }
    }
    // If the string is mistyped, libpq may quote a password: hide it.
    const size_t quote = message.find('"');
    if (quote != std::string::npos) {
        message.replace(quote, message.rfind('"') + 1 - quote, "\u2026");
    }
    return line_for_each_server(message);
}

}  // namespace kheops
