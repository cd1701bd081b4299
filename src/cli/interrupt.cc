#include "cli/interrupt.h"

#include <sys/time.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>

#include "base/file.h"

namespace lfm::cli {
namespace {

// A signal handler has no other way to speak or to know.
std::atomic<bool> interrupted{false};
std::atomic<bool> at_prompt{false};
std::atomic<bool> ends{false};  // the process, soon after the first signal
constexpr suseconds_t kPatienceMicroseconds = 700'000;
static_assert(std::atomic<bool>::is_always_lock_free);
termios terminal;  // as it was before anything changed it
bool has_terminal = false;

void SetTimer(suseconds_t microseconds) {
  const itimerval timer{{0, 0}, {0, microseconds}};
  setitimer(ITIMER_REAL, &timer, nullptr);
}

void EndNow() {
  if (has_terminal) tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
  RemoveUnfinishedFiles();
  _exit(130);
}

void OnPatienceEnded(int) {
  constexpr char kMessage[] = "lfm: error: interrupted\n";
  [[maybe_unused]] const ssize_t n = write(STDERR_FILENO, kMessage, sizeof kMessage - 1);
  EndNow();
}

void OnSignal(int) {
  if (interrupted.exchange(true)) EndNow();
  if (ends) SetTimer(kPatienceMicroseconds);
  if (at_prompt) {
    constexpr char kHint[] = "\r\n(Ctrl-C again leaves, as Ctrl-D does)\r\n";
    [[maybe_unused]] const ssize_t n = write(STDERR_FILENO, kHint, sizeof kHint - 1);
  }
}

void Handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

void RememberTerminal() {
  static const bool read_once = [] {
    has_terminal = tcgetattr(STDIN_FILENO, &terminal) == 0;
    return true;
  }();
  static_cast<void>(read_once);
}

void Arm(bool ends_process) {
  RememberTerminal();
  ends = ends_process;
  SetTimer(0);
  interrupted = false;
  Handle(SIGALRM, OnPatienceEnded);
  Handle(SIGTERM, OnSignal);
  Handle(SIGINT, OnSignal);
}

}  // namespace

void EndAtInterrupt() {
  RememberTerminal();
  Handle(SIGTERM, OnPatienceEnded);
  Handle(SIGINT, OnPatienceEnded);  // last: whoever sees it caught may send either
}

void ArmInterrupt() { Arm(true); }
void ArmInterruptInConversation() { Arm(false); }

const std::atomic<bool>& Interrupted() { return interrupted; }

void Interrupt() { interrupted = true; }

void SetAtPrompt(bool value) { at_prompt = value; }

}  // namespace lfm::cli
