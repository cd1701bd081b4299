#include "engine/machine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>

namespace lfm::engine {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

// Sums a stretch of memory in independent chains, so that loads and not additions are what it waits for.
uint64_t SumWords(const uint64_t* words, int64_t n) {
  uint64_t sums[8] = {};
  for (int64_t i = 0; i + 8 <= n; i += 8) {
    for (int64_t j = 0; j < 8; ++j) sums[j] += words[i + j];
  }
  uint64_t total = 0;
  for (const uint64_t sum : sums) total += sum;
  return total;
}

}  // namespace

double MeasureReadBandwidth(Threads& threads, int64_t bytes) {
  const int64_t n = bytes / static_cast<int64_t>(sizeof(uint64_t));
  const auto words = std::make_unique<uint64_t[]>(static_cast<size_t>(n));  // zeroed: every page is real
  std::atomic<uint64_t> sink{0};
  double best = 0;
  const Threads::Step awake(threads);
  for (int pass = 0; pass < 5; ++pass) {
    const auto begin = Clock::now();
    threads.For(n, 1 << 16, [&](int64_t first, int64_t last, int) { sink += SumWords(words.get() + first, last - first); });
    best = std::max(best, static_cast<double>(bytes) / SecondsSince(begin));
  }
  return best;
}

double MeasureInt8Peak(const kernels::Table& table, Threads& threads) {
  constexpr int64_t kRounds = 20000;
  double best = 0;
  const Threads::Step awake(threads);
  for (int pass = 0; pass < 5; ++pass) {
    std::atomic<int64_t> n_operations{0};
    const auto begin = Clock::now();
    threads.For(threads.size() * 4, 1, [&](int64_t first, int64_t last, int) {
      for (int64_t i = first; i < last; ++i) n_operations += table.int8_peak(kRounds);
    });
    best = std::max(best, static_cast<double>(n_operations.load()) / SecondsSince(begin));
  }
  return best;
}

}  // namespace lfm::engine
