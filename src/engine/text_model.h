// The text half of a model: tokenizer, chat template and the sampling that its makers recommend.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/sampler.h"
#include "formats/checkpoint.h"
#include "text/chat.h"
#include "text/tokenizer.h"

namespace lfm::engine {

// A chat template beside the default one.
struct NamedChat {
  std::string name, source;
  Result<text::ChatTemplate> chat;  // or why it cannot be used
};

// Immutable after reading; thread-safe.
struct TextModel {
  text::Tokenizer tokenizer;
  std::string chat_template;        // the source of the default one; empty: the model has none
  Result<text::ChatTemplate> chat;  // or why there is none to be used
  SamplingParams sampling;          // what is used where the caller asks for nothing else
  std::vector<NamedChat> named_chats = {};

  // The template of this name; without a name "tool_use" where there are tools (also an empty list), else the default one, as
  // transformers chooses.
  const Result<text::ChatTemplate>& ChatFor(std::string_view name, bool with_tools) const;
};

// From an opened checkpoint of either kind, which may be closed afterwards.
Result<TextModel> ReadTextModel(const formats::Checkpoint& checkpoint);

// From a model's path; weights are neither needed nor read.
Result<TextModel> OpenTextModel(const std::string& path);

// The model's own settings where its files carry any (generation_config.json, or general.sampling.* in a GGUF), else
// those of the model cards: LFM2 0.3, min-p 0.15, repetition 1.05; LFM2.5-8B-A1B 0.2, top-k 80, repetition 1.05.
Result<SamplingParams> DefaultSampling(const formats::Checkpoint& checkpoint);

}  // namespace lfm::engine
