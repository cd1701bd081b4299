#include "engine/grammar_mask.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>
#include <vector>

#include "base/strings.h"

namespace lfm::engine {
namespace {

// Special tokens, and marks that an answer shows, such as those of tool calls: no text either.
bool IsMark(const text::Tokenizer& tokenizer, int32_t id) {
  const text::TokenKind kind = tokenizer.KindOf(id);
  if (kind == text::TokenKind::kByte || tokenizer.Bytes(id).empty()) return false;
  return tokenizer.IsSpecial(id) || kind != text::TokenKind::kNormal;
}

class GrammarMask : public TokenMask {
 public:
  GrammarMask(const text::Tokenizer& tokenizer, grammar::State state, std::shared_ptr<const grammar::Vocabulary> vocabulary,
              const ThinkingMarks& thinking)
      : tokenizer_(tokenizer), state_(std::move(state)), vocabulary_(std::move(vocabulary)), marks_(thinking) {
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
    if (n_before_ == before_.size()) {
      std::copy(before_.begin() + 1, before_.end(), before_.begin());
    } else {
      ++n_before_;
    }
    before_[n_before_ - 1] = id;
    return Ok();
  }

  // The canonical tokens of the forced text: those that the tokenizer writes it with behind the last tokens of the answer,
  // whatever comes after it. Text that it would write with other tokens before it (a model may begin `{` where `{"` is one
  // token) is taken by itself.
  std::vector<int32_t> Forced() override {
    if (phase_ != Phase::kGrammar) return {};
    const std::string text = state_.Forced(kMaxForced);
    if (text.empty()) return {};
    const size_t mark = text.find('\xFF');
    if (mark == 0) return EncodeGrammarText(tokenizer_, std::string_view(text).substr(0, text.find(']') + 1));
    if (mark != std::string::npos) return tokenizer_.Encode(std::string_view(text).substr(0, mark), false, false);
    size_t first = n_before_;  // no text goes on from a special token
    while (first > 0 && !vocabulary_->Bytes(before_[first - 1]).starts_with('\xFF')) --first;
    const std::span<const int32_t> last(before_.data() + first, n_before_ - first);
    std::string before;
    for (const int32_t id : last) before += vocabulary_->Bytes(id);
    std::vector<int32_t> ids = Certain(before + text);
    if (ids.size() < last.size() || !std::equal(last.begin(), last.end(), ids.begin())) return Certain(text);
    ids.erase(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(last.size()));
    return ids;
  }

  std::optional<std::vector<int32_t>> Ending(size_t max) override {
    const bool thinking = phase_ == Phase::kThinking;
    if (thinking && max == 0) return std::nullopt;
    const auto text = state_.ShortestCompletion(max * kMaxTokenBytes);
    if (!text.ok()) return std::nullopt;
    std::vector<int32_t> ids = EncodeGrammarText(tokenizer_, *text);
    if (thinking) ids.insert(ids.begin(), marks_.close_id);
    if (ids.size() > max) return std::nullopt;
    return ids;
  }

  std::unique_ptr<TokenMask> Fork() const override { return std::make_unique<GrammarMask>(*this); }

 private:
  enum class Phase { kGrammar, kMayThink, kThinking, kAfterThinking };

  static void Set(std::span<uint32_t> bits, int32_t id) {
    if (id >= 0 && static_cast<size_t>(id) / 32 < bits.size()) bits[static_cast<size_t>(id) / 32] |= 1u << (id % 32);
  }
  // The tokens of a text that stay the same whatever follows it. What comes may join the last run of letters, of digits or
  // of other characters, and that run the character before it, but for others behind an ASCII letter or digit: there
  // every text is split ("location" is settled before "="). Tokens of earlier text are settled.
  std::vector<int32_t> Certain(std::string_view text) const {
    const auto kind = [](char c) {
      const auto low = static_cast<unsigned char>(c | 0x20);
      return (low >= 'a' && low <= 'z') || static_cast<unsigned char>(c) >= 0x80 ? 0 : c >= '0' && c <= '9' ? 1 : 2;
    };
    size_t settled = text.size();
    while (settled > 0 && kind(text[settled - 1]) == kind(text.back())) --settled;
    const bool split = settled > 0 && kind(text.back()) == 2 && static_cast<unsigned char>(text[settled - 1]) < 0x80;
    if (settled > 0 && !split) --settled;
    std::vector<int32_t> ids = tokenizer_.Encode(text, false, false);
    size_t n_bytes = 0, n = 0;
    for (; n < ids.size(); ++n) {
      n_bytes += vocabulary_->Bytes(ids[n]).size();
      if (n_bytes > settled) break;
    }
    ids.resize(n);
    return ids;
  }
  bool IsText(int32_t id) const {
    const std::string_view bytes = vocabulary_->Bytes(id);
    return !bytes.empty() && bytes[0] != '\xFF';
  }
  bool IsLineEnds(int32_t id) const {
    const std::string_view bytes = vocabulary_->Bytes(id);
    return !bytes.empty() && bytes.size() <= 2 && bytes.find_first_not_of('\n') == std::string_view::npos;
  }

  static constexpr size_t kMaxForced = 256, kMaxTokenBytes = 32;

  const text::Tokenizer& tokenizer_;
  grammar::State state_;
  std::shared_ptr<const grammar::Vocabulary> vocabulary_;
  ThinkingMarks marks_;
  Phase phase_ = Phase::kGrammar;
  std::array<int32_t, 4> before_{};  // the last tokens under the grammar
  size_t n_before_ = 0;
};

}  // namespace

std::shared_ptr<const grammar::Vocabulary> MakeGrammarVocabulary(const text::Tokenizer& tokenizer, int32_t vocab_size) {
  std::vector<grammar::Vocabulary::Token> tokens(static_cast<size_t>(std::max(vocab_size, 0)));
  for (int32_t id = 0; id < std::min(vocab_size, tokenizer.n_tokens()); ++id) {
    auto& token = tokens[static_cast<size_t>(id)];
    token.bytes = tokenizer.Bytes(id);
    token.special = IsMark(tokenizer, id);
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

std::shared_ptr<const TokenMask> MakeGrammarMask(const text::Tokenizer& tokenizer,
                                                 std::shared_ptr<const grammar::Grammar> grammar,
                                                 std::shared_ptr<const grammar::Vocabulary> vocabulary,
                                                 const ThinkingMarks& thinking) {
  return std::make_shared<const GrammarMask>(tokenizer, grammar->Start(), std::move(vocabulary), thinking);
}

std::vector<int32_t> EncodeGrammarText(const text::Tokenizer& tokenizer, std::string_view text) {
  std::vector<int32_t> ids;
  while (!text.empty()) {
    const size_t plain = std::min(text.find('\xFF'), text.size());
    if (plain > 0) tokenizer.Encode(text.substr(0, plain), false, false, ids);
    text.remove_prefix(plain);
    if (text.empty()) break;
    const size_t end = text.find(']');  // of "\xFF[id]"
    int32_t id = -1;
    std::from_chars(text.data() + 2, text.data() + end, id);
    ids.push_back(id);
    text.remove_prefix(end + 1);
  }
  return ids;
}

void FitSpec(const text::Tokenizer& tokenizer, grammar::Spec& spec) {
  if (spec.kind == grammar::Kind::kTools) {
    spec.tools.start_id = tokenizer.Find("<|tool_call_start|>").value_or(-1);
    spec.tools.end_id = tokenizer.Find("<|tool_call_end|>").value_or(-1);
  }
  if (spec.kind != grammar::Kind::kGrammar) return;
  for (int32_t id = 0; id < tokenizer.n_tokens(); ++id) {
    if (IsMark(tokenizer, id)) spec.special_tokens.emplace_back(tokenizer.Bytes(id), id);
  }
}

}  // namespace lfm::engine
