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

Threads::Threads(int n) : n_(std::max(1, n)), shares_(static_cast<size_t>(n_)) {
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
  const int64_t n_chunks = (n + grain_ - 1) / grain_;
  for (int64_t i = 0; i < n_; ++i) {
    Share& share = shares_[static_cast<size_t>(i)];
    share.next.store(n_chunks * i / n_, std::memory_order_relaxed);
    share.end = n_chunks * (i + 1) / n_;
  }
  gate_.fetch_and(~kClosed, std::memory_order_release);
  epoch_.fetch_add(1, std::memory_order_release);
  RunChunks(0);
  if (waiting_ == nullptr) return CloseLoop();
  const auto begin = std::chrono::steady_clock::now();
  CloseLoop();
  *waiting_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
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
    if (stop_) return;
    const uint64_t epoch = epoch_.load(std::memory_order_acquire);
    if (epoch == seen) continue;  // the step ended: sleep
    seen = epoch;
    // Where the loop that was announced is over by now, the gate is closed, or open for the next one.
    if ((gate_.fetch_add(1, std::memory_order_acquire) & kClosed) == 0) RunChunks(i_thread);
    gate_.fetch_sub(1, std::memory_order_release);
  }
}

int DefaultThreadCount() { return DefaultThreadCount(ReadCpus()); }

}  // namespace lfm
