// Writes one safetensors file as a stream: first what it will hold, then the tensors' bytes in that order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "formats/progress.h"
#include "formats/tensor_stream.h"

namespace lfm::formats {

// Memory: the header only. Without Finish() no file remains. Movable; not thread-safe.
class SafetensorsWriter {
 public:
  // The next tensor of the file: F32, F16 or BF16. Errors: another type, a name that is empty, used twice or
  // "__metadata__", or a shape with a dimension below 1.
  Status AddTensor(TensorPlan tensor);

  // Bytes of the tensors declared so far, without the header.
  uint64_t TensorBytes() const { return offset_; }

  // As GgufWriter: Begin(), Append() in the order of AddTensor(), Finish().
  Status Begin(const std::string& path, Progress progress = {});
  Status Append(std::span<const std::byte> bytes);
  Status Finish();

 private:
  Json::Object entries_;
  std::vector<uint64_t> sizes_;
  uint64_t offset_ = 0;
  std::optional<TensorStream> stream_;
};

}  // namespace lfm::formats
