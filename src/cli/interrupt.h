// Ctrl-C as a flag that long work looks at.
#pragma once

#include <atomic>

namespace lfm::cli {

// From now on the first SIGINT or SIGTERM sets the flag, and the next one ends the process at once (exit code 130) and
// leaves the terminal as it was found. Calling it again lowers the flag and arms it anew.
void ArmInterrupt();
const std::atomic<bool>& Interrupted();
// Raises the flag as a first signal does: for a program part that hears of signals by itself.
void Interrupt();

// While the user is being asked for a line, an interrupt says how to leave.
void SetAtPrompt(bool at_prompt);

}  // namespace lfm::cli
