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

// What the first bytes of a file tell.
struct GgufBeginning {
  bool whole = false;     // the whole header; else only the metadata before the bytes' end is there, and more bytes tell more
  Checkpoint checkpoint;  // tensors without bytes; strings point into the bytes
};
// Of a file of n_file bytes, for which `path` stands in messages. Errors come from what is there, not from what is not.
Result<GgufBeginning> ParseGgufBeginning(std::span<const std::byte> bytes, uint64_t n_file, const std::string& path);

// Opens the model that `file` holds or, of a split model, is a part of; the other parts are looked for beside
// it.
Result<Checkpoint> OpenGguf(MappedFile file);

}  // namespace lfm::formats
