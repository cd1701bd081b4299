// Writes GGUF v3 as a stream: first what the file will hold, then the tensors' bytes in that order.
//
//   GgufWriter writer;
//   writer.CopyMetadata(source.metadata);
//   writer.SetU32("general.file_type", 2);
//   LFM_RETURN_IF_ERROR(writer.AddTensor({"token_embd.weight", TensorType::kQ6_K, {65536, 2048}}));
//   LFM_RETURN_IF_ERROR(writer.Begin("model.gguf", progress));
//   LFM_RETURN_IF_ERROR(writer.Append(bytes));   // any number of pieces a tensor
//   LFM_RETURN_IF_ERROR(writer.Finish());
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/checkpoint.h"
#include "formats/gguf_types.h"
#include "formats/progress.h"
#include "formats/tensor_stream.h"

namespace lfm::formats {

// Memory: the header only. Without Finish() no file remains. Movable; not thread-safe.
class GgufWriter {
 public:
  // Metadata, before Begin(). A key that is set again keeps its place and takes the new value.
  void SetU32(std::string_view key, uint32_t value);
  void SetI32(std::string_view key, int32_t value);
  void SetF32(std::string_view key, float value);
  void SetBool(std::string_view key, bool value);
  void SetString(std::string_view key, std::string_view value);
  void SetI32s(std::string_view key, std::span<const int32_t> values);
  void SetStrings(std::string_view key, std::span<const std::string_view> values);
  void SetStrings(std::string_view key, std::span<const std::string> values);
  // Copies every key of a GGUF checkpoint exactly as it is stored there, but general.alignment and split.*,
  // which describe that file and not the model.
  void CopyMetadata(const Metadata& source);
  void Remove(std::string_view key);

  // The next tensor of the file. Errors: a name that is empty, longer than 63 bytes (llama.cpp's limit) or
  // used twice, or a shape that GGUF or the type cannot hold.
  Status AddTensor(TensorPlan tensor);

  // Bytes of the whole file as declared so far.
  uint64_t FileBytes() const;

  // Creates the file and writes the header. Afterwards: Append() in the order of AddTensor(), then Finish().
  Status Begin(const std::string& path, Progress progress = {});
  // The next bytes of the tensor that is due; a piece never spans two tensors.
  Status Append(std::span<const std::byte> bytes);
  Status Finish();

 private:
  struct Entry {
    std::string key;
    std::string stored;  // u32 type, then the value
  };
  void Set(std::string_view key, std::string stored);
  std::string Header() const;  // padded to the alignment

  std::vector<Entry> entries_;
  std::vector<TensorPlan> tensors_;
  std::vector<uint64_t> sizes_;
  std::optional<TensorStream> stream_;
};

}  // namespace lfm::formats
