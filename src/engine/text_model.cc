#include "engine/text_model.h"

#include <algorithm>
#include <cctype>
#include <initializer_list>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "engine/chat_prompt.h"
#include "text/gguf_kept.h"

namespace lfm::engine {
namespace {

using formats::Checkpoint;
using formats::Metadata;
using formats::Naming;

SamplingParams Neutral() {
  SamplingParams params;
  params.temperature = 1;
  params.min_p = 0;
  params.repetition_penalty = 1;
  return params;
}

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

// LFM2.5-8B-A1B is the only member with experts and a vocabulary of 128,000.
bool IsLfm25Moe(const Checkpoint& checkpoint) {
  if (checkpoint.naming == Naming::kHuggingFace) {
    return checkpoint.config["model_type"].AsString() == "lfm2_moe" && checkpoint.config["vocab_size"].AsInt() == 128000;
  }
  const auto name = checkpoint.metadata.String("general.name", "");
  if (name.ok() && LowerCase(*name).find("lfm2.5-8b-a1b") != std::string::npos) return true;
  const auto architecture = checkpoint.metadata.String("general.architecture", "");
  const auto vocabulary = checkpoint.metadata.Int("lfm2moe.vocab_size", 0);
  return architecture.ok() && *architecture == "lfm2moe" && vocabulary.ok() && *vocabulary == 128000;
}

SamplingParams CardSampling(const Checkpoint& checkpoint) {
  SamplingParams params;  // LFM2's card
  if (IsLfm25Moe(checkpoint)) {
    params.temperature = 0.2F;
    params.top_k = 80;
    params.min_p = 0;
  }
  return params;
}

// Where one setting stands in either kind of file.
struct Setting {
  const char* hugging_face;
  const char* gguf;
  float SamplingParams::*field;
};
constexpr Setting kSettings[] = {
    {"temperature", "general.sampling.temp", &SamplingParams::temperature},
    {"top_p", "general.sampling.top_p", &SamplingParams::top_p},
    {"min_p", "general.sampling.min_p", &SamplingParams::min_p},
    {"typical_p", "general.sampling.typical_p", &SamplingParams::typical_p},
    {"repetition_penalty", "general.sampling.penalty_repeat", &SamplingParams::repetition_penalty},
};
constexpr int64_t kMaxTopK = 1 << 30;

// Both readers start from neutral values: a setting that the makers leave out beside others is off.
bool ReadGenerationConfig(const Json& config, SamplingParams& params) {
  params = Neutral();
  bool any = false;
  for (const Setting& setting : kSettings) {
    const Json& value = config[setting.hugging_face];
    if (!value.is_number()) continue;
    params.*setting.field = static_cast<float>(value.AsDouble());
    any = true;
  }
  if (config["top_k"].is_number()) {
    params.top_k = static_cast<int>(std::clamp<int64_t>(config["top_k"].AsInt(), 0, kMaxTopK));
    any = true;
  }
  if (config["do_sample"].is_bool() && !config["do_sample"].AsBool()) {
    params.temperature = 0;
    any = true;
  }
  return any;
}

Result<bool> ReadMetadata(const Metadata& metadata, SamplingParams& params) {
  params = Neutral();
  bool any = false;
  for (const Setting& setting : kSettings) {
    if (!metadata.Find(setting.gguf)) continue;
    LFM_TRY(const double value, metadata.Float(setting.gguf, 0));
    params.*setting.field = static_cast<float>(value);
    any = true;
  }
  if (metadata.Find("general.sampling.top_k")) {
    LFM_TRY(const int64_t top_k, metadata.Int("general.sampling.top_k", 0));
    params.top_k = static_cast<int>(std::clamp<int64_t>(top_k, 0, kMaxTopK));
    any = true;
  }
  return any;
}

Result<std::optional<int64_t>> OptionalId(const Metadata& metadata, const char* key) {
  if (!metadata.Find(key)) return std::optional<int64_t>();
  LFM_TRY(const int64_t id, metadata.Int(key, 0));
  return std::optional<int64_t>(id);
}

Result<std::optional<bool>> OptionalBool(const Metadata& metadata, const char* key) {
  if (!metadata.Find(key)) return std::optional<bool>();
  LFM_TRY(const bool value, metadata.Bool(key, false));
  return std::optional<bool>(value);
}

// Ends of generation besides one: ollama's list and llama.cpp's end of a message. And what `lfm convert` kept.
Result<text::GgufKept> ReadKept(const Metadata& metadata) {
  text::GgufKept kept;
  for (const auto& [key, value] : metadata.entries()) {
    if (!key.starts_with("tokenizer.ggml.normalizer.")) continue;
    LFM_TRY(const bool is_on, metadata.Bool(key, false));
    if (is_on) return Error{ErrorCode::kUnsupported, StrCat(key, " is true: texts are not normalised here, for LFM2 is not so")};
  }
  LFM_TRY(kept.ends, metadata.Ints("tokenizer.ggml.eos_token_ids"));
  LFM_TRY(const auto message_end, OptionalId(metadata, "tokenizer.ggml.eom_token_id"));
  if (message_end) kept.ends.push_back(*message_end);
  LFM_TRY(kept.lstrip, metadata.Ints("lfm.tokenizer.lstrip"));
  LFM_TRY(kept.rstrip, metadata.Ints("lfm.tokenizer.rstrip"));
  LFM_TRY(kept.single_word, metadata.Ints("lfm.tokenizer.single_word"));
  LFM_TRY(kept.normalized, metadata.Ints("lfm.tokenizer.normalized"));
  for (const auto& [key, out] :
       {std::pair("lfm.tokenizer.before", &kept.before), std::pair("lfm.tokenizer.after", &kept.after)}) {
    if (!metadata.Find(key)) continue;
    LFM_TRY(*out, metadata.Ints(key));
  }
  LFM_TRY(kept.split_special, metadata.Bool("lfm.tokenizer.split_special_tokens", false));
  return kept;
}

Result<text::Tokenizer> TokenizerFromGguf(const Metadata& metadata) {
  LFM_TRY(const auto tokens, metadata.Strings("tokenizer.ggml.tokens"));
  if (tokens.empty()) {
    return Error{ErrorCode::kCorrupt,
                 "the file holds no tokenizer (tokenizer.ggml.tokens is missing); use a GGUF "
                 "file with its tokenizer inside"};
  }
  LFM_TRY(const auto types, metadata.Ints("tokenizer.ggml.token_type"));
  LFM_TRY(const auto merges, metadata.Strings("tokenizer.ggml.merges"));
  text::GgufVocabulary vocabulary;
  vocabulary.tokens = tokens;
  vocabulary.types = types;
  vocabulary.merges = merges;
  LFM_TRY(vocabulary.architecture, metadata.String("general.architecture", ""));
  LFM_TRY(vocabulary.model, metadata.String("tokenizer.ggml.model", ""));
  LFM_TRY(vocabulary.pre, metadata.String("tokenizer.ggml.pre", ""));
  LFM_TRY(vocabulary.bos, OptionalId(metadata, "tokenizer.ggml.bos_token_id"));
  LFM_TRY(vocabulary.eos, OptionalId(metadata, "tokenizer.ggml.eos_token_id"));
  LFM_TRY(vocabulary.eot, OptionalId(metadata, "tokenizer.ggml.eot_token_id"));
  LFM_TRY(vocabulary.pad, OptionalId(metadata, "tokenizer.ggml.padding_token_id"));
  LFM_TRY(vocabulary.unknown, OptionalId(metadata, "tokenizer.ggml.unknown_token_id"));
  LFM_TRY(vocabulary.add_bos, OptionalBool(metadata, "tokenizer.ggml.add_bos_token"));
  LFM_TRY(vocabulary.add_eos, OptionalBool(metadata, "tokenizer.ggml.add_eos_token"));
  LFM_TRY(text::TokenizerSpec spec, text::SpecFromGguf(vocabulary));
  LFM_TRY(const text::GgufKept kept, ReadKept(metadata));
  LFM_RETURN_IF_ERROR(text::AddKept(kept, spec));
  constexpr std::string_view kVariable = "lfm.template_variable.";  // written by `lfm convert`
  for (const auto& [key, value] : metadata.entries()) {
    const auto* text = std::get_if<std::string_view>(&value);
    if (text && key.starts_with(kVariable)) spec.special_names.emplace_back(key.substr(kVariable.size()), *text);
  }
  return text::Tokenizer::Create(std::move(spec));
}

Result<text::Tokenizer> TokenizerFromHuggingFace(const Checkpoint& checkpoint) {
  if (checkpoint.tokenizer.is_null()) {
    return Error{ErrorCode::kNotFound, "there is no tokenizer.json beside the model; download it too"};
  }
  LFM_TRY(text::TokenizerSpec spec, text::SpecFromTokenizerJson(checkpoint.tokenizer, checkpoint.tokenizer_config));
  LFM_TRY(text::Tokenizer tokenizer, text::Tokenizer::Create(std::move(spec)));
  // eos_token_id of either file: one id or a list.
  for (const Json* config : {&checkpoint.generation_config, &checkpoint.config}) {
    const Json& eos = (*config)["eos_token_id"];
    std::vector<int32_t> ids;
    const auto add = [&](const Json& id) {
      if (id.is_integer() && id.AsInt(-1) >= 0 && id.AsInt(-1) < tokenizer.n_tokens()) {
        ids.push_back(static_cast<int32_t>(id.AsInt()));
      }
    };
    add(eos);
    for (const Json& id : eos.items()) add(id);
    tokenizer.AddEndOfGeneration(ids);
    if (!ids.empty()) break;
  }
  return tokenizer;
}

Result<text::ChatTemplate> NoDefault(const std::vector<NamedChat>& named) {
  std::string names;
  for (const NamedChat& entry : named) names += (names.empty() ? "" : ", ") + Quote(entry.name);
  return Error{ErrorCode::kInvalidArgument,
               StrCat("the model has several chat templates and none is the default one; name one of ", names)};
}

}  // namespace

Result<SamplingParams> DefaultSampling(const Checkpoint& checkpoint) {
  SamplingParams params;
  bool any = false;
  const bool is_folder = checkpoint.naming == Naming::kHuggingFace;
  if (is_folder) {
    any = ReadGenerationConfig(checkpoint.generation_config, params);
  } else {
    LFM_TRY(any, ReadMetadata(checkpoint.metadata, params));
  }
  if (!any) return CardSampling(checkpoint);
  if (const Status valid = Validate(params); !valid.ok()) {
    return Error{ErrorCode::kCorrupt, StrCat(is_folder ? "generation_config.json" : "the metadata general.sampling.*",
                                             " holds a setting that cannot be: ", valid.error().message)};
  }
  return params;
}

Result<TextModel> ReadTextModel(const Checkpoint& checkpoint) {
  const bool is_folder = checkpoint.naming == Naming::kHuggingFace;
  auto tokenizer = is_folder ? TokenizerFromHuggingFace(checkpoint) : TokenizerFromGguf(checkpoint.metadata);
  if (!tokenizer.ok()) return tokenizer.error().Within(checkpoint.path);
  LFM_TRY(auto templates, formats::ChatTemplatesOf(checkpoint));
  auto sampling = DefaultSampling(checkpoint);
  if (!sampling.ok()) return sampling.error().Within(checkpoint.path);
  std::string source;
  std::vector<NamedChat> named;
  for (formats::NamedTemplate& entry : templates) {
    if (entry.name == "default") {
      source = std::move(entry.source);
    } else {
      auto chat = MakeChatTemplate(*tokenizer, entry.source);
      named.push_back({std::move(entry.name), std::move(entry.source), std::move(chat)});
    }
  }
  auto chat = source.empty() && !named.empty() ? NoDefault(named) : MakeChatTemplate(*tokenizer, source);
  return TextModel{std::move(tokenizer).value(), std::move(source), std::move(chat), std::move(sampling).value(),
                   std::move(named)};
}

const Result<text::ChatTemplate>& TextModel::ChatFor(std::string_view name, bool with_tools) const {
  if (name.empty() && !with_tools) return chat;
  if (name == "default") return chat;
  const std::string_view wanted = name.empty() ? "tool_use" : name;
  for (const NamedChat& entry : named_chats) {
    if (entry.name == wanted) return entry.chat;
  }
  if (name.empty()) return chat;
  static const Result<text::ChatTemplate> kUnknown =
      Error{ErrorCode::kInvalidArgument, "the model has no chat template of this name; `lfm info` lists those that it has"};
  return kUnknown;
}

Result<TextModel> OpenTextModel(const std::string& path) {
  LFM_TRY(const Checkpoint checkpoint, formats::OpenTexts(path));
  return ReadTextModel(checkpoint);
}

}  // namespace lfm::engine
