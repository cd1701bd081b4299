#include "engine/generate.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/strings.h"
#include "engine/stop_matcher.h"

namespace lfm::engine {
namespace {

using Clock = std::chrono::steady_clock;

double MillisecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

// The number of tokens that may be generated, or why the request cannot be served.
Result<int64_t> RoomFor(const Session& session, std::span<const int32_t> prompt,
                        const GenerationParams& params) {
  const auto n_prompt = static_cast<int64_t>(prompt.size());
  const int64_t n_ctx = session.n_ctx();
  const int64_t n_max = session.model().config().context_length;
  const auto advice = [&] {
    return n_ctx < n_max ? StrCat("; shorten the prompt or choose a larger context with -c, up to ", n_max)
                         : std::string("; shorten the prompt");
  };
  if (n_prompt > n_ctx) {
    return Error{ErrorCode::kLimit,
                 StrCat("the prompt of ", n_prompt, " tokens exceeds the context of ", n_ctx, advice())};
  }
  if (params.max_tokens < 0) return n_ctx - n_prompt;
  if (params.max_tokens > n_ctx - n_prompt) {
    return Error{ErrorCode::kLimit,
                 StrCat("the prompt of ", n_prompt, " tokens and ", params.max_tokens,
                        " new ones exceed the context of ", n_ctx, advice(), ", or ask for fewer")};
  }
  return params.max_tokens;
}

Status CheckParams(const Session& session, const GenerationParams& params) {
  LFM_RETURN_IF_ERROR(session.model().text_status());
  LFM_RETURN_IF_ERROR(Validate(params.sampling, session.model().config().vocab_size));
  if (params.n_logprobs < -1 || params.n_logprobs > kMaxLogprobs) {
    return Error{ErrorCode::kInvalidArgument,
                 StrCat("logprobs is ", params.n_logprobs, "; it must be 0 to ", kMaxLogprobs)};
  }
  return Ok();
}

// What one answer carries from token to token.
class Loop {
 public:
  Loop(Session& session, const GenerationParams& params, StopMatcher stops, const TokenCallback& on_token)
      : session_(session),
        params_(params),
        stops_(std::move(stops)),
        on_token_(on_token),
        tokenizer_(session.model().text().tokenizer),
        decoder_(tokenizer_, params.special),
        sampler_(params.sampling, session.model().config().vocab_size) {}

  // Generates up to n tokens after the prompt.
  Status Run(std::span<const int32_t> prompt, int64_t n, Generation& out) {
    sampler_.AcceptPrompt(prompt);
    const auto begin = Clock::now();
    Status status;
    out.stop_reason = StopReason::kLength;
    for (int64_t i = 0; i < n; ++i) {
      const int32_t id = Sample(out);
      if (!Emit(id, out)) break;
      if (i + 1 == n) break;
      status = session_.Read(std::span(&id, 1));
      if (!status.ok()) break;
    }
    out.text += stops_.Push(decoder_.Finish());
    out.text += stops_.Finish();
    if (stops_.stopped()) out.stop_reason = StopReason::kStop;
    out.stop = std::string(stops_.found());
    out.timings.n_predicted = static_cast<int64_t>(out.ids.size());
    out.timings.predicted_ms = MillisecondsSince(begin);
    return status;
  }

 private:
  int32_t Sample(Generation& out) {
    const auto logits = session_.logits();
    scratch_.assign(logits.begin(), logits.end());
    const int32_t id = sampler_.Sample(scratch_);
    sampler_.Accept(id);
    token_ = {id, 0, {}};
    if (params_.n_logprobs >= 0) {
      token_.logprob = LogprobOf(logits, id);
      if (params_.n_logprobs > 0) token_.top = TopLogprobs(logits, params_.n_logprobs);
      out.logprobs.push_back(token_);
    }
    out.ids.push_back(id);
    return id;
  }

  // Writes the token's text; false when the answer ends with it.
  bool Emit(int32_t id, Generation& out) {
    const std::string piece = stops_.Push(decoder_.Push(id));
    out.text += piece;
    const bool wanted = !on_token_ || on_token_(token_, piece);
    if (stops_.stopped()) {
      out.stop_reason = StopReason::kStop;
    } else if (!params_.ignore_eos && tokenizer_.IsEndOfGeneration(id)) {
      out.stop_reason = StopReason::kEos;
    } else if (!wanted || (session_.cancel && session_.cancel->load(std::memory_order_relaxed))) {
      out.stop_reason = StopReason::kCancelled;
    } else {
      return true;
    }
    return false;
  }

  Session& session_;
  const GenerationParams& params_;
  StopMatcher stops_;
  const TokenCallback& on_token_;
  const text::Tokenizer& tokenizer_;
  text::StreamDecoder decoder_;
  Sampler sampler_;
  TokenInfo token_;
  std::vector<float> scratch_;
};

}  // namespace

std::string_view StopReasonName(StopReason reason) {
  switch (reason) {
    case StopReason::kEos:
      return "eos";
    case StopReason::kLength:
      return "length";
    case StopReason::kStop:
      return "stop";
    case StopReason::kCancelled:
      return "cancelled";
  }
  return "";
}

Result<Generation> Generate(Session& session, std::span<const int32_t> prompt, const GenerationParams& params,
                            const TokenCallback& on_token) {
  LFM_RETURN_IF_ERROR(CheckParams(session, params));
  LFM_TRY(const int64_t n_room, RoomFor(session, prompt, params));
  LFM_TRY(StopMatcher stops, StopMatcher::Create(params.stops));

  Generation out;
  const auto begin = Clock::now();
  LFM_TRY(out.timings.n_reused, session.ReadPrompt(prompt));
  session.Mark();
  out.timings.n_prompt = static_cast<int64_t>(prompt.size()) - out.timings.n_reused;
  out.timings.prompt_ms = MillisecondsSince(begin);

  Loop loop(session, params, std::move(stops), on_token);
  const Status status = loop.Run(prompt, n_room, out);
  if (!status.ok() && status.error().code != ErrorCode::kCancelled) return status.error();
  if (!status.ok()) out.stop_reason = StopReason::kCancelled;
  return out;
}

}  // namespace lfm::engine
