// One answer: prompt in, tokens out, with everything that may end it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/generation.h"
#include "engine/session.h"

namespace lfm::engine {

struct Generation {
  std::vector<int32_t> ids;  // generated; an end token is the last one when one was sampled
  std::string text;          // valid UTF-8
  StopReason stop_reason = StopReason::kLength;
  std::string stop;                 // the stop string that was found
  std::vector<TokenInfo> logprobs;  // one per id where asked for
  Timings timings;
};

// Called for each sampled token, with the text that is certain now (often empty); what is certain only at the
// end is in Generation::text alone, which begins with all the pieces. False ends the answer.
using TokenCallback = std::function<bool(const TokenInfo& token, std::string_view text)>;

// Reads `prompt` (reusing what the session has of it) and generates. All parameters and the room in the
// context are checked before any work. The model must have text. On return the session has read the prompt
// and all ids but the last one.
Result<Generation> Generate(Session& session, std::span<const int32_t> prompt, const GenerationParams& params,
                            const TokenCallback& on_token = {});

}  // namespace lfm::engine
