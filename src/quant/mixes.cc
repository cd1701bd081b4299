#include "quant/mixes.h"

#include <algorithm>
#include <cctype>

#include "base/strings.h"

namespace lfm::quant {
namespace {

using model::TensorField;

constexpr Mix kMixes[] = {
    {"q4_k_m", TensorType::kQ4_K, 15},   {"q4_k_s", TensorType::kQ4_K, 14},   {"q5_k_m", TensorType::kQ5_K, 17},
    {"q6_k", TensorType::kQ6_K, 18},     {"q8_0", TensorType::kQ8_0, 7},      {"q4_0", TensorType::kQ4_0, 2},
    {"iq4_nl", TensorType::kIQ4_NL, 25}, {"iq4_xs", TensorType::kIQ4_XS, 30}, {"mxfp4", TensorType::kMXFP4, 38},
    {"bf16", TensorType::kBF16, 32},     {"f16", TensorType::kF16, 1},        {"f32", TensorType::kF32, 0}};

// The first and last eighth of n, and every third between.
bool UseMoreBits(int i, int n) { return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2; }

bool IsFfnDown(TensorField field) { return field == TensorField::kFfnDown || field == TensorField::kExpertsDown; }
bool IsKMedium(const Mix& mix) { return mix.name == "q4_k_m" || mix.name == "q5_k_m"; }
bool IsIq4(const Mix& mix) { return mix.type == TensorType::kIQ4_NL || mix.type == TensorType::kIQ4_XS; }

struct Chooser {
  const Mix& mix;
  const model::Config& config;
  bool has_imatrix;
  bool tied;
  int i_value = 0;  // attention layers seen so far

  TensorType Choose(const ModelTensor& tensor) {
    if (!InfoOf(mix.type).quantized) return mix.type;
    if (tensor.field == TensorField::kHead || (tensor.field == TensorField::kEmbedding && tied)) return Head(tensor);
    if (mix.type == TensorType::kMXFP4) return tensor.shape.size() == 3 ? TensorType::kMXFP4 : TensorType::kQ8_0;
    if (tensor.field == TensorField::kAttentionV) return Value(i_value++);
    if (tensor.field == TensorField::kAttentionK) return config.n_experts == 8 ? TensorType::kQ8_0 : mix.type;
    if (IsFfnDown(tensor.field)) return Down(tensor.i_layer);
    if (tensor.field == TensorField::kAttentionOut && config.n_experts == 8 && (mix.type == TensorType::kQ4_K || IsIq4(mix))) {
      return TensorType::kQ5_K;
    }
    return mix.type;
  }

  TensorType Head(const ModelTensor& tensor) const {
    if (mix.type == TensorType::kMXFP4 || tensor.k % InfoOf(mix.type).block_size != 0) return TensorType::kQ8_0;
    return mix.type == TensorType::kQ8_0 ? TensorType::kQ8_0 : TensorType::kQ6_K;
  }

  TensorType Value(int i) const {
    if (config.n_experts == 8) return TensorType::kQ8_0;
    if (IsKMedium(mix) && UseMoreBits(i, config.n_attention_layers())) return TensorType::kQ6_K;
    if (mix.name == "q4_k_s" && i < 4) return TensorType::kQ5_K;
    return mix.type;
  }

  TensorType Down(int i_layer) const {
    const bool early = i_layer < config.n_layers / 8;
    if (IsKMedium(mix) && UseMoreBits(i_layer, config.n_layers)) return TensorType::kQ6_K;
    if (mix.name == "q4_k_s" && early) return TensorType::kQ5_K;
    if (IsIq4(mix) && early && !has_imatrix) return TensorType::kQ5_K;
    if (mix.type == TensorType::kQ4_0 && early && has_imatrix) return TensorType::kQ4_1;
    return mix.type;
  }
};

}  // namespace

std::span<const Mix> Mixes() { return kMixes; }

Result<Mix> FindMix(std::string_view name) {
  std::string list;
  for (const Mix& mix : kMixes) {
    const bool same = std::equal(name.begin(), name.end(), mix.name.begin(), mix.name.end(),
                                 [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
    if (same) return mix;
    list += StrCat(list.empty() ? "" : ", ", mix.name);
  }
  return Error{ErrorCode::kInvalidArgument, StrCat(Quote(name), " is no type mix; use one of ", list)};
}

TensorType FittingType(TensorType type, int64_t k) {
  if (k % InfoOf(type).block_size == 0) return type;
  TensorType other = type;
  switch (type) {
    case TensorType::kIQ4_XS: other = TensorType::kIQ4_NL; break;
    case TensorType::kQ2_K:
    case TensorType::kQ3_K: other = TensorType::kQ4_0; break;
    case TensorType::kQ4_K: other = TensorType::kQ5_0; break;
    case TensorType::kQ5_K: other = TensorType::kQ5_1; break;
    case TensorType::kQ6_K: other = TensorType::kQ8_0; break;
    default: break;
  }
  return k % InfoOf(other).block_size == 0 ? other : TensorType::kF16;
}

std::vector<TensorType> TypesOfMix(const Mix& mix, std::span<const ModelTensor> tensors, const model::Config& config,
                                   bool has_imatrix) {
  const bool tied =
      std::none_of(tensors.begin(), tensors.end(), [](const ModelTensor& tensor) { return tensor.field == TensorField::kHead; });
  Chooser chooser{mix, config, has_imatrix, tied};
  std::vector<TensorType> types;
  for (const ModelTensor& tensor : tensors) {
    types.push_back(tensor.always_f32() ? TensorType::kF32 : FittingType(chooser.Choose(tensor), tensor.k));
  }
  return types;
}

}  // namespace lfm::quant
