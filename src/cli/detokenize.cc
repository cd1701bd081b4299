// lfm detokenize: ids to the exact bytes.
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/model_args.h"
#include "cli/output.h"
#include "cli/values.h"
#include "engine/text_model.h"

namespace lfm::cli {
namespace {

class DetokenizeCommand : public Command {
 public:
  void Declare(Args& args) override {
    model_.DeclareModel(args);
    args.Positionals("IDS", ids_, "token ids, apart or with commas; - or nothing: from standard input");
    args.Flag("--json", json_, R"(print {"text", "bytes": base64})");
    args.Flag("--jsonl", jsonl_, R"(a line {"ids"} in, a line {"bytes": base64} out)");
  }

  Result<int> Run() override {
    LFM_TRY(const std::string path, model_.Path());
    LFM_TRY(const engine::TextModel model, engine::OpenTextModel(path));
    const text::Tokenizer& tokenizer = model.tokenizer;
    if (jsonl_) {
      return ForEachJsonLine([&](const Json& row) { return Line(tokenizer, row); });
    }
    std::string text;
    for (const std::string& part : ids_) text += (text.empty() ? "" : " ") + part;
    if (text.empty() || text == "-") {
      LFM_TRY(text, ReadInput());
    }
    LFM_TRY(const auto ids, ParseIds(text));
    const std::string bytes = tokenizer.Decode(ids);
    if (json_) {
      Json out = Json::MakeObject();
      out.Set("text", ToValidUtf8(bytes));
      out.Set("bytes", Base64(bytes));
      WriteJson(out);
    } else {
      WriteData(bytes);
    }
    return kExitOk;
  }

 private:
  static Result<Json> Line(const text::Tokenizer& tokenizer, const Json& row) {
    if (!row["ids"].is_array()) return Error{ErrorCode::kInvalidArgument, "\"ids\" is missing or no list"};
    std::vector<int32_t> ids;
    for (const Json& id : row["ids"].items()) {
      const int64_t value = id.AsInt(-1);
      if (!id.is_integer() || value < 0 || value > INT32_MAX) {
        return Error{ErrorCode::kInvalidArgument, StrCat("\"ids\": ", Quote(id.Dump()), " is not a token id")};
      }
      ids.push_back(static_cast<int32_t>(value));
    }
    Json out = Json::MakeObject();
    out.Set("bytes", Base64(tokenizer.Decode(ids)));
    return out;
  }

  ModelArgs model_;
  std::vector<std::string> ids_;
  bool json_ = false, jsonl_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeDetokenize() { return std::make_unique<DetokenizeCommand>(); }

}  // namespace lfm::cli
