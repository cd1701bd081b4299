#include "report/machine.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>

#include "base/host.h"

namespace lfm::report {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

constexpr int64_t kLineBytes = 64;
constexpr int64_t kProbeParts = 16;       // passes that walk all of a probe's memory
constexpr int64_t kProbeGrain = 1 << 12;  // lines that one thread reads at a time
constexpr int64_t kProbeStep = 4;         // lines that read_peak takes at a time

double MeasurePeak(int64_t (*peak)(int64_t rounds) noexcept, Threads& threads) {
  constexpr int64_t kRounds = 200000;
  double best = 0;
  const Threads::Step awake(threads);
  for (int pass = 0; pass < 20; ++pass) {
    std::atomic<int64_t> n_operations{0};
    const auto begin = Clock::now();
    threads.For(int64_t{threads.size()} * 4, 1, [&](int64_t first, int64_t last, int) {
      for (int64_t i = first; i < last; ++i) n_operations += peak(kRounds);
    });
    best = std::max(best, static_cast<double>(n_operations.load()) / SecondsSince(begin));
  }
  return best;
}

}  // namespace

int64_t BandwidthBytes() {
  constexpr uint64_t kLeast = uint64_t{16} << 20, kUsual = uint64_t{512} << 20, kMost = uint64_t{4} << 30;
  const uint64_t wanted = std::clamp(4 * LastLevelBytes(ReadCaches()), kUsual, kMost);
  const uint64_t free = ReadMemory().available_bytes;
  if (free == 0) return static_cast<int64_t>(kUsual);
  return static_cast<int64_t>(std::min(free / 2, std::max(kLeast, std::min(wanted, free / 4))));
}

ProbeMemory::ProbeMemory(Threads& threads, int64_t bytes, int fill) {
  const auto size = static_cast<size_t>(bytes);
  void* memory = size == 0 ? MAP_FAILED : mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  madvise(memory, size, MADV_HUGEPAGE);
  data_ = static_cast<std::byte*>(memory);
  size_ = bytes;
  threads.For(bytes, kProbeGrain * kLineBytes,
              [&](int64_t first, int64_t last, int) { std::memset(data_ + first, fill, static_cast<size_t>(last - first)); });
}

ProbeMemory::~ProbeMemory() {
  if (data_) munmap(data_, static_cast<size_t>(size_));
}

ReadProbe::ReadProbe(const kernels::Table& table, Threads& threads, int64_t bytes)
    : table_(table), threads_(threads),
      memory_(threads, bytes / (kLineBytes * kProbeParts * kProbeStep) * kLineBytes * kProbeParts * kProbeStep, 1),
      n_lines_(memory_.size() / kLineBytes) {}

double ReadProbe::Pass() {
  if (!memory_.data()) return 0;
  const int64_t n = n_lines_ / kProbeParts;
  const std::byte* const lines = memory_.data() + next_ * kLineBytes;
  next_ = (next_ + n) % n_lines_;
  std::atomic<uint64_t> sink{0};
  const auto begin = Clock::now();
  threads_.For(n, kProbeGrain,
               [&](int64_t first, int64_t last, int) { sink += table_.read_peak(lines + first * kLineBytes, last - first); });
  const double seconds = SecondsSince(begin);
  const auto bytes = static_cast<double>(n * kLineBytes);
  bytes_ += bytes;
  seconds_ += seconds;
  best_ = std::max(best_, bytes / seconds);
  return seconds;
}

ReadSpeed ReadProbe::speed() const { return {seconds_ > 0 ? bytes_ / seconds_ : 0, best_}; }

ReadSpeed MeasureReadBandwidth(const kernels::Table& table, Threads& threads, int64_t bytes) {
  const Threads::Step awake(threads);
  ReadProbe probe(table, threads, bytes);
  for (int i = 0; i < 9 * kProbeParts; ++i) probe.Pass();
  return probe.speed();
}

double MeasureInt8Peak(const kernels::Table& table, Threads& threads) { return MeasurePeak(table.int8_peak, threads); }
double MeasureF32Peak(const kernels::Table& table, Threads& threads) { return MeasurePeak(table.f32_peak, threads); }

Roofline MeasureRoofline(const kernels::Table& table, Threads& threads) {
  return {MeasureReadBandwidth(table, threads), MeasureInt8Peak(table, threads), MeasureF32Peak(table, threads),
          LastLevelBytes(ReadCaches())};
}

uint64_t LastLevelBytes(const std::vector<Cache>& caches) {
  uint64_t bytes = 0;
  for (const Cache& cache : caches) {
    if (cache.level == caches.back().level) bytes += cache.bytes * static_cast<uint64_t>(cache.n_instances);
  }
  return bytes;
}

}  // namespace lfm::report
