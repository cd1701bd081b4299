#include "engine/answer.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include "base/strings.h"
#include "engine/random.h"

namespace lfm::engine {
namespace {

// Allowed tokens up to which their logits alone are asked for. Measured with a head of 65,536 x 2,048 (Q4_0, one thread, AMX and
// AVX2), each answer's tokens scattered over the vocabulary and other ones than its neighbours': with 256 of them the head takes
// 30 to 60 % of the time of the whole one for 4, 16 and 64 answers, with 512 now and then more than it.
constexpr size_t kMostWanted = 256;

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

// True where no value is NaN.
bool AllNumbers(std::span<const float> values) {
  constexpr size_t kLanes = 16;
  uint32_t lanes[kLanes] = {};
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (size_t k = 0; k < kLanes; ++k) lanes[k] |= values[i + k] != values[i + k] ? 1U : 0U;
  }
  for (; i < values.size(); ++i) lanes[0] |= values[i] != values[i] ? 1U : 0U;
  return std::all_of(lanes, lanes + kLanes, [](uint32_t lane) { return lane == 0; });
}

}  // namespace

void SpreadLogits(std::span<const int32_t> ids, std::span<const float> logits, std::span<float> row) {
  std::fill(row.begin(), row.end(), kForbidden);
  for (size_t i = 0; i < ids.size(); ++i) row[static_cast<size_t>(ids[i])] = logits[i];
}

uint64_t ChoiceSeed(uint64_t seed, int i) {
  if (i == 0) return seed;
  const auto random =
      Philox4x32({static_cast<uint32_t>(i), 0, 0, 0x4C464D43U}, {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  return uint64_t{random[0]} << 32 | random[1];
}

Status CheckGeneration(const GenerationParams& params, int vocab_size) {
  LFM_RETURN_IF_ERROR(Validate(params.sampling, vocab_size));
  if (params.n_logprobs < -1 || params.n_logprobs > kMaxLogprobs) {
    return Error{ErrorCode::kInvalidArgument, StrCat("logprobs is ", params.n_logprobs, "; it must be 0 to ", kMaxLogprobs)};
  }
  return Ok();
}

Answer::Answer(const text::Tokenizer& tokenizer, const GenerationParams& params, int vocab_size, int64_t room, StopMatcher stops)
    : tokenizer_(tokenizer), n_vocab_(vocab_size), ignore_eos_(params.ignore_eos), n_logprobs_(params.n_logprobs), room_(room),
      stops_(std::move(stops)), decoder_(tokenizer, params.special), sampler_(params.sampling, vocab_size),
      mask_(params.mask ? params.mask->Fork() : nullptr), allowed_(mask_ ? (static_cast<size_t>(vocab_size) + 31) / 32 : 0),
      ended_(room <= 0) {}

Result<std::unique_ptr<Answer>> Answer::Create(const text::Tokenizer& tokenizer, int vocab_size, const GenerationParams& params,
                                               std::span<const int32_t> prompt, int64_t room) {
  LFM_RETURN_IF_ERROR(CheckGeneration(params, vocab_size));
  LFM_TRY(StopMatcher stops, StopMatcher::Create(params.stops));
  std::unique_ptr<Answer> answer(new Answer(tokenizer, params, vocab_size, room, std::move(stops)));
  answer->sampler_.AcceptPrompt(prompt);
  return answer;
}

// Asks the mask once a token.
Status Answer::FindAllowed() {
  if (!found_) found_ = mask_->Allowed(allowed_);
  return *found_;
}

std::span<const int32_t> Answer::Wanted() {
  wanted_.clear();
  if (!mask_ || n_logprobs_ >= 0 || ended_) return wanted_;
  if (n_generated() == 0 && !QueueForced().ok()) return wanted_;  // Take() says why
  if (!queue_.empty()) {
    wanted_.push_back(queue_.front());  // no logit decides about it, but a row has at least one
    return wanted_;
  }
  if (!FindAllowed().ok()) return wanted_;
  size_t n = 0;
  for (const uint32_t bits : allowed_) n += static_cast<size_t>(std::popcount(bits));
  if (n > kMostWanted) return wanted_;
  for (size_t word = 0; word < allowed_.size(); ++word) {
    for (uint32_t bits = allowed_[word]; bits != 0; bits &= bits - 1) {
      const int32_t id = static_cast<int32_t>(word * 32) + std::countr_zero(bits);
      if (id < n_vocab_) wanted_.push_back(id);
    }
  }
  return wanted_;
}

Status Answer::ApplyMask(std::span<float> logits) {
  LFM_RETURN_IF_ERROR(FindAllowed());
  for (size_t word = 0; word < allowed_.size(); ++word) {
    const uint32_t bits = allowed_[word];
    const size_t first = word * 32, n = std::min<size_t>(32, logits.size() - first);
    if (bits == ~uint32_t{0}) continue;
    float* out = logits.data() + first;
    if (bits == 0) {
      std::fill(out, out + n, kForbidden);
      continue;
    }
    for (size_t i = 0; i < n; ++i) out[i] = (bits >> i & 1) != 0 ? out[i] : kForbidden;
  }
  return Ok();
}

Status Answer::Take(std::span<float> logits) {
  added_.clear();
  if (!AllNumbers(logits)) {
    return Error{ErrorCode::kCorrupt,
                 "the model computed a logit that is not a number: its weights are damaged, or not "
                 "for this program"};
  }
  // Log probabilities are the model's own, but which token's is known only after its row is overwritten.
  const std::optional<LogNormalizer> normalizer = n_logprobs_ >= 0 ? std::optional<LogNormalizer>(logits) : std::nullopt;
  AnswerToken token;
  if (n_logprobs_ > 0) token.info.top = TopLogprobs(logits, n_logprobs_, *normalizer);
  if (normalizer) own_logits_.assign(logits.begin(), logits.end());
  if (mask_ && n_generated() == 0) LFM_RETURN_IF_ERROR(QueueForced());
  LFM_TRY(token.info.id, Choose(logits));
  if (normalizer) token.info.logprob = normalizer->Of(own_logits_[static_cast<size_t>(token.info.id)]);
  LFM_RETURN_IF_ERROR(Add(std::move(token)));
  if (!mask_) return Ok();
  LFM_RETURN_IF_ERROR(QueueForced());
  // Log probabilities need the rows of their tokens, so that there the queue waits for them.
  while (!normalizer && !ended_ && !queue_.empty()) {
    const int32_t forced = queue_.front();
    queue_.pop_front();
    LFM_RETURN_IF_ERROR(Add({{forced, 0, {}}, {}}));
    LFM_RETURN_IF_ERROR(QueueForced());
  }
  return Ok();
}

// What comes next: from the queue, or as the model says under the mask.
Result<int32_t> Answer::Choose(std::span<float> logits) {
  if (!queue_.empty()) {
    const int32_t id = queue_.front();
    queue_.pop_front();
    return id;
  }
  if (mask_) LFM_RETURN_IF_ERROR(ApplyMask(logits));
  const std::optional<int32_t> id = sampler_.Sample(logits);
  if (!id) {
    return Error{ErrorCode::kInvalidArgument,
                 StrCat("no token is allowed after ", n_generated(), " tokens of the answer: mask and logit_bias leave none")};
  }
  return mask_ ? KeepRoom(*id) : Result<int32_t>(*id);
}

// `id`, or the first token of the shortest end where the text could not be ended any more in the room after it. Every token
// is looked at near the room's end and where there is less to spare than twice what an end has taken so far, as much as a
// value that the token begins may need; earlier the next look comes when a quarter of what is beyond that is used up. Where
// no end fitted, looks are rarer: looking for one in vain may take long.
Result<int32_t> Answer::KeepRoom(int32_t id) {
  const auto left = static_cast<size_t>(room_ - n_generated());
  if (left > look_at_ || tokenizer_.IsEndOfGeneration(id)) return id;
  const auto after = mask_->Fork();
  LFM_RETURN_IF_ERROR(after->Accept(id));
  if (const auto rest = after->Ending(std::min(left - 1, kMaxEnding))) {
    longest_end_ = std::max(longest_end_, rest->size());
    const size_t spare = left - 1 - rest->size();
    look_at_ = std::max(kNearEnd, left - 1 - (spare - std::min(spare, 2 * longest_end_)) / 4);
    return id;
  }
  const auto ending = mask_->Ending(std::min(left, kMaxEnding));
  if (!ending) {  // it never fitted, or is longer than is looked for
    look_at_ = left - 1 - (left - 1) / 4;
    return id;
  }
  closing_ = true;
  if (ending->empty()) {
    for (const int32_t end : tokenizer_.end_of_generation()) {
      const auto bit = static_cast<size_t>(end);
      if (bit / 32 < allowed_.size() && (allowed_[bit / 32] >> bit % 32 & 1) != 0) return end;
    }
    return id;
  }
  queue_.assign(ending->begin() + 1, ending->end());
  return ending->front();
}

// After a token: what the mask leaves no choice about. An answer that is being closed ends when its end is written.
Status Answer::QueueForced() {
  if (ended_ || !queue_.empty()) return Ok();
  if (closing_) {
    ended_ = true;
    return Ok();
  }
  const std::vector<int32_t> forced = mask_->Forced();
  const auto left = static_cast<size_t>(room_ - n_generated());
  if (forced.empty() || forced.size() >= left) return Ok();
  if (left - forced.size() <= kNearEnd) {  // the way that KeepRoom found may be written in fewer tokens
    const auto after = mask_->Fork();
    for (const int32_t id : forced) LFM_RETURN_IF_ERROR(after->Accept(id));
    if (!after->Ending(left - forced.size()) && mask_->Ending(left)) return Ok();
  }
  queue_.assign(forced.begin(), forced.end());
  return Ok();
}

Status Answer::Add(AnswerToken token) {
  const int32_t id = token.info.id;
  sampler_.Accept(id);
  found_.reset();
  token.text = stops_.Push(decoder_.Push(id));
  added_.push_back(std::move(token));
  if (stops_.stopped()) {
    ended_ = true;
    stop_reason_ = StopReason::kStop;
  } else if ((!ignore_eos_ || mask_) && tokenizer_.IsEndOfGeneration(id)) {  // nothing follows the end of a grammar
    ended_ = true;
    stop_reason_ = StopReason::kEos;
  } else if (n_generated() >= room_) {
    ended_ = true;
  } else if (mask_) {
    return mask_->Accept(id);
  }
  return Ok();
}

void Answer::Cancel() {
  if (!ended_) stop_reason_ = StopReason::kCancelled;
  ended_ = true;
}

std::string Answer::Finish() {
  std::string rest = stops_.Push(decoder_.Finish());
  rest += stops_.Finish();
  if (stops_.stopped()) stop_reason_ = StopReason::kStop;
  return rest;
}

}  // namespace lfm::engine
