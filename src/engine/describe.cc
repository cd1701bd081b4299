#include "engine/describe.h"

#include <array>
#include <utility>

#include "base/path_name.h"
#include "base/strings.h"
#include "base/tensor_type.h"
#include "model/tensors.h"

namespace lfm::engine {
namespace {

using model::Config;
using model::TensorField;

// Bytes of one position's keys and values of one layer and head, without what pages keep beside them.
size_t KvBytes(kernels::KvType type, int head_dim) {
  return kernels::KvPageBytes(type, head_dim) / static_cast<size_t>(kernels::kPagePositions);
}

// A tensor of experts, of which n_experts_used are read for a token; both conventions, fused or one by one.
bool IsExpertTensor(const std::string& name) {
  return name.find("_exps.") != std::string::npos || name.find(".experts.") != std::string::npos;
}

struct Sums {
  int64_t all = 0;
  int64_t experts = 0;
  uint64_t bytes = 0;  // of everything but experts
  uint64_t expert_bytes = 0;
};

// Part of the experts that one token uses.
template <typename T>
T UsedPart(T total, const Config& config) {
  if (config.n_experts == 0) return 0;
  return total / static_cast<T>(config.n_experts) * static_cast<T>(config.n_experts_used);
}

}  // namespace

std::string_view MixerName(model::Mixer mixer) { return mixer == model::Mixer::kConv ? "conv" : "attention"; }
std::string_view FfnName(model::Ffn ffn) { return ffn == model::Ffn::kDense ? "dense" : "moe"; }

Result<Description> Describe(const formats::Checkpoint& checkpoint, kernels::KvType kv_type) {
  Description out;
  LFM_TRY(out.config, model::ReadConfig(checkpoint));
  const Config& config = out.config;
  out.name = config.name.empty() ? NameOfPath(checkpoint.path) : config.name;
  LFM_TRY(auto templates, formats::ChatTemplatesOf(checkpoint));
  for (formats::NamedTemplate& entry : templates) {
    if (entry.name == "default") out.chat_template = std::move(entry.source);
    out.templates.push_back(std::move(entry.name));
  }
  out.file_bytes = checkpoint.n_bytes;

  Sums sums;
  for (const formats::Tensor& tensor : checkpoint.tensors) {
    const int64_t n = tensor.n_elements();
    sums.all += n;
    if (IsExpertTensor(tensor.name)) {
      sums.experts += n;
      sums.expert_bytes += tensor.n_bytes();
    } else {
      sums.bytes += tensor.n_bytes();
    }
  }
  out.parameters = sums.all;
  out.active_parameters = sums.all - sums.experts + UsedPart(sums.experts, config);
  out.weight_bytes_per_token = sums.bytes + UsedPart(sums.expert_bytes, config);
  // A separate embedding gives one row; the shared one is read whole, as the head.
  const formats::Tensor* embedding = model::FindTensor(checkpoint, TensorField::kEmbedding);
  if (embedding && model::FindTensor(checkpoint, TensorField::kHead)) {
    out.weight_bytes_per_token -= embedding->n_bytes();
    out.weight_bytes_per_token += embedding->n_bytes() / static_cast<uint64_t>(config.vocab_size);
  }

  const auto n_kv = static_cast<uint64_t>(config.n_attention_layers()) * static_cast<uint64_t>(config.n_kv_heads);
  out.state_bytes_per_token = n_kv * KvBytes(kv_type, config.head_dim);
  out.state_bytes_per_sequence = static_cast<uint64_t>(config.n_conv_layers()) * static_cast<uint64_t>(config.n_taps - 1) *
                                 static_cast<uint64_t>(config.d_model) * sizeof(float);
  return out;
}

Result<Json> IsaJson(const std::string& isa) {
  Json detected = Json::MakeArray();
  for (const kernels::Isa one : kernels::DetectIsas()) detected.Append(kernels::IsaName(one));
  LFM_TRY(const kernels::Table* table, kernels::Select(isa));
  Json chosen = Json::MakeObject();
  for (const auto& [op, kernel] : table->chosen) chosen.Set(op, kernel);
  Json json = Json::MakeObject();
  json.Set("detected", std::move(detected));
  json.Set("chosen", std::move(chosen));
  return json;
}

Result<Json> DescriptionJson(const Description& description, const std::string& isa) {
  const Config& config = description.config;
  Json layers = Json::MakeArray();
  for (size_t i = 0; i < config.layers.size(); ++i) {
    Json layer = Json::MakeObject();
    layer.Set("index", static_cast<int64_t>(i));
    layer.Set("mixer", MixerName(config.layers[i].mixer));
    layer.Set("ffn", FfnName(config.layers[i].ffn));
    layers.Append(std::move(layer));
  }
  Json json = Json::MakeObject();
  json.Set("architecture", config.architecture);
  json.Set("name", description.name);
  json.Set("parameters", description.parameters);
  json.Set("active_parameters", description.active_parameters);
  json.Set("layers", std::move(layers));
  json.Set("context_length", config.context_length);
  json.Set("vocab_size", config.vocab_size);
  json.Set("file_type", config.file_type);
  json.Set("file_bytes", description.file_bytes);
  json.Set("weight_bytes_per_token", description.weight_bytes_per_token);
  json.Set("state_bytes_per_token", description.state_bytes_per_token);
  json.Set("state_bytes_per_sequence", description.state_bytes_per_sequence);
  json.Set("chat_template", description.chat_template.empty() ? Json() : Json(description.chat_template));
  Json unused = Json::MakeArray();
  for (const std::string& name : config.unused_tensors) unused.Append(ToValidUtf8(name));
  json.Set("unused_tensors", std::move(unused));
  Json templates = Json::MakeArray();
  for (const std::string& name : description.templates) templates.Append(name);
  json.Set("chat_templates", std::move(templates));
  json.Set("random_weights", config.random_weights);
  LFM_TRY(Json isas, IsaJson(isa));
  json.Set("isa", std::move(isas));
  return json;
}

}  // namespace lfm::engine
