#include "server/chat_writer.h"

#include "base/strings.h"

namespace lfm::server {
namespace {

Json CallJson(const Block& block) {
  return Json::MakeObject({{"id", block.call_id},
                           {"type", "function"},
                           {"function", Json::MakeObject({{"name", block.name}, {"arguments", block.text}})}});
}

// content is null beside calls or reasoning where nothing is said.
Json MessageJson(const Answer& answer) {
  std::string text = answer.Text(Block::Kind::kText);
  Json calls = Json::MakeArray();
  for (const Block& block : answer.blocks) {
    if (block.kind == Block::Kind::kCall) calls.Append(CallJson(block));
  }
  const bool silent = text.empty() && !calls.items().empty();
  Json message =
      Json::MakeObject({{"role", "assistant"}, {"content", silent ? Json() : Json(std::move(text))}, {"refusal", nullptr}});
  if (answer.Has(Block::Kind::kReasoning)) message.Set("reasoning_content", answer.Text(Block::Kind::kReasoning));
  if (!calls.items().empty()) message.Set("tool_calls", std::move(calls));
  return message;
}

}  // namespace

int CallIndex(const Answer& answer, size_t block) {
  int index = 0;
  for (size_t i = 0; i < block; ++i) index += answer.blocks[i].kind == Block::Kind::kCall ? 1 : 0;
  return index;
}

ChatWriter::ChatWriter(ChatForm form) : form_(std::move(form)) {
  open_ = OpenChoices(form_.head, "chat.completion.chunk");
  close_ = form_.include_usage ? "],\"usage\":null}" : "]}";
}

void ChatWriter::Chunk(int choice, std::string_view delta, std::string_view finish, const std::vector<TokenFigure>* figures,
                       std::string& out) const {
  out += "data: ";
  out += open_;
  out += StrCat("{\"index\":", choice, ",\"delta\":", delta, ",\"logprobs\":");
  out += form_.logprobs && figures ? Compact(LogprobsJson(*figures)) : "null";
  out += finish.empty() ? ",\"finish_reason\":null}" : StrCat(",\"finish_reason\":\"", finish, "\"}");
  out += close_;
  out += "\n\n";
}

void ChatWriter::Begin(int64_t, std::string& out) {
  for (int i = 0; i < form_.n; ++i) Chunk(i, "{\"role\":\"assistant\",\"content\":null}", "", nullptr, out);
}

void ChatWriter::Write(int choice, const Answer& answer, const Part& part, std::string& out) {
  std::string delta;
  switch (part.kind) {
    case Part::Kind::kText: delta = StrCat("{\"content\":", JsonQuote(part.text), "}"); break;
    case Part::Kind::kReasoning: delta = StrCat("{\"reasoning_content\":", JsonQuote(part.text), "}"); break;
    case Part::Kind::kCallBegin:
      delta = StrCat("{\"tool_calls\":[{\"index\":", CallIndex(answer, part.block),
                     ",\"id\":", JsonQuote(answer.blocks[part.block].call_id),
                     ",\"type\":\"function\",\"function\":{\"name\":", JsonQuote(part.text), ",\"arguments\":\"\"}}]}");
      break;
    case Part::Kind::kArguments: {
      // Arguments that are there at once come in two pieces all the same: clients join them, and some expect it.
      const bool whole = part.text.size() > 1 && part.text == answer.blocks[part.block].text;
      if (whole) {
        Part brace = part;
        brace.text.resize(1);
        Part rest = part;
        rest.text.erase(0, 1);
        rest.figures.clear();
        Arguments(choice, answer, brace, out);
        return Arguments(choice, answer, rest, out);
      }
      return Arguments(choice, answer, part, out);
    }
    case Part::Kind::kCallEnd:
      if (part.figures.empty()) return;
      delta = "{}";
      break;
  }
  Chunk(choice, delta, "", &part.figures, out);
}

void ChatWriter::Arguments(int choice, const Answer& answer, const Part& part, std::string& out) {
  Chunk(choice,
        StrCat("{\"tool_calls\":[{\"index\":", CallIndex(answer, part.block),
               ",\"function\":{\"arguments\":", JsonQuote(part.text), "}}]}"),
        "", &part.figures, out);
}

void ChatWriter::EndChoice(int choice, const Answer& answer, std::vector<TokenFigure> rest, std::string& out) {
  Chunk(choice, "{}", answer.finish, rest.empty() ? nullptr : &rest, out);
  SetUnenforced(form_.head, out);
}

void ChatWriter::End(std::span<const Answer* const>, const Totals& totals, std::string& out) {
  if (form_.include_usage) {
    out += StrCat("data: ", open_, "],\"usage\":", UsageText(totals), ",\"timings\":", TimingsText(totals), "}\n\n");
  }
  AppendEvent("[DONE]", out);
}

std::string ChatWriter::Document(std::span<const Answer* const> answers, const Totals& totals) {
  std::string out = OpenChoices(form_.head, "chat.completion");
  for (size_t i = 0; i < answers.size(); ++i) {
    out += StrCat(i > 0 ? ",{\"index\":" : "{\"index\":", i, ",\"message\":");
    AppendCompact(MessageJson(*answers[i]), out);
    out += ",\"logprobs\":";
    AppendCompact(form_.logprobs ? LogprobsJson(answers[i]->figures) : Json(), out);
    out += StrCat(",\"finish_reason\":\"", answers[i]->finish, "\"}");
  }
  out += StrCat("],\"usage\":", UsageText(totals), ",\"timings\":", TimingsText(totals));
  AppendUnenforced(form_.head, out);
  return out += '}';
}

void ChatWriter::Progress(int64_t n_total, int64_t n_cached, int64_t n_done, double ms, std::string& out) {
  const Json progress =
      Json::MakeObject({{"total", n_total}, {"cache", n_cached}, {"processed", n_done}, {"time_ms", static_cast<int64_t>(ms)}});
  out += StrCat("data: ", open_, "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":null}],",
                form_.include_usage ? "\"usage\":null," : "", "\"prompt_progress\":", Compact(progress), "}\n\n");
}

}  // namespace lfm::server
