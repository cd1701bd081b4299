// Ctrl-C as a flag that long work looks at.
#pragma once

#include <atomic>
#include <cstdint>

namespace lfm::cli {

// What holds for every command: writing to a closed pipe or beyond a limit of file sizes is an error that its writer
// sees, and a limit of CPU time ends the process with exit code 4.
void PrepareSignals();

// From now on SIGINT, SIGTERM or SIGHUP (where nohup does not hold it back) ends the process at once, with exit code 130:
// for all that looks at no flag.
void EndAtInterrupt();

// From now on the first of these signals sets the flag, and the next one ends the process at once (exit code 130) and
// leaves the terminal as it was found. Calling it again lowers the flag and arms it anew.
// Work that has not seen the flag and ended within a second ends with the process: one step of a large model is longer
// than anybody waits. In a conversation, which goes on after a SIGINT, only a second one ends the process, or another signal.
void ArmInterrupt();
void ArmInterruptInConversation();
const std::atomic<bool>& Interrupted();
// Raises the flag as a first signal does: for a program part that hears of signals by itself.
void Interrupt();

// While the user is being asked for a line, an interrupt says how to leave, and stopping (Ctrl-Z) gives the terminal back
// for that time.
void SetAtPrompt(bool at_prompt);
// While a line is edited: Ctrl-C, Ctrl-Z, going on after it and another size of the window are held back, and heard only
// within WaitForKey, so that none of them finds the editor's picture half drawn or comes between a look and a wait.
// For the thread that hears of signals.
void HoldTerminalSignals(bool hold);
enum class KeyWait : uint8_t {
  kReady,    // there is input, or its end, or an error that reading tells
  kTimeout,  // nothing came
  kDisturbed,  // the terminal was somebody else's, or was written to: its modes are the editor's again, the line is to be drawn anew
  kResized,
};
// Waits for input on the terminal for so long; without end if negative.
KeyWait WaitForKey(int milliseconds);

// Ends the process without a word: the terminal as it was found, unfinished files removed.
[[noreturn]] void EndProcess(int exit_code);

}  // namespace lfm::cli
