#include "cli/answer_grammar.h"

#include <utility>

#include "base/strings.h"
#include "cli/output.h"
#include "engine/either_mask.h"
#include "grammar/spec_json.h"

namespace lfm::cli {
namespace {

using Mask = std::shared_ptr<const engine::TokenMask>;

// `origin`: where the grammar comes from, for errors.
Result<Mask> MaskOf(const grammar::Spec& spec, const std::string& origin, const AnswerGrammar& wanted,
                    const engine::LoadedModel& model) {
  const auto compiled = grammar::Compile(spec);
  if (!compiled.ok()) {
    const ErrorCode code = compiled.error().code;
    return Error{code == ErrorCode::kUnsupported ? ErrorCode::kInvalidArgument : code, compiled.error().message}.Within(origin);
  }
  for (const auto& one : (*compiled)->unenforced())
    Warn(StrCat("not enforced: ", one.keyword, " at \"", one.pointer, "\": ", one.message));
  const text::Tokenizer& tokenizer = model.text().tokenizer;
  return engine::MakeGrammarMask(tokenizer, *compiled, engine::MakeGrammarVocabulary(tokenizer, model.config().vocab_size),
                                 engine::FindThinkingMarks(tokenizer, wanted.thinking));
}

// `held`: calls that nothing holds to their tools would be no calls; else such ones are free, with a warning.
Result<Mask> ToolsMask(const AnswerGrammar& wanted, const engine::LoadedModel& model, bool held) {
  grammar::Spec spec;
  spec.kind = grammar::Kind::kTools;
  const bool is_auto = wanted.tool_choice == "auto";
  auto options = grammar::ToolsFromJson(wanted.tools, held && is_auto ? "required" : wanted.tool_choice);
  if (!options.ok()) return options.error().Within(wanted.tools_origin);
  spec.tools = std::move(*options);
  engine::FitSpec(model.text().tokenizer, spec);
  if (spec.tools.start_id < 0 || spec.tools.end_id < 0) return Mask();
  auto mask = MaskOf(spec, wanted.tools_origin, wanted, model);
  if (mask.ok() || held) return mask;
  Warn(StrCat("calls are not held to the tools' schemas: ", mask.error().message));
  return Mask();
}

}  // namespace

Result<Mask> MakeAnswerMask(const AnswerGrammar& wanted, const engine::LoadedModel& model) {
  const bool has_tools = wanted.tools.is_array() && !wanted.tools.items().empty() && wanted.tool_choice != "none";
  const bool must_call = has_tools && wanted.tool_choice != "auto";
  Mask calls, formatted;
  if (has_tools) {
    LFM_TRY(calls, ToolsMask(wanted, model, must_call || wanted.args.given()));
  }
  if (wanted.args.given() && !must_call) {
    LFM_TRY(grammar::Spec spec, wanted.args.Read());
    engine::FitSpec(model.text().tokenizer, spec);
    LFM_TRY(formatted, MaskOf(spec, wanted.args.Origin(), wanted, model));
  }
  if (calls && formatted) return engine::MakeEitherMask(*calls, *formatted);
  const Mask& mask = calls ? calls : formatted;
  if (!mask || wanted.written.empty()) return mask;
  std::shared_ptr<engine::TokenMask> after = mask->Fork();
  for (const int32_t id : model.text().tokenizer.Encode(wanted.written, false, true)) LFM_RETURN_IF_ERROR(after->Accept(id));
  return Mask(std::move(after));
}

}  // namespace lfm::cli
