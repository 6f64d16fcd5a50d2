// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace kheops::bench {

/// The requests to a web server on 127.0.0.1, and how many connections send them.
struct Load {
    std::uint16_t port;
    std::string host;                    ///< the header Host
    std::string target;                  ///< path and query
    std::function<std::string()> token;  ///< called for each request
    std::size_t connections;             ///< each sends its next request when it has its answer
    /// After this time, or this number of requests, no further request is sent; open ones are
    /// awaited.
    std::chrono::milliseconds time;
    std::size_t requests = std::numeric_limits<std::size_t>::max();
};

struct Outcome {
    /// How long each answer took, in milliseconds, in the order of arrival; by status, 0 where the
    /// connection broke.
    std::map<int, std::vector<double>> milliseconds;
    double seconds = 0;  ///< from the start to the last answer

    [[nodiscard]] std::size_t answers() const;
};

/// Sends HTTP/1.1 GET requests with bearer tokens, from one thread. Throws std::runtime_error when
/// it cannot reach the server, an answer has no Content-Length, or no octet comes for five minutes.
[[nodiscard]] Outcome run(const Load& load);

/// The value below which this share of the values lies; 0 without values.
[[nodiscard]] double quantile(std::vector<double> values, double share);

}  // namespace kheops::bench
