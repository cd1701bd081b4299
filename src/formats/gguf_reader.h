// Reads GGUF v2 and v3: the header of one file from memory, and a model of one or several mapped files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "formats/checkpoint.h"

namespace lfm::formats {

// The parsed header of one GGUF file. Strings and tensor bytes point into the bytes it was parsed from.
struct GgufHeader {
  uint32_t version = 0;
  Metadata metadata;
  std::vector<Tensor> tensors;  // in the header's order; i_file is 0
  std::vector<ForeignTensor> foreign_tensors;
  uint64_t alignment = 32;
  uint64_t data_offset = 0;  // of the tensor data
};

// Whether the bytes begin with GGUF's magic number.
bool IsGguf(std::span<const std::byte> bytes);

// Parses and validates a header. `bytes` is the whole file and untrusted: each count is checked against the
// bytes left before anything is allocated. Errors lack the file's name. Thread-safe.
Result<GgufHeader> ParseGguf(std::span<const std::byte> bytes);

// Opens the model that `file` holds or, of a split model, is a part of; the other parts are looked for beside
// it.
Result<Checkpoint> OpenGguf(MappedFile file);

}  // namespace lfm::formats
