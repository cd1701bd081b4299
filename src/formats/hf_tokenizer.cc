#include "formats/hf_tokenizer.h"

#include <dirent.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/strings.h"

namespace lfm::formats {
namespace {

constexpr size_t kMaxTemplateBytes = size_t{1} << 20;
constexpr size_t kMaxTemplates = 100;
constexpr std::string_view kStandardNames[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                               "pad_token", "cls_token", "mask_token"};

bool IsStandardName(std::string_view name) {
  return std::find(std::begin(kStandardNames), std::end(kStandardNames), name) != std::end(kStandardNames);
}

// The text of a token: a string, or an object with "content"; else empty.
const std::string& TextOf(const Json& token) { return token.is_object() ? token["content"].AsString() : token.AsString(); }

bool IsTypedToken(const Json& value) { return value.is_object() && value["__type"].AsString() == "AddedToken"; }

// One entry of "added_tokens". A plain text is a special token without flags.
Json AddedToken(const Json& token, bool special_by_name) {
  const bool special = token.is_string() || special_by_name || token["special"].AsBool();
  const Json* const normalized = token.Find("normalized");
  Json entry = Json::MakeObject({{"id", 0}, {"content", TextOf(token)}});
  for (const char* flag : {"single_word", "lstrip", "rstrip"}) entry.Set(flag, token[flag].AsBool());
  entry.Set("normalized", normalized ? normalized->AsBool() : !special);
  entry.Set("special", special);
  return entry;
}

// Tokens in the order of their adding.
class AddedTokens {
 public:
  explicit AddedTokens(const Json& tokenizer) {
    const Json::Object& vocabulary = tokenizer["model"]["vocab"].members();
    n_vocabulary_ = static_cast<int64_t>(vocabulary.size());
    ids_.reserve(vocabulary.size());
    for (const auto& [text, id] : vocabulary) ids_.emplace(text, id.AsInt(-1));
    for (const Json& token : tokenizer["added_tokens"].items()) Add(token);
  }

  bool Holds(const std::string& text) const { return places_.contains(text); }

  void Add(Json entry) {
    const std::string text = entry["content"].AsString();
    if (text.empty()) {
      entries_.push_back(std::move(entry));  // as it is: the tokenizer's reader has a word for it
      return;
    }
    if (const auto place = places_.find(text); place != places_.end()) {
      entry.Set("id", entries_[place->second]["id"]);
      entries_[place->second] = std::move(entry);
      return;
    }
    const auto known = ids_.find(text);
    const int64_t id = known != ids_.end() ? known->second : std::max(highest_ + 1, n_vocabulary_);
    highest_ = std::max(highest_, id);
    entry.Set("id", id);
    places_.emplace(text, entries_.size());
    entries_.push_back(std::move(entry));
  }

  Json Take() { return Json::MakeArray(std::move(entries_)); }

 private:
  std::unordered_map<std::string_view, int64_t> ids_;  // of the vocabulary
  int64_t n_vocabulary_ = 0, highest_ = -1;
  std::unordered_map<std::string, size_t> places_;  // text -> entry
  Json::Array entries_;
};

// The entries of added_tokens_decoder by id, as objects.
std::map<int64_t, Json> DecoderOf(const Json& config) {
  std::map<int64_t, Json> decoder;
  for (const auto& [name, token] : config["added_tokens_decoder"].members()) {
    int64_t id = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
    if (error == std::errc() && end == name.data() + name.size() && token.is_object()) decoder[id] = token;
  }
  return decoder;
}

// Named tokens and unnamed ones, from the configuration and special_tokens_map.json.
struct SpecialTokens {
  std::vector<std::pair<std::string, Json>> named;  // standard ones first, in transformers' order
  Json::Array unnamed;

  bool Names(const std::string& text) const {
    return std::any_of(named.begin(), named.end(), [&](const auto& entry) { return TextOf(entry.second) == text; });
  }
  bool Lists(const std::string& text) const {
    return std::any_of(unnamed.begin(), unnamed.end(), [&](const Json& token) { return TextOf(token) == text; });
  }
};

// special_tokens_map.json into the configuration; its objects are tokens.
void MergeMap(const Json& map, Json& config) {
  for (const auto& [name, value] : map.members()) {
    if (name == "added_tokens_decoder") continue;  // tokenizer_config.json's own
    if (name == "extra_special_tokens" && value.is_array() && config[name].is_array()) {
      Json all = config[name];
      for (const Json& token : value.items()) all.Append(token);
      config.Set(name, std::move(all));
    } else if (value.is_object() && name != "extra_special_tokens") {
      Json typed = value;
      typed.Set("__type", "AddedToken");
      typed.Set("special", true);
      config.Set(name, std::move(typed));
    } else {
      config.Set(name, value);
    }
  }
}

// In the reference the configuration's own named tokens take the place of this object.
void DropHiddenNames(Json& config) {
  const auto is_named = [](const auto& member) {
    return member.first.ends_with("_token") && !IsStandardName(member.first) && member.second.is_string();
  };
  const Json::Object& members = config.members();
  const bool has_own = std::any_of(members.begin(), members.end(), is_named) || !config["extra_special_tokens"].members().empty();
  if (has_own) config.Set("model_specific_special_tokens", Json());
}

SpecialTokens SpecialTokensOf(const Json& config) {
  SpecialTokens special;
  for (const std::string_view name : kStandardNames) {
    if (!TextOf(config[name]).empty()) special.named.emplace_back(name, config[name]);
  }
  const auto name = [&](const std::string& key, const Json& value) {
    const auto same =
        std::find_if(special.named.begin(), special.named.end(), [&](const auto& entry) { return entry.first == key; });
    if (TextOf(value).empty()) return;
    if (same != special.named.end()) {
      same->second = value;
    } else {
      special.named.emplace_back(key, value);
    }
  };
  for (const auto& [key, value] : config.members()) {
    if (key.ends_with("_token") && !IsStandardName(key) && (value.is_string() || IsTypedToken(value))) name(key, value);
  }
  const Json& extra = config["extra_special_tokens"];
  for (const auto& [key, value] : config["model_specific_special_tokens"].members()) name(key, value);
  for (const auto& [key, value] : extra.members()) name(key, value);
  // The older name counts beside an object, but not beside a list.
  special.unnamed = extra.items().empty() ? config["additional_special_tokens"].items() : extra.items();
  return special;
}

Result<std::string> ReadTemplate(const std::string& path) { return ReadWholeFile(path, kMaxTemplateBytes); }

// Names of the *.jinja files of a folder, without the ending, sorted.
std::vector<std::string> TemplateNames(const std::string& folder) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(folder.c_str()), closedir);
  constexpr std::string_view kEnding = ".jinja";
  while (const dirent* entry = dir ? readdir(dir.get()) : nullptr) {
    const std::string_view name = entry->d_name;
    if (name.ends_with(kEnding)) names.emplace_back(name.substr(0, name.size() - kEnding.size()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

void AddTemplate(std::string name, std::string source, Checkpoint& model) {
  if (name == "default") {
    model.chat_template = std::move(source);
    return;
  }
  for (NamedTemplate& known : model.named_templates) {
    if (known.name == name) {
      known.source = std::move(source);
      return;
    }
  }
  model.named_templates.push_back({std::move(name), std::move(source)});
}

}  // namespace

void CompleteTokenizer(const Json& special_tokens_map, const Json& added_tokens, Json& tokenizer, Json& config) {
  if (!tokenizer["model"]["vocab"].is_object()) return;  // the tokenizer's reader has a word for it
  if (!config.is_object()) config = Json::MakeObject();
  std::map<int64_t, Json> decoder = DecoderOf(config);
  const bool has_decoder = config.Find("added_tokens_decoder") != nullptr;
  DropHiddenNames(config);
  if (!has_decoder) MergeMap(special_tokens_map, config);
  const SpecialTokens special = SpecialTokensOf(config);
  if (!has_decoder) {
    for (const auto& [text, id] : added_tokens.members()) {
      const bool is_special = special.Names(text) || special.Lists(text);
      decoder[id.AsInt(-1)] = Json::MakeObject({{"content", text}, {"normalized", !is_special}, {"special", is_special}});
    }
    // In the reference, tokenizer.json's own tokens take these places by id.
    for (const Json& token : tokenizer["added_tokens"].items()) decoder.erase(token["id"].AsInt(-1));
  }

  AddedTokens added(tokenizer);
  for (const auto& [id, token] : decoder) {
    if (!TextOf(token).empty()) added.Add(AddedToken(token, special.Names(TextOf(token))));
  }
  for (const auto& [name, token] : special.named) {
    if (!added.Holds(TextOf(token))) added.Add(AddedToken(token, true));
  }
  for (const Json& token : special.unnamed) {
    if (!TextOf(token).empty() && !added.Holds(TextOf(token))) added.Add(AddedToken(token, true));
  }
  tokenizer.Set("added_tokens", added.Take());

  Json extra = Json::MakeObject();
  for (const auto& [name, token] : special.named) {
    if (IsStandardName(name)) {
      config.Set(name, TextOf(token));
    } else {
      extra.Set(name, TextOf(token));
    }
  }
  config.Set("extra_special_tokens", std::move(extra));
}

Status ReadChatTemplates(const std::string& folder, Checkpoint& model) {
  const std::string file = folder + "/chat_template.jinja", more = folder + "/additional_chat_templates";
  if (FileExists(file)) {
    LFM_TRY(model.chat_template, ReadTemplate(file));
  }
  const std::vector<std::string> names = TemplateNames(more);
  if (names.size() > kMaxTemplates) {
    return Error{ErrorCode::kLimit, StrCat(more, " has ", names.size(), " templates; at most ", kMaxTemplates, " are read")};
  }
  for (const std::string& name : names) {
    LFM_TRY(std::string source, ReadTemplate(StrCat(more, "/", name, ".jinja")));
    AddTemplate(name, std::move(source), model);
  }
  if (!model.chat_template.empty() || !model.named_templates.empty()) return Ok();

  const Json& entry = model.tokenizer_config["chat_template"];
  if (entry.is_string()) model.chat_template = entry.AsString();
  for (const Json& named : entry.items()) {
    if (named["template"].is_string()) AddTemplate(named["name"].AsString(), named["template"].AsString(), model);
  }
  for (const auto& [name, source] : entry.members()) {
    if (source.is_string()) AddTemplate(name, source.AsString(), model);
  }
  if (model.named_templates.size() > kMaxTemplates) {
    return Error{ErrorCode::kLimit, StrCat(folder, "/tokenizer_config.json has more than ", kMaxTemplates, " chat templates")};
  }
  const std::string legacy = folder + "/chat_template.json";
  if (!entry.is_null() || !FileExists(legacy)) return Ok();
  LFM_TRY(const std::string text, ReadWholeFile(legacy, 2 * kMaxTemplateBytes));
  auto json = ParseJson(text);
  if (!json.ok()) return Error{ErrorCode::kCorrupt, StrCat(legacy, ": ", json.error().message, "; download it again")};
  model.chat_template = (*json)["chat_template"].AsString();
  return Ok();
}

}  // namespace lfm::formats
