// A text as the windows that perplexity and KL divergence are measured on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/loaded_model.h"
#include "quant/passages.h"

namespace lfm::cli {

// Windows of n_ctx tokens of what --file PATH holds, as quant::CutWindows(). Errors: n_ctx beyond the model's context, a text shorter than a window.
// The model must have a tokenizer.
Result<std::vector<quant::Passage>> TextWindows(const engine::LoadedModel& loaded, const std::string& text,
                                                const std::string& path, int64_t n_ctx);

}  // namespace lfm::cli
