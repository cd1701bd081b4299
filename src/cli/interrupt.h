// Ctrl-C as a flag that long work looks at.
#pragma once

#include <atomic>

namespace lfm::cli {

// From now on SIGINT or SIGTERM ends the process at once, with exit code 130: for all that looks at no flag.
void EndAtInterrupt();

// From now on the first SIGINT or SIGTERM sets the flag, and the next one ends the process at once (exit code 130) and
// leaves the terminal as it was found. Calling it again lowers the flag and arms it anew.
// Work that has not seen the flag and ended within a second ends with the process: one step of a large model is longer
// than anybody waits. In a conversation, which goes on after an interrupt, only a second one ends the process.
void ArmInterrupt();
void ArmInterruptInConversation();
const std::atomic<bool>& Interrupted();
// Raises the flag as a first signal does: for a program part that hears of signals by itself.
void Interrupt();

// While the user is being asked for a line, an interrupt says how to leave.
void SetAtPrompt(bool at_prompt);

}  // namespace lfm::cli
