// lfm tokenize: text to ids.
#include "base/plain_json.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/model_args.h"
#include "cli/output.h"
#include "engine/text_model.h"

namespace lfm::cli {
namespace {

class TokenizeCommand : public Command {
 public:
  void Declare(Args& args) override {
    model_.DeclareModel(args);
    args.Positional("TEXT", text_, "the text; - or nothing: all of standard input");
    args.Flag("--no-bos", no_bos_, "do not put the beginning-of-text token first");
    args.Flag("--json", json_, R"(print {"ids": [...], "pieces": [...]})");
    args.Flag("--jsonl", jsonl_, R"(a line {"text", "add_special"} in, a line {"ids"} out)");
  }

  Result<int> Run() override {
    LFM_TRY(const std::string path, model_.Path());
    LFM_TRY(const engine::TextModel model, engine::OpenTextModel(path));
    const text::Tokenizer& tokenizer = model.tokenizer;
    if (jsonl_) {
      return ForEachJsonLine([&](const Json& row) { return Line(tokenizer, row); });
    }
    std::string text = text_.value_or("-");
    if (text == "-") {
      LFM_TRY(text, ReadInput());
      LFM_RETURN_IF_ERROR(CheckTokenRoom(text, "standard input"));
    }
    const std::vector<int32_t> ids = tokenizer.Encode(text, !no_bos_);
    if (json_) {
      // Piece by piece: as one document of millions it takes a hundred times the text.
      WriteOut("{\"ids\": [");
      WriteIds(ids, ", ");
      WriteOut("], \"pieces\": [");
      for (size_t i = 0; i < ids.size(); ++i) {
        WriteData(StrCat(i == 0 ? "" : ", ", PlainJson(Json(ToValidUtf8(tokenizer.Bytes(ids[i]))).Dump())));
      }
      WriteOut("]}\n");
      return kExitOk;
    }
    WriteIds(ids, " ");
    WriteOut("\n");
    return kExitOk;
  }

 private:
  static void WriteIds(const std::vector<int32_t>& ids, const char* between) {
    for (size_t i = 0; i < ids.size(); ++i) WriteOut(StrCat(i == 0 ? "" : between, ids[i]));
  }

  Result<Json> Line(const text::Tokenizer& tokenizer, const Json& row) const {
    const Json& text = row["text"];
    const Json& add_special = row["add_special"];
    if (!text.is_string()) return Error{ErrorCode::kInvalidArgument, "\"text\" is missing or no string"};
    if (!add_special.is_null() && !add_special.is_bool()) {
      return Error{ErrorCode::kInvalidArgument, "\"add_special\" is neither true nor false"};
    }
    const bool special = add_special.is_null() ? !no_bos_ : add_special.AsBool();
    Json out = Json::MakeObject();
    out.Set("ids", IdsJson(tokenizer.Encode(text.AsString(), special)));
    return out;
  }

  ModelArgs model_;
  std::optional<std::string> text_;
  bool no_bos_ = false, json_ = false, jsonl_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeTokenize() { return std::make_unique<TokenizeCommand>(); }

}  // namespace lfm::cli
