#include "cli/answer_grammar.h"

#include "base/strings.h"
#include "cli/output.h"
#include "grammar/spec_json.h"

namespace lfm::cli {
Result<std::shared_ptr<const engine::TokenMask>> MakeAnswerMask(const AnswerGrammar& wanted, const engine::LoadedModel& model) {
  std::shared_ptr<const engine::TokenMask> none;
  const text::Tokenizer& tokenizer = model.text().tokenizer;
  grammar::Spec spec;
  if (wanted.args.given()) {
    LFM_TRY(spec, wanted.args.Read());
  } else if (wanted.tools.is_array() && !wanted.tools.items().empty() && wanted.tool_choice != "none") {
    spec.kind = grammar::Kind::kTools;
    LFM_TRY(spec.tools, grammar::ToolsFromJson(wanted.tools, wanted.tool_choice));
  } else {
    return none;
  }
  engine::FitSpec(tokenizer, spec);
  if (spec.kind == grammar::Kind::kTools && (spec.tools.start_id < 0 || spec.tools.end_id < 0)) return none;
  grammar::Refusal refusal;
  const auto compiled = grammar::Compile(spec, {}, &refusal);
  if (!compiled.ok()) {
    // Where a call must come, one that nothing holds to its tool would be no call.
    if (spec.kind != grammar::Kind::kTools || wanted.tool_choice != "auto") {
      const ErrorCode code = compiled.error().code;
      return Error{code == ErrorCode::kUnsupported ? ErrorCode::kInvalidArgument : code, compiled.error().message};
    }
    Warn(StrCat("calls are not held to the tools' schemas: ", compiled.error().message));
    return none;
  }
  for (const auto& one : (*compiled)->unenforced())
    Warn(StrCat("not enforced: ", one.keyword, " at \"", one.pointer, "\": ", one.message));
  const auto vocabulary = engine::MakeGrammarVocabulary(tokenizer, model.config().vocab_size);
  const auto mask =
      engine::MakeGrammarMask(tokenizer, *compiled, vocabulary, engine::FindThinkingMarks(tokenizer, wanted.thinking));
  if (wanted.written.empty()) return mask;
  std::shared_ptr<engine::TokenMask> after = mask->Fork();
  for (const int32_t id : tokenizer.Encode(wanted.written, false, true)) LFM_RETURN_IF_ERROR(after->Accept(id));
  return std::shared_ptr<const engine::TokenMask>(std::move(after));
}

}  // namespace lfm::cli
