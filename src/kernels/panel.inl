// Walks panels block by block: what the products share.

// How far ahead of a block is prefetched, in bytes of its panel, walking one panel or two: the hardware loses count of
// the streams of types with several planes. Measured for AVX2 on Zen 3, where 4096 costs a tenth of Q8_0's speed and a
// twentieth of Q4_0's, and 512 about the same; for AVX-512 on Emerald Rapids (docs/performance.md); NEON's as first chosen.
constexpr bool InTwoSteps(TensorType type) { return kN == 16 && !IsFloat(type); }
constexpr int AheadInOne(TensorType type) {
  if (kN != 8) return InTwoSteps(type) ? 12288 : 4096;
  return type == TensorType::kQ8_0 ? 1024 : type == TensorType::kQ6_K ? 2304 : 1536;
}
constexpr int AheadInTwo(TensorType type) { return kN == 8 ? 2048 : InTwoSteps(type) ? 6144 : 8192; }
// With AVX-512 a line of quantised weights comes in two steps: from memory to the second level, far ahead, and from there to the
// first, this many bytes ahead, so that memory's long waits do not hold the few buffers of the first level. 0: one step.
// Emerald Rapids, runs in turn. One panel, against one step 4096 ahead to the second level, two threads, medians: Q4_0 1.05
// times as fast, Q4_K 1.07, Q8_0 1.02; three tokens of Q4_0 1.07. Two panels and 5, 6 and 8 tokens, against 8192 ahead to the
// first level, one thread, minima: Q4_0 1.07 to 1.09, Q4_K 1.06 to 1.13, Q6_K 1.00 to 1.10; Q8_0 nothing that could be seen.
constexpr int NearInOne(TensorType type) { return InTwoSteps(type) ? 1536 : 0; }
constexpr int NearInTwo(TensorType type) { return InTwoSteps(type) ? 1024 : 0; }

// Calls body(at0, at1) for each block, in order; at0 and at1 are the block in the two panels.
template <TensorType kType, class Body>
LFM_INLINE void ForBlocks(const std::byte* panel0, const std::byte* panel1, int64_t n_blocks, Body&& body) {
  constexpr PanelLayout kLayout = LayoutOf(kType);
  const int64_t n_supers = (n_blocks + kSuperBlocks - 1) / kSuperBlocks;
  const uint8_t* const panels[2] = {reinterpret_cast<const uint8_t*>(panel0), reinterpret_cast<const uint8_t*>(panel1)};
  constexpr int kFar = AheadInTwo(kType), kNear = NearInTwo(kType);
  int64_t position = n_supers * kLayout.head;
  for (int64_t i = 0; i < n_supers; i++) {
    const int64_t left = n_blocks - i * kSuperBlocks;
    const int n = left < kSuperBlocks ? static_cast<int>(left) : kSuperBlocks;
    const uint8_t* const body0 = panels[0] + position;
    const uint8_t* const body1 = panels[1] + position;
    BlockAt at0{panels[0] + i * kLayout.head, body0, body0 + n * kLayout.scales, n, 0, 0};
    BlockAt at1{panels[1] + i * kLayout.head, body1, body1 + n * kLayout.scales, n, 0, 0};
    for (int b = 0; b < n; b++) {
      constexpr int kBytes = kLayout.scales + kLayout.quants;
      for (int line = 0; line < kBytes; line += 64) {
        __builtin_prefetch(body0 + b * kBytes + line + kFar, 0, kNear > 0 ? 2 : 3);
        __builtin_prefetch(body1 + b * kBytes + line + kFar, 0, kNear > 0 ? 2 : 3);
        if constexpr (kNear > 0) {
          __builtin_prefetch(body0 + b * kBytes + line + kNear);
          __builtin_prefetch(body1 + b * kBytes + line + kNear);
        }
      }
      body(at0, at1);
      at0.b++;
      at1.b++;
      at0.quants += kLayout.quants;
      at1.quants += kLayout.quants;
    }
    position += n * (kLayout.scales + kLayout.quants);
  }
}

// The same for one panel, in one stream from its first byte to its last: what is read ahead runs over into the next
// panel, which follows in memory. Faster than two streams where every byte is used once, by an eighth for types with
// several planes.
template <TensorType kType, class Body>
LFM_INLINE void ForBlocksOfPanel(const std::byte* panel, int64_t n_blocks, Body&& body) {
  constexpr PanelLayout kLayout = LayoutOf(kType);
  constexpr int kBytes = kLayout.scales + kLayout.quants;
  const int64_t n_supers = (n_blocks + kSuperBlocks - 1) / kSuperBlocks;
  const uint8_t* const start = reinterpret_cast<const uint8_t*>(panel);
  const uint8_t* super = start + n_supers * kLayout.head;
  constexpr int kFar = AheadInOne(kType), kNear = NearInOne(kType);
  const uint8_t* now = start;
  for (int64_t i = 0; i < n_supers; i++) {
    const int64_t left = n_blocks - i * kSuperBlocks;
    const int n = left < kSuperBlocks ? static_cast<int>(left) : kSuperBlocks;
    BlockAt at{start + i * kLayout.head, super, super + n * kLayout.scales, n, 0, 0};
    for (int b = 0; b < n; b++) {
      for (int line = 0; line < kBytes; line += 64) {
        __builtin_prefetch(now + line + kFar, 0, kN == 16 ? 2 : 3);
        if constexpr (kNear > 0) __builtin_prefetch(now + line + kNear);
      }
      now += kBytes;
      body(at);
      at.b++;
      at.quants += kLayout.quants;
    }
    super += n * kBytes;
  }
}
