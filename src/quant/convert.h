// A model from one file format to the other: Hugging Face folder to GGUF and back, as a stream.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "base/tensor_type.h"
#include "base/threads.h"
#include "formats/checkpoint.h"
#include "formats/progress.h"

namespace lfm::quant {

struct ConvertOptions {
  std::optional<TensorType> type;  // of the matrices; absent: as the source has them
  formats::Progress progress;      // false cancels; nothing remains then
};

struct ConvertResult {
  std::string type_name;  // of the matrices: "BF16", or "as stored" where they differ
  uint64_t n_bytes = 0;   // of the weight file
  bool rounded = false;   // quantised weights became BF16: values were rounded
};

// Writes the checkpoint to `out`: a GGUF file where its name ends in .gguf, else a folder, which must not exist or be
// empty. Memory: a few tens of MB. Vectors, the router and the convolution's taps are F32 in GGUF; in a folder they
// take `type` where that loses nothing. Without Ok() nothing remains under the final names.
// Errors: a foreign model, missing tensors, values that are not finite, a full disk, cancelled.
Result<ConvertResult> Convert(const formats::Checkpoint& source, const std::string& out, Threads& threads,
                              const ConvertOptions& options);

// Whether a path names a GGUF file.
bool NamesGguf(const std::string& path);

}  // namespace lfm::quant
