#include "quant/gguf_metadata.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "base/log.h"
#include "base/strings.h"

namespace lfm::quant {
namespace {

using formats::Checkpoint;
using formats::GgufWriter;
using model::Config;

// The regular expressions of the family's tokenizers; both split alike (docs/tokenizer.md).
constexpr std::string_view kKnownRegexes[] = {
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s)",
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)"};

class TokenizerWriter {
 public:
  TokenizerWriter(const Checkpoint& folder, const Config& config, GgufWriter& writer)
      : file_(folder.tokenizer), settings_(folder.tokenizer_config), folder_(folder), writer_(writer),
        tokens_(static_cast<size_t>(config.vocab_size)),
        types_(static_cast<size_t>(config.vocab_size), static_cast<int32_t>(formats::GgufTokenType::kUnused)) {}

  Status Write() {
    if (file_.is_null()) {
      return Error{ErrorCode::kNotFound,
                   StrCat(folder_.path, " has no tokenizer.json; download it too: a GGUF file holds the tokenizer")};
    }
    LFM_TRY(const std::string pre, PreTokenizer());
    for (const auto& [text, id] : file_["model"]["vocab"].members()) {
      LFM_RETURN_IF_ERROR(Place(text, id, formats::GgufTokenType::kNormal));
    }
    for (const Json& added : file_["added_tokens"].items()) {
      const auto type = added["special"].AsBool() ? formats::GgufTokenType::kControl : formats::GgufTokenType::kUserDefined;
      if (added["id"].AsInt(-1) >= static_cast<int64_t>(tokens_.size())) {  // the model cannot read it either
        Log(LogLevel::kWarning, StrCat("added token ", Quote(added["content"].AsString()), " has id ", added["id"].AsInt(-1),
                                       ", but the model has only ", tokens_.size(), " rows of embeddings; it is left out"));
        left_out_.insert(added["content"].AsString());
        continue;
      }
      LFM_RETURN_IF_ERROR(Place(added["content"].AsString(), added["id"], type));
    }
    FillHoles();
    writer_.SetString("tokenizer.ggml.model", "gpt2");
    writer_.SetString("tokenizer.ggml.pre", pre);
    writer_.SetStrings("tokenizer.ggml.tokens", std::span<const std::string>(tokens_));
    writer_.SetI32s("tokenizer.ggml.token_type", types_);
    LFM_RETURN_IF_ERROR(WriteMerges());
    LFM_RETURN_IF_ERROR(WriteId("bos_token", "tokenizer.ggml.bos_token_id"));
    LFM_RETURN_IF_ERROR(WriteId("eos_token", "tokenizer.ggml.eos_token_id"));
    LFM_RETURN_IF_ERROR(WriteId("unk_token", "tokenizer.ggml.unknown_token_id"));
    LFM_RETURN_IF_ERROR(WriteId("pad_token", "tokenizer.ggml.padding_token_id"));
    LFM_RETURN_IF_ERROR(WriteAround());
    WriteFlags();
    WriteEnds();
    LFM_RETURN_IF_ERROR(WriteTemplates());
    for (const auto& [name, text] : settings_["extra_special_tokens"].members()) {
      writer_.SetString("lfm.template_variable." + name, text.AsString());
    }
    for (const std::string name : {"sep_token", "cls_token", "mask_token"}) {
      const std::string& text = settings_[name].AsString();
      if (!text.empty()) writer_.SetString("lfm.template_variable." + name, text);
    }
    return Ok();
  }

 private:
  Status WriteTemplates() {
    LFM_TRY(const auto templates, formats::ChatTemplatesOf(folder_));
    std::vector<std::string> names;
    for (const formats::NamedTemplate& entry : templates) {
      const bool is_default = entry.name == "default";
      writer_.SetString(is_default ? "tokenizer.chat_template" : "tokenizer.chat_template." + entry.name, entry.source);
      if (!is_default) names.push_back(entry.name);
    }
    if (!names.empty()) writer_.SetStrings("tokenizer.chat_templates", std::span<const std::string>(names));
    return Ok();
  }

  Error Corrupt(const std::string& message) const {
    return {ErrorCode::kCorrupt, StrCat(folder_.path, "/tokenizer.json: ", message)};
  }

  Result<std::string> PreTokenizer() const {
    std::string regex;
    for (const Json& part : file_["pre_tokenizer"]["pretokenizers"].items()) {
      if (part["type"].AsString() == "Split") regex = part["pattern"]["Regex"].AsString();
    }
    if (std::find(std::begin(kKnownRegexes), std::end(kKnownRegexes), regex) == std::end(kKnownRegexes)) {
      return Error{ErrorCode::kUnsupported, StrCat(folder_.path, "/tokenizer.json: the pre-tokenizer is not that of the ",
                                                   "LFM2 family, so GGUF has no name for it: ", Quote(regex, 200))};
    }
    // Both names split alike; the second one does not take a whole piece that is in the vocabulary.
    return std::string(file_["model"]["ignore_merges"].AsBool() ? "lfm2" : "smaug-bpe");
  }

  Status Place(const std::string& text, const Json& id, formats::GgufTokenType type) {
    const int64_t i = id.is_integer() ? id.AsInt(-1) : -1;
    if (i < 0) return Corrupt(StrCat("token ", Quote(text), " has no id"));
    if (static_cast<uint64_t>(i) >= tokens_.size()) {
      return Corrupt(StrCat("token ", Quote(text), " has id ", i, ", but the model has only ", tokens_.size(),
                            " rows of embeddings; the files do not belong together"));
    }
    const auto at = static_cast<size_t>(i);
    if (!tokens_[at].empty() && tokens_[at] != text) {
      return Corrupt(StrCat("id ", i, " is that of ", Quote(tokens_[at]), " and of ", Quote(text)));
    }
    if (text.empty()) return Corrupt(StrCat("the token of id ", i, " is empty"));
    tokens_[at] = text;
    types_[at] = static_cast<int32_t>(type);
    return Ok();
  }

  // Ids without a token get llama.cpp's name for them. Those before the last token are worth a word.
  void FillHoles() {
    size_t n_used = tokens_.size();
    while (n_used > 0 && tokens_[n_used - 1].empty()) --n_used;
    size_t n_holes = 0, first = 0;
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (!tokens_[i].empty()) continue;
      tokens_[i] = StrCat("[PAD", i, "]");
      if (i < n_used && n_holes++ == 0) first = i;
    }
    if (n_holes > 0) {
      Log(LogLevel::kWarning, StrCat("tokenizer.json has no token for ", n_holes, " ids below ", n_used, " (the first is ", first,
                                     "); they become unused tokens"));
    }
  }

  Status WriteMerges() {
    std::vector<std::string> merges;
    merges.reserve(file_["model"]["merges"].items().size());
    for (const Json& merge : file_["model"]["merges"].items()) {
      if (merge.is_string()) {
        merges.push_back(merge.AsString());
      } else if (merge.items().size() == 2) {
        merges.push_back(merge.items()[0].AsString() + " " + merge.items()[1].AsString());
      } else {
        return Corrupt(StrCat("model.merges[", merges.size(), "] is no pair"));
      }
    }
    writer_.SetStrings("tokenizer.ggml.merges", std::span<const std::string>(merges));
    return Ok();
  }

  // The id of a token that tokenizer_config.json names, else the id that config.json gives.
  Status WriteId(const std::string& name, const std::string& key) {
    const Json& named = settings_[name];
    const std::string& text = named.is_object() ? named["content"].AsString() : named.AsString();
    if (!text.empty()) {
      const auto found = std::find(tokens_.begin(), tokens_.end(), text);
      if (found == tokens_.end() && left_out_.contains(text)) return Ok();  // a warning has been given
      if (found == tokens_.end()) {
        return Error{ErrorCode::kCorrupt, StrCat(folder_.path, "/tokenizer_config.json: ", name, " is ", Quote(text),
                                                 ", which tokenizer.json does not have")};
      }
      ids_[name] = found - tokens_.begin();
      writer_.SetU32(key, static_cast<uint32_t>(ids_[name]));
      return Ok();
    }
    const Json& stated = folder_.config[name + "_id"];
    const int64_t id = stated.is_array() && !stated.items().empty() ? stated.items()[0].AsInt(-1) : stated.AsInt(-1);
    if (id < 0 || static_cast<uint64_t>(id) >= tokens_.size()) return Ok();
    ids_[name] = id;
    writer_.SetU32(key, static_cast<uint32_t>(id));
    return Ok();
  }

  // The ids of special tokens before and after a text, by the post-processor alone: the configuration's flags do not count in
  // transformers either. GGUF's flags say bos and eos; what is otherwise has keys that lfm reads.
  Status WriteAround() {
    const Json& processor = file_["post_processor"];
    const Json::Array parts =
        processor["type"].AsString() == "Sequence" ? processor["processors"].items() : Json::Array{processor};
    std::vector<int32_t> before, after;
    for (const Json& part : parts) LFM_RETURN_IF_ERROR(AddAround(part, before, after));
    writer_.SetBool("tokenizer.ggml.add_bos_token", !before.empty());
    writer_.SetBool("tokenizer.ggml.add_eos_token", !after.empty());
    const auto is = [&](const std::vector<int32_t>& ids, const char* name) {
      const auto id = ids_.find(name);
      return ids.empty() || (ids.size() == 1 && id != ids_.end() && id->second == ids[0]);
    };
    if (!is(before, "bos_token")) writer_.SetI32s("lfm.tokenizer.before", before);
    if (!is(after, "eos_token")) writer_.SetI32s("lfm.tokenizer.after", after);
    return Ok();
  }

  // As the tokenizer's reader takes them: each template puts its tokens around what the ones before it made.
  Status AddAround(const Json& processor, std::vector<int32_t>& before, std::vector<int32_t>& after) const {
    std::vector<int32_t> first;
    bool text_seen = false;
    for (const Json& item : processor["single"].items()) {
      text_seen = text_seen || item.Find("Sequence") != nullptr;
      const Json& special = item["SpecialToken"];
      for (const Json& id : processor["special_tokens"][special["id"].AsString()]["ids"].items()) {
        const int64_t value = id.AsInt(-1);
        if (value < 0 || static_cast<uint64_t>(value) >= tokens_.size()) {
          return Corrupt(StrCat("the post-processor's token ", Quote(special["id"].AsString()), " has id ", value,
                                ", beyond the rows of embeddings"));
        }
        (text_seen ? after : first).push_back(static_cast<int32_t>(value));
      }
    }
    before.insert(before.begin(), first.begin(), first.end());
    return Ok();
  }

  // Flags of added tokens that GGUF's types do not say. Those that are not special are normalized unless the key says otherwise.
  void WriteFlags() {
    for (const std::string flag : {"lstrip", "rstrip", "single_word", "normalized"}) {
      std::vector<int32_t> ids;
      bool is_usual = true;
      for (const Json& added : file_["added_tokens"].items()) {
        const int64_t id = added["id"].AsInt(-1);
        if (id < 0 || static_cast<uint64_t>(id) >= tokens_.size()) continue;
        const bool usual = flag == "normalized" && !added["special"].AsBool();
        const Json* const set = added.Find(flag);
        const bool is_set = set ? set->AsBool() : usual;
        if (is_set) ids.push_back(static_cast<int32_t>(id));
        is_usual = is_usual && is_set == usual;
      }
      if (!is_usual) writer_.SetI32s("lfm.tokenizer." + flag, ids);
    }
    if (settings_["split_special_tokens"].AsBool()) writer_.SetBool("lfm.tokenizer.split_special_tokens", true);
  }

  // All ends of generation, where generation_config.json or config.json names others than eos_token: ollama's key.
  void WriteEnds() {
    for (const Json* config : {&folder_.generation_config, &folder_.config}) {
      const Json& eos = (*config)["eos_token_id"];
      const Json::Array listed = eos.is_array() ? eos.items() : Json::Array{eos};
      std::vector<int32_t> ids;
      for (const Json& id : listed) {
        const int64_t value = id.is_integer() ? id.AsInt(-1) : -1;
        if (value >= 0 && static_cast<uint64_t>(value) < tokens_.size()) ids.push_back(static_cast<int32_t>(value));
      }
      if (ids.empty()) continue;
      const auto named = ids_.find("eos_token");
      if (ids.size() > 1 || named == ids_.end() || named->second != ids[0]) writer_.SetI32s("tokenizer.ggml.eos_token_ids", ids);
      return;
    }
  }

  const Json& file_;
  const Json& settings_;
  const Checkpoint& folder_;
  GgufWriter& writer_;
  std::vector<std::string> tokens_;
  std::vector<int32_t> types_;
  std::set<std::string> left_out_;      // added tokens beyond the embedding
  std::map<std::string, int64_t> ids_;  // of bos_token and its like, as written
};

void WriteSampling(const Json& generation, GgufWriter& writer) {
  const auto real = [&](const char* name, const char* key) {
    if (generation[name].is_number()) writer.SetF32(key, static_cast<float>(generation[name].AsDouble()));
  };
  if (generation["top_k"].is_integer())
    writer.SetI32("general.sampling.top_k", static_cast<int32_t>(std::clamp<int64_t>(generation["top_k"].AsInt(), 0, 1 << 30)));
  real("top_p", "general.sampling.top_p");
  real("min_p", "general.sampling.min_p");
  if (generation["do_sample"].is_bool() && !generation["do_sample"].AsBool()) {
    writer.SetF32("general.sampling.temp", 0);  // the likeliest token always, whatever else is set
  } else {
    real("temperature", "general.sampling.temp");
  }
  real("typical_p", "general.sampling.typical_p");
  real("repetition_penalty", "general.sampling.penalty_repeat");
}

}  // namespace

uint32_t FileTypeNumber(TensorType type) {
  switch (type) {
    case TensorType::kF32: return 0;
    case TensorType::kF16: return 1;
    case TensorType::kQ4_0: return 2;
    case TensorType::kQ4_1: return 3;
    case TensorType::kQ8_0: return 7;
    case TensorType::kQ5_0: return 8;
    case TensorType::kQ5_1: return 9;
    case TensorType::kQ2_K: return 10;
    case TensorType::kQ3_K: return 11;
    case TensorType::kQ4_K: return 14;
    case TensorType::kQ5_K: return 16;
    case TensorType::kQ6_K: return 18;
    case TensorType::kIQ2_XXS: return 19;
    case TensorType::kIQ2_XS: return 20;
    case TensorType::kIQ3_XXS: return 23;
    case TensorType::kIQ1_S: return 24;
    case TensorType::kIQ4_NL: return 25;
    case TensorType::kIQ3_S: return 26;
    case TensorType::kIQ2_S: return 28;
    case TensorType::kIQ4_XS: return 30;
    case TensorType::kIQ1_M: return 31;
    case TensorType::kBF16: return 32;
    case TensorType::kTQ1_0: return 36;
    case TensorType::kTQ2_0: return 37;
    case TensorType::kMXFP4: return 38;
  }
  return 0;
}

Status WriteTokenizerMetadata(const Checkpoint& folder, const Config& config, GgufWriter& writer) {
  return TokenizerWriter(folder, config, writer).Write();
}

Status WriteMetadata(const Checkpoint& folder, const Config& config, GgufWriter& writer) {
  const std::string prefix = config.architecture + ".";
  const auto u32 = [&](const char* key, int64_t value) { writer.SetU32(prefix + key, static_cast<uint32_t>(value)); };
  writer.SetString("general.architecture", config.architecture);
  writer.SetString("general.type", "model");
  if (!config.name.empty()) writer.SetString("general.name", config.name);
  WriteSampling(folder.generation_config, writer);
  u32("block_count", config.n_layers);
  u32("context_length", folder.config["max_position_embeddings"].AsInt(config.context_length));
  u32("embedding_length", config.d_model);
  // The key is required even where every layer has experts.
  u32("feed_forward_length", config.d_ff > 0 ? config.d_ff : folder.config["intermediate_size"].AsInt(config.d_ff_expert));
  u32("attention.head_count", config.n_heads);
  std::vector<int32_t> kv_heads;
  for (const model::LayerConfig& layer : config.layers) {
    kv_heads.push_back(layer.mixer == model::Mixer::kAttention ? config.n_kv_heads : 0);
  }
  writer.SetI32s(prefix + "attention.head_count_kv", kv_heads);
  if (config.n_attention_layers() > 0 && config.head_dim * config.n_heads != config.d_model) {
    u32("attention.key_length", config.head_dim);
    u32("attention.value_length", config.head_dim);
  }
  writer.SetF32(prefix + "rope.freq_base", static_cast<float>(config.rope_theta));
  writer.SetF32(prefix + "attention.layer_norm_rms_epsilon", config.norm_eps);
  u32("vocab_size", config.vocab_size);
  u32("shortconv.l_cache", config.n_taps > 0 ? config.n_taps : folder.config["conv_L_cache"].AsInt(3));
  if (config.n_experts > 0) {
    const auto dense = std::count_if(config.layers.begin(), config.layers.end(),
                                     [](const model::LayerConfig& layer) { return layer.ffn == model::Ffn::kDense; });
    u32("expert_count", config.n_experts);
    u32("expert_used_count", config.n_experts_used);
    u32("expert_feed_forward_length", config.d_ff_expert);
    u32("leading_dense_block_count", dense);
    u32("expert_gating_func", 2);  // sigmoid
    if (!config.norm_topk_prob) writer.SetBool(prefix + "expert_weights_norm", false);
    if (config.routed_scaling_factor != 1) writer.SetF32(prefix + "expert_weights_scale", config.routed_scaling_factor);
    if (!config.norm_topk_prob || config.routed_scaling_factor != 1) {
      Log(LogLevel::kWarning,
          "this model does not normalise its experts' weights, or scales them; lfm honours that "
          "(expert_weights_norm, expert_weights_scale), but llama.cpp ignores it and will answer "
          "differently");
    }
  }
  return WriteTokenizerMetadata(folder, config, writer);
}

}  // namespace lfm::quant
