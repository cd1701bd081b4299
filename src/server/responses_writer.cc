#include "server/responses_writer.h"

#include "base/strings.h"

namespace lfm::server {
namespace {

Json ResponsesUsage(const Totals& totals) {
  Json usage = Json::MakeObject({{"input_tokens", totals.n_prompt},
                                 {"input_tokens_details", Json::MakeObject({{"cached_tokens", totals.n_cached}})},
                                 {"output_tokens", totals.n_completion},
                                 {"output_tokens_details", Json::MakeObject({{"reasoning_tokens", totals.n_reasoning}})},
                                 {"total_tokens", totals.n_prompt + totals.n_completion}});
  SetCost(totals, usage);
  return usage;
}

Json FiguresJson(const std::vector<TokenFigure>& figures) {
  Json list = Json::MakeArray();
  for (const TokenFigure& figure : figures) list.Append(FigureJson(figure));
  return list;
}

Json TextPart(std::string text, Json logprobs) {
  return Json::MakeObject({{"type", "output_text"},
                           {"text", std::move(text)},
                           {"annotations", Json::MakeArray()},
                           {"logprobs", std::move(logprobs)}});
}

Json ReasoningPart(std::string text) { return Json::MakeObject({{"type", "reasoning_text"}, {"text", std::move(text)}}); }

const char* PrefixOf(Block::Kind kind) {
  if (kind == Block::Kind::kText) return "msg_";
  return kind == Block::Kind::kReasoning ? "rs_" : "fc_";
}

}  // namespace

void ResponsesWriter::Event(std::string_view type, std::string_view members, std::string& out) {
  AppendEvent(type, StrCat("{\"type\":\"", type, "\",\"sequence_number\":", sequence_++, ",", members, "}"), out);
}

const std::string& ResponsesWriter::ItemId(size_t index, Block::Kind kind) {
  if (index >= item_ids_.size()) item_ids_.resize(index + 1);
  if (item_ids_[index].empty()) item_ids_[index] = form_.make_id(PrefixOf(kind));
  return item_ids_[index];
}

Json ResponsesWriter::Item(const Block& block, size_t index, const std::string& status) {
  const std::string& id = ItemId(index, block.kind);
  const bool begins = status == "in_progress";
  switch (block.kind) {
    case Block::Kind::kText: {
      Json content = Json::MakeArray();
      const bool has_figures = form_.logprobs && index < figures_.size();
      if (!begins) content.Append(TextPart(block.text, has_figures ? FiguresJson(figures_[index]) : Json::MakeArray()));
      return Json::MakeObject(
          {{"id", id}, {"type", "message"}, {"status", status}, {"role", "assistant"}, {"content", std::move(content)}});
    }
    case Block::Kind::kReasoning: {
      Json content = Json::MakeArray();
      if (!begins) content.Append(ReasoningPart(block.text));
      return Json::MakeObject(
          {{"id", id}, {"type", "reasoning"}, {"summary", Json::MakeArray()}, {"content", std::move(content)}});
    }
    case Block::Kind::kCall:
      return Json::MakeObject({{"id", id},
                               {"type", "function_call"},
                               {"status", status},
                               {"call_id", block.call_id},
                               {"name", block.name},
                               {"arguments", begins ? std::string() : block.text}});
  }
  return {};
}

Json ResponsesWriter::Unfinished(const std::string& status) const {
  Json response = Json::MakeObject({{"id", form_.head.id},
                                    {"object", "response"},
                                    {"created_at", form_.head.created},
                                    {"completed_at", nullptr},
                                    {"status", status},
                                    {"error", nullptr},
                                    {"incomplete_details", nullptr},
                                    {"model", form_.head.model},
                                    {"output", Json::MakeArray()},
                                    {"usage", nullptr}});
  for (const auto& [name, value] : form_.echo.members()) response.Set(name, value);
  return response;
}

void ResponsesWriter::Begin(int64_t, std::string& out) {
  const std::string response = StrCat("\"response\":", Compact(Unfinished("in_progress")));
  Event("response.created", response, out);
  Event("response.in_progress", response, out);
}

void ResponsesWriter::Open(const Block& block, std::string& out) {
  is_open_ = true;
  Event("response.output_item.added",
        StrCat("\"output_index\":", block_, ",\"item\":", Compact(Item(block, block_, "in_progress"))), out);
  if (block.kind == Block::Kind::kCall) return;
  const Json part = block.kind == Block::Kind::kText ? TextPart("", Json::MakeArray()) : ReasoningPart("");
  Event("response.content_part.added",
        StrCat("\"item_id\":", JsonQuote(ItemId(block_, block.kind)), ",\"output_index\":", block_,
               ",\"content_index\":0,\"part\":", Compact(part)),
        out);
}

void ResponsesWriter::Close(const Answer& answer, std::string& out) {
  if (!is_open_) return;
  is_open_ = false;
  const Block& block = block_ < answer.blocks.size() ? answer.blocks[block_] : Block{};
  const bool is_last = block_ + 1 >= answer.blocks.size();
  const std::string status = answer.finish == "length" && is_last ? "incomplete" : "completed";
  const Json item = Item(block, block_, status);
  const std::string place = StrCat("\"item_id\":", JsonQuote(ItemId(block_, block.kind)), ",\"output_index\":", block_);
  if (block.kind == Block::Kind::kCall) {
    Event("response.function_call_arguments.done",
          StrCat(place, ",\"name\":", JsonQuote(block.name), ",\"arguments\":", JsonQuote(block.text)), out);
  } else {
    const Json& part = item["content"].items().front();
    if (block.kind == Block::Kind::kText) {
      Event("response.output_text.done",
            StrCat(place, ",\"content_index\":0,\"text\":", JsonQuote(block.text), ",\"logprobs\":", Compact(part["logprobs"])),
            out);
    } else {
      Event("response.reasoning.done", StrCat(place, ",\"content_index\":0,\"text\":", JsonQuote(block.text)), out);
    }
    Event("response.content_part.done", StrCat(place, ",\"content_index\":0,\"part\":", Compact(part)), out);
  }
  Event("response.output_item.done", StrCat("\"output_index\":", block_, ",\"item\":", Compact(item)), out);
}

void ResponsesWriter::Write(int, const Answer& answer, const Part& part, std::string& out) {
  if (part.kind == Part::Kind::kCallEnd) return Close(answer, out);
  if (form_.logprobs && !part.figures.empty()) {
    if (part.block >= figures_.size()) figures_.resize(part.block + 1);
    auto& list = figures_[part.block];
    list.insert(list.end(), part.figures.begin(), part.figures.end());
  }
  const Block& block = answer.blocks[part.block];
  if (!is_open_ || part.block != block_) {
    Close(answer, out);
    block_ = part.block;
    Open(block, out);
  }
  const std::string place = StrCat("\"item_id\":", JsonQuote(ItemId(block_, block.kind)), ",\"output_index\":", block_);
  switch (part.kind) {
    case Part::Kind::kText:
      Event("response.output_text.delta",
            StrCat(place, ",\"content_index\":0,\"delta\":", JsonQuote(part.text),
                   ",\"logprobs\":", form_.logprobs ? Compact(FiguresJson(part.figures)) : std::string("[]")),
            out);
      break;
    case Part::Kind::kReasoning:
      Event("response.reasoning.delta", StrCat(place, ",\"content_index\":0,\"delta\":", JsonQuote(part.text)), out);
      break;
    case Part::Kind::kArguments:
      Event("response.function_call_arguments.delta", StrCat(place, ",\"delta\":", JsonQuote(part.text)), out);
      break;
    default: break;
  }
}

void ResponsesWriter::EndChoice(int, const Answer& answer, std::vector<TokenFigure>, std::string& out) {
  if (answer.blocks.empty()) {  // clients expect at least one item
    block_ = 0;
    Open(Block{}, out);
  }
  Close(answer, out);
}

void ResponsesWriter::Finish(const Answer& answer, const Totals& totals) {
  const bool incomplete = answer.finish == "length";
  response_ = Unfinished(incomplete ? "incomplete" : "completed");
  Json output = Json::MakeArray();
  for (size_t i = 0; i < answer.blocks.size(); ++i) {
    const bool cut = incomplete && i + 1 == answer.blocks.size();
    output.Append(Item(answer.blocks[i], i, cut ? "incomplete" : "completed"));
  }
  if (output.items().empty()) output.Append(Item(Block{}, 0, incomplete ? "incomplete" : "completed"));
  response_.Set("output", std::move(output));
  response_.Set("usage", ResponsesUsage(totals));
  if (incomplete) {
    response_.Set("incomplete_details", Json::MakeObject({{"reason", "max_output_tokens"}}));
  } else {
    response_.Set("completed_at", form_.now());
  }
}

void ResponsesWriter::End(std::span<const Answer* const> answers, const Totals& totals, std::string& out) {
  Finish(*answers.front(), totals);
  const bool incomplete = response_["status"].AsString() == "incomplete";
  Event(incomplete ? "response.incomplete" : "response.completed", StrCat("\"response\":", Compact(response_)), out);
}

std::string ResponsesWriter::Document(std::span<const Answer* const> answers, const Totals& totals) {
  const Answer& answer = *answers.front();
  if (form_.logprobs && !answer.blocks.empty()) {  // one text: all figures are its own
    for (size_t i = 0; i < answer.blocks.size(); ++i) {
      if (answer.blocks[i].kind != Block::Kind::kText) continue;
      figures_.resize(i + 1);
      figures_[i] = answer.figures;
      break;
    }
  }
  Finish(answer, totals);
  return Compact(response_);
}

}  // namespace lfm::server
