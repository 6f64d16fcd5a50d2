// SPDX-License-Identifier: MIT
#include "support/database.hpp"

#include "support/await.hpp"
#include "support/files.hpp"

#include <libpq-fe.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace kheops::test {

namespace {

std::string socket_directory() {
    const char* file = std::getenv("KHEOPS_TEST_CLUSTER");
    std::string directory;
    if (file == nullptr || !std::getline(std::ifstream(file), directory)) {
        throw std::runtime_error(
            "set KHEOPS_TEST_CLUSTER to the FILE of `tests/support/cluster start FILE`");
    }
    return directory;
}

std::string conninfo_for(const std::string& host, const std::string& database) {
    return "host='" + host + "' port=5432 user=postgres dbname=" + database;
}

std::string new_name() {
    static std::atomic<int> count = 0;
    return "test_" + std::to_string(::getpid()) + "_" + std::to_string(++count);
}

bool succeeded(const PGresult* result) {
    const ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
}

void ignore_notice(void* /*argument*/, const PGresult* /*notice*/) {}

}  // namespace

void Rows::Clear::operator()(pg_result* result) const {
    PQclear(result);
}

int Rows::count() const {
    return PQntuples(result_.get());
}

int Rows::columns() const {
    return PQnfields(result_.get());
}

bool Rows::is_null(int row, int column) const {
    return PQgetisnull(result_.get(), row, column) != 0;
}

std::string Rows::text(int row, int column) const {
    if (row >= count() || column < 0 || column >= columns()) {
        throw std::runtime_error("the result does not have this row or column");
    }
    return PQgetvalue(result_.get(), row, column);
}

std::string Rows::text(int row, const std::string& column) const {
    return text(row, PQfnumber(result_.get(), column.c_str()));
}

std::string Rows::dump() const {
    std::string all;
    for (int row = 0; row < count(); ++row) {
        for (int column = 0; column < columns(); ++column) {
            all += column == 0 ? "" : "|";
            all += is_null(row, column) ? "NULL" : text(row, column);
        }
        all += '\n';
    }
    return all;
}

void TestConnection::Finish::operator()(pg_conn* connection) const {
    PQfinish(connection);
}

TestConnection::TestConnection(const std::string& conninfo)
    : connection_(PQconnectdb(conninfo.c_str())) {
    if (PQstatus(connection_.get()) != CONNECTION_OK) {
        throw std::runtime_error(PQerrorMessage(connection_.get()));
    }
    PQsetNoticeReceiver(connection_.get(), ignore_notice, nullptr);
}

Rows TestConnection::execute(const std::string& sql) {
    PGresult* result = PQexec(connection_.get(), sql.c_str());
    Rows rows(result);
    if (!succeeded(result)) {
        throw std::runtime_error(PQerrorMessage(connection_.get()) + sql.substr(0, 500));
    }
    return rows;
}

Rows TestConnection::execute(const std::string& sql,
                             const std::vector<std::optional<std::string>>& parameters) {
    std::vector<const char*> values;
    values.reserve(parameters.size());
    for (const std::optional<std::string>& parameter : parameters) {
        values.push_back(parameter ? parameter->c_str() : nullptr);
    }
    PGresult* result = PQexecParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()),
                                    nullptr, values.data(), nullptr, nullptr, 0);
    Rows rows(result);
    if (!succeeded(result)) {
        throw std::runtime_error(PQerrorMessage(connection_.get()) + sql.substr(0, 500));
    }
    return rows;
}

std::string TestConnection::failure_of(const std::string& sql) {
    PGresult* result = PQexec(connection_.get(), sql.c_str());
    const Rows rows(result);
    const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return state == nullptr ? "" : state;
}

TableLock::TableLock(const std::string& conninfo, const std::string& table)
    : connection_(conninfo) {
    connection_.execute("BEGIN; LOCK TABLE " + table + " IN ACCESS EXCLUSIVE MODE");
}

void TableLock::release() {
    connection_.execute("ROLLBACK");
}

TestDatabase::TestDatabase(const std::vector<std::string>& sql_files)
    : host_(socket_directory()), name_(new_name()), server_(conninfo_for(host_, "postgres")) {
    server_.execute("CREATE DATABASE " + name_);
    try {
        for (const std::string& file : sql_files) {
            load(file);
        }
    } catch (...) {
        database_.reset();
        server_.execute("DROP DATABASE " + name_);
        throw;
    }
}

TestDatabase::~TestDatabase() {
    database_.reset();
    try {
        // PostgreSQL 12 has no DROP DATABASE … WITH (FORCE). DROP waits until sessions have ended.
        server_.execute("ALTER DATABASE " + name_ + " ALLOW_CONNECTIONS false");
        server_.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" +
                        name_ + "'");
        server_.execute("DROP DATABASE " + name_);
    } catch (const std::exception&) {
        // The cluster is removed at the end of the run, with this database.
    }
}

std::string TestDatabase::conninfo() const {
    return conninfo_for(host_, name_);
}

TestConnection& TestDatabase::connection() {
    if (!database_) {
        database_ = std::make_unique<TestConnection>(conninfo());
    }
    return *database_;
}

void TestDatabase::load(const std::string& sql_file) {
    execute(read_source(sql_file));
}

Rows TestDatabase::execute(const std::string& sql) {
    return connection().execute(sql);
}

Rows TestDatabase::execute(const std::string& sql,
                           const std::vector<std::optional<std::string>>& parameters) {
    return connection().execute(sql, parameters);
}

std::vector<std::string> TestDatabase::column(const std::string& sql) {
    const Rows rows = execute(sql);
    std::vector<std::string> values;
    values.reserve(static_cast<size_t>(rows.count()));
    for (int row = 0; row < rows.count(); ++row) {
        values.push_back(rows.text(row, 0));
    }
    return values;
}

std::unique_ptr<TableLock> TestDatabase::lock_table(const std::string& table) const {
    return std::make_unique<TableLock>(conninfo(), table);
}

void TestDatabase::await_waiting_backend() {
    await("a session waits for a lock", [this] {
        return server_
                   .execute("SELECT FROM pg_stat_activity WHERE datname = '" + name_ +
                            "' AND wait_event_type = 'Lock'")
                   .count() > 0;
    });
}

void TestDatabase::terminate_backends() {
    const std::string own = connection().execute("SELECT pg_backend_pid()").text(0, 0);
    const std::string pids =
        server_
            .execute(
                "SELECT coalesce(string_agg(pid::text, ','), '0') FROM pg_stat_activity "
                "WHERE datname = '" +
                name_ + "' AND pid <> " + own)
            .text(0, 0);
    const std::string those = " FROM pg_stat_activity WHERE pid IN (" + pids + ")";
    server_.execute("SELECT pg_terminate_backend(pid)" + those);
    await("the connections to the database have ended",
          [this, &those] { return server_.execute("SELECT" + those).count() == 0; });
}

void TestDatabase::drop_role(const std::string& role) {
    execute("REASSIGN OWNED BY " + role + " TO postgres; DROP OWNED BY " + role + "; DROP ROLE " +
            role);
}

void TestDatabase::rename_away() {
    database_.reset();
    server_.execute("ALTER DATABASE " + name_ + " ALLOW_CONNECTIONS false");
    server_.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" +
                    name_ + "'");
    await("all connections to the database have ended", [this] {
        return server_.execute("SELECT FROM pg_stat_activity WHERE datname = '" + name_ + "'")
                   .count() == 0;
    });
    server_.execute("ALTER DATABASE " + name_ + " RENAME TO " + name_ + "_away");
}

void TestDatabase::rename_back() {
    // In this order, a client that connects in between finds no database of this name, never one
    // that does not allow connections.
    server_.execute("ALTER DATABASE " + name_ + "_away ALLOW_CONNECTIONS true");
    server_.execute("ALTER DATABASE " + name_ + "_away RENAME TO " + name_);
}

}  // namespace kheops::test
