// What a model file is, in figures: the content of `lfm info`, computed from headers only.
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "formats/checkpoint.h"
#include "kernels/kernels.h"
#include "model/config.h"

namespace lfm::engine {

struct Description {
  model::Config config;
  std::string name;
  std::string chat_template;           // the default one; empty: none
  std::vector<std::string> templates;  // names of all chat templates, "default" first
  uint64_t file_bytes = 0;
  int64_t parameters = 0;
  int64_t active_parameters = 0;          // that take part in one token: chosen experts, everything else once
  uint64_t weight_bytes_per_token = 0;    // as stored, read for one decoded token
  uint64_t state_bytes_per_token = 0;     // keys and values of one position
  uint64_t state_bytes_per_sequence = 0;  // the short convolutions' part, whatever the length
};

// Reads no weights: an 8B file takes milliseconds.
Result<Description> Describe(const formats::Checkpoint& checkpoint, kernels::KvType kv_type = kernels::KvType::kI16);

// The JSON of `lfm info`, with the kernels that `isa` ("": the best) chooses on this host.
Result<Json> DescriptionJson(const Description& description, const std::string& isa = "");

// {"detected": [...], "chosen": {op: kernel}}
Result<Json> IsaJson(const std::string& isa = "");

std::string_view MixerName(model::Mixer mixer);  // "conv", "attention"
std::string_view FfnName(model::Ffn ffn);        // "dense", "moe"

}  // namespace lfm::engine
