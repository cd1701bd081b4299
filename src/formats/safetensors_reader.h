// Reads safetensors: a u64 header length, a JSON header, then the tensors' bytes.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/result.h"
#include "formats/checkpoint.h"

namespace lfm::formats {

// The tensors of one file, by their place in it (i_file is 0). `bytes` is the whole file and untrusted;
// tensor bytes point into it and may be unaligned. F32, F16 and BF16 only; others go to `foreign`, or are an error
// without it. Errors lack the file's name. Thread-safe.
Result<std::vector<Tensor>> ParseSafetensors(std::span<const std::byte> bytes, std::vector<ForeignTensor>* foreign = nullptr);

}  // namespace lfm::formats
