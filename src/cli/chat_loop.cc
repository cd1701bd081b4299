#include "cli/chat_loop.h"

#include <cstdio>
#include <optional>

#include "base/file.h"
#include "base/strings.h"
#include "cli/answer.h"
#include "cli/commands.h"
#include "cli/environment.h"
#include "cli/interrupt.h"
#include "cli/line_editor.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/stats.h"

namespace lfm::cli {
namespace {

constexpr std::string_view kHelp =
    "  /system [TEXT]  show or set the system message      /undo       take the last exchange back\n"
    "  /reset          forget the conversation             /save FILE  write its messages as JSON\n"
    "  /load FILE      go on with a saved conversation     /stats      speed and limits of the last answer\n"
    "  /exit           leave, as Ctrl-D does\n"
    "  Ctrl-C stops an answer, a second one leaves. A line that ends in \\ goes on in the next.\n";

std::string Trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\n");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t\n") - begin + 1);
}

class Chat {
 public:
  Chat(engine::Session& session, Threads& threads, Conversation& conversation, const engine::GenerationParams& params,
       const ChatOptions& options)
      : session_(session), threads_(threads), conversation_(conversation), params_(params), options_(options) {
    session_.cancel = &Interrupted();
  }

  Result<int> Run() {
    ArmInterruptInConversation();
    WriteOut(StrCat(Plain(session_.model().config().name), ", context ", session_.n_ctx(), " tokens. /help lists commands.\n"));
    const std::string prompt = "> ";
    while (true) {
      static_cast<void>(FlushOut());
      const auto line = editor_.Read(prompt);
      if (!line) break;
      ArmInterruptInConversation();
      const std::string text = Trimmed(*line);
      if (text.empty()) continue;
      if (text == "/exit" || text == "/quit") break;
      if (text.front() == '/' && Obey(text)) continue;
      Answer(*line);
    }
    WriteOut("\n");
    return kExitOk;
  }

 private:
  // Carries out a command; false when the line is none and goes to the model.
  bool Obey(const std::string& line) {
    const size_t space = std::min(line.find_first_of(" \t\n"), line.size());
    const std::string name = line.substr(0, space), rest = Trimmed(line.substr(space));
    if (name == "/help") {
      WriteOut(kHelp);
    } else if (name == "/system") {
      if (!rest.empty()) conversation_.SetSystem(rest);
      const std::string system = conversation_.System();
      WriteOut(system.empty() ? "there is no system message\n" : StrCat("system: ", system, "\n"));
    } else if (name == "/reset") {
      conversation_.Reset();
      WriteOut("the conversation is forgotten\n");
    } else if (name == "/undo") {
      WriteOut(conversation_.Undo() ? "the last exchange is taken back\n" : "there is nothing to take back\n");
    } else if (name == "/save") {
      Save(WithHome(rest));
    } else if (name == "/load") {
      Load(WithHome(rest));
    } else if (name == "/stats") {
      WriteOut(stats_.empty() ? "there is no answer yet\n" : stats_.Text(Limits()));
    } else if (name.find('/', 1) != std::string::npos) {
      return false;  // a path, not a command
    } else {
      WriteOut(StrCat("there is no command ", Quote(name), "; /help lists them\n"));
    }
    return true;
  }

  void Save(const std::string& path) {
    if (path.empty()) {
      WriteOut("name a file: /save FILE\n");
      return;
    }
    auto file = AtomicFile::Create(path);
    Status status = file.ok() ? file->Append(conversation_.messages().Dump(1) + "\n") : Status(file.error());
    if (status.ok()) status = file->Commit();
    WriteOut(status.ok() ? StrCat("saved to ", Plain(path), "; lfm run --messages reads it\n")
                         : StrCat("not saved: ", Plain(status.error().message), "\n"));
  }

  void Load(const std::string& path) {
    if (path.empty()) {
      WriteOut("name a file: /load FILE\n");
      return;
    }
    engine::ChatRequest read;
    const Status status = ReadMessages(path, read, "/load");
    if (!status.ok()) {
      WriteOut(StrCat("not loaded: ", Plain(status.error().message), "\n"));
      return;
    }
    const size_t n = read.messages.items().size();
    conversation_.SetMessages(std::move(read.messages));
    WriteOut(StrCat("loaded ", n, n == 1 ? " message" : " messages", " from ", Plain(path), "\n"));
  }

  void Answer(const std::string& text) {
    conversation_.AddUser(text);
    if (const Status status = Generate(); !status.ok()) {
      conversation_.Undo();
      if (status.error().code == ErrorCode::kCancelled) return;
      PrintErrorLine(StrCat(status.error().message, status.error().code == ErrorCode::kLimit ? "; /reset begins anew" : ""));
    }
  }

  Status Generate() {
    LFM_TRY(const engine::ChatPrompt prompt, conversation_.Prompt());
    AnswerStyle style;
    style.split_thinking = params_.special != text::StreamDecoder::Special::kAll;
    style.open_thinking = style.split_thinking && text::PromptOpensThinking(prompt.text);
    style.show_thinking = options_.show_thinking;
    style.tools = options_.tools;
    AnswerPrinter answer(style);
    stats_.Begin(session_);
    auto progress = std::make_unique<ProgressLine>("reading", ProgressLine::Unit::kTokens);
    session_.on_progress = [&](int64_t done, int64_t total) {
      if (progress) progress->Update(static_cast<uint64_t>(done), static_cast<uint64_t>(total));
    };
    auto generation = engine::Generate(session_, prompt.ids, params_, [&](const engine::TokenInfo&, std::string_view piece) {
      progress.reset();
      stats_.OnToken(session_);
      answer.Push(piece);
      return true;
    });
    session_.on_progress = {};
    stats_.Finish(session_, generation.ok() ? generation->timings : engine::Timings());
    if (!generation.ok()) return generation.error();
    answer.Finish(generation->text);
    if (generation->stop_reason == engine::StopReason::kCancelled) Note("(stopped)\n");
    conversation_.AddAnswer(answer.thinking(), answer.has_thinking(), answer.text());
    if (options_.stats) Note(stats_.Text(Limits()));
    return Ok();
  }

  // Measured when first asked for: it takes about a second.
  const report::Roofline& Limits() {
    if (!limits_) limits_ = report::MeasureRoofline(*session_.model().network().kernels, threads_);
    return *limits_;
  }

  engine::Session& session_;
  Threads& threads_;
  Conversation& conversation_;
  const engine::GenerationParams& params_;
  const ChatOptions options_;
  LineEditor editor_;
  StatsRecorder stats_;
  std::optional<report::Roofline> limits_;
};

}  // namespace

Result<int> RunChat(engine::Session& session, Threads& threads, Conversation& conversation,
                    const engine::GenerationParams& params, const ChatOptions& options) {
  return Chat(session, threads, conversation, params, options).Run();
}

}  // namespace lfm::cli
