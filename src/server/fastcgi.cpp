// SPDX-License-Identifier: MIT
#include "server/fastcgi.hpp"

#include <fcgiapp.h>

#include <array>
#include <csignal>
#include <cstring>
#include <stdexcept>

namespace kheops {

namespace {

/// libfcgi gets no listening socket: it must never accept.
constexpr int kNoListener = -1;

}  // namespace

void initialize_fastcgi() {
    if (FCGX_Init() != 0) {
        throw std::runtime_error("libfcgi cannot be initialized");
    }
    // Replaces the handler that libfcgi has installed.
    static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
}

FastCgi::FastCgi() : request_(std::make_unique<FCGX_Request>()) {
    FCGX_InitRequest(request_.get(), kNoListener, 0);
}

FastCgi::~FastCgi() {
    FCGX_Free(request_.get(), 1);
}

bool FastCgi::begin(Descriptor connection) {
    request_->ipcFd = connection.release();
    // Without this, FCGX_Accept_r would first finish a previous request and close the descriptor.
    request_->keepConnection = 1;
    // With this, libfcgi does not wait for the peer when it closes a broken connection.
    request_->detached = 1;
    return FCGX_Accept_r(request_.get()) == 0;
}

const char* FastCgi::parameter(const char* name) {
    const std::string_view wanted = name;
    const char* first = nullptr;
    joined_.clear();
    for (char** next = request_->envp; *next != nullptr; ++next) {
        if (std::strncmp(*next, name, wanted.size()) != 0 || (*next)[wanted.size()] != '=') {
            continue;
        }
        const char* value = *next + wanted.size() + 1;
        if (first == nullptr) {
            first = value;
        } else if (wanted.starts_with("HTTP_")) {
            joined_ += joined_.empty() ? first : "";
            joined_ += ", ";
            joined_ += value;
        }
    }
    return joined_.empty() ? first : joined_.c_str();
}

void FastCgi::discard_body() {
    std::array<char, 4096> discarded{};
    while (FCGX_GetStr(discarded.data(), discarded.size(), request_->in) > 0) {
    }
}

void FastCgi::write(std::string_view text) {
    FCGX_PutStr(text.data(), static_cast<int>(text.size()), request_->out);
    // In this order, the stream that is closed last writes the end of the request.
    FCGX_FClose(request_->err);
    FCGX_FClose(request_->out);
}

FastCgi::EndedRequest FastCgi::end() {
    const bool keep = request_->keepConnection != 0;
    request_->keepConnection = 1;  // the caller decides whether to close
    FCGX_Finish_r(request_.get());
    Descriptor connection(request_->ipcFd);
    request_->ipcFd = -1;
    return {std::move(connection), keep};
}

}  // namespace kheops
