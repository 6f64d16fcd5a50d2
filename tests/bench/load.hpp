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

/// What is asked of a web server on 127.0.0.1, and how hard.
struct Load {
    std::uint16_t port;
    std::string host;                    ///< the header Host
    std::string target;                  ///< path and query
    std::function<std::string()> token;  ///< called for each request
    std::size_t connections;             ///< each sends its next request when it has its answer
    /// No request is sent later than that, nor more than `requests`; every answer is awaited.
    std::chrono::milliseconds time;
    std::size_t requests = std::numeric_limits<std::size_t>::max();
};

struct Outcome {
    /// How long each answer took, in milliseconds, in the order of arrival; by status, 0 where the
    /// connection broke.
    std::map<int, std::vector<double>> milliseconds;
    double seconds = 0;  ///< until the last answer

    [[nodiscard]] std::size_t answers() const;
};

/// Sends HTTP/1.1 GET requests with bearer tokens, from one thread. Throws std::runtime_error when
/// the server cannot be reached, answers without Content-Length, or says nothing for five minutes.
[[nodiscard]] Outcome run(const Load& load);

/// The value below which that share of the values lies; 0 when there are none.
[[nodiscard]] double quantile(std::vector<double> values, double share);

}  // namespace kheops::bench
