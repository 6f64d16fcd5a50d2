// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace kheops::test {

/// The value of a metric in Prometheus' text format; `name` has its labels, as in
/// `requests_total{status="200"}`. Throws std::runtime_error with the text unless it stands there
/// exactly once.
[[nodiscard]] double metric(const std::string& text, const std::string& name);

/// What `promtool check metrics` says of that text, its exit status included; empty: nothing.
/// Throws std::runtime_error if the text cannot be written.
[[nodiscard]] std::string promtool_findings(const std::string& text);

/// Whether that program is on PATH.
[[nodiscard]] bool is_installed(const std::string& program);

}  // namespace kheops::test
