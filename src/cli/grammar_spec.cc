#include "cli/grammar_spec.h"

#include "base/strings.h"
#include "cli/input.h"

namespace lfm::cli {

void GrammarArgs::Declare(Args& args, const std::string& json_flag) {
  args.Text("--schema", schema, "FILE", "a JSON Schema (- for standard input)");
  args.Flag(json_flag, json_object, "any JSON object");
  args.Text("--regex", regex, "PATTERN", "an ECMA-262 regular expression for the whole text");
  args.Text("--choice", choice, "A,B,...", "one of these, or of a JSON list [\"a\", ...]");
  args.Text("--grammar", grammar, "FILE", "a grammar in llguidance's Lark dialect or GBNF");
  args.Flag("--any-order", any_order, "properties in any order, not the schema's");
  args.Flag("--compact", compact, "no white space between the tokens of JSON");
}

std::string GrammarArgs::Origin() const {
  if (schema) return "--schema " + *schema;
  if (grammar) return "--grammar " + *grammar;
  return regex ? "--regex" : choice ? "--choice" : "--json-object";
}

Result<grammar::Spec> GrammarArgs::Read() const {
  const int n =
      int{schema.has_value()} + int{regex.has_value()} + int{choice.has_value()} + int{grammar.has_value()} + int{json_object};
  if (n != 1) {
    return Error{ErrorCode::kInvalidArgument, StrCat(n == 0 ? "no grammar is given" : "more than one grammar is given",
                                                     "; use one of --schema, --regex, --choice, --grammar, or any JSON object")};
  }
  grammar::Spec spec;
  spec.order = any_order ? grammar::Order::kAny : grammar::Order::kSchema;
  if (compact) spec.whitespace = grammar::Whitespace::kCompact;
  if (schema) {
    spec.kind = grammar::Kind::kJsonSchema;
    LFM_TRY(spec.schema, ReadJsonFile(*schema, "--schema"));
  } else if (regex) {
    spec.kind = grammar::Kind::kRegex, spec.text = *regex;
  } else if (grammar) {
    spec.kind = grammar::Kind::kGrammar;
    LFM_TRY(spec.text, ReadFileOrInput(*grammar, "--grammar"));
  } else if (choice) {
    spec.kind = grammar::Kind::kChoice;
    if (!choice->empty() && choice->front() == '[') {
      const auto list = ParseJson(*choice);
      if (!list.ok()) return Error{ErrorCode::kInvalidArgument, StrCat("--choice: ", list.error().message)};
      for (const Json& item : list->items()) {
        if (!item.is_string()) return Error{ErrorCode::kInvalidArgument, "--choice: the list holds more than strings"};
        spec.choices.push_back(item.AsString());
      }
    } else {
      for (size_t at = 0; at <= choice->size();) {
        const size_t comma = std::min(choice->find(',', at), choice->size());
        spec.choices.push_back(choice->substr(at, comma - at));
        at = comma + 1;
      }
    }
  }
  return spec;
}

}  // namespace lfm::cli
