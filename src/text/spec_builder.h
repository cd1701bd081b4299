// What the readers of tokenizer.json and of GGUF share: ids by text, merges, ends of generation.
#pragma once

#include <string>
#include <string_view>

#include "text/string_index.h"
#include "text/tokenizer_spec.h"

namespace lfm::text {

// The token's bytes: the byte alphabet undone, or the text itself where a character is outside the alphabet.
// So Hugging Face decodes, added tokens too.
std::string DecodedBytes(std::string_view token_text);

// Appends the merge of two texts; `vocabulary` has the texts of all tokens that merging may use.
Status AddMerge(std::string_view left, std::string_view right, const StringIndex& vocabulary, TokenizerSpec& spec);
// Appends the merge "left right".
Status AddMerge(std::string_view line, const StringIndex& vocabulary, TokenizerSpec& spec);

// Completes end_of_generation from eos and the special tokens <|im_end|> and <|endoftext|>.
void AddUsualEnds(TokenizerSpec& spec);

}  // namespace lfm::text
