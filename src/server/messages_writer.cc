#include "server/messages_writer.h"

#include "base/strings.h"

namespace lfm::server {
namespace {

// Thinking blocks carry a signature that their makers check; ours has nothing to sign.
Json BlockJson(const Block& block) {
  switch (block.kind) {
    case Block::Kind::kText: return Json::MakeObject({{"type", "text"}, {"text", block.text}, {"citations", nullptr}});
    case Block::Kind::kReasoning: return Json::MakeObject({{"type", "thinking"}, {"thinking", block.text}, {"signature", ""}});
    case Block::Kind::kCall: {
      auto input = ParseJson(block.text);
      const bool whole = input.ok() && input->is_object();  // a call that was cut by the limit is not
      return Json::MakeObject({{"type", "tool_use"},
                               {"id", block.call_id},
                               {"name", block.name},
                               {"input", whole ? std::move(input).value() : Json::MakeObject()}});
    }
  }
  return {};
}

Json AnthropicUsage(const Totals& totals) {
  Json usage = Json::MakeObject({{"input_tokens", totals.n_prompt - totals.n_cached},
                                 {"cache_creation_input_tokens", 0},
                                 {"cache_read_input_tokens", totals.n_cached},
                                 {"output_tokens", totals.n_completion}});
  SetCost(totals, usage);
  return usage;
}

std::string StopReason(const Answer& answer) {
  if (answer.finish == "length") return "max_tokens";
  if (answer.finish == "tool_calls") return "tool_use";
  return answer.stop.empty() ? "end_turn" : "stop_sequence";
}

Json StopSequence(const Answer& answer) { return StopReason(answer) == "stop_sequence" ? Json(answer.stop) : Json(); }

}  // namespace

void MessagesWriter::Begin(int64_t n_prompt, std::string& out) {
  Totals totals;
  totals.n_prompt = n_prompt;
  const Json message = Json::MakeObject({{"id", head_.id},
                                         {"type", "message"},
                                         {"role", "assistant"},
                                         {"model", head_.model},
                                         {"content", Json::MakeArray()},
                                         {"stop_reason", nullptr},
                                         {"stop_sequence", nullptr},
                                         {"usage", AnthropicUsage(totals)}});
  AppendEvent("message_start", Compact(Json::MakeObject({{"type", "message_start"}, {"message", message}})), out);
}

void MessagesWriter::Open(const Block& block, std::string& out) {
  Block empty = block;
  empty.text.clear();
  kind_ = block.kind;
  is_open_ = true;
  AppendEvent(
      "content_block_start",
      Compact(Json::MakeObject({{"type", "content_block_start"}, {"index", ++index_}, {"content_block", BlockJson(empty)}})),
      out);
}

void MessagesWriter::Close(std::string& out) {
  if (!is_open_) return;
  is_open_ = false;
  if (kind_ == Block::Kind::kReasoning) {
    AppendEvent("content_block_delta",
                StrCat("{\"type\":\"content_block_delta\",\"index\":", index_,
                       ",\"delta\":{\"type\":\"signature_delta\",\"signature\":\"\"}}"),
                out);
  }
  AppendEvent("content_block_stop", StrCat("{\"type\":\"content_block_stop\",\"index\":", index_, "}"), out);
}

void MessagesWriter::Write(int, const Answer& answer, const Part& part, std::string& out) {
  if (part.kind == Part::Kind::kCallEnd) return Close(out);
  if (!is_open_ || part.block != block_) {
    Close(out);
    block_ = part.block;
    Open(answer.blocks[part.block], out);
  }
  std::string delta;
  switch (part.kind) {
    case Part::Kind::kText: delta = StrCat("{\"type\":\"text_delta\",\"text\":", JsonQuote(part.text), "}"); break;
    case Part::Kind::kReasoning: delta = StrCat("{\"type\":\"thinking_delta\",\"thinking\":", JsonQuote(part.text), "}"); break;
    case Part::Kind::kArguments:
      delta = StrCat("{\"type\":\"input_json_delta\",\"partial_json\":", JsonQuote(part.text), "}");
      break;
    default: return;
  }
  AppendEvent("content_block_delta", StrCat("{\"type\":\"content_block_delta\",\"index\":", index_, ",\"delta\":", delta, "}"),
              out);
}

void MessagesWriter::EndChoice(int, const Answer&, std::vector<TokenFigure>, std::string& out) {
  if (index_ < 0) Open(Block{}, out);  // clients expect at least one block
  Close(out);
}

void MessagesWriter::End(std::span<const Answer* const> answers, const Totals& totals, std::string& out) {
  const Answer& answer = *answers.front();
  const Json delta = Json::MakeObject({{"stop_reason", StopReason(answer)}, {"stop_sequence", StopSequence(answer)}});
  AppendEvent("message_delta",
              Compact(Json::MakeObject({{"type", "message_delta"}, {"delta", delta}, {"usage", AnthropicUsage(totals)}})), out);
  AppendEvent("message_stop", "{\"type\":\"message_stop\"}", out);
}

std::string MessagesWriter::Document(std::span<const Answer* const> answers, const Totals& totals) {
  const Answer& answer = *answers.front();
  Json content = Json::MakeArray();
  for (const Block& block : answer.blocks) content.Append(BlockJson(block));
  if (content.items().empty()) content.Append(BlockJson(Block{}));
  return Compact(Json::MakeObject({{"id", head_.id},
                                   {"type", "message"},
                                   {"role", "assistant"},
                                   {"model", head_.model},
                                   {"content", std::move(content)},
                                   {"stop_reason", StopReason(answer)},
                                   {"stop_sequence", StopSequence(answer)},
                                   {"usage", AnthropicUsage(totals)}}));
}

}  // namespace lfm::server
