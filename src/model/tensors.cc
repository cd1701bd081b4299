#include "model/tensors.h"

#include <initializer_list>
#include <string_view>

#include "base/check.h"
#include "base/strings.h"
#include "model/folder_prefix.h"

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
constexpr std::string_view kModel = "model.";

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

// A folder's tensor under its usual name, or behind the prefix that this folder has. The head stands at the prefix of a
// wrapper: the longest one counts.
const Tensor* FindPrefixed(const Checkpoint& checkpoint, const std::string& name) {
  if (const Tensor* tensor = checkpoint.Find(name)) return tensor;
  std::string prefix = FolderPrefix(checkpoint);
  if (name.starts_with(kModel)) return prefix == kModel ? nullptr : checkpoint.Find(prefix + name.substr(kModel.size()));
  while (!prefix.empty()) {
    if (const Tensor* tensor = checkpoint.Find(prefix + name)) return tensor;
    const size_t dot = prefix.rfind('.', prefix.size() - 2);
    prefix.resize(dot == std::string::npos || prefix.size() < 2 ? 0 : dot + 1);
  }
  return nullptr;
}

bool IsSingle(TensorField form) {
  return form == TensorField::kExpertGate || form == TensorField::kExpertUp || form == TensorField::kExpertDown;
}

// The form in which the checkpoint holds a tensor of the walk: as itself, in a fused one, or expert by expert. Of several the
// one that counts; of none the one whose absence is to be told.
TensorField FormOf(const Checkpoint& checkpoint, TensorField field, int i_layer) {
  using enum TensorField;
  const auto has = [&](TensorField form) { return FindTensor(checkpoint, form, i_layer) != nullptr; };
  const bool folder = checkpoint.naming == Naming::kHuggingFace;
  switch (field) {
    case kAttentionQ:
    case kAttentionK:
    case kAttentionV: return has(kAttentionQkv) ? kAttentionQkv : field;
    case kExpertsGate:
    case kExpertsUp:
      if (has(field)) return field;
      if (has(kExpertsGateUp)) return kExpertsGateUp;
      return !folder ? field : field == kExpertsGate ? kExpertGate : kExpertUp;
    case kExpertsDown: return has(field) || !folder ? field : kExpertDown;
    default: return field;
  }
}

std::vector<int64_t> WithoutOnes(std::vector<int64_t> shape) {
  std::erase(shape, 1);
  return shape;
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  std::string text;
  for (const int64_t n : shape) text += StrCat(text.empty() ? "" : " x ", n);
  return text;
}

// A tensor that must be there with the shape of the table. Dimensions of 1 do not count: taps are [d, 1, taps] in folders.
Result<const Tensor*> FindOfShape(const Checkpoint& checkpoint, const Config& config, TensorField field, int i_layer,
                                  int i_expert) {
  const Tensor* tensor = FindTensor(checkpoint, field, i_layer, i_expert);
  if (!tensor) return MissingTensor(checkpoint, field, i_layer, i_expert);
  const std::vector<int64_t> expected = ShapeOf(field, config);
  if (WithoutOnes(tensor->shape) == WithoutOnes(expected)) return tensor;
  return Error{ErrorCode::kCorrupt, StrCat(checkpoint.path, ": tensor ", Plain(tensor->name, 80), " has shape ",
                                           ShapeText(tensor->shape), ", expected ", ShapeText(expected))};
}

}  // namespace

std::string TensorName(TensorField field, Naming naming, int i_layer, int i_expert) {
  const Names& names = kNames[static_cast<size_t>(field)];
  return Filled(naming == Naming::kGguf ? names.gguf : names.hugging_face, i_layer, i_expert);
}

std::string FolderPrefix(const Checkpoint& checkpoint) {
  if (checkpoint.naming != Naming::kHuggingFace) return "";
  const std::string_view usual = kNames[static_cast<size_t>(TensorField::kEmbedding)].hugging_face;
  const std::string_view last = usual.substr(kModel.size());
  if (checkpoint.Find(usual)) return std::string(kModel);
  const std::string_view norm = kNames[static_cast<size_t>(TensorField::kOperatorNorm)].hugging_face;
  for (const Tensor& tensor : checkpoint.tensors) {
    const std::string_view name = tensor.name;
    if (!name.ends_with(last)) continue;
    const std::string prefix(name.substr(0, name.size() - last.size()));
    // The towers of a wrapper may have embeddings of their own; the model's has the family's layers beside it.
    if (prefix.empty() || prefix.ends_with('.')) {
      if (checkpoint.Find(prefix + Filled(norm.substr(kModel.size()), 0, -1))) return prefix;
    }
  }
  return std::string(kModel);
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

Status ForEachField(const Config& config, const std::function<Status(TensorField, int)>& visit) {
  using enum TensorField;
  const auto all = [&](std::initializer_list<TensorField> fields, int i_layer) -> Status {
    for (const TensorField field : fields) LFM_RETURN_IF_ERROR(visit(field, i_layer));
    return Ok();
  };
  LFM_RETURN_IF_ERROR(visit(kEmbedding, -1));
  for (int i = 0; i < config.n_layers; ++i) {
    const LayerConfig& layer = config.layers[static_cast<size_t>(i)];
    LFM_RETURN_IF_ERROR(visit(kOperatorNorm, i));
    LFM_RETURN_IF_ERROR(layer.mixer == Mixer::kConv
                            ? all({kConvIn, kConvTaps, kConvOut}, i)
                            : all({kAttentionQ, kAttentionK, kAttentionV, kAttentionQNorm, kAttentionKNorm, kAttentionOut}, i));
    LFM_RETURN_IF_ERROR(visit(kFfnNorm, i));
    LFM_RETURN_IF_ERROR(layer.ffn == Ffn::kDense ? all({kFfnGate, kFfnUp, kFfnDown}, i)
                                                 : all({kRouter, kExpertBias, kExpertsGate, kExpertsUp, kExpertsDown}, i));
  }
  return all({kFinalNorm, kHead}, -1);
}

Result<std::vector<RowRange>> Locate(const Checkpoint& checkpoint, const Config& config, TensorField field, int i_layer) {
  const TensorField form = FormOf(checkpoint, field, i_layer);
  const std::vector<int64_t> shape = ShapeOf(field, config);
  int64_t n_rows = 1;
  for (size_t i = 0; i + 1 < shape.size(); ++i) n_rows *= shape[i];
  std::vector<RowRange> ranges;
  if (IsSingle(form)) {
    for (int e = 0; e < config.n_experts; ++e) {
      LFM_TRY(const Tensor* tensor, FindOfShape(checkpoint, config, form, i_layer, e));
      ranges.push_back({tensor, 0, n_rows / config.n_experts});
    }
    return ranges;
  }
  LFM_TRY(const Tensor* tensor, FindOfShape(checkpoint, config, form, i_layer, -1));
  if (form == TensorField::kAttentionQkv) {
    const int64_t q = ShapeOf(TensorField::kAttentionQ, config)[0], kv = ShapeOf(TensorField::kAttentionK, config)[0];
    const int64_t first = field == TensorField::kAttentionQ ? 0 : field == TensorField::kAttentionK ? q : q + kv;
    ranges.push_back({tensor, first, n_rows});
  } else if (form == TensorField::kExpertsGateUp) {
    const int64_t f = config.d_ff_expert, first = field == TensorField::kExpertsGate ? 0 : f;
    for (int64_t e = 0; e < config.n_experts; ++e) ranges.push_back({tensor, e * 2 * f + first, f});
  } else {
    ranges.push_back({tensor, 0, n_rows});
  }
  return ranges;
}

void ForEachTensor(const Checkpoint& checkpoint, const Config& config,
                   const std::function<void(const TensorPlace&, const Tensor&)>& visit) {
  const Tensor* last = nullptr;  // a fused one comes once
  const auto one = [&](const TensorPlace& place) {
    const Tensor* const tensor = FindTensor(checkpoint, place.field, place.i_layer, place.i_expert);
    if (tensor && tensor != last) visit(place, *tensor);
    last = tensor;
  };
  const Status walked = ForEachField(config, [&](TensorField field, int i_layer) {
    const TensorField form = FormOf(checkpoint, field, i_layer);
    if (!IsSingle(form)) one({form, i_layer});
    for (int e = 0; IsSingle(form) && e < config.n_experts; ++e) one({form, i_layer, e});
    return Ok();
  });
  LFM_CHECK(walked.ok());
}

}  // namespace lfm::model
