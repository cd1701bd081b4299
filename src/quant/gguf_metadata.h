// The metadata of a GGUF file from a Hugging Face folder: what llama.cpp's converter writes, key for key.
#pragma once

#include <vector>

#include "base/result.h"
#include "base/tensor_type.h"
#include "formats/checkpoint.h"
#include "formats/gguf_writer.h"
#include "model/config.h"

namespace lfm::quant {

// Sizes, switches, sampling settings, tokenizer and chat template. `file_type` is llama.cpp's number of the type mix.
// Notes for the user (holes in the vocabulary, keys that llama.cpp ignores) go to the log as warnings.
// Errors name the file and entry that cannot be expressed in GGUF.
Status WriteMetadata(const formats::Checkpoint& folder, const model::Config& config, formats::GgufWriter& writer);

// The part of it that describes the tokenizer (tokenizer.ggml.*, tokenizer.chat_template).
Status WriteTokenizerMetadata(const formats::Checkpoint& folder, const model::Config& config, formats::GgufWriter& writer);

// general.file_type: llama.cpp's number for a file whose matrices are mostly of this type.
uint32_t FileTypeNumber(TensorType type);

}  // namespace lfm::quant
