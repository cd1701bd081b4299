// One answer in the making: a row of logits in, a token and its text out, until something ends it.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/generation.h"
#include "engine/stop_matcher.h"
#include "text/tokenizer.h"

namespace lfm::engine {

// A token that became part of the answer.
struct AnswerToken {
  TokenInfo info;
  std::string text;  // certain now
};

// Sampler, mask, text, stops and log probabilities of one answer. Not thread-safe, but usable from any thread; distinct
// answers may be used at the same time. Knows no model: what it says depends on its parameters and on the rows alone.
class Answer {
 public:
  // Checks all of params but max_tokens (which is given as the room, at least 0, that params and context leave).
  // `tokenizer` must outlive the answer.
  static Result<std::unique_ptr<Answer>> Create(const text::Tokenizer& tokenizer, int vocab_size, const GenerationParams& params,
                                                std::span<const int32_t> prompt, int64_t room);

  // The tokens whose logits the next Take() reads, rising; empty: all. Few where the mask allows few and no log probabilities
  // are asked for: then the rest of the head need not be computed. The list stays where it is until the
  // next call. Calling this is optional.
  std::span<const int32_t> Wanted();

  // The next token, from the logits after the last one, which are overwritten  // [vocab_size]; those that Wanted() left out
  // may hold anything but NaN. Then those that the mask
  // leaves no choice about (with log probabilities, which need their rows, one by one: the answer is the same). Where the
  // room runs out under a mask, the text is ended the shortest way, if one of at most kMaxEnding tokens was known. Not after
  // ended(). An error where no token is allowed, where a logit is NaN, or of the mask; the answer is then of no more use.
  Status Take(std::span<float> logits);
  // What the last Take() added: at least one token.
  const std::vector<AnswerToken>& added() const { return added_; }

  bool ended() const { return ended_; }
  StopReason stop_reason() const { return stop_reason_; }
  // Ends the answer where it is.
  void Cancel();
  // The text that was held back, when it has ended; then stop() and stop_reason() are final.
  std::string Finish();
  std::string_view stop() const { return stops_.found(); }
  int64_t n_generated() const { return sampler_.n_generated(); }

 private:
  Answer(const text::Tokenizer& tokenizer, const GenerationParams& params, int vocab_size, int64_t room, StopMatcher stops);
  static constexpr size_t kMaxEnding = 4096;  // tokens of the shortest end
  static constexpr size_t kNearEnd = 256;     // tokens that are left, from where on each is looked at
  Status FindAllowed();
  Status ApplyMask(std::span<float> logits);
  Result<int32_t> Choose(std::span<float> logits);
  Result<int32_t> KeepRoom(int32_t id);
  Status QueueForced();
  // The token becomes part of the answer; may end it.
  Status Add(AnswerToken token);

  const text::Tokenizer& tokenizer_;
  const int n_vocab_;
  const bool ignore_eos_;
  const int n_logprobs_;
  const int64_t room_;
  StopMatcher stops_;
  text::StreamDecoder decoder_;
  Sampler sampler_;
  std::unique_ptr<TokenMask> mask_;
  std::vector<uint32_t> allowed_;  // [ceil(vocab_size / 32)] with a mask
  std::optional<Status> found_;    // whether allowed_ is that of the next token, or why there is none
  std::vector<int32_t> wanted_;
  std::vector<float> own_logits_;  // [vocab_size] with log probabilities
  std::vector<AnswerToken> added_;
  std::deque<int32_t> queue_;        // tokens that come next, whatever the rows say
  bool closing_ = false;             // the queue holds the end of the text
  size_t look_at_ = 2 * kMaxEnding;  // so many tokens left: the next look at whether the text can still be ended
  size_t longest_end_ = 0;           // tokens of the longest of the shortest ends that were found
  bool ended_ = false;
  StopReason stop_reason_ = StopReason::kLength;
};

// A row of logits from those of a few tokens: -inf for all others.  // row [vocab_size], logits [ids]
void SpreadLogits(std::span<const int32_t> ids, std::span<const float> logits, std::span<float> row);

// The seed of answer i of n: that of the request for the first one, a fixed function of both for the others.
uint64_t ChoiceSeed(uint64_t seed, int i);

// The range of params' own fields, for errors before any work.
Status CheckGeneration(const GenerationParams& params, int vocab_size);

}  // namespace lfm::engine
