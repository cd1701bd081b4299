// The tokenizer of a Hugging Face folder: tokenizer.json, with names and flags of tokenizer_config.json.
#include <algorithm>
#include <limits>

#include "base/strings.h"
#include "base/byte_alphabet.h"
#include "text/spec_builder.h"
#include "text/splitter.h"
#include "text/tokenizer_classes.h"
#include "text/tokenizer_spec.h"

namespace lfm::text {
namespace {

Error Unsupported(std::string message) { return {ErrorCode::kUnsupported, "tokenizer.json: " + std::move(message)}; }
Error Corrupt(std::string message) { return {ErrorCode::kCorrupt, "tokenizer.json: " + std::move(message)}; }

std::string TypeOf(const Json& part) {
  return part["type"].is_string() ? Quote(part["type"].AsString()) : part.is_null() ? "null" : "an entry without a type";
}
bool IsType(const Json& part, std::string_view type) { return part["type"].is_string() && part["type"].AsString() == type; }

// A string, or the content of an added token's object; else empty.
const std::string& TextOf(const Json& token) { return token.is_object() ? token["content"].AsString() : token.AsString(); }

// Ids with room for holes, but never many more slots than there are entries.
Result<int32_t> ReadId(const Json& id, std::string_view token, size_t n_entries) {
  const int64_t limit = std::min<int64_t>(int64_t{1} << 22, 4 * static_cast<int64_t>(n_entries) + 65536);
  const int64_t value = id.is_integer() ? id.AsInt(-1) : -1;
  if (value >= 0 && value < limit) return static_cast<int32_t>(value);
  return Corrupt(StrCat("token ", Quote(token), " has id ", id.is_number() ? id.NumberText() : "that is no number", "; ids of ",
                        n_entries, " tokens must lie in [0, ", limit, ")"));
}

class Reader {
 public:
  Reader(const Json& tokenizer, const Json& config) : file_(tokenizer), model_(tokenizer["model"]), config_(config) {}

  Result<TokenizerSpec> Read() {
    LFM_RETURN_IF_ERROR(CheckModel());
    LFM_RETURN_IF_ERROR(CheckNormalizer());
    LFM_RETURN_IF_ERROR(ReadPreTokenizer());
    LFM_RETURN_IF_ERROR(CheckDecoder());
    LFM_RETURN_IF_ERROR(ReadVocabulary());
    LFM_RETURN_IF_ERROR(ReadMerges());
    LFM_RETURN_IF_ERROR(ReadUnknown());
    LFM_RETURN_IF_ERROR(ReadAddedTokens());
    LFM_RETURN_IF_ERROR(ReadNames());
    LFM_RETURN_IF_ERROR(ReadPostProcessor(file_["post_processor"], 0));
    AddUsualEnds(spec_);
    return std::move(spec_);
  }

 private:
  Status CheckModel() const;
  Status CheckNormalizer() const;
  Status CheckDecoder() const;
  Status ReadPreTokenizer();
  Status ReadVocabulary();
  Status ReadMerges();
  Status ReadUnknown();
  Status ReadAddedTokens();
  Status ReadAddedToken(const Json& entry, size_t i);
  Status ReadNames();
  Status ReadPostProcessor(const Json& processor, int depth);
  Status ReadTemplate(const Json& processor);
  std::optional<int32_t> Find(std::string_view text) const;

  const Json& file_;
  const Json& model_;
  const Json& config_;
  TokenizerSpec spec_;
  StringIndex index_;  // texts of model.vocab
};

Status Reader::CheckModel() const {
  if (!file_.is_object()) return Corrupt("not an object");
  if (const std::string& name = config_["tokenizer_class"].AsString(); HasOwnRules(name)) {
    return Error{ErrorCode::kUnsupported,
                 StrCat("tokenizer_config.json: tokenizer_class ", Quote(name), " stands for rules of its own, whatever ",
                        "tokenizer.json says; where tokenizer.json is right, write \"TokenizersBackend\" there")};
  }
  if (!model_.is_object()) return Corrupt("model is missing");
  // Old files leave the type out; merges tell BPE.
  if (!IsType(model_, "BPE") && !(model_["type"].is_null() && model_["merges"].is_array())) {
    return Unsupported(StrCat("model.type is ", TypeOf(model_), "; only byte-level BPE is supported"));
  }
  if (model_["dropout"].AsDouble() != 0) return Unsupported("model.dropout is not supported");
  if (model_["byte_fallback"].AsBool()) return Unsupported("model.byte_fallback is not supported: the model is not byte-level");
  for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!model_[name].AsString().empty()) return Unsupported(StrCat("model.", name, " is not supported"));
  }
  return Ok();
}

Status Reader::CheckNormalizer() const {
  const Json& normalizer = file_["normalizer"];
  if (normalizer.is_null()) return Ok();
  if (IsType(normalizer, "Sequence") && normalizer["normalizers"].items().empty()) return Ok();
  return Unsupported(StrCat("normalizer ", TypeOf(normalizer), " is not supported; LFM2 has none"));
}

Status Reader::CheckDecoder() const {
  const Json& decoder = file_["decoder"];
  if (decoder.is_null() || IsType(decoder, "ByteLevel")) return Ok();
  const Json::Array& parts = decoder["decoders"].items();
  if (IsType(decoder, "Sequence") && parts.size() == 1 && IsType(parts[0], "ByteLevel")) return Ok();
  return Unsupported(StrCat("decoder ", TypeOf(decoder), " is not supported; only ByteLevel is"));
}

// The parts of a sequence in order, those of sequences within it too, which mean the same.
std::vector<const Json*> PartsOf(const Json& pre) {
  constexpr size_t kMaxParts = 100;  // more than any file has; what is beyond is refused as too many
  std::vector<const Json*> parts, open = {&pre};
  while (!open.empty() && parts.size() <= kMaxParts && open.size() <= kMaxParts) {
    const Json* const part = open.back();
    open.pop_back();
    if (!IsType(*part, "Sequence")) {
      parts.push_back(part);
      continue;
    }
    const Json::Array& inner = (*part)["pretokenizers"].items();
    for (size_t i = inner.size(); i-- > 0;) open.push_back(&inner[i]);
  }
  parts.insert(parts.end(), open.rbegin(), open.rend());
  return parts;
}

Status Reader::ReadPreTokenizer() {
  const Json& pre = file_["pre_tokenizer"];
  const std::vector<const Json*> parts = PartsOf(pre);
  if (parts.empty() || !IsType(*parts.back(), "ByteLevel")) {
    return Unsupported(
        StrCat("pre_tokenizer ", TypeOf(parts.empty() ? pre : *parts.back()), " is not supported; it must end in ByteLevel"));
  }
  const Json& bytes = *parts.back();
  const Json* const use_regex = bytes.Find("use_regex");
  if (bytes["add_prefix_space"].AsBool()) return Unsupported("pre_tokenizer: add_prefix_space is not supported");
  const bool own_regex = use_regex == nullptr || use_regex->AsBool();
  if (parts.size() == 1 && own_regex) {
    spec_.split = SplitRule::kGpt2;
    return Ok();
  }
  if (parts.size() != 2 || own_regex || !IsType(*parts[0], "Split")) {
    return Unsupported(
        "pre_tokenizer: only Split and then ByteLevel without a regex of its own, or ByteLevel alone, are "
        "supported");
  }
  const Json& split = *parts[0];
  const std::string& behavior = split["behavior"].AsString();
  const bool inverted = split["invert"].AsBool();
  // Removing what does not match is the same as keeping what does: the regexes match everything.
  if (!(behavior == "Isolated" && !inverted) && !(behavior == "Removed" && inverted)) {
    return Unsupported(StrCat("pre_tokenizer: Split with behavior ", Quote(behavior), " is not supported; only Isolated is"));
  }
  const std::string& regex = split["pattern"]["Regex"].AsString();
  const auto rule = SplitRuleOfRegex(regex);
  if (!rule) return Unsupported(StrCat("pre_tokenizer: the regular expression is not one of those known: ", Quote(regex, 400)));
  spec_.split = *rule;
  return Ok();
}

Status Reader::ReadVocabulary() {
  const Json::Object& vocabulary = model_["vocab"].members();
  if (vocabulary.empty()) return Corrupt("model.vocab is missing or empty");
  const size_t n_entries = vocabulary.size() + file_["added_tokens"].items().size();
  std::vector<int32_t> ids;
  ids.reserve(vocabulary.size());
  int32_t top = 0;
  for (const auto& [text, value] : vocabulary) {
    LFM_TRY(const int32_t id, ReadId(value, text, n_entries));
    ids.push_back(id);
    top = std::max(top, id);
  }
  const auto n_ids = static_cast<size_t>(top) + 1;
  spec_.tokens.resize(n_ids);
  index_ = StringIndex(vocabulary.size(), n_ids);
  std::vector<const std::string*> text_of(n_ids, nullptr);
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    const std::string& text = vocabulary[i].first;
    const auto id = static_cast<size_t>(ids[i]);
    if (text_of[id] != nullptr) {
      return Corrupt(StrCat("model.vocab gives id ", id, " to ", Quote(*text_of[id]), " and to ", Quote(text)));
    }
    text_of[id] = &text;
    const int32_t other = index_.Insert(text, ids[i]);
    if (other >= 0) return Corrupt(StrCat("model.vocab has ", Quote(text), " twice, as ", other, " and ", id));
    std::optional<std::string> bytes = BytesOfAlphabet(text);
    const bool in_model = bytes.has_value();
    spec_.tokens[id] = {bytes ? *std::move(bytes) : text, TokenKind::kNormal, in_model};
  }
  spec_.ignore_merges = model_["ignore_merges"].AsBool();
  return Ok();
}

Status Reader::ReadMerges() {
  const Json& merges = model_["merges"];
  if (!merges.is_array()) return Corrupt("model.merges is missing");
  spec_.merges.reserve(merges.items().size());
  for (const Json& merge : merges.items()) {
    Status status;
    if (merge.is_string()) {
      status = AddMerge(merge.AsString(), index_, spec_);
    } else if (merge.items().size() == 2 && merge.items()[0].is_string() && merge.items()[1].is_string()) {
      status = AddMerge(merge.items()[0].AsString(), merge.items()[1].AsString(), index_, spec_);
    } else {
      return Corrupt(StrCat("model.merges[", spec_.merges.size(), "] is neither \"a b\" nor [\"a\", \"b\"]"));
    }
    if (!status.ok()) return status.error().Within("tokenizer.json: model.merges");
  }
  return Ok();
}

Status Reader::ReadUnknown() {
  const Json& unknown = model_["unk_token"];
  if (!unknown.is_string()) return Ok();
  const int32_t id = index_.Find(unknown.AsString());
  if (id < 0) return Corrupt(StrCat("model.unk_token ", Quote(unknown.AsString()), " is not in the vocabulary"));
  spec_.unknown = id;
  spec_.fuse_unknown = model_["fuse_unk"].AsBool();
  return Ok();
}

Status Reader::ReadAddedTokens() {
  const Json& added = file_["added_tokens"];
  if (!added.is_null() && !added.is_array()) return Corrupt("added_tokens is no array");
  for (size_t i = 0; i < added.items().size(); ++i) LFM_RETURN_IF_ERROR(ReadAddedToken(added.items()[i], i));
  return Ok();
}

Status Reader::ReadAddedToken(const Json& entry, size_t i) {
  if (!entry["content"].is_string()) return Corrupt(StrCat("added_tokens[", i, "] has no content"));
  const std::string& content = entry["content"].AsString();
  LFM_TRY(const int32_t id,
          ReadId(entry["id"], content, model_["vocab"].members().size() + file_["added_tokens"].items().size()));
  const int32_t in_vocabulary = index_.Find(content);
  if (in_vocabulary >= 0 && in_vocabulary != id) {
    return Corrupt(StrCat("added token ", Quote(content), " has id ", id, ", but model.vocab gives it ", in_vocabulary));
  }
  const auto i_token = static_cast<size_t>(id);
  if (i_token >= spec_.tokens.size()) spec_.tokens.resize(i_token + 1);
  SpecToken& token = spec_.tokens[i_token];
  if (in_vocabulary < 0 && token.kind != TokenKind::kUnused) {
    return Corrupt(StrCat("added token ", Quote(content), " has id ", id, ", which is that of another token"));
  }
  AddedToken added;
  added.id = id;
  added.content = content;
  added.special = entry["special"].AsBool();
  added.single_word = entry["single_word"].AsBool();
  added.lstrip = entry["lstrip"].AsBool();
  added.rstrip = entry["rstrip"].AsBool();
  const Json* const normalized = entry.Find("normalized");
  added.normalized = normalized == nullptr ? !added.special : normalized->AsBool();
  token.kind = added.special ? TokenKind::kSpecial : TokenKind::kUserDefined;
  if (in_vocabulary < 0) token.bytes = DecodedBytes(content);
  spec_.added.push_back(std::move(added));
  return Ok();
}

std::optional<int32_t> Reader::Find(std::string_view text) const {
  for (const AddedToken& token : spec_.added) {
    if (token.content == text) return token.id;
  }
  const int32_t id = index_.Find(text);
  return id >= 0 ? std::optional(id) : std::nullopt;
}

// bos_token and its like: the variables of chat templates, and the ids they stand for.
Status Reader::ReadNames() {
  const auto add = [this](const std::string& name, const Json& value) {
    if (!TextOf(value).empty()) spec_.special_names.emplace_back(name, TextOf(value));
  };
  for (const auto& [name, value] : config_.members()) {
    if (name.ends_with("_token")) add(name, value);
  }
  for (const auto& [name, value] : config_["extra_special_tokens"].members()) add(name, value);
  spec_.bos = Find(TextOf(config_["bos_token"]));
  spec_.eos = Find(TextOf(config_["eos_token"]));
  spec_.pad = Find(TextOf(config_["pad_token"]));
  spec_.split_special = config_["split_special_tokens"].AsBool();
  return Ok();
}

Status Reader::ReadPostProcessor(const Json& processor, int depth) {
  if (processor.is_null() || IsType(processor, "ByteLevel")) return Ok();  // ByteLevel only trims offsets
  if (IsType(processor, "TemplateProcessing")) return ReadTemplate(processor);
  if (!IsType(processor, "Sequence") || depth > 4) {
    return Unsupported(StrCat("post_processor ", TypeOf(processor), " is not supported; only TemplateProcessing is"));
  }
  for (const Json& part : processor["processors"].items()) LFM_RETURN_IF_ERROR(ReadPostProcessor(part, depth + 1));
  return Ok();
}

// The special tokens that the template of one text puts before and after it.
Status Reader::ReadTemplate(const Json& processor) {
  std::vector<int32_t> before, after;
  bool text_seen = false;
  for (const Json& item : processor["single"].items()) {
    if (item.Find("Sequence") != nullptr) {
      if (text_seen) return Unsupported("post_processor: the template repeats the text");
      text_seen = true;
      continue;
    }
    const std::string& name = item["SpecialToken"]["id"].AsString();
    const Json& ids = processor["special_tokens"][name]["ids"];
    if (name.empty() || !ids.is_array())
      return Corrupt(StrCat("post_processor: special token ", Quote(name), " is not described"));
    for (const Json& value : ids.items()) {
      LFM_TRY(const int32_t id, ReadId(value, name, spec_.tokens.size()));
      (text_seen ? after : before).push_back(id);
    }
  }
  spec_.prefix.insert(spec_.prefix.begin(), before.begin(), before.end());
  spec_.suffix.insert(spec_.suffix.end(), after.begin(), after.end());
  if (!spec_.bos && before.size() == 1) spec_.bos = before[0];
  return Ok();
}

}  // namespace

Result<TokenizerSpec> SpecFromTokenizerJson(const Json& tokenizer, const Json& config) {
  return Reader(tokenizer, config).Read();
}

}  // namespace lfm::text
