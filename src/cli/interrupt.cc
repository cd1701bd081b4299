#include "cli/interrupt.h"

#include <termios.h>
#include <unistd.h>

#include <csignal>

namespace lfm::cli {
namespace {

// A signal handler has no other way to speak or to know.
std::atomic<bool> interrupted{false};
std::atomic<bool> at_prompt{false};
static_assert(std::atomic<bool>::is_always_lock_free);
termios terminal;  // as it was before anything changed it
bool has_terminal = false;

void OnSignal(int) {
  if (interrupted.exchange(true)) {
    if (has_terminal) tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
    _exit(130);
  }
  if (at_prompt) {
    constexpr char kHint[] = "\r\n(Ctrl-C again leaves, as Ctrl-D does)\r\n";
    [[maybe_unused]] const ssize_t n = write(STDERR_FILENO, kHint, sizeof kHint - 1);
  }
}

}  // namespace

void ArmInterrupt() {
  static const bool read_once = [] {
    has_terminal = tcgetattr(STDIN_FILENO, &terminal) == 0;
    return true;
  }();
  static_cast<void>(read_once);
  interrupted = false;
  struct sigaction action {};
  action.sa_handler = OnSignal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

const std::atomic<bool>& Interrupted() { return interrupted; }

void Interrupt() { interrupted = true; }

void SetAtPrompt(bool value) { at_prompt = value; }

}  // namespace lfm::cli
