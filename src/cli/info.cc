// lfm info: what a model file is. Reads headers only.
#include <algorithm>
#include <map>
#include <vector>

#include "base/strings.h"
#include "base/tensor_type.h"
#include "cli/commands.h"
#include "cli/model_args.h"
#include "cli/output.h"
#include "engine/describe.h"
#include "formats/checkpoint.h"

namespace lfm::cli {
namespace {

constexpr size_t kMostOpsListed = 6;  // --json has them all

std::string Shape(const formats::Tensor& tensor) {
  std::string text;
  for (const int64_t n : tensor.shape) text += StrCat(text.empty() ? "" : " x ", n);
  return text;
}

// "c c A c ...": a letter a layer, capital where attention; a dot where the feed-forward is dense.
std::string LayerMap(const model::Config& config) {
  std::string map;
  for (const model::LayerConfig& layer : config.layers) {
    map += StrCat(map.empty() ? "" : " ", layer.mixer == model::Mixer::kAttention ? "A" : "c",
                  layer.ffn == model::Ffn::kDense && config.n_experts > 0 ? "." : "");
  }
  return map;
}

void Row(const char* label, const std::string& value) { WriteOut(StrCat("  ", Padded(label, 18), Plain(value), "\n")); }

void PrintModel(const engine::Description& d) {
  const model::Config& config = d.config;
  WriteOut(StrCat(Plain(d.name), "\n"));
  if (config.random_weights) WriteOut("  RANDOM WEIGHTS: made to measure a machine, its answers are random\n");
  Row("architecture", config.architecture);
  Row("parameters", StrCat(HumanCount(static_cast<double>(d.parameters)), ", ",
                           HumanCount(static_cast<double>(d.active_parameters)), " active for a token"));
  Row("file", StrCat(HumanBytes(d.file_bytes), ", ", config.file_type));
  Row("context", StrCat(config.context_length, " tokens"));
  Row("vocabulary", StrCat(config.vocab_size));
  Row("layers",
      StrCat(config.n_layers, ": ", config.n_conv_layers(), " short convolution, ", config.n_attention_layers(), " attention"));
  Row("", LayerMap(config));
  Row("width", StrCat(config.d_model, ", ", config.n_heads, " heads of ", config.head_dim, ", ", config.n_kv_heads,
                      " of keys and values"));
  if (config.n_experts > 0) {
    Row("experts", StrCat(config.n_experts_used, " of ", config.n_experts, " for a token, ", config.d_ff_expert, " wide"));
  }
  if (config.d_ff > 0) Row("dense layers", StrCat(config.d_ff, " wide"));
  Row("chat template", d.chat_template.empty() ? "none" : StrCat("yes, ", d.chat_template.size(), " bytes"));
  for (size_t i = 0; i < config.unused_tensors.size(); ++i) {
    Row(i == 0 ? "unused tensors" : "", Quote(config.unused_tensors[i]));
  }
  if (d.templates.size() > 1 || (d.chat_template.empty() && !d.templates.empty())) {
    std::string names;
    for (const std::string& name : d.templates) names += (names.empty() ? "" : ", ") + Quote(name);
    Row("", StrCat("named ", names, " (--template-name)"));
  }
}

void PrintCosts(const engine::Description& d) {
  const auto n_ctx = static_cast<uint64_t>(d.config.context_length);
  WriteOut("\nFor one token\n");
  Row("weights read", HumanBytes(d.weight_bytes_per_token));
  Row("KV cache", StrCat(HumanBytes(d.state_bytes_per_token), " (i16)"));
  WriteOut("For one conversation\n");
  Row("convolutions", HumanBytes(d.state_bytes_per_sequence));
  Row("KV cache, full", HumanBytes(d.state_bytes_per_token * n_ctx));
}

void PrintIsa(const Json& isa) {
  std::string detected;
  for (const Json& name : isa["detected"].items()) detected += (detected.empty() ? "" : ", ") + name.AsString();
  WriteOut("\nOn this machine\n");
  Row("ISA", detected);
  std::map<std::string, std::vector<std::string>> ops_of;  // kernel -> its operations
  for (const auto& [op, kernel] : isa["chosen"].members()) ops_of[kernel.AsString()].push_back(op);
  for (const auto& [kernel, ops] : ops_of) {
    std::string list = StrCat(ops.size(), " operations");
    for (size_t i = 0; ops.size() <= kMostOpsListed && i < ops.size(); ++i) list += (i == 0 ? ": " : ", ") + ops[i];
    Row(("  " + kernel).c_str(), list);
  }
}

void PrintTensors(const formats::Checkpoint& checkpoint) {
  size_t width = 4;
  for (const formats::Tensor& tensor : checkpoint.tensors) width = std::max(width, Plain(tensor.name).size());
  WriteOut("\n");
  for (const formats::Tensor& tensor : checkpoint.tensors) {
    WriteOut(StrCat(Padded(Plain(tensor.name), width + 2), Padded(std::string(InfoOf(tensor.type).name), 8),
                    Padded(Shape(tensor), 22), tensor.n_bytes(), "\n"));
  }
}

Json TensorsJson(const formats::Checkpoint& checkpoint) {
  Json list = Json::MakeArray();
  for (const formats::Tensor& tensor : checkpoint.tensors) {
    Json row = Json::MakeObject();
    row.Set("name", tensor.name);
    row.Set("type", InfoOf(tensor.type).name);
    row.Set("shape", IdsJson(tensor.shape));
    row.Set("bytes", static_cast<uint64_t>(tensor.n_bytes()));
    list.Append(std::move(row));
  }
  return list;
}

class InfoCommand : public Command {
 public:
  void Declare(Args& args) override {
    args.Positional("MODEL", model_.model, "a .gguf file, a Hugging Face folder, or a name");
    model_.DeclareModel(args);
    args.Flag("--json", json_, "one JSON document");
    args.Flag("--tensors", tensors_, "list the tensors: name, type, shape (slowest first), bytes");
    args.Text("--isa", model_.isa, "NAME", "show the kernels of this ISA");
  }

  Result<int> Run() override {
    LFM_TRY(const std::string path, model_.Path());
    LFM_TRY(const std::string isa, model_.Isa());
    LFM_TRY(const formats::Checkpoint checkpoint, formats::OpenCheckpoint(path));
    LFM_TRY(const engine::Description description, engine::Describe(checkpoint));
    LFM_TRY(Json json, engine::DescriptionJson(description, isa));
    if (json_) {
      if (tensors_) json.Set("tensors", TensorsJson(checkpoint));
      WriteJson(json);
      return kExitOk;
    }
    PrintModel(description);
    PrintCosts(description);
    PrintIsa(json["isa"]);
    if (tensors_) PrintTensors(checkpoint);
    return kExitOk;
  }

 private:
  ModelArgs model_;
  bool json_ = false, tensors_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeInfo() { return std::make_unique<InfoCommand>(); }

}  // namespace lfm::cli
