#include "engine/grammar_mask.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/strings.h"

namespace lfm::engine {
namespace {

class GrammarMask : public TokenMask {
 public:
  GrammarMask(grammar::State state, std::shared_ptr<const grammar::Vocabulary> vocabulary, const ThinkingMarks& thinking)
      : state_(std::move(state)), vocabulary_(std::move(vocabulary)), marks_(thinking) {
    if (marks_.start == ThinkingMarks::Start::kOpen) phase_ = Phase::kThinking;
    if (marks_.start == ThinkingMarks::Start::kMay) phase_ = Phase::kMayThink;
  }

  Status Allowed(std::span<uint32_t> bits) override {
    if (phase_ == Phase::kThinking) {
      // Anything but an end: an answer that ends here would never reach the grammar.
      std::fill(bits.begin(), bits.end(), 0);
      for (int32_t id = 0; id < vocabulary_->n_tokens(); ++id) {
        if (IsText(id) || id == marks_.close_id) Set(bits, id);
      }
      return Ok();
    }
    LFM_RETURN_IF_ERROR(state_.Mask(*vocabulary_, bits));
    if (phase_ == Phase::kMayThink) Set(bits, marks_.open_id);
    if (phase_ == Phase::kAfterThinking) {
      for (int32_t id = 0; id < vocabulary_->n_tokens(); ++id) {
        if (IsLineEnds(id)) Set(bits, id);
      }
    }
    return Ok();
  }

  Status Accept(int32_t id) override {
    if (phase_ == Phase::kThinking) {
      if (id == marks_.close_id) phase_ = Phase::kAfterThinking;
      return Ok();
    }
    if (phase_ == Phase::kMayThink && id == marks_.open_id) {
      phase_ = Phase::kThinking;
      return Ok();
    }
    LFM_TRY(const bool accepted, state_.Accept(*vocabulary_, id));
    if (!accepted && phase_ == Phase::kAfterThinking && IsLineEnds(id)) {
      phase_ = Phase::kGrammar;
      return Ok();
    }
    phase_ = Phase::kGrammar;
    if (!accepted) return Error{ErrorCode::kInternal, StrCat("token ", id, " is not what the grammar allows here")};
    return Ok();
  }

  std::unique_ptr<TokenMask> Fork() const override { return std::make_unique<GrammarMask>(*this); }

 private:
  enum class Phase { kGrammar, kMayThink, kThinking, kAfterThinking };

  static void Set(std::span<uint32_t> bits, int32_t id) {
    if (id >= 0 && static_cast<size_t>(id) / 32 < bits.size()) bits[static_cast<size_t>(id) / 32] |= 1u << (id % 32);
  }
  bool IsText(int32_t id) const {
    const std::string_view bytes = vocabulary_->Bytes(id);
    return !bytes.empty() && bytes[0] != '\xFF';
  }
  bool IsLineEnds(int32_t id) const {
    const std::string_view bytes = vocabulary_->Bytes(id);
    return !bytes.empty() && bytes.size() <= 2 && bytes.find_first_not_of('\n') == std::string_view::npos;
  }

  grammar::State state_;
  std::shared_ptr<const grammar::Vocabulary> vocabulary_;
  ThinkingMarks marks_;
  Phase phase_ = Phase::kGrammar;
};

}  // namespace

std::shared_ptr<const grammar::Vocabulary> MakeGrammarVocabulary(const text::Tokenizer& tokenizer, int32_t vocab_size) {
  std::vector<grammar::Vocabulary::Token> tokens(static_cast<size_t>(std::max(vocab_size, 0)));
  for (int32_t id = 0; id < std::min(vocab_size, tokenizer.n_tokens()); ++id) {
    auto& token = tokens[static_cast<size_t>(id)];
    token.bytes = tokenizer.Bytes(id);
    // Marks that an answer shows, such as those of tool calls, are no text either.
    token.special = tokenizer.IsSpecial(id) || tokenizer.KindOf(id) != text::TokenKind::kNormal;
    if (tokenizer.KindOf(id) == text::TokenKind::kByte) token.special = false;
    if (token.bytes.empty()) token.special = false;
  }
  const auto ends = tokenizer.end_of_generation();
  return grammar::Vocabulary::Create(tokens, std::vector<int32_t>(ends.begin(), ends.end()));
}

ThinkingMarks FindThinkingMarks(const text::Tokenizer& tokenizer, ThinkingMarks::Start start) {
  ThinkingMarks marks;
  const auto open = tokenizer.Find("<think>"), close = tokenizer.Find("</think>");
  if (!open || !close) return marks;
  marks.start = start, marks.open_id = *open, marks.close_id = *close;
  return marks;
}

std::shared_ptr<const TokenMask> MakeGrammarMask(std::shared_ptr<const grammar::Grammar> grammar,
                                                 std::shared_ptr<const grammar::Vocabulary> vocabulary,
                                                 const ThinkingMarks& thinking) {
  return std::make_shared<const GrammarMask>(grammar->Start(), std::move(vocabulary), thinking);
}

void FindToolMarks(const text::Tokenizer& tokenizer, grammar::ToolOptions& options) {
  options.start_id = tokenizer.Find("<|tool_call_start|>").value_or(-1);
  options.end_id = tokenizer.Find("<|tool_call_end|>").value_or(-1);
}

}  // namespace lfm::engine
