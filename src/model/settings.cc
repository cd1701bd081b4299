#include "model/settings.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/file.h"
#include "base/strings.h"
#include "model/folder_prefix.h"
#include "model/tensors.h"

namespace lfm::model {
namespace {

using formats::Checkpoint;
using formats::MetadataValue;
using formats::Naming;
using formats::Tensor;

// A value as text for a message.
std::string TextOf(const MetadataValue& value) {
  struct Printer {
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(uint64_t v) const { return StrCat(v); }
    std::string operator()(int64_t v) const { return StrCat(v); }
    std::string operator()(double v) const { return StrCat(v); }
    std::string operator()(std::string_view v) const { return Quote(v, 60); }
    std::string operator()(const std::vector<int64_t>& v) const { return StrCat("a list of ", v.size()); }
    std::string operator()(const std::vector<double>& v) const { return StrCat("a list of ", v.size()); }
    std::string operator()(const std::vector<std::string_view>& v) const { return StrCat("a list of ", v.size()); }
  };
  return std::visit(Printer(), value);
}

std::optional<double> NumberOf(const MetadataValue& value) {
  if (const auto* v = std::get_if<bool>(&value)) return *v ? 1.0 : 0.0;
  if (const auto* v = std::get_if<uint64_t>(&value)) return static_cast<double>(*v);
  if (const auto* v = std::get_if<int64_t>(&value)) return static_cast<double>(*v);
  if (const auto* v = std::get_if<double>(&value)) return *v;
  return std::nullopt;
}

// Zero, false, empty, "none": how a file says that it has no such thing.
bool IsOff(const MetadataValue& value) {
  if (const auto number = NumberOf(value)) return *number == 0;
  if (const auto* v = std::get_if<std::string_view>(&value)) return v->empty() || *v == "none";
  if (const auto* v = std::get_if<std::vector<int64_t>>(&value)) {
    return std::all_of(v->begin(), v->end(), [](int64_t x) { return x == 0; });
  }
  if (const auto* v = std::get_if<std::vector<double>>(&value)) {
    return std::all_of(v->begin(), v->end(), [](double x) { return x == 0; });
  }
  return std::get<std::vector<std::string_view>>(value).empty();
}

// Keys that ReadConfig reads, that the tensors say better, or that only describe.
constexpr std::string_view kReadKeys[] = {"block_count",
                                          "context_length",
                                          "embedding_length",
                                          "feed_forward_length",
                                          "attention.head_count",
                                          "attention.head_count_kv",
                                          "attention.layer_norm_rms_epsilon",
                                          "rope.freq_base",
                                          "vocab_size",
                                          "shortconv.l_cache",
                                          "expert_count",
                                          "expert_used_count",
                                          "expert_feed_forward_length",
                                          "leading_dense_block_count",
                                          "expert_gating_func",
                                          "expert_weights_norm",
                                          "expert_weights_scale",
                                          "tensor_data_layout",
                                          "rope.scaling.original_context_length",
                                          "rope.scaling.finetuned"};

// A number that must be the one that the model computes with.
struct Stated {
  std::string_view key;
  double computed;
  std::string_view why;
};

bool Same(double a, double b) { return std::abs(a - b) <= 1e-5 * std::abs(b); }

class GgufChecker {
 public:
  GgufChecker(const Checkpoint& checkpoint, const Config& config)
      : checkpoint_(checkpoint), config_(config), prefix_(config.architecture + ".") {}

  Status Check() const {
    LFM_RETURN_IF_ERROR(CheckType());
    for (const auto& [key, value] : checkpoint_.metadata.entries()) {
      if (key.starts_with(prefix_)) LFM_RETURN_IF_ERROR(CheckKey(key, key.substr(prefix_.size()), value));
    }
    return Ok();
  }

 private:
  // An adapter, a projector or a bare vocabulary is no model.
  Status CheckType() const {
    LFM_TRY(const std::string_view type, checkpoint_.metadata.String("general.type", "model"));
    if (type == "model" && !checkpoint_.metadata.Find("adapter.type")) return Ok();
    const bool adapter = type == "adapter" || checkpoint_.metadata.Find("adapter.type");
    return Error{ErrorCode::kUnsupported,
                 StrCat(checkpoint_.path, " is ", adapter ? "an adapter (LoRA)" : Quote(type), ", no whole model",
                        adapter ? "; merge it into its model first" : "; get the model's own file")};
  }

  Status Refuse(const std::string& key, const MetadataValue& value, std::string_view why) const {
    return Error{ErrorCode::kUnsupported, StrCat(checkpoint_.path, ": ", key, " is ", TextOf(value), ": ", why)};
  }

  Status CheckKey(const std::string& key, std::string_view name, const MetadataValue& value) const {
    if (std::find(std::begin(kReadKeys), std::end(kReadKeys), name) != std::end(kReadKeys)) return Ok();
    const auto number = NumberOf(value);
    if (name == "attention.causal") {
      return number && *number == 1 ? Ok() : Refuse(key, value, "the model looks both ways; it makes embeddings and no text");
    }
    if (name == "pooling_type") {
      const bool none = number && (*number == 0 || *number == -1 || *number == 4294967295.0);
      return none ? Ok() : Refuse(key, value, "the model pools its states; it makes embeddings or scores and no text");
    }
    if (name == "attention.sliding_window" && number && *number >= static_cast<double>(config_.context_length)) return Ok();
    if (name.starts_with("rope.scal")) return CheckRopeScaling(key, name, value);
    const double h = config_.head_dim;
    const Stated stated[] = {
        {"attention.key_length", h, "the keys' norm has another length"},
        {"attention.value_length", h, "the keys' norm has another length"},
        {"rope.dimension_count", h, "only rotations of whole heads are run"},
        {"attention.scale", 1 / std::sqrt(h), "only scores scaled by 1/sqrt(head size) are run"},
        {"attention.layer_norm_epsilon", config_.norm_eps, "its norms take only a root mean square"},
        {"embedding_length_out", static_cast<double>(config_.d_model),
         "the model has a projection behind its last norm; it makes embeddings and no text"},
        {"logit_scale", 1, "scaled logits are not run"},
        {"embedding_scale", 1, "scaled embeddings are not run"},
        {"residual_scale", 1, "scaled residuals are not run"},
        {"expert_group_count", 1, "groups of experts are not run"},
        {"expert_group_used_count", 1, "groups of experts are not run"},
        {"moe_every_n_layers", 1, "the layers' kinds are taken from the tensors"},
    };
    for (const Stated& entry : stated) {
      if (entry.key != name) continue;
      const bool no_attention = config_.n_attention_layers() == 0 && (name.starts_with("attention") || name.starts_with("rope"));
      if (no_attention || IsOff(value) || (number && Same(*number, entry.computed))) return Ok();
      return Refuse(key, value, StrCat(entry.why, "; this model computes with ", entry.computed));
    }
    if (IsOff(value)) return Ok();
    return Refuse(key, value,
                  "this lfm does not know or run it, and it may change what the model computes; get a file of the "
                  "model as it was published, or a newer lfm");
  }

  // Without a type a factor means linear scaling, as in llama.cpp; type "none" makes all but attn_factor mean nothing.
  Status CheckRopeScaling(const std::string& key, std::string_view name, const MetadataValue& value) const {
    LFM_TRY(const std::string_view type, checkpoint_.metadata.String(prefix_ + "rope.scaling.type", "linear"));
    const auto number = NumberOf(value);
    const std::string_view why = "scaled rotations are not run; the LFM2 family uses none";
    if (name == "rope.scaling.type") return type == "none" || type == "linear" || type.empty() ? Ok() : Refuse(key, value, why);
    if (IsOff(value) || (number && *number == 1)) return Ok();
    if (type == "none" && name != "rope.scaling.attn_factor") return Ok();
    if (name.find("yarn_") != std::string_view::npos) return Ok();  // of a type that is refused where it is set
    return Refuse(key, value, why);
  }

  const Checkpoint& checkpoint_;
  const Config& config_;
  const std::string prefix_;
};

// Settings of config.json with the only values that this family computes with. A null or a missing one is fine.
struct JsonSetting {
  std::string_view name;
  enum Kind { kOff, kTrue, kOne, kSilu, kSigmoid, kHeadDim, kWindow, kAny } allowed;  // kOff: false, 0, empty
  std::string_view why;
};
constexpr JsonSetting kJsonSettings[] = {
    {"attention_bias", JsonSetting::kOff, "biases are not run"},
    {"mlp_bias", JsonSetting::kOff, "biases are not run"},
    {"use_bias", JsonSetting::kOff, "biases are not run"},
    {"conv_bias", JsonSetting::kOff, "no released LFM2 has biases and they are not run"},
    {"hidden_act", JsonSetting::kSilu, "only SwiGLU (silu) is run"},
    {"hidden_activation", JsonSetting::kSilu, "only SwiGLU (silu) is run"},
    {"block_use_swiglu", JsonSetting::kTrue, "only SwiGLU is run"},
    {"use_pos_enc", JsonSetting::kTrue, "only models with rotary positions are run"},
    {"is_causal", JsonSetting::kTrue, "the model looks both ways; it makes embeddings and no text"},
    {"is_decoder", JsonSetting::kTrue, "only decoders are run"},
    {"is_encoder_decoder", JsonSetting::kOff, "only decoders are run"},
    {"use_bidirectional_attention", JsonSetting::kOff, "the model looks both ways; it makes embeddings and no text"},
    {"bidirectional", JsonSetting::kOff, "the model looks both ways; it makes embeddings and no text"},
    {"sliding_window", JsonSetting::kWindow, "windows of attention are not run"},
    {"attention_chunk_size", JsonSetting::kWindow, "windows of attention are not run"},
    {"attn_logit_softcapping", JsonSetting::kOff, "soft caps are not run"},
    {"final_logit_softcapping", JsonSetting::kOff, "soft caps are not run"},
    {"router_logit_softcapping", JsonSetting::kOff, "soft caps are not run"},
    {"logit_scale", JsonSetting::kOne, "scaled logits are not run"},
    {"logits_scaling", JsonSetting::kOne, "scaled logits are not run"},
    {"embedding_multiplier", JsonSetting::kOne, "scaled embeddings are not run"},
    {"residual_multiplier", JsonSetting::kOne, "scaled residuals are not run"},
    {"partial_rotary_factor", JsonSetting::kOne, "only rotations of whole heads are run"},
    {"rotary_pct", JsonSetting::kOne, "only rotations of whole heads are run"},
    {"head_dim", JsonSetting::kHeadDim, "the keys' norm has another length"},
    {"n_group", JsonSetting::kOne, "groups of experts are not run"},
    {"topk_group", JsonSetting::kOne, "groups of experts are not run"},
    {"n_shared_experts", JsonSetting::kOff, "shared experts are not run"},
    {"num_shared_experts", JsonSetting::kOff, "shared experts are not run"},
    {"shared_expert_intermediate_size", JsonSetting::kOff, "shared experts are not run"},
    {"quantization_config", JsonSetting::kOff,
     "its weights are quantised in a way of its own; get the bf16 files or a GGUF file"},
    {"compression_config", JsonSetting::kOff, "its weights are quantised in a way of its own; get the bf16 files or a GGUF file"},
    {"quantization", JsonSetting::kOff, "its weights are quantised in a way of its own; get the bf16 files or a GGUF file"},
    {"add_cross_attention", JsonSetting::kOff, "only decoders are run"},
    {"qk_norm", JsonSetting::kTrue, "queries and keys are always normed"},
    {"use_qk_norm", JsonSetting::kTrue, "queries and keys are always normed"},
    {"scoring_func", JsonSetting::kSigmoid, "routers weigh by sigmoid (scoring_func)"},
    // The model's own, read by ReadConfig or stated by the tensors; and those that are of training or of other programs.
    {"routed_scaling_factor", JsonSetting::kAny, ""},
    {"rope_scaling", JsonSetting::kAny, ""},
    {"rope_parameters", JsonSetting::kAny, ""},
    {"block_ffn_dim_multiplier", JsonSetting::kAny, ""},
    {"block_mlp_init_scale", JsonSetting::kAny, ""},
    {"block_out_init_scale", JsonSetting::kAny, ""},
    {"use_sliding_window", JsonSetting::kAny, ""},
    {"max_window_layers", JsonSetting::kAny, ""},
    {"chunk_size_feed_forward", JsonSetting::kAny, ""},
};

// Words in the names of settings that change what models compute. A setting that nobody here knows and whose name has one
// of them is taken for such a setting, unless it is off or 1.
constexpr std::string_view kTellingWords[] = {
    "softcap", "soft_cap", "sliding", "window", "multiplier", "scal",    "clip",    "clamp",    "swiglu", "sink",      "alibi",
    "no_rope", "nope_",    "rotary",  "rope_",  "interleave", "gating",  "softmax", "shared_e", "mup_",   "bidirect",  "pooling",
    "pool_",   "parallel", "causal",  "_gate",  "expert_gr",  "adapter", "lora",    "router_a", "tanh",   "logit_bias"};

bool IsOff(const Json& value) {
  if (value.is_null()) return true;
  if (value.is_bool()) return !value.AsBool();
  if (value.is_number()) return value.AsDouble() == 0;
  if (value.is_string()) return value.AsString().empty();
  return value.items().empty() && value.members().empty();
}

bool Allows(const JsonSetting& setting, const Json& value, const Config& config) {
  switch (setting.allowed) {
    case JsonSetting::kOff: return IsOff(value);
    case JsonSetting::kTrue:
      return value.is_bool() && (value.AsBool() || setting.name == "is_decoder");  // false is its default and means nothing
    case JsonSetting::kOne: return value.is_number() && value.AsDouble() == 1;
    case JsonSetting::kSilu: return value.AsString() == "silu" || value.AsString() == "swish";
    case JsonSetting::kSigmoid: return value.AsString() == "sigmoid";
    case JsonSetting::kAny: return true;
    case JsonSetting::kHeadDim:
      return config.n_attention_layers() == 0 || (value.is_number() && value.AsDouble() == config.head_dim);
    case JsonSetting::kWindow:
      return IsOff(value) || (value.is_number() && value.AsDouble() >= static_cast<double>(config.context_length));
  }
  return false;
}

std::string Shown(const Json& value) {
  std::string text = value.Dump();
  return text.size() > 60 ? "set" : text;
}

// Whether the name of a setting says that it changes the computation, and the value does not say that it is off.
bool IsTelling(const std::string& name, const Json& value) {
  if (IsOff(value) || (value.is_number() && value.AsDouble() == 1)) return false;
  const auto known = [&](const JsonSetting& setting) { return setting.name == name; };
  if (std::any_of(std::begin(kJsonSettings), std::end(kJsonSettings), known)) return false;
  std::string lower = name;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower != "rope_theta" && std::any_of(std::begin(kTellingWords), std::end(kTellingWords),
                                              [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

// Classes that transformers builds for these model types. Another one has code of its own, which may compute anything.
bool IsFamilyClass(const std::string& name) {
  return name == "Lfm2ForCausalLM" || name == "Lfm2MoeForCausalLM" || name == "LFM2ForCausalLM" || name == "Lfm2Model" ||
         name == "Lfm2MoeModel";
}

Status CheckFolder(const Checkpoint& checkpoint, const Config& config) {
  const Json& json = checkpoint.config;
  const auto refuse = [&](std::string_view what, std::string_view why) {
    return Error{ErrorCode::kUnsupported, StrCat(checkpoint.path, what, ": ", why)};
  };
  for (const JsonSetting& setting : kJsonSettings) {
    const Json* const value = json.Find(setting.name);
    if (!value || value->is_null() || Allows(setting, *value, config)) continue;
    if (setting.name == "sliding_window" && json["use_sliding_window"].is_bool() && !json["use_sliding_window"].AsBool())
      continue;
    return refuse(StrCat("/config.json: ", setting.name, " is ", Shown(*value)), setting.why);
  }
  for (const auto& [name, value] : json.members()) {
    if (!IsTelling(name, value)) continue;
    return refuse(StrCat("/config.json: ", Plain(name, 60), " is ", Shown(value)),
                  "this lfm does not know or run it, and it may change what the model computes; get the model as it was "
                  "published, or a newer lfm");
  }
  const Json& named = json["architectures"];
  const Json::Array names = named.is_string() ? Json::Array{named} : named.items();
  for (const Json& name : names) {
    if (IsFamilyClass(name.AsString())) continue;
    return refuse(StrCat("/config.json: architectures names ", name.is_string() ? Quote(name.AsString()) : name.Dump()),
                  "only Lfm2ForCausalLM and Lfm2MoeForCausalLM are run; other classes make no text, or have code of their own");
  }
  // These make the libraries around transformers compute something else from the same files.
  if (FileExists(checkpoint.path + "/adapter_config.json")) {
    return refuse("",
                  "there is an adapter beside the model (adapter_config.json), which transformers would apply; merge it first, "
                  "or move it away");
  }
  if (FileExists(checkpoint.path + "/modules.json")) {
    return refuse("", "it is an embedding model (modules.json of sentence-transformers), which makes no text");
  }
  return Ok();
}

// Whether every element is +0 or -0: what remains of a tensor without its signs is zero.
bool AllZero(const Tensor& tensor) {
  const size_t n_bytes = tensor.type == TensorType::kF32 ? 4 : 2;  // quantised ones: any set bit counts
  const bool is_float = tensor.type == TensorType::kF32 || tensor.type == TensorType::kF16 || tensor.type == TensorType::kBF16;
  for (size_t i = 0; i < tensor.bytes.size(); ++i) {
    const bool has_sign = is_float && i % n_bytes == n_bytes - 1;
    if ((tensor.bytes[i] & std::byte{has_sign ? uint8_t{0x7f} : uint8_t{0xff}}) != std::byte{0}) return false;
  }
  return true;
}

// The layer that a name begins with, or -1: "blk.3.…", "layers.3.…".
int LayerOf(std::string_view name) {
  for (const std::string_view mark : {"blk.", "layers."}) {
    if (!name.starts_with(mark)) continue;
    int layer = 0;
    size_t digits = 0;
    for (size_t i = mark.size(); i < name.size() && name[i] >= '0' && name[i] <= '9' && digits < 6; ++i, ++digits) {
      layer = layer * 10 + (name[i] - '0');
    }
    if (digits > 0) return layer;
  }
  return -1;
}

bool HasAny(std::string_view name, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) { return name.find(part) != name.npos; });
}
bool BeginsWithAny(std::string_view name, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) { return name.starts_with(part); });
}

constexpr std::string_view kModelDiffers = "the model would compute something else with it, and this lfm does not run it";
constexpr std::string_view kLayerDiffers = "the layer would compute something else with it, and this lfm does not run it";
constexpr std::string_view kOwnQuantisation = "the weights are quantised in a way of its own; get the bf16 files or a GGUF file";

// Why an unread tensor would change the computation; empty: it would not. `prefix`: what the folder has before its names.
std::string_view WhyNeeded(std::string_view name, std::string_view prefix, const Config& config) {
  if (HasAny(name, {"inv_freq", "position_ids", "num_batches_tracked", "masked_bias", "cos_cached", "sin_cached"})) return "";
  if (HasAny(name, {"lora_", "lora.", "loraA", "loraB", ".base_layer.", "prompt_embeddings", "prompt_encoder"})) {
    return "it is part of an adapter (LoRA or a learned prompt); merge the adapter first";
  }
  if (HasAny(name, {"rope_freqs", "rope_factors"})) return "changed frequencies of rotations are not run";
  if (BeginsWithAny(name, {"dense_2", "dense_3", "cls.", "cls_"})) {
    return "it is the head of an embedding model or a classifier, which makes no text";
  }
  if (name == "lm_head.weight") return "";  // tied to the embedding: not read
  if (!prefix.empty() && name.starts_with(prefix)) name.remove_prefix(prefix.size());
  if (BeginsWithAny(name, {"score.",      "classifier.",  "pooler.",     "position_embd", "pos_emb",     "token_types.",
                           "per_layer_",  "output",       "token_embd",  "lm_head.",      "norm.",       "norm_",
                           "embed_",      "embedding_",   "logit_scale", "logit_bias",    "altup_",      "hc_",
                           "project_in.", "project_out.", "layernorm",   "final_norm",    "final_layer", "wpe."})) {
    return kModelDiffers;
  }
  const int layer = LayerOf(name);
  if (layer < 0 || layer >= config.n_layers) return "";
  if (name.ends_with("bias")) return "biases are not run";
  if (HasAny(name, {"_scale", ".scale", "qweight", "qzeros", "absmax", "g_idx", "quant_state"})) return kOwnQuantisation;
  return kLayerDiffers;
}

// The same of a tensor of a type that is not read. Integers are tables of other programs, unless they stand for weights or
// choose experts.
std::string_view WhyForeignNeeded(const formats::ForeignTensor& tensor, std::string_view prefix, const Config& config) {
  const std::string_view why = WhyNeeded(tensor.name, prefix, config);
  const bool is_float = tensor.type.find('F') != std::string::npos;
  if (is_float || why == kOwnQuantisation) return why;
  return HasAny(tensor.name, {"tid2eid", "rope_f"}) ? why : "";
}

}  // namespace

Status CheckSettings(const Checkpoint& checkpoint, const Config& config) {
  return checkpoint.naming == Naming::kGguf ? GgufChecker(checkpoint, config).Check() : CheckFolder(checkpoint, config);
}

Result<std::vector<const Tensor*>> UnusedTensors(const Checkpoint& checkpoint, const Config& config) {
  const std::string prefix = FolderPrefix(checkpoint);
  const auto refuse = [&](const std::string& name, std::string_view why) {
    return Error{ErrorCode::kUnsupported, StrCat(checkpoint.path, ": tensor ", Quote(name), ": ", why)};
  };
  for (const formats::ForeignTensor& tensor : checkpoint.foreign_tensors) {
    const std::string_view why = WhyForeignNeeded(tensor, prefix, config);
    if (why.empty()) continue;
    const bool by_type = checkpoint.naming == Naming::kHuggingFace && (why == kModelDiffers || why == kLayerDiffers);
    return by_type ? refuse(tensor.name, StrCat("it is of dtype ", Quote(tensor.type), "; lfm reads F32, F16 and BF16: get the ",
                                                "original weights, or a .gguf file for a smaller one"))
                   : refuse(tensor.name, why);
  }
  std::unordered_set<const Tensor*> used;
  ForEachTensor(checkpoint, config, [&](const TensorPlace&, const Tensor& tensor) { used.insert(&tensor); });
  std::vector<const Tensor*> unused;
  for (const Tensor& tensor : checkpoint.tensors) {
    if (used.contains(&tensor)) continue;
    // The same tensor under a second name is no news.
    const bool copy = std::any_of(used.begin(), used.end(), [&](const Tensor* other) {
      return other->bytes.data() == tensor.bytes.data() && other->bytes.size() == tensor.bytes.size() && !tensor.bytes.empty();
    });
    const bool harmless = copy || (tensor.name.ends_with("bias") && AllZero(tensor));
    const std::string_view why = harmless ? "" : WhyNeeded(tensor.name, prefix, config);
    if (!why.empty()) return refuse(tensor.name, why);
    unused.push_back(&tensor);
  }
  return unused;
}

}  // namespace lfm::model
