// Formats and tools as token masks.
#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "engine/either_mask.h"
#include "engine/grammar_mask.h"
#include "grammar/spec_json.h"
#include "server/constraint.h"
#include "server/grammar_set.h"

namespace lfm::server {
namespace {

using Mask = std::shared_ptr<const engine::TokenMask>;

ApiError Refuse(const Error& error, const grammar::Refusal& refusal, const std::string& param) {
  const bool unsupported = error.code == ErrorCode::kUnsupported;
  std::string where;
  if (!refusal.keyword.empty()) where = StrCat(" (", Quote(refusal.keyword), " at ", Quote(refusal.pointer), ")");
  return BadRequest(StrCat(param, unsupported ? " cannot be enforced" : " cannot be used", where, ": ", error.message), param,
                    unsupported ? "unsupported_value" : "invalid_value");
}

ApiResult<Mask> Compiled(const ServedModel& model, const grammar::Spec& spec, std::string key, const std::string& param,
                         bool opens_reasoning, Json& unenforced) {
  if (spec.annotate_unsupported) key += " annotate";
  grammar::Refusal refusal;
  auto grammar = model.grammars->Get(spec, key, refusal);
  if (!grammar.ok()) return Refuse(grammar.error(), refusal, param);
  for (const grammar::Refusal& one : (*grammar)->unenforced()) {
    if (unenforced.is_null()) unenforced = Json::MakeArray();
    unenforced.Append(grammar::RefusalJson(one));
  }
  using Start = engine::ThinkingMarks::Start;
  const auto thinking = engine::FindThinkingMarks(model.text->tokenizer, opens_reasoning ? Start::kOpen : Start::kMay);
  return engine::MakeGrammarMask(model.text->tokenizer, std::move(grammar).value(), model.grammars->vocabulary(), thinking);
}

ApiResult<Mask> FormatMask(const ServedModel& model, const OutputFormat& format, bool opens_reasoning, Json& unenforced) {
  grammar::Spec spec;
  spec.annotate_unsupported = format.annotate;
  std::string key;
  switch (format.kind) {
    case OutputFormat::Kind::kText: return Mask();
    case OutputFormat::Kind::kJsonObject:
      spec.kind = grammar::Kind::kJson;
      key = "object";
      break;
    case OutputFormat::Kind::kJsonSchema:
      spec.kind = grammar::Kind::kJsonSchema;
      spec.schema = format.schema;
      key = "schema " + format.schema.Dump();
      break;
    case OutputFormat::Kind::kRegex:
      spec.kind = grammar::Kind::kRegex;
      spec.text = format.text;
      key = "regex " + format.text;
      break;
    case OutputFormat::Kind::kChoice:
      spec.kind = grammar::Kind::kChoice;
      spec.choices = format.choices;
      key = "choice";
      for (const std::string& choice : format.choices) key += " " + JsonQuote(choice);
      break;
    case OutputFormat::Kind::kGrammar:
      spec.kind = grammar::Kind::kGrammar;
      spec.text = format.text;
      engine::FitSpec(model.text->tokenizer, spec);
      key = "grammar " + format.text;
      break;
  }
  return Compiled(model, spec, std::move(key), format.param, opens_reasoning, unenforced);
}

// `required`: calls from the first token on; else text may come before and between.
ApiResult<Mask> ToolsMask(const ServedModel& model, const ToolUse& use, bool required, bool opens_reasoning, Json& unenforced) {
  grammar::Spec spec;
  spec.kind = grammar::Kind::kTools;
  grammar::ToolOptions& options = spec.tools;
  options.choice = required ? grammar::ToolChoice::kRequired : grammar::ToolChoice::kAuto;
  options.parallel = use.parallel;
  engine::FitSpec(model.text->tokenizer, spec);
  bool strict = required;
  std::string key = StrCat("tools ", required, use.parallel);
  for (const size_t i : use.allowed) {
    const Tool& tool = use.tools[i];
    strict |= tool.strict;
    options.tools.push_back({tool.name, grammar::ClosedArguments(tool.parameters)});
    key += StrCat(" ", tool.name, " ", tool.parameters.Dump());
  }
  if (!strict && (options.start_id < 0 || options.end_id < 0)) return Mask();  // a model without marks may still call
  // Schemas of tools that the model may leave alone are held as far as they can be.
  spec.annotate_unsupported = !strict;
  return Compiled(model, spec, std::move(key), "tools", opens_reasoning, unenforced);
}

}  // namespace

ApiResult<std::shared_ptr<const engine::TokenMask>> MakeMask(const ServedModel& model, const OutputFormat& format,
                                                             const ToolUse& use, bool opens_reasoning, Json& unenforced) {
  const bool has_format = format.kind != OutputFormat::Kind::kText;
  const bool has_tools = use.choice != ToolUse::Choice::kNone;
  const bool required = use.choice == ToolUse::Choice::kRequired;
  Mask tools, formatted;
  if (has_tools) {
    // Beside a format, an answer is either calls or what the format says.
    LFM_TRY(tools, ToolsMask(model, use, required || has_format, opens_reasoning, unenforced));
  }
  if (has_format && !required) {
    LFM_TRY(formatted, FormatMask(model, format, opens_reasoning, unenforced));
  }
  if (tools && formatted) return engine::MakeEitherMask(*tools, *formatted);
  return tools ? tools : formatted;
}

}  // namespace lfm::server
