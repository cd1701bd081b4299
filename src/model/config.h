// What a model is: every size and switch of the LFM2 family, read from GGUF metadata or config.json.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "formats/checkpoint.h"

namespace lfm::model {

enum class Mixer { kConv, kAttention };
enum class Ffn { kDense, kMoe };

struct LayerConfig {
  Mixer mixer = Mixer::kConv;
  Ffn ffn = Ffn::kDense;
};

// All counts are positive and mutually consistent once ReadConfig() returned it.
struct Config {
  std::string architecture;     // "lfm2" or "lfm2moe"
  std::string name;             // for people; may be empty
  std::string file_type;        // "Q4_K_M" as the file says, or the most frequent tensor type
  bool random_weights = false;  // made by `lfm synth`: speed is real, answers are not

  int n_layers = 0;
  int d_model = 0;
  int n_heads = 0;
  int n_kv_heads = 0;
  int head_dim = 0;
  int d_ff = 0;         // width of the dense feed-forward (0: no dense layer)
  int d_ff_expert = 0;  // width of an expert (0: no MoE layer)
  int n_experts = 0;
  int n_experts_used = 0;
  int vocab_size = 0;  // rows of the embedding; may exceed the tokenizer's tokens
  int n_taps = 0;      // kernel length of the short convolution (conv_L_cache)
  float norm_eps = 1e-5f;
  double rope_theta = 1e6;
  bool use_expert_bias = false;
  bool norm_topk_prob = true;
  float routed_scaling_factor = 1;
  int64_t context_length = 0;  // positions the model was made for
  std::vector<LayerConfig> layers;
  std::vector<std::string> unused_tensors;  // that the file holds and the model does not read

  int n_attention_layers() const;
  int n_conv_layers() const { return n_layers - n_attention_layers(); }
};

// Reads and validates the configuration of a checkpoint. A foreign architecture is named in the error, and so is every
// setting and every tensor that would change the computation and is not run (settings.h).
// Layer kinds and feed-forward widths are taken from the tensors, which cannot be wrong about themselves.
Result<Config> ReadConfig(const formats::Checkpoint& checkpoint);

}  // namespace lfm::model
