// lfm parse: an answer's text to what it says, thinks and calls.
#include <memory>
#include <string>
#include <vector>

#include "base/strings.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/messages.h"
#include "cli/model_args.h"
#include "cli/output.h"
#include "engine/text_model.h"
#include "text/answer_json.h"
#include "text/answer_parser.h"
#include "text/stream_decoder.h"

namespace lfm::cli {
namespace {

constexpr size_t kMaxSplitBytes = size_t{64} << 10;  // every split takes the square of the text

Error Invalid(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

// The text in the given pieces.
template <typename Pieces>
text::ParsedAnswer ParsePieces(const Pieces& pieces, const text::AnswerParserOptions& options) {
  text::AnswerParser parser(options);
  text::ParsedAnswer answer;
  std::vector<text::AnswerEvent> events;
  for (const std::string_view piece : pieces) parser.Push(piece, events);
  parser.Finish(events);
  for (const text::AnswerEvent& event : events) answer.Add(event);
  return answer;
}

class ParseCommand : public Command {
 public:
  void Declare(Args& args) override {
    args.Positional("TEXT", text_, "an answer of a model; - or nothing: all of standard input");
    args.Text("--tools", tools_, "FILE", "a JSON list of the tools that were declared");
    args.Flag("--reasoning-open", reasoning_open_, "the prompt ended in <think>");
    args.Flag("--jsonl", jsonl_,
              R"(a line {"text", "tools", "reasoning_open"} in, a line {"calls", "content", "reasoning"} out)");
    args.Flag(
        "--every-split", every_split_,
        R"(feed each text in two parts at every byte, and byte by byte; "differs" lists the bytes where the result differs)");
    model_.DeclareModel(args);
    args.Footer("With -m the text is fed token by token as well, as that model would write it; \"differs\" then has -1.");
  }

  Result<int> Run() override {
    if (model_.model) {
      LFM_TRY(const std::string path, model_.Path());
      LFM_TRY(engine::TextModel model, engine::OpenTextModel(path));
      model_text_ = std::make_unique<engine::TextModel>(std::move(model));
    }
    if (jsonl_) {
      if (text_ || tools_) return Invalid("--jsonl takes text and tools from its lines");
      return ForEachJsonLine([&](const Json& row) { return Line(row); });
    }
    Json row = Json::MakeObject();
    if (tools_) {
      LFM_TRY(Json tools, ReadTools(*tools_));
      row.Set("tools", std::move(tools));
    }
    std::string text = text_.value_or("-");
    if (text == "-") {
      LFM_TRY(text, ReadInput());
    }
    row.Set("text", std::move(text));
    LFM_TRY(const Json out, Line(row));
    WriteJson(out);
    return kExitOk;
  }

 private:
  Result<Json> Line(const Json& row) const {
    LFM_TRY(text::AnswerParserOptions options, text::AnswerOptionsFromJson(row));
    options.reasoning_open |= reasoning_open_;
    const std::string& text = row["text"].AsString();
    const text::ParsedAnswer answer = ParsePieces(std::vector<std::string_view>{text}, options);
    LFM_TRY(Json out, text::AnswerToJson(answer));
    Json differs = Json::MakeArray();
    if (every_split_) {
      if (text.size() > kMaxSplitBytes) return Invalid(StrCat("--every-split takes at most ", kMaxSplitBytes, " bytes"));
      for (const int64_t at : Differences(text, options, answer)) differs.Append(at);
    }
    if (model_text_ && !(ParsePieces(TokenPieces(text), options) == answer)) differs.Append(-1);
    if (!differs.items().empty()) out.Set("differs", std::move(differs));
    return out;
  }

  // Where cutting the text in two gives another answer; 0: byte by byte.
  static std::vector<int64_t> Differences(std::string_view text, const text::AnswerParserOptions& options,
                                          const text::ParsedAnswer& answer) {
    std::vector<int64_t> differences;
    std::vector<std::string_view> bytes;
    for (size_t i = 0; i < text.size(); ++i) bytes.push_back(text.substr(i, 1));
    if (!(ParsePieces(bytes, options) == answer)) differences.push_back(0);
    for (size_t i = 1; i < text.size(); ++i) {
      const std::vector<std::string_view> halves{text.substr(0, i), text.substr(i)};
      if (!(ParsePieces(halves, options) == answer)) differences.push_back(static_cast<int64_t>(i));
    }
    return differences;
  }

  std::vector<std::string> TokenPieces(const std::string& text) const {
    text::StreamDecoder decoder(model_text_->tokenizer, text::StreamDecoder::Special::kAll);
    std::vector<std::string> pieces;
    for (const int32_t id : model_text_->tokenizer.Encode(text, false)) pieces.push_back(decoder.Push(id));
    pieces.push_back(decoder.Finish());
    return pieces;
  }

  ModelArgs model_;
  std::unique_ptr<engine::TextModel> model_text_;
  std::optional<std::string> text_, tools_;
  bool reasoning_open_ = false, jsonl_ = false, every_split_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeParse() { return std::make_unique<ParseCommand>(); }

}  // namespace lfm::cli
