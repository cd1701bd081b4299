#include "model/tensors.h"

#include <initializer_list>
#include <string_view>

#include "base/strings.h"

namespace lfm::model {
namespace {

using formats::Checkpoint;
using formats::Naming;
using formats::Tensor;

struct Names {
  std::string_view gguf, hugging_face;
};
constexpr Names kNames[] = {
#define TENSOR(field, gguf, hugging_face, shape) {gguf, hugging_face},
#include "model/tensors.inc"
#undef TENSOR
};

// Other names of the same tensors.
struct Alias {
  TensorField field;
  Naming naming;
  std::string_view name;
};
constexpr Alias kAliases[] = {
    {TensorField::kFinalNorm, Naming::kGguf, "output_norm.weight"},  // ollama's converter
    {TensorField::kExpertBias, Naming::kGguf, "blk.{}.exp_probs_b"},
    {TensorField::kExpertBias, Naming::kGguf, "blk.{}.exp_probs_b.weight"},
    {TensorField::kFinalNorm, Naming::kHuggingFace, "model.norm.weight"},
};
// What stands in place of "model.": nothing (the bare Lfm2Model), and the prefixes of wrappers.
constexpr std::string_view kModel = "model.";
constexpr std::string_view kPrefixes[] = {
    "", "language_model.model.", "model.language_model.", "_orig_mod.model.", "module.model.", "base_model.model.model."};
constexpr std::string_view kHeadPrefixes[] = {"model.", "language_model.", "_orig_mod.", "module.", "base_model.model."};

void Substitute(std::string& name, std::string_view mark, int value) {
  if (const size_t at = name.find(mark); at != std::string::npos) {
    name.replace(at, mark.size(), std::to_string(value));
  }
}

std::string Filled(std::string_view pattern, int i_layer, int i_expert) {
  std::string name(pattern);
  Substitute(name, "{}", i_layer);
  Substitute(name, "{e}", i_expert);
  return name;
}

// Whether config.json ties the head to the embedding, which transformers then uses whatever else is there.
bool TiesHead(const Checkpoint& checkpoint) {
  const Json& json = checkpoint.config;
  for (const char* name : {"tie_embedding", "tie_word_embeddings"}) {
    if (json[name].is_bool()) return json[name].AsBool();
  }
  return true;  // Lfm2Config's default
}

const Tensor* FindUnder(const Checkpoint& checkpoint, std::string_view name, std::string_view prefix) {
  const bool in_model = name.starts_with(kModel);
  return checkpoint.Find(StrCat(prefix, in_model ? name.substr(kModel.size()) : name));
}

// A folder's tensor under its usual name or another prefix. A folder has one prefix: that of the embedding.
const Tensor* FindPrefixed(const Checkpoint& checkpoint, const std::string& name) {
  if (const Tensor* tensor = checkpoint.Find(name)) return tensor;
  if (checkpoint.Find(kNames[static_cast<size_t>(TensorField::kEmbedding)].hugging_face)) return nullptr;
  const bool in_model = name.starts_with(kModel);
  for (const std::string_view prefix :
       in_model ? std::span<const std::string_view>(kPrefixes) : std::span<const std::string_view>(kHeadPrefixes)) {
    if (const Tensor* tensor = FindUnder(checkpoint, name, prefix)) return tensor;
  }
  return nullptr;
}

}  // namespace

std::string TensorName(TensorField field, Naming naming, int i_layer, int i_expert) {
  const Names& names = kNames[static_cast<size_t>(field)];
  return Filled(naming == Naming::kGguf ? names.gguf : names.hugging_face, i_layer, i_expert);
}

const Tensor* FindTensor(const Checkpoint& checkpoint, TensorField field, int i_layer, int i_expert) {
  const bool folder = checkpoint.naming == Naming::kHuggingFace;
  if (folder && field == TensorField::kHead && TiesHead(checkpoint)) return nullptr;
  const std::string name = TensorName(field, checkpoint.naming, i_layer, i_expert);
  if (name.empty()) return nullptr;
  if (const Tensor* tensor = folder ? FindPrefixed(checkpoint, name) : checkpoint.Find(name)) return tensor;
  for (const Alias& alias : kAliases) {
    if (alias.field != field || alias.naming != checkpoint.naming) continue;
    const std::string other = Filled(alias.name, i_layer, i_expert);
    if (const Tensor* tensor = folder ? FindPrefixed(checkpoint, other) : checkpoint.Find(other)) return tensor;
  }
  return nullptr;
}

Error MissingTensor(const Checkpoint& checkpoint, TensorField field, int i_layer, int i_expert) {
  const std::string name = TensorName(field, checkpoint.naming, i_layer, i_expert);
  for (const formats::ForeignTensor& foreign : checkpoint.foreign_tensors) {
    if (foreign.name != name) continue;
    return {ErrorCode::kUnsupported,
            StrCat(checkpoint.path, ": tensor ", name, " is of dtype ", Quote(foreign.type),
                   "; lfm reads F32, F16 and BF16: get the original weights, or a .gguf file for a smaller one")};
  }
  for (const Tensor& tensor : checkpoint.tensors) {
    if (tensor.name.find("lora_") == std::string::npos) continue;
    return {ErrorCode::kUnsupported,
            StrCat(checkpoint.path, ": tensor ", name, " is missing, and there are tensors of an adapter (",
                   Quote(tensor.name, 80), "): merge the adapter into its model first")};
  }
  return {ErrorCode::kCorrupt,
          StrCat(checkpoint.path, ": tensor ", name,
                 " is missing; the file is incomplete or was made by an unknown converter: download it again")};
}

std::vector<int64_t> ShapeOf(TensorField field, const Config& config) {
  const int64_t d = config.d_model, h = config.head_dim, q = config.n_heads * h, kv = config.n_kv_heads * h;
  const int64_t f = config.d_ff, fx = config.d_ff_expert, n = config.n_experts, vocab = config.vocab_size;
  const int64_t taps = config.n_taps;
  switch (field) {
#define LFM_DIMENSIONS(...) \
  { __VA_ARGS__ }
#define TENSOR(field, gguf, hugging_face, shape) \
  case TensorField::field:                       \
    return LFM_DIMENSIONS shape;
#include "model/tensors.inc"
#undef TENSOR
#undef LFM_DIMENSIONS
  }
  return {};
}

void ForEachTensor(const Checkpoint& checkpoint, const Config& config,
                   const std::function<void(const TensorPlace&, const Tensor&)>& visit) {
  using enum TensorField;
  const auto one = [&](TensorField field, int i_layer = -1, int i_expert = -1) {
    const Tensor* const tensor = FindTensor(checkpoint, field, i_layer, i_expert);
    if (tensor) visit({field, i_layer, i_expert}, *tensor);
    return tensor != nullptr;
  };
  const auto all = [&](std::initializer_list<TensorField> fields, int i_layer) {
    for (const TensorField field : fields) one(field, i_layer);
  };
  all({kEmbedding, kFinalNorm, kHead}, -1);
  for (int i = 0; i < config.n_layers; ++i) {
    const LayerConfig& layer = config.layers[static_cast<size_t>(i)];
    all({kOperatorNorm, kFfnNorm}, i);
    if (layer.mixer == Mixer::kConv) {
      all({kConvIn, kConvOut, kConvTaps}, i);
    } else {
      if (!one(kAttentionQkv, i)) all({kAttentionQ, kAttentionK, kAttentionV}, i);
      all({kAttentionOut, kAttentionQNorm, kAttentionKNorm}, i);
    }
    if (layer.ffn == Ffn::kDense) {
      all({kFfnGate, kFfnUp, kFfnDown}, i);
      continue;
    }
    all({kRouter, kExpertBias}, i);
    const bool gate_up = (one(kExpertsGate, i) && one(kExpertsUp, i)) || one(kExpertsGateUp, i);
    const bool down = one(kExpertsDown, i);
    for (int e = 0; e < config.n_experts && !(gate_up && down); ++e) {
      if (!gate_up) one(kExpertGate, i, e), one(kExpertUp, i, e);
      if (!down) one(kExpertDown, i, e);
    }
  }
}

}  // namespace lfm::model
