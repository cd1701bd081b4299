// Joins a grammar with a model's vocabulary: the TokenMask of answers that must satisfy a schema, a pattern or tools.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

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

// The state before the first token of an answer. One grammar and one vocabulary serve any number of answers.
std::shared_ptr<const TokenMask> MakeGrammarMask(std::shared_ptr<const grammar::Grammar> grammar,
                                                 std::shared_ptr<const grammar::Vocabulary> vocabulary,
                                                 const ThinkingMarks& thinking = {});

// The ids of LFM2's tool-call marks put into `options`; they stay -1 where the tokenizer has none.
void FindToolMarks(const text::Tokenizer& tokenizer, grammar::ToolOptions& options);

}  // namespace lfm::engine
