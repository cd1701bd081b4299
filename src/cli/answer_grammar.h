// The token mask of one answer of `lfm run`: from the grammar's flags, or from the tools.
#pragma once

#include <memory>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "cli/grammar_spec.h"
#include "engine/grammar_mask.h"
#include "engine/loaded_model.h"

namespace lfm::cli {

struct AnswerGrammar {
  const GrammarArgs& args;
  const Json& tools;         // of the request, or null
  std::string tools_origin;  // the flag and file that they come from
  std::string tool_choice;   // auto, none, required or a name
  std::string written;       // what the answer begins with already, special tokens spelled out
  engine::ThinkingMarks::Start thinking = engine::ThinkingMarks::Start::kNone;
};

// Null where nothing limits the answer. With tools beside a grammar an answer is either calls or what the grammar says, and where a
// call must come, calls alone, as with `lfm serve`. Tools whose schemas cannot be held are a warning where neither is so: their
// calls are then free.
Result<std::shared_ptr<const engine::TokenMask>> MakeAnswerMask(const AnswerGrammar& wanted, const engine::LoadedModel& model);

}  // namespace lfm::cli
