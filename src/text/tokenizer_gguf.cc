// The tokenizer of a GGUF file: tokens, types and merges as llama.cpp's converter writes them.
#include <algorithm>
#include <limits>

#include "base/strings.h"
#include "base/byte_alphabet.h"
#include "text/gguf_kept.h"
#include "text/spec_builder.h"
#include "text/tokenizer_spec.h"

namespace lfm::text {
namespace {

// The pre-tokenizers that split like one of ours, with what else their name implies.
struct PreTokenizer {
  std::string_view name;
  SplitRule split;
  bool ignore_merges;
  bool adds_bos;  // unless add_bos_token says otherwise
};
constexpr PreTokenizer kPreTokenizers[] = {
    {"lfm2", SplitRule::kLlama3, true, true},        {"llama-bpe", SplitRule::kLlama3, true, true},
    {"llama3", SplitRule::kLlama3, true, true},      {"llama-v3", SplitRule::kLlama3, true, true},
    {"falcon3", SplitRule::kLlama3, true, true},     {"pixtral", SplitRule::kLlama3, true, true},
    {"smaug-bpe", SplitRule::kLlama3, false, false}, {"dbrx", SplitRule::kLlama3, false, false},
    {"qwen2", SplitRule::kQwen2, false, false},      {"gpt-2", SplitRule::kGpt2, false, false},
};

// The bytes of a text outside the alphabet: <0x41> of kind byte is "A", other texts are themselves.
std::string BytesOfByteToken(TokenKind kind, std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  if (kind == TokenKind::kByte && text.size() == 6 && text.starts_with("<0x") && text[5] == '>' && digit(text[3]) >= 0 &&
      digit(text[4]) >= 0) {
    return std::string(1, static_cast<char>(static_cast<unsigned char>(digit(text[3]) * 16 + digit(text[4]))));
  }
  return std::string(text);
}

Result<TokenKind> KindOfType(int64_t type, size_t id) {
  switch (type) {
    case 1:  // normal
    case 2:  // unknown
      return TokenKind::kNormal;
    case 3: return TokenKind::kSpecial;
    case 4: return TokenKind::kUserDefined;
    case 5: return TokenKind::kUnused;
    case 6: return TokenKind::kByte;
    default: return Error{ErrorCode::kCorrupt, StrCat("tokenizer.ggml.token_type[", id, "] is ", type, "; types are 1 to 6")};
  }
}

// Fills spec.tokens and spec.added, and the index of texts that borrows from `vocabulary`.
Status ReadTokens(const GgufVocabulary& vocabulary, TokenizerSpec& spec, StringIndex& index) {
  const size_t n = vocabulary.tokens.size();
  spec.tokens.reserve(n);
  for (size_t id = 0; id < n; ++id) {
    const std::string_view text = vocabulary.tokens[id];
    TokenKind kind = TokenKind::kNormal;
    if (!vocabulary.types.empty()) {
      LFM_TRY(kind, KindOfType(vocabulary.types[id], id));
    }
    if (kind == TokenKind::kUnused) {
      spec.tokens.push_back({});
      continue;
    }
    // What is outside the byte alphabet cannot come from merging or from a piece of text.
    std::optional<std::string> decoded = kind == TokenKind::kByte ? std::nullopt : BytesOfAlphabet(text);
    const bool in_model = decoded.has_value();
    std::string bytes = decoded ? *std::move(decoded) : BytesOfByteToken(kind, text);
    const int32_t other = index.Insert(text, static_cast<int32_t>(id));
    if (other >= 0) {
      return Error{ErrorCode::kCorrupt,
                   StrCat("tokenizer.ggml.tokens: ", Quote(text), " is there twice, as ", other, " and ", id)};
    }
    if (kind == TokenKind::kSpecial || kind == TokenKind::kUserDefined) {
      AddedToken added;
      added.id = static_cast<int32_t>(id);
      added.content = text;
      added.special = kind == TokenKind::kSpecial;
      spec.added.push_back(std::move(added));
    }
    spec.tokens.push_back({std::move(bytes), kind, in_model});
  }
  return Ok();
}

// Copies an optional id, which must be that of a token.
Status ReadId(std::optional<int64_t> id, std::string_view key, size_t n_tokens, std::optional<int32_t>& out) {
  if (!id) return Ok();
  if (*id < 0 || static_cast<uint64_t>(*id) >= n_tokens) {
    return Error{ErrorCode::kCorrupt, StrCat("tokenizer.ggml.", key, " is ", *id, ", but there are ", n_tokens, " tokens")};
  }
  out = static_cast<int32_t>(*id);
  return Ok();
}

// Ids that must be those of tokens.
Result<std::vector<int32_t>> ReadIds(const std::vector<int64_t>& ids, std::string_view key, size_t n_tokens) {
  std::vector<int32_t> out;
  for (const int64_t id : ids) {
    std::optional<int32_t> one;
    LFM_RETURN_IF_ERROR(ReadId(id, key, n_tokens, one));
    out.push_back(*one);
  }
  return out;
}

void SetFlag(const std::vector<int64_t>& ids, bool AddedToken::*flag, TokenizerSpec& spec) {
  for (AddedToken& token : spec.added) {
    if (std::find(ids.begin(), ids.end(), token.id) != ids.end()) token.*flag = true;
  }
}

void AddName(std::string name, std::optional<int32_t> id, const GgufVocabulary& vocabulary, TokenizerSpec& spec) {
  if (id) spec.special_names.emplace_back(std::move(name), std::string(vocabulary.tokens[static_cast<size_t>(*id)]));
}

}  // namespace

Result<TokenizerSpec> SpecFromGguf(const GgufVocabulary& vocabulary) {
  if (vocabulary.model != "gpt2") {
    return Error{ErrorCode::kUnsupported,
                 StrCat("tokenizer.ggml.model is ", Quote(vocabulary.model), "; only byte-level BPE ('gpt2') is supported")};
  }
  // Converters that do not know a vocabulary write "default": then the family's own rule is right.
  const bool of_family = vocabulary.architecture == "lfm2" || vocabulary.architecture == "lfm2moe";
  const bool unnamed = vocabulary.pre.empty() || vocabulary.pre == "default";
  const std::string_view name = of_family && unnamed ? "lfm2" : vocabulary.pre;
  const auto* pre =
      std::find_if(std::begin(kPreTokenizers), std::end(kPreTokenizers), [&](const PreTokenizer& p) { return p.name == name; });
  if (pre == std::end(kPreTokenizers)) {
    return Error{ErrorCode::kUnsupported,
                 StrCat("tokenizer.ggml.pre is ", vocabulary.pre.empty() ? "missing" : Quote(vocabulary.pre),
                        "; supported are lfm2, llama-bpe, smaug-bpe, qwen2, gpt-2 and their kin: convert the model "
                        "again, or get another file of it")};
  }
  const size_t n = vocabulary.tokens.size();
  if (n == 0) return Error{ErrorCode::kCorrupt, "tokenizer.ggml.tokens is missing or empty"};
  if (n > size_t{1} << 22)
    return Error{ErrorCode::kLimit, StrCat("tokenizer.ggml.tokens has ", n, " entries; at most 4194304 are supported")};
  if (!vocabulary.types.empty() && vocabulary.types.size() != n) {
    return Error{ErrorCode::kCorrupt,
                 StrCat("tokenizer.ggml.token_type has ", vocabulary.types.size(), " entries for ", n, " tokens")};
  }

  TokenizerSpec spec;
  spec.split = pre->split;
  spec.ignore_merges = pre->ignore_merges;
  StringIndex index(n, n);
  LFM_RETURN_IF_ERROR(ReadTokens(vocabulary, spec, index));
  spec.merges.reserve(vocabulary.merges.size());
  for (const std::string_view merge : vocabulary.merges) {
    if (Status status = AddMerge(merge, index, spec); !status.ok()) return status.error().Within("tokenizer.ggml.merges");
  }

  std::optional<int32_t> eot,
      unknown;  // an unknown token is only a name: with all 256 bytes nothing is unknown
  LFM_RETURN_IF_ERROR(ReadId(vocabulary.bos, "bos_token_id", n, spec.bos));
  LFM_RETURN_IF_ERROR(ReadId(vocabulary.eos, "eos_token_id", n, spec.eos));
  LFM_RETURN_IF_ERROR(ReadId(vocabulary.pad, "padding_token_id", n, spec.pad));
  LFM_RETURN_IF_ERROR(ReadId(vocabulary.eot, "eot_token_id", n, eot));
  LFM_RETURN_IF_ERROR(ReadId(vocabulary.unknown, "unknown_token_id", n, unknown));
  AddName("bos_token", spec.bos, vocabulary, spec);
  AddName("eos_token", spec.eos, vocabulary, spec);
  AddName("unk_token", unknown, vocabulary, spec);
  AddName("pad_token", spec.pad, vocabulary, spec);
  if (vocabulary.add_bos.value_or(pre->adds_bos) && spec.bos) spec.prefix.push_back(*spec.bos);
  if (vocabulary.add_eos.value_or(false) && spec.eos) spec.suffix.push_back(*spec.eos);
  if (eot) spec.end_of_generation.push_back(*eot);
  AddUsualEnds(spec);
  return spec;
}

Status AddKept(const GgufKept& kept, TokenizerSpec& spec) {
  const size_t n = spec.tokens.size();
  if (kept.before) {
    LFM_TRY(spec.prefix, ReadIds(*kept.before, "before", n));
  }
  if (kept.after) {
    LFM_TRY(spec.suffix, ReadIds(*kept.after, "after", n));
  }
  SetFlag(kept.lstrip, &AddedToken::lstrip, spec);
  SetFlag(kept.rstrip, &AddedToken::rstrip, spec);
  SetFlag(kept.single_word, &AddedToken::single_word, spec);
  SetFlag(kept.normalized, &AddedToken::normalized, spec);
  spec.split_special = spec.split_special || kept.split_special;
  LFM_TRY(const auto ends, ReadIds(kept.ends, "eos_token_ids", n));
  spec.end_of_generation.insert(spec.end_of_generation.end(), ends.begin(), ends.end());
  return Ok();
}

}  // namespace lfm::text
