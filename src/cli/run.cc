// lfm run: answers one prompt, or opens the chat.
#include <algorithm>
#include <limits>
#include <memory>

#include "base/strings.h"
#include "cli/answer.h"
#include "cli/answer_grammar.h"
#include "cli/chat_loop.h"
#include "cli/commands.h"
#include "cli/conversation.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/messages.h"
#include "cli/model_args.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/sampling_args.h"
#include "cli/stats.h"
#include "cli/tool_choice.h"
#include "cli/values.h"

namespace lfm::cli {
namespace {

Error Usage(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

// What is read by the model, and how it was made.
struct Prompt {
  std::vector<int32_t> ids;
  AnswerStyle style;
};

class RunCommand : public Command {
 public:
  void Declare(Args& args) override {
    model_.DeclareModel(args);
    args.Text("-p,--prompt", prompt_, "TEXT", "the prompt; without it standard input, or a chat on a terminal");
    args.Text("--system", system_, "TEXT", "the system message");
    args.Text("--tools", tools_, "FILE", "a JSON list of tools");
    args.Text("--tool-choice", tool_choice_, "CHOICE",
              "auto (default), none: no call, required: the answer begins with a call, or the name of the tool to call");
    args.Text("--messages", messages_, "FILE", "a conversation to answer: a JSON list of messages; - for standard input");
    args.Text("--template", template_, "FILE", "use this chat template instead of the model's");
    args.Flag("--continue", continue_, "go on with the last message (of its own accord where that is the assistant's)");
    args.Flag("--raw", raw_, "continue plain text, without the chat template");
    args.Text("--ids", ids_, "IDS", "the whole prompt as token ids: no template, nothing added");
    sampling_.Declare(args);
    grammar_.Declare(args, "--json-object");
    model_.DeclareCompute(args);
    model_.DeclareContext(args);
    args.Choice("--think", think_, {"show", "hide"}, "thinking of LFM2.5 (default: shown on a terminal)");
    args.Text("--template-name", template_name_, "NAME",
              "one of the model's chat templates (lfm info lists them); default: tool_use with tools, else default");
    args.Flag("--parse-special", parse_special_,
              "special tokens that the prompt or messages spell out become those tokens; without it they stay text, "
              "so that no message can forge a turn");
    args.Texts("--set", settings_, "KEY=VALUE", "a template variable: JSON where it parses, else a string");
    args.Flag("--json", json_, "one JSON document instead of text");
    args.Flag("--stats", stats_, "speeds, where the time went and how near the machine's limit it was, on standard error");
    args.Footer(
        "On a terminal, Ctrl-C stops the answer and a second one leaves. In the chat, /help lists its "
        "commands.");
  }

  Result<int> Run() override {
    LFM_RETURN_IF_ERROR(CheckFlags());
    LFM_TRY(const Json variables, ParseSettings(settings_));
    LFM_RETURN_IF_ERROR(model_.Context());
    LFM_TRY(engine::ChatRequest request, ReadRequest());
    request.variables = variables;
    const bool chat = IsChat();
    if (!chat && !prompt_ && !ids_ && !messages_) {
      LFM_RETURN_IF_ERROR(ReadPromptFromInput());
    }
    LFM_TRY(const auto threads, model_.MakeThreads());
    ArmInterrupt();
    LFM_TRY(const auto loaded, model_.Load(*threads));
    LFM_RETURN_IF_ERROR(loaded->text_status());
    LFM_TRY(auto params, sampling_.Params(loaded->text().sampling, loaded->config().vocab_size));
    LFM_TRY(const ToolChoice choice,
            ReadToolChoice(tool_choice_.value_or("auto"), request.tools, ToolsOrigin(), loaded->text().tokenizer));
    for (const int32_t id : choice.forbidden)
      params.sampling.logit_bias.emplace_back(id, -std::numeric_limits<float>::infinity());
    LFM_TRY(const int64_t n_ctx, model_.ContextFor(*loaded));
    LFM_TRY(const auto session, engine::Session::Create(loaded, *threads, {n_ctx}));
    tool_list_ = request.tools;
    Conversation conversation(loaded->text(), std::move(request));
    if (system_) conversation.SetSystem(*system_);
    if (template_) {
      LFM_TRY(auto own, TemplateOf(loaded->text().tokenizer, *template_));
      conversation.UseTemplate(std::move(own));
    }
    if (chat) {
      if (grammar_.given()) return Usage("a grammar is for one answer; give its prompt with -p");
      if (!choice.written.empty()) return Usage("the chat takes --tool-choice auto and none only");
      return RunChat(*session, *threads, conversation, params, {think_ != "hide", stats_, choice.tools});
    }
    return Answer(*session, *threads, conversation, params, choice);
  }

 private:
  // What a limit that was met is about: the context, which a flag makes larger, or the grammar; and what damage is in.
  Error NameCause(Error error, size_t n_prompt, const engine::Session& session, const engine::GenerationParams& params) const {
    if (error.code != ErrorCode::kLimit) return model_.NamingFile(error);
    const int64_t n_all = static_cast<int64_t>(n_prompt) + std::max<int64_t>(0, params.max_tokens);
    if (n_all <= session.n_ctx() && params.mask) return error.Within(grammar_.given() ? grammar_.Origin() : ToolsOrigin());
    error.message += " (-c)";
    return error;
  }

  std::string ToolsOrigin() const {
    return tools_ ? "--tools " + *tools_ : messages_ ? "--messages " + *messages_ : std::string("--tools");
  }
  std::string TemplateOrigin() const { return template_ ? "--template " + *template_ : model_.Path().value(); }

  bool IsChat() const { return !prompt_ && !ids_ && !messages_ && !raw_ && !json_ && InputIsTerminal(); }

  Status CheckFlags() const {
    if (ids_ && (prompt_ || raw_ || messages_ || system_ || tools_)) {
      return Usage("--ids is the whole prompt; it goes with none of -p, --raw, --messages, --system and --tools");
    }
    if ((raw_ || ids_) && (messages_ || system_ || tools_ || template_ || continue_ || !settings_.empty())) {
      return Usage(StrCat(raw_ ? "--raw" : "--ids", " uses no chat template; it goes with none of --messages, --system, ",
                          "--tools, --template, --continue and --set"));
    }
    if (continue_ && !messages_) return Usage("--continue goes on with the last of --messages FILE; name them");
    if (continue_ && prompt_) return Usage("-p is a message behind the last one; --continue goes on with that one: choose one");
    if (messages_ && tools_ && *messages_ == "-" && *tools_ == "-") {
      return Usage("only one of --messages and --tools can be standard input");
    }
    if (tool_choice_ && (ids_ || raw_)) return Usage("--tool-choice goes with neither --ids nor --raw");
    if (sampling_.n_logprobs && !json_) return Usage("--logprobs needs --json");
    return Ok();
  }

  Result<engine::ChatRequest> ReadRequest() const {
    engine::ChatRequest request;
    request.messages = Json::MakeArray();
    request.parse_special = parse_special_;
    request.cancel = &Interrupted();
    request.template_name = template_name_.value_or("");
    if (messages_) LFM_RETURN_IF_ERROR(ReadMessages(*messages_, request));
    if (tools_) {
      LFM_TRY(request.tools, ReadTools(*tools_));
    }
    return request;
  }

  // Standard input without its last line end, of either kind, which echo and editors add.
  Status ReadPromptFromInput() {
    if (InputIsTerminal()) return Usage("no prompt is given; use -p TEXT, or pipe it in");
    LFM_TRY(std::string text, ReadInputText());
    if (text.ends_with('\n')) text.pop_back();
    if (text.ends_with('\r')) text.pop_back();
    constexpr uint64_t kCopies = 8;  // what the reference's template and its rendering make of a message
    LFM_RETURN_IF_ERROR(CheckTokenRoom(text, "standard input", raw_ ? 0 : kCopies));
    if (text.empty()) return Usage("there is no prompt: standard input is empty; use -p TEXT, or pipe a text in");
    prompt_ = std::move(text);
    return Ok();
  }

  Result<Prompt> MakePrompt(const engine::TextModel& model, Conversation& conversation, const ToolChoice& choice) const {
    Prompt prompt;
    prompt.style.stream = !json_;
    if (ids_) {
      auto ids = ParseIds(*ids_);
      if (!ids.ok()) return ids.error().Within("--ids");
      prompt.ids = std::move(ids).value();
      return prompt;
    }
    if (raw_) {
      prompt.ids = model.tokenizer.Encode(*prompt_, true, parse_special_);
      return prompt;
    }
    if (prompt_) conversation.AddUser(*prompt_);
    if (continue_ || conversation.EndsInAnswer()) conversation.ContinueLastMessage();
    auto rendered = conversation.Prompt();
    if (!rendered.ok()) {
      const bool usable = template_ || model.ChatFor(template_name_.value_or(""), !tool_list_.is_null()).ok();
      return PromptError(rendered.error(), TemplateOrigin(), usable && messages_ ? "--messages " + *messages_ : "");
    }
    engine::ChatPrompt made = std::move(rendered).value();
    prompt.ids = std::move(made.ids);
    prompt.style.split_thinking = !sampling_.special;
    prompt.style.open_thinking = prompt.style.split_thinking && text::PromptOpensThinking(made.text);
    prompt.style.show_thinking = think_ ? *think_ == "show" : OutputIsTerminal();
    prompt.style.tools = choice.tools;
    if (!choice.written.empty()) {  // the answer goes on from here, its thinking left out
      prompt.style.open_thinking = false;
      prompt.style.written = choice.written;
      const std::string closed = text::PromptOpensThinking(made.text) ? "</think>" : "";
      const auto ids = model.tokenizer.Encode(closed + choice.written, false, true);
      prompt.ids.insert(prompt.ids.end(), ids.begin(), ids.end());
    }
    return prompt;
  }

  Result<int> Answer(engine::Session& session, Threads& threads, Conversation& conversation, engine::GenerationParams params,
                     const ToolChoice& choice) {
    const engine::TextModel& model = session.model().text();
    LFM_TRY(const Prompt prompt, MakePrompt(model, conversation, choice));
    AnswerGrammar wanted{grammar_, tool_list_, ToolsOrigin(), tool_choice_.value_or("auto"), choice.written};
    if (prompt.style.split_thinking && choice.written.empty()) {
      wanted.thinking = prompt.style.open_thinking ? engine::ThinkingMarks::Start::kOpen : engine::ThinkingMarks::Start::kMay;
    }
    LFM_TRY(params.mask, MakeAnswerMask(wanted, session.model()));
    StatsRecorder stats;
    if (stats_) stats.Begin(session);
    session.cancel = &Interrupted();
    auto progress = std::make_unique<ProgressLine>("reading", ProgressLine::Unit::kTokens);
    session.on_progress = [&](int64_t done, int64_t total) {
      if (progress) progress->Update(static_cast<uint64_t>(done), static_cast<uint64_t>(total));
    };
    AnswerPrinter answer(prompt.style);
    const auto on_token = [&](const engine::TokenInfo&, std::string_view piece) {
      progress.reset();
      if (stats_) stats.OnToken(session);
      answer.Push(piece);
      return true;
    };
    auto generation = engine::Generate(session, prompt.ids, params, on_token);
    progress.reset();
    if (!generation.ok()) {
      return NameCause(generation.error(), prompt.ids.size(), session, params);
    }
    answer.Finish(generation->text);
    if (json_) WriteJson(AnswerJson(*generation, answer, prompt.ids, model.tokenizer));
    if (stats_) {
      stats.Finish(session, generation->timings);
      Note(stats.Text(report::MeasureRoofline(*session.model().network().kernels, threads)));
    }
    return generation->stop_reason == engine::StopReason::kCancelled ? kExitInterrupted : kExitOk;
  }

  ModelArgs model_;
  SamplingArgs sampling_;
  GrammarArgs grammar_;
  Json tool_list_;
  std::optional<std::string> prompt_, system_, tools_, tool_choice_, messages_, ids_, think_, template_, template_name_;
  std::vector<std::string> settings_;
  bool raw_ = false, continue_ = false, parse_special_ = false, json_ = false, stats_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeRun() { return std::make_unique<RunCommand>(); }

}  // namespace lfm::cli
