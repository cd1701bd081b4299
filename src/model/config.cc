#include "model/config.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/path_name.h"
#include "base/strings.h"
#include "model/settings.h"
#include "model/tensors.h"

namespace lfm::model {
namespace {

using formats::Checkpoint;
using formats::Naming;
using formats::Tensor;

constexpr int kMaxLayers = 1024;
constexpr int kMaxTaps = 64;
constexpr int kMaxHeadDim = 256;

Error Missing(const Checkpoint& checkpoint, const std::string& what) {
  return {ErrorCode::kCorrupt, StrCat(checkpoint.path, ": ", what, " is missing; the file is incomplete or was made ",
                                      "by an unknown converter: download it again")};
}

// What the metadata's readers say does not name the file.
Error InFile(const Error& error, const Checkpoint& checkpoint) {
  return error.message.find(checkpoint.path) == std::string::npos ? error.Within(checkpoint.path) : error;
}

Result<const Tensor*> Need(const Checkpoint& checkpoint, TensorField field, int i_layer = -1) {
  if (const Tensor* tensor = FindTensor(checkpoint, field, i_layer)) return tensor;
  return MissingTensor(checkpoint, field, i_layer);
}

// An integer, or a list with a value for each layer that is the same wherever it is not 0.
Result<int64_t> IntOrOneOfAll(const formats::Metadata& metadata, const std::string& key) {
  const formats::MetadataValue* const value = metadata.Find(key);
  const auto* const list = value ? std::get_if<std::vector<int64_t>>(value) : nullptr;
  if (!list) return metadata.Int(key, 0);
  int64_t one = 0;
  for (const int64_t n : *list) {
    if (n != 0 && one != 0 && n != one) {
      return Error{ErrorCode::kUnsupported, StrCat(key, " differs between layers (", one, " and ", n, "), which is not run")};
    }
    if (n != 0) one = n;
  }
  return one;
}

// Sizes that both conventions state; the rest comes from the tensors.
Status ReadGguf(const Checkpoint& checkpoint, Config& config) {
  const formats::Metadata& metadata = checkpoint.metadata;
  LFM_TRY(const auto architecture, metadata.String("general.architecture", ""));
  config.architecture = architecture;
  if (config.architecture != "lfm2" && config.architecture != "lfm2moe") {
    return Error{ErrorCode::kUnsupported, StrCat(checkpoint.path, ": architecture ", Quote(config.architecture),
                                                 " is not run here: lfm runs the LFM2 family only (lfm2, lfm2moe)")};
  }
  const std::string prefix = config.architecture + ".";
  LFM_TRY(const auto name, metadata.String("general.name", ""));
  config.name = ToValidUtf8(name);
  LFM_TRY(config.random_weights, metadata.Bool("lfm.random_weights", false));

  const auto integer = [&](const std::string& key, bool required, auto& out) -> Status {
    if (required && !metadata.Find(prefix + key)) return Missing(checkpoint, "metadata key " + prefix + key);
    LFM_TRY(const int64_t value, IntOrOneOfAll(metadata, prefix + key));
    if (value < 0 || value > (int64_t{1} << 31) - 1) {
      return Error{ErrorCode::kCorrupt,
                   StrCat(checkpoint.path, ": ", prefix, key, " is ", value, ", out of the range 0 to 2147483647")};
    }
    out = static_cast<std::remove_reference_t<decltype(out)>>(value);
    return Ok();
  };
  LFM_RETURN_IF_ERROR(integer("block_count", true, config.n_layers));
  LFM_RETURN_IF_ERROR(integer("attention.head_count", true, config.n_heads));
  LFM_RETURN_IF_ERROR(integer("expert_used_count", config.architecture == "lfm2moe", config.n_experts_used));
  LFM_RETURN_IF_ERROR(integer("context_length", true, config.context_length));
  LFM_TRY(const double eps, metadata.Float(prefix + "attention.layer_norm_rms_epsilon", 1e-5));
  LFM_TRY(config.rope_theta, metadata.Float(prefix + "rope.freq_base", 1e6));
  LFM_TRY(config.norm_topk_prob, metadata.Bool(prefix + "expert_weights_norm", true));
  LFM_TRY(const double scale, metadata.Float(prefix + "expert_weights_scale", 1.0));
  LFM_TRY(const int64_t gating, metadata.Int(prefix + "expert_gating_func", 2));
  if (gating != 2) {
    return Error{ErrorCode::kUnsupported,
                 StrCat(checkpoint.path, ": ", prefix, "expert_gating_func is ", gating, "; LFM2 routers use 2 (sigmoid)")};
  }
  config.norm_eps = static_cast<float>(eps);
  config.routed_scaling_factor = scale == 0 ? 1.0f : static_cast<float>(scale);  // 0 means "not set" there
  return Ok();
}

// rope_scaling, else rope_parameters: as in transformers the older name counts where both are there. Sets theta where they do.
Status ReadRope(const Checkpoint& checkpoint, double& theta) {
  const Json& older = checkpoint.config["rope_scaling"];
  const char* const name = older.is_null() || (older.is_object() && older.members().empty()) ? "rope_parameters" : "rope_scaling";
  const Json& rope = checkpoint.config[name];
  const auto refuse = [&](const auto&... what) {
    return Error{ErrorCode::kUnsupported, StrCat(checkpoint.path, "/config.json: ", name, ": ", what...)};
  };
  if (rope.is_null()) return Ok();
  if (!rope.is_object()) return refuse("is no object");
  for (const char* key : {"rope_type", "type"}) {
    const Json& type = rope[key];
    if (type.is_null()) continue;
    if (type.is_string() && type.AsString() == "default") break;
    return refuse("rope type ", type.is_string() ? Quote(type.AsString()) : type.Dump(),
                  " is not used by the LFM2 family; only \"default\" is run");
  }
  for (const auto& [key, value] : rope.members()) {
    if (value.is_object()) return refuse(Quote(key), " has rotations of its own; only the same for all layers are run");
  }
  for (const char* key : {"factor", "partial_rotary_factor"}) {
    const Json& value = rope[key];
    if (value.is_null() || (value.is_number() && value.AsDouble() == 1)) continue;
    return refuse(key, " is ", value.Dump(), "; only rotations of whole heads, not scaled, are run");
  }
  const Json& stated = rope["rope_theta"];
  if (!stated.is_null() && !stated.is_number()) return refuse("rope_theta is ", stated.Dump(), " where a number is expected");
  if (stated.is_number()) theta = stated.AsDouble();
  return Ok();
}

Status ReadHuggingFace(const Checkpoint& checkpoint, Config& config) {
  const Json& json = checkpoint.config;
  if (!json.is_object()) return Missing(checkpoint, "config.json");
  const std::string& type = json["model_type"].AsString();
  if (type != "lfm2" && type != "lfm2_moe") {
    return Error{ErrorCode::kUnsupported, StrCat(checkpoint.path, "/config.json: model_type ", Quote(type),
                                                 " is not run here: lfm runs the LFM2 family only (lfm2, lfm2_moe)")};
  }
  config.architecture = type == "lfm2" ? "lfm2" : "lfm2moe";
  config.name = NameOfPath(checkpoint.path);

  // The first of several spellings that is there: published configurations come in three styles.
  const auto first = [&](std::initializer_list<const char*> names) -> const Json& {
    for (const char* name : names) {
      if (!json[name].is_null()) return json[name];
    }
    static const Json kNull;
    return kNull;
  };
  const auto wrong = [&](const char* name, const Json& value, const char* expected) {
    return Error{ErrorCode::kCorrupt, StrCat(checkpoint.path, "/config.json: ", name, " is ", value.Dump().substr(0, 60),
                                             " where ", expected, " is expected")};
  };
  // The sizes that must be there.
  const auto integer = [&](std::initializer_list<const char*> names, auto& out) -> Status {
    const Json& value = first(names);
    if (value.is_null()) return Missing(checkpoint, StrCat("\"", *names.begin(), "\" of config.json"));
    if (!value.is_integer()) return wrong(*names.begin(), value, "an integer");
    out = static_cast<std::remove_reference_t<decltype(out)>>(std::clamp<int64_t>(value.AsInt(-1), -1, int64_t{1} << 30));
    return Ok();
  };
  // Settings with a default; what is no number or no bool is not taken for it.
  const auto real = [&](std::initializer_list<const char*> names, double otherwise) -> Result<double> {
    const Json& value = first(names);
    if (value.is_null()) return otherwise;
    if (!value.is_number()) return wrong(*names.begin(), value, "a number");
    return value.AsDouble();
  };
  const auto flag = [&](const char* name, bool otherwise) -> Result<bool> {
    const Json& value = json[name];
    if (value.is_null()) return otherwise;
    if (!value.is_bool()) return wrong(name, value, "true or false");
    return value.AsBool();
  };
  LFM_RETURN_IF_ERROR(integer({"num_hidden_layers"}, config.n_layers));
  LFM_RETURN_IF_ERROR(integer({"num_attention_heads", "num_heads"}, config.n_heads));
  if (type == "lfm2_moe") LFM_RETURN_IF_ERROR(integer({"num_experts_per_tok"}, config.n_experts_used));
  LFM_RETURN_IF_ERROR(integer({"max_position_embeddings"}, config.context_length));
  LFM_TRY(const double eps, real({"norm_eps", "block_norm_eps"}, 1e-5));
  config.norm_eps = static_cast<float>(eps);
  LFM_TRY(config.rope_theta, real({"rope_theta", "theta"}, 1e6));
  LFM_RETURN_IF_ERROR(ReadRope(checkpoint, config.rope_theta));
  LFM_TRY(config.norm_topk_prob, flag("norm_topk_prob", true));
  LFM_TRY(config.use_expert_bias, flag("use_expert_bias", true));
  LFM_TRY(const double scale, real({"routed_scaling_factor"}, 1.0));
  config.routed_scaling_factor = static_cast<float>(scale);
  return Ok();
}

// Dimension i of a tensor that must have n dimensions.
Result<int> Dimension(const Checkpoint& checkpoint, const Tensor& tensor, size_t i, size_t n) {
  if (tensor.shape.size() != n || tensor.shape[i] > (1 << 30)) {
    return Error{ErrorCode::kCorrupt, StrCat(checkpoint.path, ": tensor ", tensor.name, " has ", tensor.shape.size(),
                                             " dimensions where ", n, " are expected")};
  }
  return static_cast<int>(tensor.shape[i]);
}

Status ReadLayer(const Checkpoint& checkpoint, int i, Config& config) {
  LayerConfig& layer = config.layers[static_cast<size_t>(i)];
  if (const Tensor* taps = FindTensor(checkpoint, TensorField::kConvTaps, i)) {
    layer.mixer = Mixer::kConv;
    config.n_taps = static_cast<int>(std::min<int64_t>(taps->shape.back(), kMaxTaps + 1));
  } else {
    layer.mixer = Mixer::kAttention;
    LFM_TRY(const Tensor* norm, Need(checkpoint, TensorField::kAttentionKNorm, i));
    LFM_TRY(config.head_dim, Dimension(checkpoint, *norm, 0, 1));
    if (config.head_dim < 1) return Missing(checkpoint, norm->name);
    if (const Tensor* k = FindTensor(checkpoint, TensorField::kAttentionK, i)) {
      LFM_TRY(const int rows, Dimension(checkpoint, *k, 0, 2));
      config.n_kv_heads = rows / config.head_dim;
    } else {
      LFM_TRY(const Tensor* qkv, Need(checkpoint, TensorField::kAttentionQkv, i));
      LFM_TRY(const int rows, Dimension(checkpoint, *qkv, 0, 2));
      config.n_kv_heads = (rows / config.head_dim - config.n_heads) / 2;
    }
  }
  if (const Tensor* router = FindTensor(checkpoint, TensorField::kRouter, i)) {
    layer.ffn = Ffn::kMoe;
    LFM_TRY(config.n_experts, Dimension(checkpoint, *router, 0, 2));
    if (const Tensor* down = FindTensor(checkpoint, TensorField::kExpertsDown, i)) {
      LFM_TRY(config.d_ff_expert, Dimension(checkpoint, *down, 2, 3));
    } else if (const Tensor* one = FindTensor(checkpoint, TensorField::kExpertDown, i, 0)) {
      LFM_TRY(config.d_ff_expert, Dimension(checkpoint, *one, 1, 2));
    } else {
      const bool is_gguf = checkpoint.naming == Naming::kGguf;
      return MissingTensor(checkpoint, is_gguf ? TensorField::kExpertsDown : TensorField::kExpertDown, i, is_gguf ? -1 : 0);
    }
    if (checkpoint.naming == Naming::kGguf && FindTensor(checkpoint, TensorField::kExpertBias, i)) {
      config.use_expert_bias = true;
    }
  } else {
    layer.ffn = Ffn::kDense;
    LFM_TRY(const Tensor* down, Need(checkpoint, TensorField::kFfnDown, i));
    LFM_TRY(config.d_ff, Dimension(checkpoint, *down, 1, 2));
  }
  return Ok();
}

// The kinds that the file states, where it does, must be those of its tensors.
Status CheckStatedLayers(const Checkpoint& checkpoint, const Config& config) {
  std::vector<int> stated(config.layers.size(), -1);  // 1: attention, 0: convolution
  const Json& types = checkpoint.config["layer_types"];
  const Json& indexes = checkpoint.config["full_attn_idxs"];
  if (types.is_array()) {
    for (const Json& type : types.items()) {
      if (type.AsString() == "full_attention" || type.AsString() == "conv") continue;
      return Error{ErrorCode::kUnsupported,
                   StrCat(checkpoint.path, "/config.json: layer_types names ",
                          type.is_string() ? Quote(type.AsString()) : type.Dump(), "; only full_attention and conv are run")};
    }
    if (types.items().size() != stated.size()) {
      return Error{ErrorCode::kCorrupt, StrCat(checkpoint.path, "/config.json: layer_types has ", types.items().size(),
                                               " entries for ", stated.size(), " layers; download it again")};
    }
    for (size_t i = 0; i < std::min(stated.size(), types.items().size()); ++i) {
      stated[i] = types.items()[i].AsString() == "full_attention";
    }
  } else if (indexes.is_array()) {
    std::fill(stated.begin(), stated.end(), 0);
    for (const Json& index : indexes.items()) {
      if (index.AsInt(-1) >= 0 && index.AsInt() < config.n_layers) stated[static_cast<size_t>(index.AsInt())] = 1;
    }
  } else if (checkpoint.naming == Naming::kGguf) {
    LFM_TRY(const auto heads, checkpoint.metadata.Ints(config.architecture + ".attention.head_count_kv"));
    if (heads.size() == stated.size() && heads.size() > 1) {
      for (size_t i = 0; i < heads.size(); ++i) stated[i] = heads[i] != 0;
    }
  }
  for (size_t i = 0; i < stated.size(); ++i) {
    if (stated[i] >= 0 && (stated[i] == 1) != (config.layers[i].mixer == Mixer::kAttention)) {
      return Error{ErrorCode::kCorrupt,
                   StrCat(checkpoint.path, ": layer ", i, " is stated as ", stated[i] ? "attention" : "convolution",
                          " but its tensors are of the other kind")};
    }
  }
  return Ok();
}

// transformers would put random numbers in its place.
Status CheckHead(const Checkpoint& checkpoint) {
  for (const char* name : {"tie_embedding", "tie_word_embeddings"}) {
    const Json& tied = checkpoint.config[name];
    if (!tied.is_bool()) continue;
    if (tied.AsBool() || FindTensor(checkpoint, TensorField::kHead)) break;
    return Error{ErrorCode::kCorrupt,
                 StrCat(checkpoint.path, "/config.json: ", name, " is false, but tensor lm_head.weight is missing; the folder ",
                        "is incomplete: download it again")};
  }
  return Ok();
}

Status Validate(const Checkpoint& checkpoint, const Config& config) {
  const auto require = [&](bool condition, const auto&... what) -> Status {
    if (condition) return Ok();
    return Error{ErrorCode::kUnsupported, StrCat(checkpoint.path, ": ", what...)};
  };
  LFM_RETURN_IF_ERROR(require(config.d_model >= 32 && config.d_model % 32 == 0, "the hidden size is ", config.d_model,
                              "; it must be a positive multiple of 32"));
  LFM_RETURN_IF_ERROR(require(config.vocab_size >= 1, "the vocabulary is empty"));
  LFM_RETURN_IF_ERROR(require(std::isfinite(config.norm_eps) && config.norm_eps >= 0, "norm_eps is ", config.norm_eps));
  LFM_RETURN_IF_ERROR(require(config.rope_theta > 0 && std::isfinite(config.rope_theta), "rope_theta is ", config.rope_theta,
                              "; it must be positive"));
  LFM_RETURN_IF_ERROR(require(config.context_length >= 1 && config.context_length <= (int64_t{1} << 31), "the context length is ",
                              config.context_length));
  if (config.n_attention_layers() > 0) {
    LFM_RETURN_IF_ERROR(require(config.head_dim % 16 == 0 && config.head_dim >= 16 && config.head_dim <= kMaxHeadDim,
                                "the head size is ", config.head_dim, "; multiples of 16 up to 256 are run"));
    LFM_RETURN_IF_ERROR(require(config.n_heads >= 1 && config.n_kv_heads >= 1 && config.n_heads % config.n_kv_heads == 0 &&
                                    config.n_heads / config.n_kv_heads <= 64 && config.n_heads <= 4096,
                                config.n_heads, " attention heads do not divide into ", config.n_kv_heads, " key-value heads"));
    LFM_RETURN_IF_ERROR(require(config.n_heads * config.head_dim % 32 == 0, "the attention width is not a multiple ", "of 32"));
  }
  if (config.n_conv_layers() > 0) {
    LFM_RETURN_IF_ERROR(require(config.n_taps >= 1 && config.n_taps <= kMaxTaps, "the short convolution has ", config.n_taps,
                                " taps; 1 to 64 are run"));
  }
  if (config.n_experts > 0) {
    LFM_RETURN_IF_ERROR(require(
        config.n_experts_used >= 1 && config.n_experts_used <= std::min(config.n_experts, 256) && config.n_experts <= 4096,
        config.n_experts_used, " experts of ", config.n_experts, " cannot be used"));
    LFM_RETURN_IF_ERROR(require(config.d_ff_expert >= 32 && config.d_ff_expert % 32 == 0, "the experts' width is ",
                                config.d_ff_expert, "; it must be a multiple of 32"));
    LFM_RETURN_IF_ERROR(require(std::isfinite(config.routed_scaling_factor), "routed_scaling_factor is not finite"));
  }
  LFM_RETURN_IF_ERROR(require(config.d_ff % 32 == 0, "the feed-forward width is ", config.d_ff, "; it must be a multiple of 32"));
  return Ok();
}

// Names a file by its most frequent type among matrices, where the metadata does not.
std::string FileType(const Checkpoint& checkpoint) {
  // GGUF's general.file_type numbers (llama_ftype) of the mixes that are published of this family.
  static const std::map<int64_t, const char*> kMixes = {
      {0, "F32"},     {1, "F16"},     {2, "Q4_0"},     {3, "Q4_1"},    {7, "Q8_0"},      {8, "Q5_0"},    {9, "Q5_1"},
      {10, "Q2_K"},   {11, "Q3_K_S"}, {12, "Q3_K_M"},  {13, "Q3_K_L"}, {14, "Q4_K_S"},   {15, "Q4_K_M"}, {16, "Q5_K_S"},
      {17, "Q5_K_M"}, {18, "Q6_K"},   {19, "IQ2_XXS"}, {20, "IQ2_XS"}, {21, "Q2_K_S"},   {22, "IQ3_XS"}, {23, "IQ3_XXS"},
      {24, "IQ1_S"},  {25, "IQ4_NL"}, {26, "IQ3_S"},   {27, "IQ3_M"},  {28, "IQ2_S"},    {29, "IQ2_M"},  {30, "IQ4_XS"},
      {31, "IQ1_M"},  {32, "BF16"},   {36, "TQ1_0"},   {37, "TQ2_0"},  {38, "MXFP4_MOE"}};
  if (const auto type = checkpoint.metadata.Int("general.file_type", -1); type.ok()) {
    if (const auto mix = kMixes.find(*type); mix != kMixes.end()) return mix->second;
  }
  std::map<TensorType, size_t> bytes;
  for (const Tensor& tensor : checkpoint.tensors) {
    if (tensor.shape.size() > 1) bytes[tensor.type] += tensor.n_bytes();
  }
  if (bytes.empty()) return "";
  const auto most =
      std::max_element(bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return std::string(InfoOf(most->first).name);
}

}  // namespace

int Config::n_attention_layers() const {
  return static_cast<int>(
      std::count_if(layers.begin(), layers.end(), [](const LayerConfig& layer) { return layer.mixer == Mixer::kAttention; }));
}

Result<Config> ReadConfig(const Checkpoint& checkpoint) {
  Config config;
  const Status read = checkpoint.naming == Naming::kGguf ? ReadGguf(checkpoint, config) : ReadHuggingFace(checkpoint, config);
  if (!read.ok()) return InFile(read.error(), checkpoint);
  if (config.n_layers < 1 || config.n_layers > kMaxLayers) {
    return Error{ErrorCode::kCorrupt,
                 StrCat(checkpoint.path, ": the number of layers is ", config.n_layers, ", out of the range 1 to ", kMaxLayers)};
  }
  LFM_TRY(const Tensor* embedding, Need(checkpoint, TensorField::kEmbedding));
  LFM_TRY(config.vocab_size, Dimension(checkpoint, *embedding, 0, 2));
  LFM_TRY(config.d_model, Dimension(checkpoint, *embedding, 1, 2));
  config.layers.resize(static_cast<size_t>(config.n_layers));
  for (int i = 0; i < config.n_layers; ++i) LFM_RETURN_IF_ERROR(ReadLayer(checkpoint, i, config));
  if (const Status stated = CheckStatedLayers(checkpoint, config); !stated.ok()) return InFile(stated.error(), checkpoint);
  LFM_RETURN_IF_ERROR(CheckHead(checkpoint));
  config.file_type = FileType(checkpoint);
  // LFM2-8B-A1B's files state 128,000 positions, but the model was trained for 32,768 (its card).
  const bool is_8b_a1b = config.n_layers == 24 && config.d_model == 2048 && config.n_experts == 32 && config.vocab_size == 65536;
  if (is_8b_a1b) config.context_length = std::min<int64_t>(config.context_length, 32768);
  LFM_RETURN_IF_ERROR(Validate(checkpoint, config));
  if (const Status settings = CheckSettings(checkpoint, config); !settings.ok()) return InFile(settings.error(), checkpoint);
  LFM_TRY(const auto unused, UnusedTensors(checkpoint, config));
  for (const Tensor* tensor : unused) config.unused_tensors.push_back(tensor->name);
  for (const formats::ForeignTensor& tensor : checkpoint.foreign_tensors) config.unused_tensors.push_back(tensor.name);
  return config;
}

}  // namespace lfm::model
