#include "server/completions_writer.h"

#include <algorithm>

#include "base/strings.h"

namespace lfm::server {
namespace {

int64_t CountCharacters(std::string_view utf8) {
  return std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

// The token itself is among its alternatives, as OpenAI has it.
Json TopJson(const TokenFigure& figure, const std::string& token) {
  if (!figure.known) return Json();
  Json top = Json::MakeObject();
  for (const auto& [bytes, logprob] : figure.top) {
    const std::string text = ToValidUtf8(bytes);
    if (!top.Find(text)) top.Set(text, LogprobNumber(logprob));  // of equal texts the likelier one
  }
  if (!top.Find(token)) top.Set(token, LogprobNumber(figure.logprob));
  return top;
}

// {"tokens", "token_logprobs", "top_logprobs", "text_offset"}; moves the offset on.
Json OldLogprobs(std::span<const TokenFigure> figures, int64_t& offset) {
  Json tokens = Json::MakeArray(), logprobs = Json::MakeArray(), top = Json::MakeArray(), offsets = Json::MakeArray();
  for (const TokenFigure& figure : figures) {
    const std::string token = figure.shown ? ToValidUtf8(figure.bytes) : "";
    logprobs.Append(figure.known ? LogprobNumber(figure.logprob) : Json());
    top.Append(TopJson(figure, ToValidUtf8(figure.bytes)));
    offsets.Append(offset);
    offset += CountCharacters(token);
    tokens.Append(token);
  }
  return Json::MakeObject({{"tokens", std::move(tokens)},
                           {"token_logprobs", std::move(logprobs)},
                           {"top_logprobs", std::move(top)},
                           {"text_offset", std::move(offsets)}});
}

}  // namespace

CompletionsWriter::CompletionsWriter(CompletionsForm form) : form_(std::move(form)) {
  open_ = OpenChoices(form_.head, "text_completion");
  close_ = form_.include_usage ? ",\"usage\":null}" : "}";
}

void CompletionsWriter::Chunk(int choice, std::string_view text, std::string_view finish, std::span<const TokenFigure> figures,
                              std::string& out) {
  const auto index = static_cast<size_t>(choice);
  if (index >= offsets_.size()) offsets_.resize(index + 1, 0);
  out += "data: ";
  out += open_;
  out += StrCat("{\"index\":", choice, ",\"text\":", JsonQuote(text), ",\"logprobs\":");
  out += form_.logprobs ? Compact(OldLogprobs(figures, offsets_[index])) : "null";
  out += finish.empty() ? ",\"finish_reason\":null}" : StrCat(",\"finish_reason\":\"", finish, "\"}");
  out += ']';
  if (form_.content) out += StrCat(",\"content\":", JsonQuote(text), ",\"stop\":", finish.empty() ? "false" : "true");
  out += close_;
  out += "\n\n";
}

void CompletionsWriter::Begin(int64_t, std::string&) {}

void CompletionsWriter::TakePrompt(int prompt, std::vector<TokenFigure> figures) {
  const auto index = static_cast<size_t>(prompt);
  if (index >= prompt_figures_.size()) prompt_figures_.resize(index + 1);
  std::vector<TokenFigure>& all = prompt_figures_[index];
  all.insert(all.end(), std::make_move_iterator(figures.begin()), std::make_move_iterator(figures.end()));
}

void CompletionsWriter::Echo(int choice, std::string& out) {
  const auto index = static_cast<size_t>(choice);
  if (index >= echoed_.size()) echoed_.resize(index + 1, false);
  if (!form_.echo || echoed_[index]) return;
  echoed_[index] = true;
  const auto prompt = static_cast<size_t>(PromptOf(choice));
  std::span<const TokenFigure> figures;
  if (prompt < prompt_figures_.size()) figures = prompt_figures_[prompt];
  Chunk(choice, form_.prompts[prompt], "", figures, out);
}

void CompletionsWriter::Write(int choice, const Answer&, const Part& part, std::string& out) {
  Echo(choice, out);
  Chunk(choice, part.text, "", part.figures, out);
}

void CompletionsWriter::EndChoice(int choice, const Answer& answer, std::vector<TokenFigure> rest, std::string& out) {
  Echo(choice, out);
  Chunk(choice, "", answer.finish, rest, out);
  SetUnenforced(form_.head, out);
}

void CompletionsWriter::End(std::span<const Answer* const>, const Totals& totals, std::string& out) {
  if (form_.include_usage) {
    out += StrCat("data: ", open_, "],\"usage\":", UsageText(totals), "}\n\n");
  }
  AppendEvent("[DONE]", out);
}

// Of the prompt, where it is echoed, and the answer.
Json CompletionsWriter::DocumentLogprobs(size_t prompt, const Answer& answer) const {
  std::vector<TokenFigure> figures;
  if (form_.echo && prompt < prompt_figures_.size()) figures = prompt_figures_[prompt];
  figures.insert(figures.end(), answer.figures.begin(), answer.figures.end());
  int64_t offset = 0;
  return OldLogprobs(figures, offset);
}

std::string CompletionsWriter::Document(std::span<const Answer* const> answers, const Totals& totals) {
  std::string out = open_, first_text;
  for (size_t i = 0; i < answers.size(); ++i) {
    const auto prompt = static_cast<size_t>(PromptOf(static_cast<int>(i)));
    const std::string text = (form_.echo ? form_.prompts[prompt] : "") + answers[i]->Text(Block::Kind::kText);
    if (i == 0) first_text = text;
    out += StrCat(i > 0 ? ",{\"index\":" : "{\"index\":", i, ",\"text\":");
    AppendJsonQuote(text, out);
    out += ",\"logprobs\":";
    AppendCompact(form_.logprobs ? DocumentLogprobs(prompt, *answers[i]) : Json(), out);
    out += StrCat(",\"finish_reason\":\"", answers[i]->finish, "\"}");
  }
  out += StrCat("],\"usage\":", UsageText(totals), ",\"timings\":", TimingsText(totals));
  AppendUnenforced(form_.head, out);
  if (form_.content) out += StrCat(",\"content\":", JsonQuote(first_text), ",\"stop\":true");
  return out += '}';
}

}  // namespace lfm::server
