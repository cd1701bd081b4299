#include "quant/hf_files.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>

#include "base/byte_alphabet.h"
#include "base/strings.h"
#include "formats/gguf_types.h"
#include "model/tensors.h"

namespace lfm::quant {
namespace {

using formats::Checkpoint;
using formats::GgufTokenType;
using formats::Metadata;
using model::Config;

using File = std::pair<std::string, std::string>;

constexpr const char* kRegex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// The shortest decimal that is this float: 1e-05 for 9.99999975e-06.
Json ShortFloat(float value) {
  std::array<char, 64> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value);
  std::string digits(text.data(), end.ptr);
  if (digits.find_first_of(".e") == std::string::npos) digits += ".0";
  return Json::MakeNumber(digits);
}

Json Object(Json::Object members) { return Json::MakeObject(std::move(members)); }

struct Vocabulary {
  std::vector<std::string_view> tokens;
  std::vector<int64_t> types;
  // Ids of added tokens with these flags (lfm.tokenizer.*), in the order of kFlags. Without the last, GGUF's default.
  std::array<std::vector<int64_t>, 4> flags;
  bool has_normalized = false;

  bool Has(size_t flag, size_t i) const {
    return std::find(flags[flag].begin(), flags[flag].end(), static_cast<int64_t>(i)) != flags[flag].end();
  }

  bool IsAdded(size_t i) const {
    return types[i] == static_cast<int64_t>(GgufTokenType::kControl) ||
           types[i] == static_cast<int64_t>(GgufTokenType::kUserDefined);
  }
  bool IsUnused(size_t i) const { return types[i] == static_cast<int64_t>(GgufTokenType::kUnused); }
  Json AddedToken(size_t i) const {
    const bool special = types[i] == static_cast<int64_t>(GgufTokenType::kControl);
    return Object({{"content", tokens[i]},
                   {"single_word", Has(0, i)},
                   {"lstrip", Has(1, i)},
                   {"rstrip", Has(2, i)},
                   {"normalized", has_normalized ? Has(3, i) : !special},
                   {"special", special}});
  }
};

Result<Vocabulary> ReadVocabulary(const Metadata& metadata) {
  Vocabulary vocabulary;
  LFM_TRY(vocabulary.tokens, metadata.Strings("tokenizer.ggml.tokens"));
  LFM_TRY(vocabulary.types, metadata.Ints("tokenizer.ggml.token_type"));
  if (vocabulary.tokens.empty()) {
    return Error{ErrorCode::kCorrupt, "the file holds no tokenizer (tokenizer.ggml.tokens is missing)"};
  }
  if (vocabulary.types.empty()) vocabulary.types.assign(vocabulary.tokens.size(), 1);
  if (vocabulary.types.size() != vocabulary.tokens.size()) {
    return Error{ErrorCode::kCorrupt, StrCat("tokenizer.ggml.token_type has ", vocabulary.types.size(), " entries for ",
                                             vocabulary.tokens.size(), " tokens")};
  }
  constexpr std::array kFlags = {"lfm.tokenizer.single_word", "lfm.tokenizer.lstrip", "lfm.tokenizer.rstrip",
                                 "lfm.tokenizer.normalized"};
  for (size_t i = 0; i < kFlags.size(); ++i) {
    LFM_TRY(vocabulary.flags[i], metadata.Ints(kFlags[i]));
  }
  vocabulary.has_normalized = metadata.Find(kFlags[3]) != nullptr;
  return vocabulary;
}

// The text of the token that `key` names, if any.
Result<std::string> NamedToken(const Metadata& metadata, const Vocabulary& vocabulary, const char* key) {
  LFM_TRY(const int64_t id, metadata.Int(key, -1));
  if (id < 0) return std::string();
  if (static_cast<uint64_t>(id) >= vocabulary.tokens.size()) {
    return Error{ErrorCode::kCorrupt, StrCat(key, " is ", id, ", but there are ", vocabulary.tokens.size(), " tokens")};
  }
  return std::string(vocabulary.tokens[static_cast<size_t>(id)]);
}

Result<bool> AddsBos(const Metadata& metadata) {
  LFM_TRY(const std::string_view pre, metadata.String("tokenizer.ggml.pre", ""));
  return metadata.Bool("tokenizer.ggml.add_bos_token", pre != "smaug-bpe");
}

// The ids around a text: as lfm convert kept them, else bos and eos where the flags say so.
struct Around {
  std::vector<int64_t> before, after;
};

Result<Around> ReadAround(const Metadata& metadata) {
  Around around;
  LFM_TRY(const bool adds_bos, AddsBos(metadata));
  LFM_TRY(const bool adds_eos, metadata.Bool("tokenizer.ggml.add_eos_token", false));
  const auto read = [&](bool adds, const char* kept, const char* usual) -> Result<std::vector<int64_t>> {
    if (metadata.Find(kept)) return metadata.Ints(kept);
    return adds ? metadata.Ints(usual) : std::vector<int64_t>();
  };
  LFM_TRY(around.before, read(adds_bos, "lfm.tokenizer.before", "tokenizer.ggml.bos_token_id"));
  LFM_TRY(around.after, read(adds_eos, "lfm.tokenizer.after", "tokenizer.ggml.eos_token_id"));
  return around;
}

Result<Json> PostProcessor(const Around& around, const Vocabulary& vocabulary) {
  Json described = Object({});
  const auto tokens = [&](const std::vector<int64_t>& ids, Json& out) -> Status {
    for (const int64_t id : ids) {
      if (id < 0 || static_cast<uint64_t>(id) >= vocabulary.tokens.size()) {
        return Error{ErrorCode::kCorrupt, StrCat("id ", id, " around a text is that of no token")};
      }
      const std::string text(vocabulary.tokens[static_cast<size_t>(id)]);
      out.Append(Object({{"SpecialToken", Object({{"id", text}, {"type_id", 0}})}}));
      described.Set(text,
                    Object({{"id", text}, {"ids", Json::MakeArray({Json(id)})}, {"tokens", Json::MakeArray({Json(text)})}}));
    }
    return Ok();
  };
  const auto sequence = [](const char* name) { return Object({{"Sequence", Object({{"id", name}, {"type_id", 0}})}}); };
  Json single = Json::MakeArray(), pair = Json::MakeArray();
  LFM_RETURN_IF_ERROR(tokens(around.before, single));
  LFM_RETURN_IF_ERROR(tokens(around.before, pair));
  single.Append(sequence("A"));
  pair.Append(sequence("A"));
  pair.Append(sequence("B"));
  LFM_RETURN_IF_ERROR(tokens(around.after, single));
  LFM_RETURN_IF_ERROR(tokens(around.after, pair));
  return Object({{"type", "TemplateProcessing"},
                 {"single", std::move(single)},
                 {"pair", std::move(pair)},
                 {"special_tokens", std::move(described)}});
}

Json PreTokenizer() {
  return Object(
      {{"type", "Sequence"},
       {"pretokenizers",
        Json::MakeArray(
            {Object({{"type", "Split"}, {"pattern", Object({{"Regex", kRegex}})}, {"behavior", "Isolated"}, {"invert", false}}),
             Object({{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}})})}});
}

Result<Json> MakeTokenizerConfig(const Metadata& metadata) {
  LFM_TRY(const Vocabulary vocabulary, ReadVocabulary(metadata));
  Json::Object added;
  for (size_t i = 0; i < vocabulary.tokens.size(); ++i) {
    if (vocabulary.IsAdded(i)) added.emplace_back(std::to_string(i), vocabulary.AddedToken(i));
  }
  LFM_TRY(const bool adds_bos, AddsBos(metadata));
  LFM_TRY(const bool adds_eos, metadata.Bool("tokenizer.ggml.add_eos_token", false));
  Json config =
      Object({{"add_bos_token", adds_bos}, {"add_eos_token", adds_eos}, {"added_tokens_decoder", Object(std::move(added))}});
  for (const auto& [name, key] :
       {std::pair("bos_token", "tokenizer.ggml.bos_token_id"), std::pair("eos_token", "tokenizer.ggml.eos_token_id"),
        std::pair("pad_token", "tokenizer.ggml.padding_token_id"), std::pair("unk_token", "tokenizer.ggml.unknown_token_id")}) {
    LFM_TRY(const std::string text, NamedToken(metadata, vocabulary, key));
    if (!text.empty()) config.Set(name, text);
  }
  constexpr std::string_view kVariable = "lfm.template_variable.";
  Json extra = Object({});
  for (const auto& [key, value] : metadata.entries()) {
    const auto* text = std::get_if<std::string_view>(&value);
    if (text && key.starts_with(kVariable)) extra.Set(key.substr(kVariable.size()), *text);
  }
  if (!extra.members().empty()) config.Set("extra_special_tokens", std::move(extra));
  LFM_TRY(const bool splits, metadata.Bool("lfm.tokenizer.split_special_tokens", false));
  if (splits) config.Set("split_special_tokens", true);
  config.Set("clean_up_tokenization_spaces", false);
  config.Set("spaces_between_special_tokens", false);
  config.Set("tokenizer_class", "PreTrainedTokenizerFast");
  return config;
}

Json SpecialTokensMap(const Json& tokenizer_config) {
  Json map = Object({});
  for (const char* name : {"bos_token", "eos_token", "unk_token", "pad_token"}) {
    if (tokenizer_config[name].is_null()) continue;
    map.Set(name, Object({{"content", tokenizer_config[name]},
                          {"lstrip", false},
                          {"normalized", false},
                          {"rstrip", false},
                          {"single_word", false}}));
  }
  return map;
}

const char* TorchType(TensorType type) {
  return type == TensorType::kF32 ? "float32" : type == TensorType::kF16 ? "float16" : "bfloat16";
}

// The ids that config.json and generation_config.json repeat.
Status SetIds(const Metadata& metadata, Json& json) {
  for (const auto& [name, key] :
       {std::pair("bos_token_id", "tokenizer.ggml.bos_token_id"), std::pair("eos_token_id", "tokenizer.ggml.eos_token_id"),
        std::pair("pad_token_id", "tokenizer.ggml.padding_token_id")}) {
    LFM_TRY(const int64_t id, metadata.Int(key, -1));
    if (id >= 0) json.Set(name, id);
  }
  return Ok();
}

Result<Json> MakeConfig(const Checkpoint& gguf, const Config& config, TensorType type) {
  const bool moe = config.architecture == "lfm2moe";
  const std::string prefix = config.architecture + ".";
  LFM_TRY(const int64_t n_context, gguf.metadata.Int(prefix + "context_length", config.context_length));
  LFM_TRY(const int64_t n_taps, gguf.metadata.Int(prefix + "shortconv.l_cache", config.n_taps > 0 ? config.n_taps : 3));
  Json json = Object({{"architectures", Json::MakeArray({Json(moe ? "Lfm2MoeForCausalLM" : "Lfm2ForCausalLM")})},
                      {"model_type", moe ? "lfm2_moe" : "lfm2"},
                      {"dtype", TorchType(type)},
                      {"vocab_size", config.vocab_size},
                      {"hidden_size", config.d_model},
                      {"num_hidden_layers", config.n_layers},
                      {"num_attention_heads", config.n_heads},
                      {"num_key_value_heads", config.n_kv_heads},
                      {"max_position_embeddings", n_context},
                      {"norm_eps", ShortFloat(config.norm_eps)},
                      {"rope_theta", config.rope_theta},
                      {"conv_L_cache", n_taps},
                      {"conv_bias", false},
                      {"initializer_range", Json::MakeNumber("0.02")},
                      {"use_cache", true},
                      {"tie_embedding", model::FindTensor(gguf, model::TensorField::kHead) == nullptr}});
  Json layer_types = Json::MakeArray(), attention = Json::MakeArray();
  int64_t n_dense = 0;
  for (size_t i = 0; i < config.layers.size(); ++i) {
    const bool is_attention = config.layers[i].mixer == model::Mixer::kAttention;
    layer_types.Append(is_attention ? "full_attention" : "conv");
    if (is_attention) attention.Append(static_cast<int64_t>(i));
    if (config.layers[i].ffn == model::Ffn::kDense) ++n_dense;
  }
  if (moe) {
    json.Set("intermediate_size", config.d_ff > 0 ? config.d_ff : config.d_ff_expert);
    json.Set("moe_intermediate_size", config.d_ff_expert);
    json.Set("num_dense_layers", n_dense);
    json.Set("num_experts", config.n_experts);
    json.Set("num_experts_per_tok", config.n_experts_used);
    json.Set("norm_topk_prob", config.norm_topk_prob);
    json.Set("use_expert_bias", config.use_expert_bias);
    json.Set("routed_scaling_factor", ShortFloat(config.routed_scaling_factor));
    json.Set("layer_types", std::move(layer_types));
  } else {
    json.Set("block_dim", config.d_model);
    json.Set("block_ff_dim", config.d_ff);
    json.Set("block_auto_adjust_ff_dim", false);
    json.Set("block_ffn_dim_multiplier", Json::MakeNumber("1.0"));
    json.Set("block_multiple_of", 256);
    json.Set("block_norm_eps", ShortFloat(config.norm_eps));
    json.Set("block_use_swiglu", true);
    json.Set("conv_dim", config.d_model);
    json.Set("conv_dim_out", config.d_model);
    json.Set("num_heads", config.n_heads);
    json.Set("use_pos_enc", true);
    json.Set("full_attn_idxs", std::move(attention));
  }
  LFM_RETURN_IF_ERROR(SetIds(gguf.metadata, json));
  return json;
}

Result<Json> MakeGenerationConfig(const Metadata& metadata) {
  Json json = Object({});
  LFM_RETURN_IF_ERROR(SetIds(metadata, json));
  LFM_TRY(const auto ends, metadata.Ints("tokenizer.ggml.eos_token_ids"));
  if (!ends.empty()) {
    Json list = Json::MakeArray();
    for (const int64_t id : ends) list.Append(id);
    json.Set("eos_token_id", std::move(list));
  }
  bool samples = false;
  for (const auto& [name, key] :
       {std::pair("temperature", "general.sampling.temp"), std::pair("top_p", "general.sampling.top_p"),
        std::pair("min_p", "general.sampling.min_p"), std::pair("typical_p", "general.sampling.typical_p"),
        std::pair("repetition_penalty", "general.sampling.penalty_repeat")}) {
    if (!metadata.Find(key)) continue;
    LFM_TRY(const double value, metadata.Float(key, 0));
    samples = true;
    if (value == 0 && std::string_view(name) == "temperature") continue;  // do_sample says it
    json.Set(name, ShortFloat(static_cast<float>(value)));
  }
  if (metadata.Find("general.sampling.top_k")) {
    LFM_TRY(const int64_t top_k, metadata.Int("general.sampling.top_k", 0));
    json.Set("top_k", top_k);
    samples = true;
  }
  LFM_TRY(const double temperature, metadata.Float("general.sampling.temp", 1));
  if (samples) json.Set("do_sample", temperature != 0);
  return json;
}

}  // namespace

Result<Json> MakeTokenizerJson(const Metadata& metadata) {
  LFM_TRY(const std::string_view model, metadata.String("tokenizer.ggml.model", ""));
  LFM_TRY(const std::string_view pre, metadata.String("tokenizer.ggml.pre", ""));
  const bool unnamed = pre.empty() || pre == "default";  // the family's own (text/tokenizer_gguf.cc)
  constexpr std::string_view kKnown[] = {"lfm2", "llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral", "smaug-bpe"};
  if (model != "gpt2" || (!unnamed && std::find(std::begin(kKnown), std::end(kKnown), pre) == std::end(kKnown))) {
    return Error{ErrorCode::kUnsupported, StrCat("the tokenizer is ", Quote(model), " with pre-tokenizer ", Quote(pre),
                                                 "; only that of the LFM2 family can be written as tokenizer.json")};
  }
  LFM_TRY(const Vocabulary vocabulary, ReadVocabulary(metadata));
  LFM_TRY(const auto merge_texts, metadata.Strings("tokenizer.ggml.merges"));
  Json::Object entries;
  Json::Array added, merges;
  for (size_t i = 0; i < vocabulary.tokens.size(); ++i) {
    if (vocabulary.IsUnused(i)) continue;
    if (vocabulary.IsAdded(i)) {
      Json token = Object({{"id", static_cast<int64_t>(i)}});
      const Json flags = vocabulary.AddedToken(i);
      for (const auto& [name, value] : flags.members()) token.Set(name, value);
      added.push_back(std::move(token));
      // What is text of the byte alphabet can be part of the BPE vocabulary too.
      if (vocabulary.tokens[i].empty() || !BytesOfAlphabet(vocabulary.tokens[i])) continue;
    }
    entries.emplace_back(vocabulary.tokens[i], static_cast<int64_t>(i));
  }
  merges.reserve(merge_texts.size());
  for (const std::string_view merge : merge_texts) {
    const size_t space = merge.find(' ');
    if (space == std::string_view::npos || space == 0 || space + 1 == merge.size()) {
      return Error{ErrorCode::kCorrupt, StrCat("tokenizer.ggml.merges[", merges.size(), "] is no pair: ", Quote(merge))};
    }
    merges.push_back(Json::MakeArray({Json(merge.substr(0, space)), Json(merge.substr(space + 1))}));
  }
  LFM_TRY(const Around around, ReadAround(metadata));
  LFM_TRY(const Json post_processor, PostProcessor(around, vocabulary));
  const bool adds = !around.before.empty() || !around.after.empty();
  const Json byte_level =
      Object({{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}});
  return Object({{"version", "1.0"},
                 {"truncation", nullptr},
                 {"padding", nullptr},
                 {"added_tokens", Json::MakeArray(std::move(added))},
                 {"normalizer", nullptr},
                 {"pre_tokenizer", PreTokenizer()},
                 {"post_processor", adds ? post_processor : byte_level},
                 {"decoder", byte_level},
                 {"model", Object({{"type", "BPE"},
                                   {"dropout", nullptr},
                                   {"unk_token", nullptr},
                                   {"continuing_subword_prefix", nullptr},
                                   {"end_of_word_suffix", nullptr},
                                   {"fuse_unk", false},
                                   {"byte_fallback", false},
                                   {"ignore_merges", pre != "smaug-bpe"},
                                   {"vocab", Object(std::move(entries))},
                                   {"merges", Json::MakeArray(std::move(merges))}})}});
}

Result<std::vector<File>> MakeHfFiles(const Checkpoint& gguf, const Config& config, TensorType type) {
  std::vector<File> files;
  const auto add = [&](const char* name, const Json& json) { files.emplace_back(name, json.Dump(2) + "\n"); };
  LFM_TRY(const Json tokenizer, MakeTokenizerJson(gguf.metadata));
  LFM_TRY(Json tokenizer_config, MakeTokenizerConfig(gguf.metadata));
  LFM_TRY(const auto templates, formats::ChatTemplatesOf(gguf));
  LFM_TRY(const Json generation, MakeGenerationConfig(gguf.metadata));
  LFM_TRY(const Json model_config, MakeConfig(gguf, config, type));
  if (templates.size() > 1 || (!templates.empty() && templates[0].name != "default")) {
    Json list = Json::MakeArray();  // named ones: their names, which may be anything, never become file names
    for (const formats::NamedTemplate& entry : templates) {
      list.Append(Object({{"name", entry.name}, {"template", entry.source}}));
    }
    tokenizer_config.Set("chat_template", std::move(list));
  }
  add("tokenizer.json", tokenizer);
  add("tokenizer_config.json", tokenizer_config);
  add("special_tokens_map.json", SpecialTokensMap(tokenizer_config));
  add("generation_config.json", generation);
  if (templates.size() == 1 && templates[0].name == "default") {
    files.emplace_back("chat_template.jinja", templates[0].source);
  }
  add("config.json", model_config);  // last: without it the folder is no model
  return files;
}

}  // namespace lfm::quant
