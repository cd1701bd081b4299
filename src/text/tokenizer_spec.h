// What a tokenizer is, whatever file it came from: tokens, merges, added tokens, and the rules between them.
// Read from a Hugging Face tokenizer.json or from the arrays of a GGUF; a Tokenizer is made of it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace lfm::text {

enum class TokenKind : uint8_t {
  kUnused,  // an id without a token: a hole in the vocabulary, or padding of it; decodes to no bytes
  kNormal,
  kSpecial,      // an added token with special: true (GGUF: control)
  kUserDefined,  // an added token with special: false
  kByte,         // a token of the form <0x41>
};

// How text is cut into pieces before merging. See docs/tokenizer.md for the regular expressions.
enum class SplitRule : uint8_t {
  kLlama3,  // LFM2, LFM2.5, Llama 3, cl100k: at most three digits to a piece
  kQwen2,   // as kLlama3, but each digit is a piece
  kGpt2,    // the byte-level pre-tokenizer's own
};

struct SpecToken {
  std::string bytes;  // what the token decodes to (the byte alphabet is undone)
  TokenKind kind = TokenKind::kUnused;
  bool in_model = false;  // part of the BPE vocabulary; false for tokens that are only added
};

// A token that is searched in the raw text before anything else. The flags are Hugging Face's.
struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = false;
  bool single_word = false;  // matches only where no word character touches it
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // takes the white space after it
  bool normalized = false;   // searched after those that are not, in the text that they leave
  bool of_answers = false;   // set by the tokenizer: what the model itself may write (tool calls, thinking)
};

// Which special tokens that are written out in a text become that token; the others stay ordinary text.
enum class ParseSpecial : uint8_t {
  kNone,
  kAnswer,  // those that an answer holds: marks of tool calls and of thinking, but none that ends or begins a turn
  kAll,
};

// Bytes [begin, end) of a text with a rule of their own.
struct ParseSpan {
  size_t begin = 0, end = 0;
  ParseSpecial parse = ParseSpecial::kNone;
};

struct TokenizerSpec {
  struct Merge {
    int32_t left = 0, right = 0, result = 0;
  };

  std::vector<SpecToken> tokens;  // by id
  std::vector<Merge> merges;      // by rank; of equal pairs the last one counts
  std::vector<AddedToken> added;
  SplitRule split = SplitRule::kLlama3;
  bool ignore_merges = false;      // a piece that is in the vocabulary is taken whole
  std::optional<int32_t> unknown;  // for bytes without a token; absent: such bytes are dropped
  bool fuse_unknown = false;

  bool split_special = false;           // special tokens in a text always stay text (split_special_tokens)
  std::vector<int32_t> prefix, suffix;  // what add_special puts around the text
  std::optional<int32_t> bos, eos, pad;
  std::vector<int32_t> end_of_generation;  // sorted; eos, <|im_end|> and <|endoftext|> where they are special
  // bos_token, eos_token, ...: the variables that a chat template sees, in the order of the configuration.
  std::vector<std::pair<std::string, std::string>> special_names;
};

// From a parsed tokenizer.json and tokenizer_config.json (null when absent). What is not byte-level BPE, or
// uses parts that no model of the family has, is an error that names the entry.
Result<TokenizerSpec> SpecFromTokenizerJson(const Json& tokenizer, const Json& config);

// The tokenizer.ggml.* entries of a GGUF file, borrowed for the call.
struct GgufVocabulary {
  std::string_view model;  // "gpt2" is the only one supported
  std::string_view pre;    // "lfm2", "llama-bpe", ...
  std::span<const std::string_view> tokens;
  std::span<const int64_t> types;                      // token_type: 1 normal ... 6 byte; empty: all normal
  std::span<const std::string_view> merges;            // "left right"
  std::optional<int64_t> bos, eos, eot, pad, unknown;  // *_token_id
  std::optional<bool> add_bos, add_eos;
  std::string_view architecture = {};  // tells the rule where `pre` is "default" or missing
};
Result<TokenizerSpec> SpecFromGguf(const GgufVocabulary& vocabulary);

}  // namespace lfm::text
