// The program lfm.
#include <pthread.h>

#include <csignal>

#include "base/stack.h"
#include "cli/program.h"

namespace {

struct Call {
  int argc;
  char** argv;
  int code;
};

void* RunCall(void* call) {
  Call& made = *static_cast<Call*>(call);
  made.code = lfm::cli::RunProgram(made.argc, made.argv);
  return nullptr;
}

// Under `ulimit -s 128` this thread's stack, and every other's by default, is too small for a prompt of many tokens. So the
// others get more, and the program runs on one of them; signals go there too. Where none can be had it runs here.
int RunElsewhere(Call call) {
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) == 0) {
    if (pthread_attr_setstacksize(&attributes, lfm::kEnoughStack) == 0) pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);
  }
  pthread_t thread;
  if (lfm::StartOnEnoughStack(&thread, RunCall, &call) != 0) return lfm::cli::RunProgram(call.argc, call.argv);
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  pthread_join(thread, nullptr);
  return call.code;
}

}  // namespace

int main(int argc, char** argv) {
  if (lfm::StackSize() < lfm::kEnoughStack) return RunElsewhere({argc, argv, 0});
  return lfm::cli::RunProgram(argc, argv);
}
