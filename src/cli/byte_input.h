// A file or standard input as a stream of bytes; gzip is unpacked on the way.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "classify/table.h"

namespace lfm::cli {

// Not thread-safe.
class ByteInput {
 public:
  // "-" is standard input. What begins with gzip's magic bytes is unpacked, whatever its name.
  static Result<std::unique_ptr<ByteInput>> Open(const std::string& path);
  virtual ~ByteInput() = default;

  // Fills the buffer as far as it can; 0 at the end. An error names the file.
  virtual Result<size_t> Read(char* buffer, size_t size) = 0;
  // Of the file as it lies on the disk; 0 where it is not known.
  virtual uint64_t size() const = 0;
  virtual uint64_t n_read() const = 0;

  classify::ByteSource source() {
    return [this](char* buffer, size_t n) { return Read(buffer, n); };
  }
};

}  // namespace lfm::cli
