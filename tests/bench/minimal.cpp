// SPDX-License-Identifier: MIT

// The smallest program that answers the same request: it runs libfcgi's own loop on several
// threads, verifies one signature, executes one prepared statement and prints one document. It
// checks no claim and no gate, logs nothing, and ends at any error. scripts/bench compares
// kheops-webhooks with it.
//
//   minimal CONNINFO PUBLIC-KEY.pem STATEMENT.sql THREADS     (the listening socket: descriptor 0)

#include <cjson/cJSON.h>
#include <fcgiapp.h>
#include <libpq-fe.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

std::string decode_base64url(std::string text) {
    for (char& c : text) {
        c = c == '-' ? '+' : c == '_' ? '/' : c;
    }
    const size_t padding = (4 - text.size() % 4) % 4;
    text.append(padding, '=');
    std::string octets(text.size() / 4 * 3, '\0');
    EVP_DecodeBlock(reinterpret_cast<unsigned char*>(octets.data()),
                    reinterpret_cast<const unsigned char*>(text.data()),
                    static_cast<int>(text.size()));
    octets.resize(octets.size() - padding);
    return octets;
}

/// The token's subject; empty if its RS256 signature is invalid.
std::string subject_of(const std::string& token, EVP_PKEY* key) {
    const size_t first = token.find('.');
    const size_t last = token.rfind('.');
    const std::string signature = decode_base64url(token.substr(last + 1));
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestVerifyInit(context, nullptr, EVP_sha256(), nullptr, key);
    const int verified = EVP_DigestVerify(
        context, reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
        reinterpret_cast<const unsigned char*>(token.data()), last);
    EVP_MD_CTX_free(context);
    std::string subject;
    if (verified == 1) {
        cJSON* claims =
            cJSON_Parse(decode_base64url(token.substr(first + 1, last - first - 1)).c_str());
        subject = cJSON_GetStringValue(cJSON_GetObjectItem(claims, "sub"));
        cJSON_Delete(claims);
    }
    return subject;
}

PGconn* connect(const char* conninfo, const char* statement) {
    PGconn* connection = PQconnectdb(conninfo);
    PQclear(PQexec(connection, "SET plan_cache_mode = force_generic_plan; SET jit = off"));
    PGresult* result = PQprepare(connection, "list", statement, 0, nullptr);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        std::fputs(PQerrorMessage(connection), stderr);
        std::exit(EXIT_FAILURE);
    }
    PQclear(result);
    return connection;
}

/// The elements of an array in PostgreSQL's text form; none of them may need quotes.
std::vector<std::string> elements(const std::string& text) {
    std::vector<std::string> values;
    std::istringstream stream(text.substr(1, text.size() - 2));
    for (std::string value; std::getline(stream, value, ',');) {
        values.push_back(value);
    }
    return values;
}

cJSON* webhook_in(const PGresult* result, int row) {
    const auto text = [&](const char* column) {
        return PQgetvalue(result, row, PQfnumber(result, column));
    };
    const auto flag = [&](const char* column) { return text(column)[0] == 't'; };
    cJSON* webhook = cJSON_CreateObject();
    for (const char* name : {"id", "url", "name"}) {
        cJSON_AddStringToObject(webhook, name, text(name));
    }
    cJSON_AddBoolToObject(webhook, "use_secret", flag("use_secret"));
    cJSON* events = cJSON_AddArrayToObject(webhook, "events");
    for (const char* event : {"new_series", "remove_series", "new_user", "delete_album"}) {
        if (flag(event)) {
            cJSON_AddItemToArray(events, cJSON_CreateString(event));
        }
    }
    cJSON_AddBoolToObject(webhook, "enabled", flag("enabled"));
    if (text("last_trigger_ids")[0] != '\0') {
        cJSON* triggers = cJSON_AddArrayToObject(webhook, "last_triggers");
        const std::vector<std::string> ids = elements(text("last_trigger_ids"));
        const std::vector<std::string> passes = elements(text("last_trigger_passes"));
        for (size_t i = 0; i < ids.size(); ++i) {
            cJSON* trigger = cJSON_CreateObject();
            cJSON_AddStringToObject(trigger, "id", ids[i].c_str());
            cJSON_AddStringToObject(trigger, "status", passes[i] == "t" ? "pass" : "fail");
            cJSON_AddItemToArray(triggers, trigger);
        }
    }
    cJSON_AddNumberToObject(webhook, "number_of_triggers", std::atof(text("number_of_triggers")));
    return webhook;
}

void answer(FCGX_Request& request, PGconn* connection, EVP_PKEY* key) {
    constexpr size_t kBearer = 7;
    constexpr size_t kAlbums = 8;
    const std::string token = FCGX_GetParam("HTTP_AUTHORIZATION", request.envp) + kBearer;
    const std::string subject = subject_of(token, key);
    if (subject.empty()) {
        FCGX_PutS("Status: 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", request.out);
        return;
    }
    const std::string path = FCGX_GetParam("PATH_INFO", request.envp) + kAlbums;
    const std::string album = path.substr(0, path.find('/'));
    const std::array<const char*, 5> values = {subject.c_str(), album.c_str(), nullptr, nullptr,
                                               "0"};
    PGresult* result = PQexecPrepared(connection, "list", 5, values.data(), nullptr, nullptr, 0);
    cJSON* list = cJSON_CreateArray();
    for (int row = 0; row < PQntuples(result); ++row) {
        cJSON_AddItemToArray(list, webhook_in(result, row));
    }
    char* body = cJSON_PrintUnformatted(list);
    FCGX_FPrintF(request.out,
                 "Content-Type: application/json\r\nX-Total-Count: %s\r\n"
                 "Content-Length: %lu\r\n\r\n",
                 PQgetvalue(result, 0, PQfnumber(result, "total")), std::strlen(body));
    FCGX_PutS(body, request.out);
    cJSON_free(body);
    cJSON_Delete(list);
    PQclear(result);
}

void serve(const char* conninfo, EVP_PKEY* key, const std::string& statement) {
    PGconn* connection = nullptr;
    FCGX_Request request;
    FCGX_InitRequest(&request, 0, 0);
    while (FCGX_Accept_r(&request) == 0) {
        if (connection == nullptr) {
            connection = connect(conninfo, statement.c_str());
        }
        answer(request, connection, key);
    }
}

}  // namespace

int main(int, char** arguments) {
    FCGX_Init();
    std::signal(SIGTERM, SIG_DFL);
    FILE* file = std::fopen(arguments[2], "r");
    EVP_PKEY* key = PEM_read_PUBKEY(file, nullptr, nullptr, nullptr);
    std::ifstream stream(arguments[3]);
    const std::string statement{std::istreambuf_iterator<char>(stream), {}};
    std::vector<std::thread> threads;
    for (int i = 0; i < std::atoi(arguments[4]); ++i) {
        threads.emplace_back(serve, arguments[1], key, statement);
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}
