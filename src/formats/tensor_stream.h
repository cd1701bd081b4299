// The second half of writing a model file: tensor bytes in their declared order after a finished header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "base/tensor_type.h"
#include "formats/progress.h"

namespace lfm::formats {

// A tensor that is going to be written. Shape is slowest first.
struct TensorPlan {
  std::string name;
  TensorType type = TensorType::kF32;
  std::vector<int64_t> shape;
};

// Appends tensors to a file that appears under its name only when all are there. Not thread-safe.
class TensorStream {
 public:
  // Creates the file and writes the header. sizes: bytes of each tensor, in order; each tensor is padded to
  // `alignment`. Refuses a disk that is too full before anything is written.
  static Result<TensorStream> Create(const std::string& path, std::span<const std::byte> header, std::vector<uint64_t> sizes,
                                     uint64_t alignment, Progress progress);

  // The next bytes of the tensor that is due; a piece never spans two tensors.
  Status Append(std::span<const std::byte> bytes);
  // After the last tensor: gives the file its name. An error when tensors are incomplete.
  Status Finish();

 private:
  TensorStream(AtomicFile file, std::string path, std::vector<uint64_t> sizes, uint64_t alignment, Progress progress)
      : file_(std::move(file)), path_(std::move(path)), sizes_(std::move(sizes)), alignment_(alignment),
        progress_(std::move(progress)) {}

  AtomicFile file_;
  std::string path_;
  std::vector<uint64_t> sizes_;
  uint64_t alignment_;
  Progress progress_;
  uint64_t n_total_ = 0;
  size_t i_tensor_ = 0;
  uint64_t n_in_tensor_ = 0;  // bytes of the current tensor that are written
};

}  // namespace lfm::formats
