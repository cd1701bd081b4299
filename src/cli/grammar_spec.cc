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
      LFM_TRY(const Json list, ParseJson(*choice));
      for (const Json& item : list.items()) {
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

Result<grammar::Spec> SpecFromJson(const Json& row) {
  grammar::Spec spec;
  spec.order = row["order"].AsString() == "schema" ? grammar::Order::kSchema : grammar::Order::kAny;
  if (row["compact"].AsBool()) spec.whitespace = grammar::Whitespace::kCompact;
  if (row["unsupported"].AsString() == "annotate") spec.annotate_unsupported = true;
  if (const Json* schema = row.Find("schema")) {
    spec.kind = grammar::Kind::kJsonSchema, spec.schema = *schema;
  } else if (row["regex"].is_string()) {
    spec.kind = grammar::Kind::kRegex, spec.text = row["regex"].AsString();
  } else if (row["grammar"].is_string()) {
    spec.kind = grammar::Kind::kGrammar, spec.text = row["grammar"].AsString();
  } else if (row["choice"].is_array()) {
    spec.kind = grammar::Kind::kChoice;
    for (const Json& item : row["choice"].items()) {
      if (!item.is_string()) return Error{ErrorCode::kInvalidArgument, "\"choice\" holds more than strings"};
      spec.choices.push_back(item.AsString());
    }
  } else if (row["json"].AsBool()) {
    spec.kind = grammar::Kind::kJson;
  } else {
    return Error{ErrorCode::kInvalidArgument, R"(one of "schema", "regex", "choice", "grammar" or "json" is missing)"};
  }
  return spec;
}

Json RefusalJson(const grammar::Refusal& refusal) {
  Json out = Json::MakeObject();
  out.Set("keyword", refusal.keyword);
  out.Set("pointer", refusal.pointer);
  out.Set("message", refusal.message);
  return out;
}

}  // namespace lfm::cli
