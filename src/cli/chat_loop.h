// The interactive chat of `lfm run`.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/conversation.h"
#include "engine/generate.h"
#include "engine/session.h"

namespace lfm::cli {

struct ChatOptions {
  bool show_thinking = true;
  bool stats = false;              // after each answer
  std::vector<std::string> tools;  // names of the declared ones
};

// Reads lines from the terminal and answers them until Ctrl-D, /exit or the second Ctrl-C. The exit code.
// `threads` are those of the session.
Result<int> RunChat(engine::Session& session, Threads& threads, Conversation& conversation,
                    const engine::GenerationParams& params, const ChatOptions& options);

}  // namespace lfm::cli
