// Writes float32 arrays in NumPy's .npy format (version 1.0, little-endian, C order), part by part.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"

namespace lfm::cli {

// Rows may be written in any order; what is not written is zero. The file gets its name by Commit().
class NpyWriter {
 public:
  static Result<NpyWriter> Create(const std::string& path, const std::vector<int64_t>& shape);
  // Writes `values` at this element offset.
  Status Write(int64_t offset, std::span<const float> values);
  Status Commit() { return file_.Commit(); }

 private:
  NpyWriter(AtomicFile file, uint64_t data_offset) : file_(std::move(file)), data_offset_(data_offset) {}
  AtomicFile file_;
  uint64_t data_offset_;
};

}  // namespace lfm::cli
