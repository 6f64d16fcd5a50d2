// SPDX-License-Identifier: MIT
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <stdexcept>
#include <string>

#include "descriptor.hpp"

namespace kheops {

/// A file cannot be read. what() says why, without the path.
class FileError : public std::runtime_error {
  public:
    FileError(const std::string& reason, bool missing)
        : std::runtime_error(reason), missing_(missing) {}

    /// Whether there is no such file.
    [[nodiscard]] bool missing() const { return missing_; }

  private:
    bool missing_;
};

/// A regular file, open for reading. Rejects a FIFO, device or directory without blocking. Follows
/// symbolic links, because mounted secrets are such links.
class RegularFile {
  public:
    /// Throws FileError if `path` cannot be opened or is no regular file.
    explicit RegularFile(const std::string& path);

    [[nodiscard]] const struct stat& status() const { return status_; }

    /// Returns the content from the current position on. Throws FileError if it cannot be read or
    /// is longer than `max_size` octets.
    [[nodiscard]] std::string read(std::size_t max_size) const;

  private:
    Descriptor descriptor_;
    struct stat status_ {};
};

}  // namespace kheops
