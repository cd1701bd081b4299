#include "engine/generate.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/strings.h"
#include "engine/answer.h"

namespace lfm::engine {
namespace {

using Clock = std::chrono::steady_clock;

double MillisecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

// The number of tokens that may be generated, or why the request cannot be served.
Result<int64_t> RoomFor(const Session& session, std::span<const int32_t> prompt, const GenerationParams& params) {
  const auto n_prompt = static_cast<int64_t>(prompt.size());
  const int64_t n_ctx = session.n_ctx();
  const int64_t n_max = session.model().config().context_length;
  const std::string advice = n_ctx < n_max ? StrCat("; shorten the prompt or choose a larger context, up to ", n_max)
                                           : std::string("; shorten the prompt");
  if (n_prompt > n_ctx) {
    return Error{ErrorCode::kLimit, StrCat("the prompt of ", n_prompt, " tokens exceeds the context of ", n_ctx, advice)};
  }
  if (params.max_tokens < 0) return n_ctx - n_prompt;
  if (params.max_tokens > n_ctx - n_prompt) {
    return Error{ErrorCode::kLimit, StrCat("the prompt of ", n_prompt, " tokens and ", params.max_tokens,
                                           " new ones exceed the context of ", n_ctx, advice, ", or ask for fewer")};
  }
  return params.max_tokens;
}

// Moves what the answer added into `out` and shows it; false when the reader wants no more.
bool Collect(const Answer& answer, const GenerationParams& params, const TokenCallback& on_token, Generation& out) {
  bool wanted = true;
  for (const AnswerToken& token : answer.added()) {
    out.ids.push_back(token.info.id);
    if (params.n_logprobs >= 0) out.logprobs.push_back(token.info);
    out.text += token.text;
    if (on_token && !on_token(token.info, token.text)) wanted = false;
  }
  return wanted;
}

// Generates after the prompt, which the session has read.
Status Continue(Session& session, const GenerationParams& params, Answer& answer, const TokenCallback& on_token,
                Generation& out) {
  std::vector<float> row;
  std::span<const int32_t> ids;  // that the row has; empty: all
  while (!answer.ended()) {
    if (ids.empty()) {
      row.assign(session.logits().begin(), session.logits().end());
    } else {
      row.resize(static_cast<size_t>(session.model().config().vocab_size));
      SpreadLogits(ids, session.few_logits(), row);
    }
    LFM_RETURN_IF_ERROR(answer.Take(row));
    const size_t n_before = out.ids.size();
    const bool wanted = Collect(answer, params, on_token, out);
    if (!wanted || (session.cancel && session.cancel->load(std::memory_order_relaxed))) answer.Cancel();
    if (answer.ended()) break;
    ids = answer.Wanted();
    LFM_RETURN_IF_ERROR(session.Read(std::span<const int32_t>(out.ids).subspan(n_before), ids));
  }
  return Ok();
}

}  // namespace

std::string_view StopReasonName(StopReason reason) {
  switch (reason) {
    case StopReason::kEos: return "eos";
    case StopReason::kLength: return "length";
    case StopReason::kStop: return "stop";
    case StopReason::kCancelled: return "cancelled";
  }
  return "";
}

Result<Generation> Generate(Session& session, std::span<const int32_t> prompt, const GenerationParams& params,
                            const TokenCallback& on_token) {
  LFM_RETURN_IF_ERROR(session.model().text_status());
  LFM_TRY(const int64_t n_room, RoomFor(session, prompt, params));
  LFM_TRY(const auto answer,
          Answer::Create(session.model().text().tokenizer, session.model().config().vocab_size, params, prompt, n_room));
  Generation out;
  const auto begin = Clock::now();
  LFM_TRY(out.timings.n_reused, session.ReadPrompt(prompt));
  session.Mark();
  out.timings.n_prompt = static_cast<int64_t>(prompt.size()) - out.timings.n_reused;
  out.timings.prompt_ms = MillisecondsSince(begin);

  const auto first = Clock::now();
  const Status status = Continue(session, params, *answer, on_token, out);
  if (!status.ok()) {
    if (status.error().code != ErrorCode::kCancelled) return status.error();
    answer->Cancel();
  }
  out.text += answer->Finish();
  out.stop_reason = answer->stop_reason();
  out.stop = std::string(answer->stop());
  out.timings.n_predicted = static_cast<int64_t>(out.ids.size());
  out.timings.predicted_ms = MillisecondsSince(first);
  return out;
}

}  // namespace lfm::engine
