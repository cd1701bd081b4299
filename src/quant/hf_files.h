// The small files of a Hugging Face folder from a GGUF file's metadata, in the style of the published folders.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/tensor_type.h"
#include "formats/checkpoint.h"
#include "model/config.h"

namespace lfm::quant {

// (name, content) of config.json, generation_config.json, tokenizer.json, tokenizer_config.json,
// special_tokens_map.json and chat_template.jinja; those that the GGUF says nothing about are left out.
// `type` is that of the weights: F32, F16 or BF16. Errors name the metadata key.
Result<std::vector<std::pair<std::string, std::string>>> MakeHfFiles(const formats::Checkpoint& gguf, const model::Config& config,
                                                                     TensorType type);

// tokenizer.json alone: the same tokens for every text. Needs a byte-level BPE vocabulary with the family's splitting.
Result<Json> MakeTokenizerJson(const formats::Metadata& metadata);

}  // namespace lfm::quant
