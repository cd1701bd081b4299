// Joins a grammar with a model's vocabulary: the TokenMask of answers that must satisfy a schema, a pattern or tools.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/token_mask.h"
#include "grammar/grammar.h"
#include "text/tokenizer.h"

namespace lfm::engine {

// The tokenizer's tokens as a grammar sees them; `vocab_size` is the model's, which may be padded. Made once a model (some
// 100 ms for 128,000 tokens) and shared.
std::shared_ptr<const grammar::Vocabulary> MakeGrammarVocabulary(const text::Tokenizer& tokenizer, int32_t vocab_size);

// Where a model thinks before it answers, the grammar begins after the thinking.
struct ThinkingMarks {
  enum class Start {
    kNone,  // the answer begins at once
    kMay,   // the model may open a block first
    kOpen,  // the prompt has opened it
  } start = Start::kNone;
  int32_t open_id = -1, close_id = -1;  // <think> and </think>
};
// The marks of the tokenizer; kNone where it has none.
ThinkingMarks FindThinkingMarks(const text::Tokenizer& tokenizer, ThinkingMarks::Start start);

// The state before the first token of an answer. One grammar and one vocabulary serve any number of answers. The vocabulary
// is the tokenizer's, which must outlive the masks.
std::shared_ptr<const TokenMask> MakeGrammarMask(const text::Tokenizer& tokenizer,
                                                 std::shared_ptr<const grammar::Grammar> grammar,
                                                 std::shared_ptr<const grammar::Vocabulary> vocabulary,
                                                 const ThinkingMarks& thinking = {});
// Text of a grammar, in which SpecialBytes stand for special tokens, as tokens.
std::vector<int32_t> EncodeGrammarText(const text::Tokenizer& tokenizer, std::string_view text);

// Puts into a spec what it must know of the tokenizer: the ids of LFM2's tool-call marks, which stay -1 where there are
// none, and the special tokens that a Lark grammar may name.
void FitSpec(const text::Tokenizer& tokenizer, grammar::Spec& spec);

}  // namespace lfm::engine
