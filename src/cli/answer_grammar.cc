#include "cli/answer_grammar.h"

#include "base/strings.h"
#include "cli/output.h"

namespace lfm::cli {
namespace {

// Tools as OpenAI writes them, {"type": "function", "function": {...}}, or bare.
grammar::ToolOptions ToolsOf(const Json& tools, const std::string& choice) {
  grammar::ToolOptions options;
  const bool any = choice == "auto" || choice == "required";
  options.choice = choice == "auto" ? grammar::ToolChoice::kAuto : grammar::ToolChoice::kRequired;
  for (const Json& item : tools.items()) {
    const Json& tool = item["function"].is_object() ? item["function"] : item;
    if (any || tool["name"].AsString() == choice) options.tools.push_back({tool["name"].AsString(), tool["parameters"]});
  }
  return options;
}

}  // namespace

Result<std::shared_ptr<const engine::TokenMask>> MakeAnswerMask(const AnswerGrammar& wanted, const engine::LoadedModel& model) {
  std::shared_ptr<const engine::TokenMask> none;
  const text::Tokenizer& tokenizer = model.text().tokenizer;
  grammar::Spec spec;
  if (wanted.args.given()) {
    LFM_TRY(spec, wanted.args.Read());
  } else if (wanted.tools.is_array() && !wanted.tools.items().empty() && wanted.tool_choice != "none") {
    spec.kind = grammar::Kind::kTools;
    spec.tools = ToolsOf(wanted.tools, wanted.tool_choice);
    engine::FindToolMarks(tokenizer, spec.tools);
    if (spec.tools.start_id < 0 || spec.tools.end_id < 0) return none;
  } else {
    return none;
  }
  grammar::Refusal refusal;
  const auto compiled = grammar::Compile(spec, {}, &refusal);
  if (!compiled.ok()) {
    if (spec.kind != grammar::Kind::kTools) return compiled.error();
    Warn(StrCat("calls are not held to the tools' schemas: ", compiled.error().message));
    return none;
  }
  for (const auto& one : (*compiled)->unenforced())
    Warn(StrCat("not enforced: ", one.keyword, " at \"", one.pointer, "\": ", one.message));
  const auto vocabulary = engine::MakeGrammarVocabulary(tokenizer, model.config().vocab_size);
  const auto mask = engine::MakeGrammarMask(*compiled, vocabulary, engine::FindThinkingMarks(tokenizer, wanted.thinking));
  if (wanted.written.empty()) return mask;
  std::shared_ptr<engine::TokenMask> after = mask->Fork();
  for (const int32_t id : tokenizer.Encode(wanted.written, false, true)) LFM_RETURN_IF_ERROR(after->Accept(id));
  return std::shared_ptr<const engine::TokenMask>(std::move(after));
}

}  // namespace lfm::cli
