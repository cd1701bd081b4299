// Opens a model folder as Hugging Face's hub delivers it.
#pragma once

#include <string>

#include "base/result.h"
#include "formats/checkpoint.h"

namespace lfm::formats {

// Reads config.json (required), the weights (model.safetensors, or shards by model.safetensors.index.json),
// and the tokenizer's files, generation_config.json and chat template where they are present. Maps weights,
// reads none.
Result<Checkpoint> OpenHfFolder(const std::string& folder);

// The same without weights, for work on text alone: a folder with a tokenizer.json is enough.
Result<Checkpoint> OpenHfTexts(const std::string& folder);

}  // namespace lfm::formats
