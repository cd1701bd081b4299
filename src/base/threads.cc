#include "base/threads.h"

#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <exception>
#include <thread>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/log.h"
#include "base/stack.h"
#include "base/strings.h"
#include "base/topology.h"

namespace lfm {
namespace {

inline void Pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins a while, then gives the core away: with more threads than cores the one we wait for needs it.
template <typename Condition>
void SpinUntil(Condition done) {
  for (int i = 0; !done(); ++i) {
    if (i < 4000) {
      Pause();
    } else {
      std::this_thread::yield();
    }
  }
}

// Whether another stack or two would fit into the address space.
bool HasRoom() {
  constexpr size_t kBytes = size_t{16} << 20;
  void* const room = mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) return false;
  munmap(room, kBytes);
  return true;
}

// Signals that stand for the process go to the program's own threads: a worker that ran a handler would keep the others
// waiting, and the thread that the signal was meant to wake would sleep on. Those that stand for what a thread does stay.
sigset_t ProcessSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number :
       {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGALRM, SIGCHLD, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT, SIGWINCH, SIGUSR1, SIGUSR2}) {
    sigaddset(&set, number);
  }
  return set;
}

}  // namespace

Threads::Threads(int n) : n_(std::max(1, n)), shares_(static_cast<size_t>(n_)) {
  workers_.reserve(static_cast<size_t>(n_ - 1));
  StartWorkers();
  // Where stacks have taken all the address space, the rest of the program needs some of it.
  while (static_cast<int>(workers_.size()) < n_ - 1 && !workers_.empty() && !HasRoom()) {
    n_ = static_cast<int>(workers_.size()) / 2 + 1;
    StopWorkers();
    StartWorkers();
  }
  n_ = static_cast<int>(workers_.size()) + 1;
  if (n_ < n) {
    Log(LogLevel::kWarning, StrCat("only ", n_, " of ", n, " threads can be had here (a limit on processes or address ",
                                   "space, see ulimit -a); going on with ", n_));
  }
}

Threads::~Threads() { StopWorkers(); }

// Workers that wait on members keep this object from being unwound, so nothing may be thrown from here.
void Threads::StartWorkers() noexcept {
  const sigset_t not_here = ProcessSignals();
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &not_here, &before);  // a thread begins with the mask of who started it
  for (int i = static_cast<int>(workers_.size()) + 1; i < n_; ++i) {
    pthread_t worker;  // the constructor has reserved its place
    if (StartOnEnoughStack(&worker, &Threads::Run, this) != 0) break;
    workers_.push_back(worker);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void* Threads::Run(void* team) {
  Threads& threads = *static_cast<Threads*>(team);
  threads.Work(threads.n_begun_.fetch_add(1, std::memory_order_relaxed) + 1);
  return nullptr;
}

void Threads::StopWorkers() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    awake_.store(true, std::memory_order_release);
  }
  wake_.notify_all();
  epoch_.fetch_add(1, std::memory_order_release);
  for (const pthread_t worker : workers_) pthread_join(worker, nullptr);
  workers_.clear();
  n_begun_ = 0;
  stop_ = false;
  awake_.store(false, std::memory_order_release);
}

void Threads::Wake() {
  if (depth_++ > 0 || n_ == 1) return;
  {
    std::lock_guard lock(mutex_);
    awake_.store(true, std::memory_order_release);
  }
  wake_.notify_all();
}

void Threads::Sleep() {
  if (--depth_ > 0 || n_ == 1) return;
  awake_.store(false, std::memory_order_release);
}

void Threads::For(int64_t n, int64_t grain, LoopBody body) {
  if (n <= 0) return;
  if (n_ == 1 || n <= grain) {
    body(0, n, 0);
    return;
  }
  Step step(*this);
  failure_ = nullptr;
  body_ = &body;
  total_ = n;
  grain_ = std::max<int64_t>(1, grain);
  const int64_t n_chunks = (n + grain_ - 1) / grain_;
  for (int64_t i = 0; i < n_; ++i) {
    Share& share = shares_[static_cast<size_t>(i)];
    share.next.store(n_chunks * i / n_, std::memory_order_relaxed);
    share.end = n_chunks * (i + 1) / n_;
  }
  gate_.fetch_and(~kClosed, std::memory_order_release);
  epoch_.fetch_add(1, std::memory_order_release);
  RunChunksSafely(0);
  if (waiting_ == nullptr) {
    CloseLoop();
  } else {
    const auto begin = std::chrono::steady_clock::now();
    CloseLoop();
    *waiting_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

// All chunks are taken: lets no more workers in and waits for those who still compute.
void Threads::CloseLoop() {
  gate_.fetch_or(kClosed, std::memory_order_acq_rel);
  SpinUntil([&] { return gate_.load(std::memory_order_acquire) == kClosed; });
}

// Own chunks first, then what the other threads have left.
void Threads::RunChunks(int i_thread) {
  for (int i = 0; i < n_; ++i) {
    Share& share = shares_[static_cast<size_t>((i_thread + i) % n_)];
    while (share.next.load(std::memory_order_relaxed) < share.end) {
      const int64_t chunk = share.next.fetch_add(1, std::memory_order_relaxed);
      if (chunk >= share.end) break;
      (*body_)(chunk * grain_, std::min((chunk + 1) * grain_, total_), i_thread);
    }
  }
}

// The loop's state is the caller's and must not go while others are inside; a worker has nobody to throw to.
void Threads::RunChunksSafely(int i_thread) noexcept {
  try {
    RunChunks(i_thread);
  } catch (...) {
    std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
  }
}

void Threads::Work(int i_thread) {
  uint64_t seen = 0;
  for (;;) {
    if (epoch_.load(std::memory_order_acquire) == seen) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return awake_.load(std::memory_order_acquire) || stop_; });
    }
    SpinUntil([&] { return epoch_.load(std::memory_order_acquire) != seen || !awake_.load(std::memory_order_acquire); });
    if (stop_) return;
    const uint64_t epoch = epoch_.load(std::memory_order_acquire);
    if (epoch == seen) continue;  // the step ended: sleep
    seen = epoch;
    // Where the loop that was announced is over by now, the gate is closed, or open for the next one.
    if ((gate_.fetch_add(1, std::memory_order_acquire) & kClosed) == 0) RunChunksSafely(i_thread);
    gate_.fetch_sub(1, std::memory_order_release);
  }
}

int DefaultThreadCount() { return DefaultThreadCount(ReadCpus()); }

}  // namespace lfm
