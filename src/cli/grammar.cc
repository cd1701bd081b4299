// lfm grammar: whether a text satisfies a grammar, how fast its masks are, and how a schema was understood.
#include <algorithm>

#include "base/strings.h"
#include "cli/commands.h"
#include "cli/grammar_bench.h"
#include "cli/grammar_spec.h"
#include "cli/input.h"
#include "cli/model_args.h"
#include "cli/output.h"
#include "engine/grammar_mask.h"
#include "engine/text_model.h"
#include "grammar/grammar.h"
#include "grammar/spec_json.h"

namespace lfm::cli {
namespace {

class GrammarCommand : public Command {
 public:
  void Declare(Args& args) override {
    args.Positional("ACTION", action_, "check; show: the normal form of a schema; bench: times over a folder of schemas");
    args.Positional("FOLDER", folder_, "bench: .json files with \"schema\" and \"tests\" or \"documents\"");
    model_.DeclareModel(args);
    args.Integer("--limit", limit_, "N", "bench: so many of the files, spread over all; 0: every one");
    args.Integer("--sequences", sequences_, "N", "bench: the time of a step of so many answers at a time, too");
    args.Flag("--figures", figures_, "bench: one JSON document");
    spec_.Declare(args, "--json-object");
    args.Text("--json", document_, "FILE", "the text to check (- for standard input, the default)");
    args.Flag("--schema-order", schema_order_, "properties must stand in the schema's order, as in an answer");
    args.Flag("--jsonl", jsonl_,
              R"(a line {"schema" | ..., "documents": [TEXT, ...]} in, {"accepted": [...]} or {"refused"} out)");
    args.Footer("check: exit code 0 if the text is accepted, 1 if not, 2 if the grammar is refused.");
  }

  Result<int> Run() override {
    const std::string action = action_.value_or("check");
    if (action != "check" && action != "show" && action != "bench") {
      return Error{ErrorCode::kInvalidArgument, StrCat("no such action: ", Quote(action), "; there are check, show and bench")};
    }
    if (action == "bench") return Bench();
    if (jsonl_) return ForEachJsonLine([](const Json& row) { return Line(row); });
    LFM_TRY(grammar::Spec spec, spec_.Read());
    if (!schema_order_) spec.order = grammar::Order::kAny;
    std::optional<engine::TextModel> model;  // with -m: its special tokens may be named
    if (model_.model && spec.kind == grammar::Kind::kGrammar) {
      LFM_TRY(const std::string path, model_.Path());
      LFM_TRY(model, engine::OpenTextModel(path));
      engine::FitSpec(model->tokenizer, spec);
    }
    grammar::Refusal refusal;
    const auto compiled = grammar::Compile(spec, {}, &refusal);
    if (!compiled.ok()) {
      if (!refusal.keyword.empty()) {
        Note(
            StrCat("refused: ", Plain(refusal.keyword), " at ", Quote(refusal.pointer, 200), ": ", Plain(refusal.message), "\n"));
        return kExitUsage;
      }
      Note(StrCat("refused: ", Plain(compiled.error().message), "\n"));
      return kExitUsage;
    }
    for (const auto& one : (*compiled)->unenforced())
      Warn(StrCat("not enforced: ", one.keyword, " at ", Quote(one.pointer, 200), ": ", one.message));
    if (action == "show") {
      WriteOut((*compiled)->Describe());
      WriteOut("\n");
      return kExitOk;
    }
    LFM_TRY(std::string text, ReadExactly(document_.value_or("-"), "--json"));
    if (model) text = WithSpecialTokens(text, model->tokenizer, spec);
    grammar::State state = (*compiled)->Start();
    LFM_TRY(const bool alive, state.Advance(text));
    const bool accepted = alive && state.accepting();
    if (!accepted)
      Note(alive ? "not accepted: the text is not complete\n" : StrCat("not accepted: ", Where(**compiled, text), "\n"));
    return accepted ? kExitOk : kExitFailure;
  }

 private:
  Result<int> Bench() const {
    if (!folder_) return Error{ErrorCode::kInvalidArgument, "lfm grammar bench needs a folder of schemas"};
    LFM_TRY(const std::string path, model_.Path());
    LFM_TRY(const engine::TextModel model, engine::OpenTextModel(path));
    LFM_TRY(const Json figures, BenchGrammars(*folder_, model.tokenizer, limit_, sequences_));
    if (figures_) {
      WriteJson(figures);
    } else {
      WriteOut(BenchText(figures));
    }
    return kExitOk;
  }

  // The text as the grammar reads it: special tokens that are spelled out in it are those tokens.
  static std::string WithSpecialTokens(const std::string& text, const text::Tokenizer& tokenizer, const grammar::Spec& spec) {
    std::string out;
    for (const int32_t id : tokenizer.Encode(text, false, true)) {
      const bool special =
          std::any_of(spec.special_tokens.begin(), spec.special_tokens.end(), [&](const auto& one) { return one.second == id; });
      out += special ? grammar::Vocabulary::SpecialBytes(id) : std::string(tokenizer.Bytes(id));
    }
    return out;
  }

  // The first byte that the grammar forbids.
  static std::string Where(const grammar::Grammar& grammar, const std::string& text) {
    grammar::State state = grammar.Start();
    for (size_t i = 0; i < text.size(); ++i) {
      const auto alive = state.Advance(std::string_view(text).substr(i, 1));
      if (!alive.ok()) return alive.error().message;
      if (!*alive) return StrCat("byte ", i, ", ", Quote(std::string_view(text).substr(i, 20)));
    }
    return "at its end";
  }

  static Result<Json> Line(const Json& row) {
    LFM_TRY(const grammar::Spec spec, grammar::SpecFromJson(row, grammar::Order::kAny));
    grammar::Refusal refusal;
    const auto compiled = grammar::Compile(spec, {}, &refusal);
    Json out = Json::MakeObject();
    if (!compiled.ok()) {
      out.Set("refused", grammar::RefusalJson(refusal));
      return out;
    }
    Json accepted = Json::MakeArray();
    if (!row["documents"].is_null() && !row["documents"].is_array())
      return Error{ErrorCode::kInvalidArgument, "\"documents\" is no list"};
    for (const Json& document : row["documents"].items()) {
      if (!document.is_string()) return Error{ErrorCode::kInvalidArgument, "\"documents\" holds more than texts"};
      grammar::State state = (*compiled)->Start();
      LFM_TRY(const bool alive, state.Advance(document.AsString()));
      accepted.Append(alive && state.accepting());
    }
    out.Set("accepted", std::move(accepted));
    if (!(*compiled)->unenforced().empty()) {
      Json list = Json::MakeArray();
      for (const auto& one : (*compiled)->unenforced()) list.Append(grammar::RefusalJson(one));
      out.Set("unenforced", std::move(list));
    }
    return out;
  }

  std::optional<std::string> action_, folder_, document_;
  ModelArgs model_;
  GrammarArgs spec_;
  int64_t limit_ = 0, sequences_ = 0;
  bool jsonl_ = false, schema_order_ = false, figures_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeGrammar() { return std::make_unique<GrammarCommand>(); }

}  // namespace lfm::cli
