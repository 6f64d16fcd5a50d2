// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace kheops::test {

/// Fails the test where a line of the log is neither an event nor a request line with the level and
/// the pairs that docs/log-events.md names, nor begins with `kheops-webhooks: `. Names the first.
void expect_documented(const std::string& log);

}  // namespace kheops::test
