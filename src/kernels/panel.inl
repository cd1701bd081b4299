// Walks panels block by block: what the products share.

// Two panels, for five tokens and more, keep what was measured: 2048 bytes ahead for AVX2 on Zen 3; with AVX-512 on Emerald Rapids,
// runs in turn, two steps of 6144 and 1024 against 8192 ahead to the first level, one thread, minima of 5, 6 and 8 tokens:
// Q4_0 1.07 to 1.09 times as fast, Q4_K 1.06 to 1.13, Q6_K 1.00 to 1.10; Q8_0 nothing that could be seen.
constexpr Prefetch AheadInTwo(TensorType type) {
  if (kN == 8) return {0, 2048};
  return kN == 16 && !IsFloat(type) ? Prefetch{6144, 1024} : Prefetch{0, 8192};
}

constexpr int IndexOf(TensorType type) {
  int i = 0;
  while (kTypeOrder[i] != type) i++;
  return i;
}

// What prefetch.h says of few tokens.
template <TensorType kType>
LFM_INLINE Prefetch ChosenAhead() {
  constexpr int kIndex = IndexOf(kType);
  const Prefetch& chosen = prefetch_choices.of[PrefetchRow(kN)][kIndex];
  return {__atomic_load_n(&chosen.to_second, __ATOMIC_RELAXED), __atomic_load_n(&chosen.to_first, __ATOMIC_RELAXED)};
}

// Which of the two steps there are is known to the compiler, so that the loops over blocks have no branches for it: with two a
// block AVX-512 on Emerald Rapids took 1 to 2 % longer, and with all lines of one step before those of the other 2 to 4 %.
enum class Steps { kToFirst, kToSecond, kBoth };
constexpr Steps StepsOf(Prefetch ahead) {
  return ahead.to_second == 0 ? Steps::kToFirst : ahead.to_first == 0 ? Steps::kToSecond : Steps::kBoth;
}

// Asks for a line ahead.
template <Steps kSteps>
LFM_INLINE void PrefetchLine(const uint8_t* line, Prefetch ahead) {
  if constexpr (kSteps != Steps::kToFirst) __builtin_prefetch(line + ahead.to_second, 0, 2);
  if constexpr (kSteps != Steps::kToSecond) __builtin_prefetch(line + ahead.to_first, 0, 3);
}

// Calls walk.operator()<steps>(ahead) as prefetch.h says. With several tokens there is no loop of its own for the second level
// alone: lines in use are asked for again instead, which does nothing.
template <TensorType kType, bool kOneToken, class Walk>
LFM_INLINE void WithChosenAhead(Walk&& walk) {
  if constexpr (IsTunable(kType)) {
    Prefetch ahead = ChosenAhead<kType>();
    if (ahead.to_second == 0) {
      if constexpr (kN == 8 && !kOneToken) ahead.to_first *= 2;
      return walk.template operator()<Steps::kToFirst>(ahead);
    }
    if constexpr (kOneToken) {
      if (ahead.to_first == 0) return walk.template operator()<Steps::kToSecond>(ahead);
    }
    walk.template operator()<Steps::kBoth>(ahead);
  } else {
    constexpr Prefetch kUsual = UsualPrefetch(kN, kType, CpuMaker::kOther);
    walk.template operator()<StepsOf(kUsual)>(kUsual);
  }
}

// Calls body(at0, at1) for each block, in order; at0 and at1 are the block in the two panels. What is asked for ahead of a panel's
// end is the next unit's same panel, which lies as far behind this one's end as the other panel is long. Without that a sixth of
// Q4_0's lines (of 2048 columns, 6144 ahead) were not asked for: products of 5, 8, 16 and 32 tokens from memory took 1.18, 1.15, 1.12
// and 1.04 times as long (AVX-512, Zen 5, two threads; Q6_K 1.12, 1.20, 1.18 and 1.06).
template <TensorType kType, class Body>
LFM_INLINE void ForBlocks(const std::byte* panel0, const std::byte* panel1, int64_t n_blocks, Body&& body) {
  constexpr PanelLayout kLayout = LayoutOf(kType);
  const int64_t n_supers = (n_blocks + kSuperBlocks - 1) / kSuperBlocks;
  const uint8_t* const panels[2] = {reinterpret_cast<const uint8_t*>(panel0), reinterpret_cast<const uint8_t*>(panel1)};
  constexpr int kBytes = kLayout.scales + kLayout.quants;
  constexpr Prefetch kAhead = AheadInTwo(kType);
  int64_t position = n_supers * kLayout.head;
  const int64_t panel_bytes = position + n_blocks * kBytes;
  const auto in_units = [&](int64_t at) LFM_INLINE_LAMBDA { return at < panel_bytes ? at : at + panel_bytes; };
  for (int64_t i = 0; i < n_supers; i++) {
    const int64_t left = n_blocks - i * kSuperBlocks;
    const int n = left < kSuperBlocks ? static_cast<int>(left) : kSuperBlocks;
    const uint8_t* const body0 = panels[0] + position;
    const uint8_t* const body1 = panels[1] + position;
    BlockAt at0{panels[0] + i * kLayout.head, body0, body0 + n * kLayout.scales, n, 0, 0};
    BlockAt at1{panels[1] + i * kLayout.head, body1, body1 + n * kLayout.scales, n, 0, 0};
    for (int b = 0; b < n; b++) {
      const int64_t to_second = in_units(position + b * kBytes + kAhead.to_second);
      const int64_t to_first = in_units(position + b * kBytes + kAhead.to_first);
      for (int line = 0; line < kBytes; line += 64) {
        for (const uint8_t* const panel : panels) {
          if constexpr (kAhead.to_second > 0) __builtin_prefetch(panel + to_second + line, 0, 2);
          if constexpr (kAhead.to_first > 0) __builtin_prefetch(panel + to_first + line);
        }
      }
      body(at0, at1);
      at0.b++;
      at1.b++;
      at0.quants += kLayout.quants;
      at1.quants += kLayout.quants;
    }
    position += n * kBytes;
  }
}

// The same for one panel, in one stream from its first byte to its last: what is read ahead runs over into the next
// panel, which follows in memory. Faster than two streams where every byte is used once, by an eighth for types with
// several planes.
template <TensorType kType, Steps kSteps, class Body>
LFM_INLINE void ForBlocksOfPanel(const std::byte* panel, int64_t n_blocks, Prefetch ahead, Body&& body) {
  constexpr PanelLayout kLayout = LayoutOf(kType);
  constexpr int kBytes = kLayout.scales + kLayout.quants;
  const int64_t n_supers = (n_blocks + kSuperBlocks - 1) / kSuperBlocks;
  const uint8_t* const start = reinterpret_cast<const uint8_t*>(panel);
  const uint8_t* super = start + n_supers * kLayout.head;
  const uint8_t* now = start;
  for (int64_t i = 0; i < n_supers; i++) {
    const int64_t left = n_blocks - i * kSuperBlocks;
    const int n = left < kSuperBlocks ? static_cast<int>(left) : kSuperBlocks;
    BlockAt at{start + i * kLayout.head, super, super + n * kLayout.scales, n, 0, 0};
    for (int b = 0; b < n; b++) {
      for (int line = 0; line < kBytes; line += 64) PrefetchLine<kSteps>(now + line, ahead);
      now += kBytes;
      body(at);
      at.b++;
      at.quants += kLayout.quants;
    }
    super += n * kBytes;
  }
}
