#include "base/threads.h"

#include <algorithm>
#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

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

}  // namespace

Threads::Threads(int n) : n_(std::max(1, n)) {
  workers_.reserve(static_cast<size_t>(n_ - 1));
  for (int i = 1; i < n_; ++i) workers_.emplace_back([this, i] { Work(i); });
}

Threads::~Threads() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    awake_.store(true, std::memory_order_release);
  }
  wake_.notify_all();
  epoch_.fetch_add(1, std::memory_order_release);
  for (std::thread& worker : workers_) worker.join();
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
  body_ = &body;
  total_ = n;
  grain_ = std::max<int64_t>(1, grain);
  cursor_.store(0, std::memory_order_relaxed);
  n_running_.store(n_ - 1, std::memory_order_relaxed);
  epoch_.fetch_add(1, std::memory_order_release);
  RunChunks(0);
  const auto others_are_done = [&] { return n_running_.load(std::memory_order_acquire) == 0; };
  if (waiting_ == nullptr) {
    SpinUntil(others_are_done);
    return;
  }
  const auto begin = std::chrono::steady_clock::now();
  SpinUntil(others_are_done);
  *waiting_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void Threads::RunChunks(int i_thread) {
  for (;;) {
    const int64_t begin = cursor_.fetch_add(grain_, std::memory_order_relaxed);
    if (begin >= total_) return;
    (*body_)(begin, std::min(begin + grain_, total_), i_thread);
  }
}

void Threads::Work(int i_thread) {
  uint64_t seen = 0;
  for (;;) {
    if (epoch_.load(std::memory_order_acquire) == seen) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return awake_.load(std::memory_order_acquire) || stop_; });
    }
    SpinUntil([&] {
      return epoch_.load(std::memory_order_acquire) != seen || !awake_.load(std::memory_order_acquire);
    });
    if (epoch_.load(std::memory_order_acquire) == seen) continue;  // the step ended: sleep
    ++seen;
    {
      std::lock_guard lock(mutex_);
      if (stop_) return;
    }
    RunChunks(i_thread);
    n_running_.fetch_sub(1, std::memory_order_release);
  }
}

int DefaultThreadCount() { return DefaultThreadCount(ReadCpus()); }

}  // namespace lfm
