// lfm perplexity: how well a model predicts text, and what another file of it lost.
#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/strings.h"
#include "cli/commands.h"
#include "cli/figures.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/model_args.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/text_windows.h"
#include "engine/chat_prompt.h"
#include "quant/perplexity.h"
#include "text/tool_history.h"

namespace lfm::cli {
namespace {

constexpr int64_t kDefaultContext = 512;

std::string WithInterval(const quant::Estimate& estimate, int digits, double scale = 1) {
  const std::string value = Fixed(scale * estimate.value, digits);
  return estimate.has_interval() ? StrCat(value, " +/- ", Fixed(scale * estimate.interval, digits)) : value;
}

Json EstimateJson(const quant::Estimate& estimate) {
  Json json = Json::MakeObject();
  json.Set("value", estimate.value);
  json.Set("interval95", estimate.interval);
  return json;
}

Json ReportJson(const quant::PerplexityReport& report) {
  Json json = Json::MakeObject();
  json.Set("passages", report.n_passages);
  json.Set("tokens", report.n_tokens);
  json.Set("nll", EstimateJson(report.nll));
  json.Set("perplexity", EstimateJson(report.perplexity));
  json.Set("standard_error", report.standard_error);
  if (!report.has_base) return json;
  json.Set("base_perplexity", EstimateJson(report.base_perplexity));
  Json kl = EstimateJson(report.kl);
  kl.Set("median", report.kl_median);
  kl.Set("p99", report.kl_99);
  kl.Set("max", report.kl_max);
  json.Set("kl", std::move(kl));
  json.Set("same_top1", EstimateJson(report.same_top));
  return json;
}

void PrintReport(const quant::PerplexityReport& report) {
  const bool has_interval = report.perplexity.has_interval();
  WriteOut(StrCat("perplexity   ", WithInterval(report.perplexity, 4),
                  has_interval ? StrCat(" (95 %; standard error over tokens ", Fixed(report.standard_error, 4), ")\n")
                               : std::string(" (of one token: there is no interval)\n")));
  WriteOut(StrCat("tokens       ", report.n_tokens, " in ", report.n_passages, " passages\n"));
  if (!report.has_base) return;
  WriteOut(StrCat("base         ", WithInterval(report.base_perplexity, 4), "\n"));
  WriteOut(StrCat("KL, mean     ", WithInterval(report.kl, 6), " nats\n"));
  WriteOut(StrCat("KL, median   ", Fixed(report.kl_median, 6), "\n"));
  WriteOut(StrCat("KL, 99 %     ", Fixed(report.kl_99, 6), "\n"));
  WriteOut(StrCat("KL, largest  ", Fixed(report.kl_max, 6), "\n"));
  WriteOut(StrCat("same best    ", WithInterval(report.same_top, 2, 100), " %\n"));
}

class PerplexityCommand : public Command {
 public:
  void Declare(Args& args) override {
    model_.DeclareModel(args);
    args.Text("-f,--file", file_, "TEXT", "the text to predict, in windows whose second half counts; - for standard input");
    args.Text("--chat", chat_, "FILE.jsonl",
              "conversations instead: a line {\"messages\": [...]} each; the assistant's tokens count");
    args.Integer("-c,--ctx", n_ctx_, "N", "tokens of a window (default 512); with --chat the longest prompt that is read");
    args.Text("--save-base", options_.save_base, "FILE", "keep the predictions, to compare others with");
    args.Text("--base", options_.base, "FILE", "compare with kept predictions: KL divergence and same best token");
    args.Flag("--json", json_, "one JSON document");
    model_.DeclareCompute(args);
  }

  Result<int> Run() override {
    if (file_.has_value() == chat_.has_value()) {
      return Error{ErrorCode::kInvalidArgument, "name one text: -f FILE, or --chat FILE.jsonl"};
    }
    if (n_ctx_ && (*n_ctx_ < 4 || *n_ctx_ > (int64_t{1} << 20))) {
      return Error{ErrorCode::kInvalidArgument, StrCat("--ctx: ", *n_ctx_, " is not between 4 and 1048576")};
    }
    LFM_TRY(const std::string text, ReadFileOrInput(file_ ? *file_ : *chat_, file_ ? "--file" : "--chat"));
    LFM_TRY(const auto threads, model_.MakeThreads());
    ArmInterrupt();
    LFM_TRY(const auto loaded, model_.Load(*threads));
    if (!loaded->text_status().ok()) return loaded->text_status().error();
    LFM_TRY(const auto passages,
            file_ ? TextWindows(*loaded, text, *file_, n_ctx_.value_or(kDefaultContext)) : ChatPassages(*loaded, text));
    ProgressLine progress("reading", ProgressLine::Unit::kTokens);
    options_.progress = [&](uint64_t done, uint64_t total) {
      progress.Update(done, total);
      return !Interrupted();
    };
    auto measured = quant::MeasurePerplexity(loaded->network(), loaded->pages(), passages, *threads, options_);
    if (!measured.ok()) return WithFlag(measured.error());
    const quant::PerplexityReport report = std::move(measured).value();
    if (!options_.save_base.empty()) NoteWritten(options_.save_base, StrCat("predictions of ", report.n_tokens, " tokens"));
    if (json_) {
      WriteJson(ReportJson(report));
    } else {
      PrintReport(report);
    }
    return kExitOk;
  }

 private:
  // The library knows files, not flags.
  Error WithFlag(const Error& error) const {
    if (!options_.base.empty() && error.message.starts_with(options_.base)) return error.Within("--base");
    if (!options_.save_base.empty() && error.message.starts_with(options_.save_base)) return error.Within("--save-base");
    return model_.NamingFile(error);
  }

  // One passage for each answer of the assistant: the prompt before it, and the answer, which counts.
  Result<std::vector<quant::Passage>> ChatPassages(const engine::LoadedModel& loaded, const std::string& text) const {
    const int64_t n_most = std::min(n_ctx_.value_or(loaded.config().context_length), loaded.config().context_length);
    std::vector<quant::Passage> passages;
    int64_t n_line = 0, n_long = 0;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      const std::string line = text.substr(begin, end - begin);
      begin = end + 1;
      ++n_line;
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      Status added = AddConversation(loaded.text(), line, n_most, passages, n_long);
      if (!added.ok()) return added.error().Within(StrCat("--chat ", *chat_, ": line ", n_line));
    }
    if (n_long > 0) Warn(StrCat(n_long, " answers are left out: their prompts are longer than ", n_most, " tokens"));
    if (passages.empty())
      return Error{ErrorCode::kInvalidArgument, StrCat("--chat ", *chat_, ": there is no answer of an assistant to count")};
    return passages;
  }

  // The end of a rendered conversation, from byte `begin` on.
  static text::ChatText Rest(const text::ChatText& whole, size_t begin, size_t end) {
    text::ChatText rest{whole.text.substr(begin, end - begin), {}};
    for (text::ParseSpan span : whole.spans) {
      span.begin = std::clamp(span.begin, begin, end) - begin;
      span.end = std::clamp(span.end, begin, end) - begin;
      if (span.begin < span.end) rest.spans.push_back(span);
    }
    return rest;
  }

  static Status AddConversation(const engine::TextModel& model, const std::string& line, int64_t n_most,
                                std::vector<quant::Passage>& passages, int64_t& n_long) {
    LFM_TRY(const Json json, ParseJson(line));
    LFM_TRY(engine::ChatRequest request, engine::ChatRequestFromJson(json));
    const auto& named = model.ChatFor(request.template_name, !request.tools.is_null());
    if (!named.ok()) return named.error();
    const text::ChatTemplate& chat = *named;
    LFM_TRY(request.messages, text::PrepareToolMessages(request.messages, chat.source));
    const Json::Array messages = request.messages.items();
    for (size_t i = 0; i < messages.size(); ++i) {
      if (messages[i]["role"].AsString() != "assistant") continue;
      const auto first = [&](size_t n) {
        return Json::MakeArray(Json::Array(messages.begin(), messages.begin() + static_cast<int64_t>(n)));
      };
      request.messages = first(i);
      request.add_generation_prompt = true;
      request.continue_final_message = false;
      LFM_TRY(const text::ChatText prompt, engine::PromptText(chat, request));
      request.messages = first(i + 1);
      request.add_generation_prompt = false;
      LFM_TRY(const text::ChatText whole, engine::PromptText(chat, request));
      if (!whole.text.starts_with(prompt.text)) {
        return Error{ErrorCode::kInvalidArgument, StrCat("message ", i, ": the chat template changes the prompt when the ",
                                                         "answer is there, so the answer's tokens cannot be told")};
      }
      // The line end after the end-of-turn token is the template's, not the assistant's.
      const bool line_end = whole.text.ends_with('\n') && whole.text.size() > prompt.text.size();
      const text::ChatText answer = Rest(whole, prompt.text.size(), whole.text.size() - (line_end ? 1 : 0));
      quant::Passage passage;
      passage.tokens = model.tokenizer.EncodeMixed(prompt.text, prompt.spans);
      passage.counts.assign(passage.tokens.size(), 0);
      const std::vector<int32_t> counted = model.tokenizer.EncodeMixed(answer.text, answer.spans);
      passage.tokens.insert(passage.tokens.end(), counted.begin(), counted.end());
      passage.counts.resize(passage.tokens.size(), 1);
      if (passage.counts.empty()) continue;
      passage.counts[0] = 0;
      if (static_cast<int64_t>(passage.tokens.size()) > n_most) {
        ++n_long;
      } else if (passage.n_counted() > 0) {
        passages.push_back(std::move(passage));
      }
    }
    return Ok();
  }

  ModelArgs model_;
  std::optional<std::string> file_, chat_;
  std::optional<int64_t> n_ctx_;
  quant::PerplexityOptions options_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakePerplexity() { return std::make_unique<PerplexityCommand>(); }

}  // namespace lfm::cli
