// Which tensors a synthetic model has, of which type, and how they are scaled. Shapes, names and mixes of
// types are those of the published files (docs/formats.md).
#include "quant/synth.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <optional>
#include <tuple>
#include <vector>

#include "base/check.h"
#include "base/strings.h"
#include "formats/gguf_writer.h"
#include "model/tensors.h"
#include "quant/synth_blocks.h"
#include "quant/synth_templates.h"
#include "quant/synth_vocabulary.h"

namespace lfm::quant {
namespace {

using model::TensorField;

struct Shape {
  std::string_view name;
  int64_t hidden, n_heads, n_layers, ff, n_dense, n_experts, expert_ff, vocab;
  std::vector<int> attention;  // layers
  std::string_view note;       // for general.description
};

constexpr int kHeadDim = 64, kKvHeads = 8, kConvLength = 3, kUsedExperts = 4;

const std::vector<Shape>& Shapes() {
  static const std::vector<int> kDense16 = {2, 5, 8, 10, 12, 14}, kMoe24 = {2, 6, 10, 14, 18, 21};
  static const std::vector<Shape> kShapes = {
      {"LFM2-8B-A1B", 2048, 32, 24, 7168, 2, 32, 1792, 65536, kMoe24, ""},
      {"LFM2.5-8B-A1B", 2048, 32, 24, 7168, 2, 32, 1792, 128000, kMoe24, ""},
      {"LFM2-24B-A2B",
       2048,
       32,
       40,
       11776,
       2,
       64,
       1536,
       65536,
       {2, 6, 10, 14, 18, 22, 26, 30, 34, 38},
       " Which layers of the published model have attention is not known; here it is every fourth."},
      {"LFM2-2.6B", 2048, 32, 30, 10752, 30, 0, 0, 65536, {2, 5, 9, 13, 17, 21, 24, 27}, ""},
      {"LFM2-1.2B", 2048, 32, 16, 8192, 16, 0, 0, 65536, kDense16, ""},
      {"LFM2-700M", 1536, 24, 16, 6912, 16, 0, 0, 65536, kDense16, ""},
      {"LFM2-350M", 1024, 16, 16, 4608, 16, 0, 0, 65536, kDense16, ""},
  };
  return kShapes;
}

// A published mix of types. `more` is what the tensors get that suffer most: values and every third down
// projection.
struct SynthMix {
  std::string_view name;
  uint32_t file_type;  // general.file_type
  TensorType base, embedding, more, experts;
  enum class More { kNone, kMedium, kSmall } more_rule;
};

constexpr std::array<SynthMix, 18> kSynthMixes = {{
    {"q4_0", 2, TensorType::kQ4_0, TensorType::kQ6_K, TensorType::kQ4_0, TensorType::kQ4_0, SynthMix::More::kNone},
    {"q4_k_m", 15, TensorType::kQ4_K, TensorType::kQ6_K, TensorType::kQ6_K, TensorType::kQ4_K, SynthMix::More::kMedium},
    {"q8_0", 7, TensorType::kQ8_0, TensorType::kQ8_0, TensorType::kQ8_0, TensorType::kQ8_0, SynthMix::More::kNone},
    {"bf16", 32, TensorType::kBF16, TensorType::kBF16, TensorType::kBF16, TensorType::kBF16, SynthMix::More::kNone},
    {"q4_k_s", 14, TensorType::kQ4_K, TensorType::kQ6_K, TensorType::kQ5_K, TensorType::kQ4_K, SynthMix::More::kSmall},
    {"q5_k_m", 17, TensorType::kQ5_K, TensorType::kQ6_K, TensorType::kQ6_K, TensorType::kQ5_K, SynthMix::More::kMedium},
    {"q6_k", 18, TensorType::kQ6_K, TensorType::kQ6_K, TensorType::kQ6_K, TensorType::kQ6_K, SynthMix::More::kNone},
    {"f16", 1, TensorType::kF16, TensorType::kF16, TensorType::kF16, TensorType::kF16, SynthMix::More::kNone},
    {"mxfp4", 38, TensorType::kQ8_0, TensorType::kQ8_0, TensorType::kQ8_0, TensorType::kMXFP4, SynthMix::More::kNone},
    // Below 4 bits published files mix types more than here: these are of one, but for the head.
    {"iq1_s", 24, TensorType::kIQ1_S, TensorType::kQ5_K, TensorType::kIQ1_S, TensorType::kIQ1_S, SynthMix::More::kNone},
    {"iq1_m", 31, TensorType::kIQ1_M, TensorType::kQ5_K, TensorType::kIQ1_M, TensorType::kIQ1_M, SynthMix::More::kNone},
    {"iq2_xxs", 19, TensorType::kIQ2_XXS, TensorType::kQ5_K, TensorType::kIQ2_XXS, TensorType::kIQ2_XXS, SynthMix::More::kNone},
    {"iq2_xs", 20, TensorType::kIQ2_XS, TensorType::kQ5_K, TensorType::kIQ2_XS, TensorType::kIQ2_XS, SynthMix::More::kNone},
    {"iq2_s", 28, TensorType::kIQ2_S, TensorType::kQ5_K, TensorType::kIQ2_S, TensorType::kIQ2_S, SynthMix::More::kNone},
    {"iq3_xxs", 23, TensorType::kIQ3_XXS, TensorType::kQ5_K, TensorType::kIQ3_XXS, TensorType::kIQ3_XXS, SynthMix::More::kNone},
    {"iq3_s", 26, TensorType::kIQ3_S, TensorType::kQ6_K, TensorType::kIQ3_S, TensorType::kIQ3_S, SynthMix::More::kNone},
    {"tq1_0", 36, TensorType::kTQ1_0, TensorType::kQ6_K, TensorType::kTQ1_0, TensorType::kTQ1_0, SynthMix::More::kNone},
    {"tq2_0", 37, TensorType::kTQ2_0, TensorType::kQ6_K, TensorType::kTQ2_0, TensorType::kTQ2_0, SynthMix::More::kNone},
}};

// The layers, or the i-th of n like tensors, to which llama.cpp's _M mixes give more bits.
bool MediumGetsMore(int64_t i, int64_t n) { return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2; }

// What the table of tensors (model/tensors.h) takes its shapes from.
model::Config ConfigOf(const Shape& shape) {
  model::Config config;
  config.n_layers = static_cast<int>(shape.n_layers);
  config.d_model = static_cast<int>(shape.hidden);
  config.n_heads = static_cast<int>(shape.n_heads);
  config.n_kv_heads = kKvHeads, config.head_dim = kHeadDim, config.n_taps = kConvLength;
  config.d_ff = static_cast<int>(shape.ff), config.d_ff_expert = static_cast<int>(shape.expert_ff);
  config.n_experts = static_cast<int>(shape.n_experts), config.n_experts_used = shape.n_experts > 0 ? kUsedExperts : 0;
  config.vocab_size = static_cast<int>(shape.vocab);
  config.layers.resize(static_cast<size_t>(shape.n_layers));
  for (const int i : shape.attention) config.layers[static_cast<size_t>(i)].mixer = model::Mixer::kAttention;
  for (auto i = static_cast<size_t>(shape.n_dense); i < config.layers.size(); ++i) config.layers[i].ffn = model::Ffn::kMoe;
  return config;
}

// A tensor with the distribution of its weights.
struct Planned {
  formats::TensorPlan plan;
  float mean = 0, deviation = 0;
};

class Planner {
 public:
  Planner(const Shape& shape, const SynthMix& mix) : shape_(shape), mix_(mix), config_(ConfigOf(shape)) {}

  // Layer by layer, each in alphabetical order of the names, as llama.cpp's quantiser leaves them.
  std::vector<Planned> Plan() const {
    struct Entry {
      int i_layer;
      std::string name;
      TensorField field;
    };
    std::vector<Entry> entries;
    const Status walked = model::ForEachField(config_, [&](TensorField field, int i_layer) {
      if (field == TensorField::kHead) return Ok();  // tied
      entries.push_back({i_layer, model::TensorName(field, formats::Naming::kGguf, i_layer), field});
      return Ok();
    });
    LFM_CHECK(walked.ok());
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return std::tie(a.i_layer, a.name) < std::tie(b.i_layer, b.name); });
    std::vector<Planned> planned;
    planned.reserve(entries.size());
    for (Entry& entry : entries) planned.push_back(PlanTensor(entry.field, entry.i_layer, std::move(entry.name)));
    return planned;
  }

 private:
  Planned PlanTensor(TensorField field, int i_layer, std::string name) const {
    using enum TensorField;
    std::vector<int64_t> shape = model::ShapeOf(field, config_);
    const float scale = 1 / std::sqrt(static_cast<float>(shape.back()));  // of a linear map
    Planned planned{{std::move(name), TypeOf(field, i_layer), std::move(shape)}, 0, scale};
    if (field == kEmbedding) planned.deviation = 3 * scale;  // logits get a deviation of 3, as trained models have
    if (field == kExpertBias) {
      planned.deviation = 0.02f;
    } else if (planned.plan.shape.size() == 1) {  // a norm
      planned.mean = 1, planned.deviation = 0.1f;
    }
    return planned;
  }

  TensorType TypeOf(TensorField field, int i_layer) const {
    using enum TensorField;
    switch (field) {
      case kEmbedding: return mix_.embedding;
      case kAttentionV: return ValueType(i_layer);
      case kFfnDown: return DownType(i_layer, mix_.base);
      case kExpertsDown: return DownType(i_layer, mix_.experts);
      case kExpertsGate:
      case kExpertsUp: return mix_.experts;
      case kConvTaps:
      case kRouter: return TensorType::kF32;
      default: return model::ShapeOf(field, config_).size() == 1 ? TensorType::kF32 : mix_.base;
    }
  }
  TensorType DownType(int64_t i_layer, TensorType base) const {
    const bool more = mix_.more_rule == SynthMix::More::kMedium  ? MediumGetsMore(i_layer, shape_.n_layers)
                      : mix_.more_rule == SynthMix::More::kSmall ? i_layer < shape_.n_layers / 8
                                                                 : false;
    return more ? mix_.more : base;
  }
  TensorType ValueType(int i_layer) const {
    const auto& attention = shape_.attention;
    const auto i_attention = static_cast<int64_t>(std::find(attention.begin(), attention.end(), i_layer) - attention.begin());
    const auto n = static_cast<int64_t>(attention.size());
    const bool more = mix_.more_rule == SynthMix::More::kMedium  ? MediumGetsMore(i_attention, n)
                      : mix_.more_rule == SynthMix::More::kSmall ? i_attention < 4
                                                                 : false;
    return more ? mix_.more : mix_.base;
  }

  const Shape& shape_;
  const SynthMix& mix_;
  model::Config config_;
};

void SetModelKeys(const Shape& shape, const SynthMix& mix, formats::GgufWriter& writer) {
  const bool moe = shape.n_experts > 0;
  const std::string arch = moe ? "lfm2moe" : "lfm2";
  const auto u32 = [&](const char* key, int64_t value) { writer.SetU32(arch + key, static_cast<uint32_t>(value)); };
  writer.SetString("general.architecture", arch);
  writer.SetString("general.type", "model");
  writer.SetString("general.name", StrCat(shape.name, " (random weights)"));
  writer.SetString("general.description", StrCat("Random weights in the shapes of ", shape.name,
                                                 ", to measure speed; "
                                                 "it says nothing of use.",
                                                 shape.note));
  writer.SetBool("lfm.random_weights", true);
  u32(".block_count", shape.n_layers);
  u32(".context_length", 128000);
  u32(".embedding_length", shape.hidden);
  u32(".feed_forward_length", shape.ff);
  u32(".attention.head_count", shape.n_heads);
  std::vector<int32_t> kv_heads(static_cast<size_t>(shape.n_layers), 0);
  for (const int layer : shape.attention) kv_heads[static_cast<size_t>(layer)] = kKvHeads;
  writer.SetI32s(arch + ".attention.head_count_kv", kv_heads);
  writer.SetF32(arch + ".rope.freq_base", 1e6f);
  writer.SetF32(arch + ".attention.layer_norm_rms_epsilon", 1e-5f);
  u32(".vocab_size", shape.vocab);
  u32(".shortconv.l_cache", kConvLength);
  if (moe) {
    u32(".expert_count", shape.n_experts);
    u32(".expert_used_count", kUsedExperts);
    u32(".expert_feed_forward_length", shape.expert_ff);
    u32(".leading_dense_block_count", shape.n_dense);
    u32(".expert_gating_func", 2);  // sigmoid
  }
  writer.SetU32("general.quantization_version", 2);
  writer.SetU32("general.file_type", mix.file_type);
}

void SetTokenizerKeys(const Shape& shape, formats::GgufWriter& writer) {
  const bool large = shape.vocab == 128000;
  const SynthVocabulary vocabulary = large ? MakeSynthVocabulary128000() : MakeSynthVocabulary65536();
  writer.SetString("tokenizer.ggml.model", "gpt2");
  writer.SetString("tokenizer.ggml.pre", "lfm2");
  writer.SetStrings("tokenizer.ggml.tokens", std::span<const std::string>(vocabulary.tokens));
  writer.SetI32s("tokenizer.ggml.token_type", vocabulary.types);
  writer.SetStrings("tokenizer.ggml.merges", std::span<const std::string>(vocabulary.merges));
  writer.SetU32("tokenizer.ggml.bos_token_id", vocabulary.bos);
  writer.SetU32("tokenizer.ggml.eos_token_id", vocabulary.eos);
  writer.SetU32("tokenizer.ggml.padding_token_id", vocabulary.pad);
  writer.SetBool("tokenizer.ggml.add_bos_token", true);
  writer.SetBool("tokenizer.ggml.add_eos_token", false);
  writer.SetString("tokenizer.chat_template", large ? kChatTemplateLfm25A1b : kChatTemplateLfm2A1b);
}

bool SameName(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  });
}

// The entry of this name, or an error that lists the names.
template <typename Table>
Result<const typename Table::value_type*> Choose(const Table& table, const std::string& name, const char* what) {
  std::string names;
  for (const auto& entry : table) {
    if (SameName(entry.name, name)) return &entry;
    names += StrCat(names.empty() ? "" : ", ", entry.name);
  }
  return Error{ErrorCode::kInvalidArgument, StrCat("there is no synthetic ", what, " ", Quote(name), "; use one of ", names)};
}

// Everything of the file but its weights.
Result<std::vector<Planned>> Declare(const SynthOptions& options, formats::GgufWriter& writer) {
  LFM_TRY(const Shape* shape, Choose(Shapes(), options.like, "model"));
  LFM_TRY(const SynthMix* mix, Choose(kSynthMixes, options.type, "type"));
  SetModelKeys(*shape, *mix, writer);
  SetTokenizerKeys(*shape, writer);
  std::vector<Planned> planned = Planner(*shape, *mix).Plan();
  for (const Planned& tensor : planned) LFM_RETURN_IF_ERROR(writer.AddTensor(tensor.plan));
  return planned;
}

}  // namespace

std::span<const std::string_view> SynthModels() {
  static const auto kNames = [] {
    std::vector<std::string_view> names;
    for (const Shape& shape : Shapes()) names.push_back(shape.name);
    return names;
  }();
  return kNames;
}

std::span<const std::string_view> SynthTypes() {
  static const auto kNames = [] {
    std::vector<std::string_view> names;
    names.reserve(std::size(kSynthMixes));
    for (const SynthMix& mix : kSynthMixes) names.push_back(mix.name);
    return names;
  }();
  return kNames;
}

Result<uint64_t> SynthFileBytes(const SynthOptions& options) {
  formats::GgufWriter writer;
  LFM_RETURN_IF_ERROR(Declare(options, writer));
  return writer.FileBytes();
}

Status WriteSynthetic(const SynthOptions& options, const formats::Progress& progress) {
  constexpr size_t kRowsBuffer = size_t{4} << 20;
  formats::GgufWriter writer;
  LFM_TRY(const std::vector<Planned> planned, Declare(options, writer));
  LFM_RETURN_IF_ERROR(writer.Begin(options.path, progress));
  std::vector<std::byte> buffer;
  for (size_t i = 0; i < planned.size(); ++i) {
    const auto& [plan, mean, deviation] = planned[i];
    CounterRandom keys{options.seed, i};
    CounterRandom random{keys.Next()};  // a stream a tensor
    const TensorTypeInfo& info = InfoOf(plan.type);
    uint64_t n_left = info.block_bytes;
    for (const int64_t n : plan.shape) n_left *= static_cast<uint64_t>(n);
    n_left /= info.block_size;
    const uint64_t n_piece = kRowsBuffer / info.block_bytes * info.block_bytes;
    while (n_left > 0) {
      buffer.resize(static_cast<size_t>(std::min(n_left, n_piece)));
      if (plan.type == TensorType::kF32) {
        FillRandomF32(mean, deviation, random, buffer);
      } else {
        FillRandom(plan.type, deviation, random, buffer);
      }
      LFM_RETURN_IF_ERROR(writer.Append(buffer));
      n_left -= buffer.size();
    }
  }
  return writer.Finish();
}

}  // namespace lfm::quant
