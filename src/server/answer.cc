#include "server/answer.h"

#include <algorithm>
#include <random>

namespace lfm::server {
namespace {

Part::Kind KindOf(text::AnswerEvent::Kind kind) {
  switch (kind) {
    case text::AnswerEvent::Kind::kContent: return Part::Kind::kText;
    case text::AnswerEvent::Kind::kReasoning: return Part::Kind::kReasoning;
    case text::AnswerEvent::Kind::kCallBegin: return Part::Kind::kCallBegin;
    case text::AnswerEvent::Kind::kArguments: return Part::Kind::kArguments;
    case text::AnswerEvent::Kind::kCallEnd: return Part::Kind::kCallEnd;
  }
  return Part::Kind::kText;
}

Block::Kind BlockOf(Part::Kind kind) {
  if (kind == Part::Kind::kText) return Block::Kind::kText;
  return kind == Part::Kind::kReasoning ? Block::Kind::kReasoning : Block::Kind::kCall;
}

}  // namespace

std::string Answer::Text(Block::Kind kind) const {
  std::string text;
  for (const Block& block : blocks) {
    if (block.kind == kind) text += block.text;
  }
  return text;
}

bool Answer::Has(Block::Kind kind) const {
  return std::any_of(blocks.begin(), blocks.end(), [&](const Block& block) { return block.kind == kind; });
}

std::string RandomId(std::string_view prefix) {
  static thread_local std::mt19937_64 generator{(uint64_t{std::random_device{}()} << 32) ^ std::random_device{}()};
  constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuv";
  std::string id(prefix);
  for (int i = 0; i < 2; ++i) {
    uint64_t bits = generator();
    for (int k = 0; k < 12; ++k, bits >>= 5) id += kDigits[bits & 31];
  }
  return id;
}

TokenFigure MakeFigure(const text::Tokenizer& tokenizer, const engine::TokenInfo& token, int n_top) {
  TokenFigure figure;
  figure.bytes = tokenizer.Bytes(token.id);
  figure.logprob = token.logprob;
  const size_t n = std::min(token.top.size(), static_cast<size_t>(std::max(n_top, 0)));
  for (size_t i = 0; i < n; ++i) {
    figure.top.emplace_back(tokenizer.Bytes(token.top[i].id), token.top[i].logprob);
  }
  return figure;
}

AnswerReader::AnswerReader(const text::Tokenizer& tokenizer, ReaderOptions options, IdMaker make_id)
    : tokenizer_(&tokenizer), options_(std::move(options)), make_id_(std::move(make_id)), parser_(options_.parser) {}

void AnswerReader::AddFigure(const engine::TokenInfo& token) {
  if (!options_.figures || (!options_.ignore_eos && tokenizer_->IsEndOfGeneration(token.id))) return;
  pending_.push_back(MakeFigure(*tokenizer_, token, options_.n_top));
  pending_.back().shown = options_.shows_all || tokenizer_->IsShown(token.id);
  answer_.figures.push_back(pending_.back());
}

void AnswerReader::Place(text::AnswerEvent& event, std::vector<Part>& parts) {
  Part part;
  part.kind = KindOf(event.kind);
  part.text = std::move(event.text);
  std::vector<Block>& blocks = answer_.blocks;
  const Block::Kind kind = BlockOf(part.kind);
  const bool begins = part.kind == Part::Kind::kCallBegin || blocks.empty() || blocks.back().kind != kind;
  if (begins) {
    if (!blocks.empty()) blocks.back().closed = true;
    blocks.push_back({kind, "", "", "", false});
  }
  Block& block = blocks.back();
  if (part.kind == Part::Kind::kCallBegin) {
    block.name = part.text;
    block.call_id = make_id_(options_.call_prefix);
  } else if (part.kind == Part::Kind::kCallEnd) {
    block.closed = true;
  } else {
    block.text += part.text;
  }
  part.block = blocks.size() - 1;
  part.figures = std::exchange(pending_, {});
  parts.push_back(std::move(part));
}

void AnswerReader::Take(const engine::Event& event, std::vector<Part>& parts) {
  const bool ends = event.kind == engine::Event::Kind::kChoiceEnd;
  events_.clear();
  if (!ends) {
    ++answer_.n_tokens;
    AddFigure(event.token);
  }
  if (options_.parse) {
    const bool was_reasoning = parser_.in_reasoning();
    if (!event.text.empty()) parser_.Push(event.text, events_);
    if (ends) parser_.Finish(events_);
    if (!ends && (was_reasoning || parser_.in_reasoning())) ++answer_.n_reasoning;
  } else if (!event.text.empty()) {
    events_.push_back({text::AnswerEvent::Kind::kContent, event.text});
  }
  for (text::AnswerEvent& one : events_) Place(one, parts);
  if (!ends) return;
  answer_.stop = event.stop;
  if (event.stop_reason == engine::StopReason::kLength) {
    answer_.finish = "length";
  } else {
    answer_.finish = options_.parse && parser_.has_calls() ? "tool_calls" : "stop";
  }
}

}  // namespace lfm::server
