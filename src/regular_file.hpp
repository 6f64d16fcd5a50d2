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

/// A regular file, open for reading. A FIFO, a device or a directory is refused without waiting for
/// it; symbolic links are followed, as mounted secrets are such.
class RegularFile {
  public:
    /// Throws FileError.
    explicit RegularFile(const std::string& path);

    [[nodiscard]] const struct stat& status() const { return status_; }

    /// The content from the current position on. Throws FileError where it cannot be read or is
    /// longer than `max_size` octets.
    [[nodiscard]] std::string read(std::size_t max_size) const;

  private:
    Descriptor descriptor_;
    struct stat status_ {};
};

}  // namespace kheops
