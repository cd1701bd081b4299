#include "cli/interrupt.h"

#include <sys/time.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/file.h"
#include "cli/commands.h"

namespace lfm::cli {
namespace {

// A signal handler has no other way to speak or to know.
std::atomic<bool> interrupted{false};
std::atomic<bool> at_prompt{false};
std::atomic<bool> was_stopped{false};
std::atomic<bool> ends{false};  // the process, soon after the first signal
constexpr suseconds_t kPatienceMicroseconds = 700'000;
static_assert(std::atomic<bool>::is_always_lock_free);
termios terminal;  // as it was before anything changed it
bool has_terminal = false;

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
  if (at_prompt) Say("\r\n(Ctrl-C again leaves, as Ctrl-D does)\r\n");
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
  termios edited;
  const bool changed = at_prompt && has_terminal && tcgetattr(STDIN_FILENO, &edited) == 0;
  if (changed) tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
  struct sigaction own {};
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTSTP);
  sigaction(SIGTSTP, nullptr, &own);
  Handle(SIGTSTP, SIG_DFL);
  raise(SIGTSTP);
  sigprocmask(SIG_UNBLOCK, &stop, nullptr);  // stops here, and goes on here
  sigaction(SIGTSTP, &own, nullptr);
  was_stopped = true;
  if (changed) tcsetattr(STDIN_FILENO, TCSANOW, &edited);
  errno = error;
}

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
  if (!ends_process && !IsIgnored(SIGTSTP)) Handle(SIGTSTP, OnStop);
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

bool TakeWasStopped() { return was_stopped.exchange(false); }

}  // namespace lfm::cli
