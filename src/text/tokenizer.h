// Byte-level BPE, token for token as Hugging Face's `tokenizers` does it. docs/tokenizer.md describes the
// steps.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "text/tokenizer_spec.h"

namespace lfm::text {

// Immutable after Create; all const methods are thread-safe. Movable. Time of Encode and Decode is linear in
// the text (n log n within one piece without a boundary).
class Tokenizer {
 public:
  // Checks the spec (ids in range, no token twice) and builds the look-up tables.
  static Result<Tokenizer> Create(TokenizerSpec spec);
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // Appends the tokens of `text` to `out`. add_special: put the model's prefix (bos) before and its suffix
  // after. parse_special: special tokens written in the text become that token; otherwise their text is
  // ordinary text. Bytes that are no UTF-8 are kept: each counts as a character that is neither letter,
  // number nor space.
  void Encode(std::string_view text, bool add_special, bool parse_special, std::vector<int32_t>& out) const;
  std::vector<int32_t> Encode(std::string_view text, bool add_special, bool parse_special = true) const;
  // A text of which parts are not to be trusted: the same without add_special, but inside of `spans` (in order,
  // disjoint) special tokens count only as the span says, and none counts that reaches over the end of one. Nothing
  // else depends on the spans: pieces and merges run across them.
  std::vector<int32_t> EncodeMixed(std::string_view text, std::span<const ParseSpan> spans) const;

  // The bytes of one token, maybe a part of a character. Empty for an id without a token. Lives as long as
  // this.
  std::string_view Bytes(int32_t id) const;
  // All bytes of the tokens, special ones included.
  std::string Decode(std::span<const int32_t> ids) const;

  bool IsSpecial(int32_t id) const;  // special: true (GGUF: control)
  bool IsEndOfGeneration(int32_t id) const;
  // What an answer's text shows: all but special tokens; of these, tool calls and thinking marks are shown.
  bool IsShown(int32_t id) const;
  TokenKind KindOf(int32_t id) const;  // kUnused beyond the tokens

  // The token with exactly this text: added tokens first, then the vocabulary (by bytes).
  std::optional<int32_t> Find(std::string_view token_text) const;

  int32_t n_tokens() const;  // highest id + 1; the model's vocabulary may be padded beyond
  std::optional<int32_t> bos() const;
  std::optional<int32_t> eos() const;
  std::optional<int32_t> pad() const;
  std::span<const int32_t> end_of_generation() const;
  // Adds ends of generation that another file names (generation_config.json). Before use by threads.
  void AddEndOfGeneration(std::span<const int32_t> ids);
  bool adds_bos() const;  // whether add_special puts bos first
  // "bos_token" -> "<|startoftext|>", ...: template variables.
  std::span<const std::pair<std::string, std::string>> special_names() const;

 private:
  void Append(std::string_view text, ParseSpecial otherwise, std::span<const ParseSpan> spans, std::vector<int32_t>& out) const;

  struct Tables;
  explicit Tokenizer(std::unique_ptr<Tables> tables);
  std::unique_ptr<Tables> tables_;
};

}  // namespace lfm::text
