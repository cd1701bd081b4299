#include "cli/interrupt.h"

#include <poll.h>
#include <sys/time.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>

#include "base/file.h"
#include "cli/commands.h"

namespace lfm::cli {
namespace {

// A signal handler has no other way to speak or to know.
std::atomic<bool> interrupted{false};
std::atomic<bool> at_prompt{false};
std::atomic<bool> is_disturbed{false};  // the line on the terminal, or the terminal's modes
std::atomic<bool> is_resized{false};
std::atomic<bool> ends{false};  // the process, soon after the first signal
constexpr suseconds_t kPatienceMicroseconds = 700'000;
static_assert(std::atomic<bool>::is_always_lock_free);
termios terminal;  // as it was before anything changed it
bool has_terminal = false;
// While a line is edited: the editor's modes, and the signals that came through before.
termios edited;
bool knows_edited = false;
sigset_t unheld;

void SetTimer(suseconds_t microseconds) {
  const itimerval timer{{0, 0}, {0, microseconds}};
  setitimer(ITIMER_REAL, &timer, nullptr);
}

template <size_t n>
void Say(const char (&message)[n]) {
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, message, n - 1);
}

void OnPatienceEnded(int) {
  Say("lfm: error: interrupted\n");
  EndProcess(kExitInterrupted);
}

void OnSignal(int) {
  if (interrupted.exchange(true)) EndProcess(kExitInterrupted);
  if (ends) SetTimer(kPatienceMicroseconds);
  if (!at_prompt) return;
  Say("\r\n(Ctrl-C again leaves, as Ctrl-D does)\r\n");
  is_disturbed = true;
}

void OnCpuLimit(int) {
  Say("lfm: error: the limit of CPU time is reached; see ulimit -t\n");
  EndProcess(kExitLimit);
}

void Handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

// The line editor changes the terminal. While the process is stopped the shell needs it as it was.
void OnStop(int) {
  const int error = errno;
  if (at_prompt && has_terminal) tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
  struct sigaction own {};
  sigset_t stop;
  sigset_t before;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTSTP);
  sigaction(SIGTSTP, nullptr, &own);
  Handle(SIGTSTP, SIG_DFL);
  raise(SIGTSTP);
  pthread_sigmask(SIG_UNBLOCK, &stop, &before);  // stops here, and goes on here
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  sigaction(SIGTSTP, &own, nullptr);
  is_disturbed = true;
  errno = error;
}

void OnContinue(int) { is_disturbed = true; }
void OnResize(int) { is_resized = true; }

// Of SIGHUP: nohup wants it so. Of SIGTSTP: a shell without job control.
bool IsIgnored(int signal) {
  struct sigaction action {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
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
  for (const int number : {SIGHUP, SIGTERM}) {
    if (!IsIgnored(number) || number == SIGTERM) Handle(number, ends_process ? OnSignal : OnPatienceEnded);
  }
  if (!ends_process) {
    if (!IsIgnored(SIGTSTP)) Handle(SIGTSTP, OnStop);
    Handle(SIGCONT, OnContinue);
    Handle(SIGWINCH, OnResize);
  }
  Handle(SIGINT, OnSignal);
}

}  // namespace

void PrepareSignals() {
  for (const int number : {SIGPIPE, SIGXFSZ}) std::signal(number, SIG_IGN);
  Handle(SIGXCPU, OnCpuLimit);
}

void EndProcess(int exit_code) {
  if (has_terminal) tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
  RemoveUnfinishedFiles();
  _exit(exit_code);
}

void EndAtInterrupt() {
  RememberTerminal();
  if (!IsIgnored(SIGHUP)) Handle(SIGHUP, OnPatienceEnded);
  Handle(SIGTERM, OnPatienceEnded);
  Handle(SIGINT, OnPatienceEnded);  // last: whoever sees it caught may send either
}

void ArmInterrupt() { Arm(true); }
void ArmInterruptInConversation() { Arm(false); }

const std::atomic<bool>& Interrupted() { return interrupted; }

void Interrupt() { interrupted = true; }

void SetAtPrompt(bool value) { at_prompt = value; }

void HoldTerminalSignals(bool hold) {
  if (!hold) {
    pthread_sigmask(SIG_SETMASK, &unheld, nullptr);
    return;
  }
  sigset_t held;
  sigemptyset(&held);
  for (const int number : {SIGTSTP, SIGCONT, SIGWINCH, SIGINT}) sigaddset(&held, number);
  pthread_sigmask(SIG_BLOCK, &held, &unheld);
  knows_edited = false;
  is_disturbed = false;
}

KeyWait WaitForKey(int milliseconds) {
  if (!knows_edited) knows_edited = tcgetattr(STDIN_FILENO, &edited) == 0;
  const timespec time{milliseconds / 1000, milliseconds % 1000 * 1'000'000L};
  while (true) {
    if (is_resized.exchange(false)) return KeyWait::kResized;
    if (is_disturbed.exchange(false)) {
      if (knows_edited) tcsetattr(STDIN_FILENO, TCSADRAIN, &edited);
      return KeyWait::kDisturbed;
    }
    pollfd input{STDIN_FILENO, POLLIN, 0};
    const int n = ppoll(&input, 1, milliseconds < 0 ? nullptr : &time, &unheld);
    if (n >= 0 || errno != EINTR) return n == 0 ? KeyWait::kTimeout : KeyWait::kReady;
  }
}

}  // namespace lfm::cli
