// What a GGUF file may say of its tokenizer besides the vocabulary.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "text/tokenizer_spec.h"

namespace lfm::text {

struct GgufKept {
  std::vector<int64_t> ends;  // further ends of generation: eos_token_ids, eom_token_id
  // What `lfm convert` keeps of a tokenizer.json that other keys cannot say (lfm.tokenizer.*): ids of added tokens with these
  // flags, ids around a text, and whether special tokens in a text stay text.
  std::vector<int64_t> lstrip, rstrip, single_word, normalized;
  std::optional<std::vector<int64_t>> before, after;
  bool split_special = false;
};

// Brings it into the tokenizer read from the same file. Errors: an id that is that of no token.
Status AddKept(const GgufKept& kept, TokenizerSpec& spec);

}  // namespace lfm::text
