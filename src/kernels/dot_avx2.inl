// Integer sums of a block without VNNI. vpmaddubsw multiplies unsigned weights and adds pairs of products in 16 bits; a run of
// such pairs is added in 16 bits too, and widened at its end by vpmaddwd, which multiplies by the scale of a half block for free.
//
// Weights with a bias start a run, which is a block (a half, if halves have scales), at minus the bias times the sum of what it
// meets. So it ends at sum (w - bias) q, which fits in 16 bits whatever overflowed on the way: 16 products of 5 bits are at most
// 16 * 16 * 127 = 32,512, and 8 of 6 bits as much. Other runs are as long as cannot overflow: 16 products of 4 bits (30,480), 8
// of 5. Signed weights go as |w| and sign(q, w): of the full int8 range one pair at a time (32,512).

constexpr bool kUnsignedWeights = false;
using HalfScale = VI;  // (sc, sc) in 16 bits
LFM_INLINE HalfScale MakeHalfScale(VI scale) { return OrI(AndI(scale, 0xffff), ShlI<16>(scale)); }

// Of one vector of rows. What widens the sums of the halves is sc, or 1.
template <class D>
struct Weights {
  VB w[8];
  VF d;
  VF m[2];
  HalfScale sc[2];
};

// What weights are offset by within a run.
template <class D>
constexpr int kOffset = D::kWide ? 0 : D::kBias;

// Groups of four k in a run.
template <class D>
constexpr int RunOf() {
  constexpr int kLongest = D::kHalves ? 4 : 8;
  constexpr int kLargest = kOffset < D >> D::kMax - kOffset<D> ? kOffset<D> : D::kMax - kOffset<D>;
  constexpr int kFit = 32767 / (2 * kLargest * 127);
  static_assert(kOffset<D> == 0 || kFit >= kLongest);  // such a run ends where its start says
  return kFit >= kLongest ? kLongest : kFit >= 4 ? 4 : kFit >= 2 ? 2 : 1;
}

template <class T>
LFM_INLINE VI Broadcast4(const T* p) {
  int32_t four;
  __builtin_memcpy(&four, p, 4);
  return SetI(four);
}

// Where the run that begins at group g starts.
template <class D>
LFM_INLINE VI StartOfRun(const Q8Block& x, int g) {
  VI nsums = Broadcast4(x.nsums[g / 4]);
  if constexpr (!D::kHalves) nsums = _mm256_add_epi16(nsums, Broadcast4(x.nsums[1]));
  constexpr bool kPowerOfTwo = (kOffset<D> & (kOffset<D> - 1)) == 0;
  if constexpr (kPowerOfTwo) return _mm256_slli_epi16(nsums, __builtin_ctz(kOffset<D>));
  return Mul16(nsums, kOffset<D>);
}

template <class D>
LFM_INLINE VI PairProducts(VI w, VI q) {
  if constexpr (D::kWide) return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(q, w));
  return _mm256_maddubs_epi16(w, q);
}

// Sums of a block on their way: the run that waits to be widened, and what the runs before it came to (if there were any).
template <int kCount>
struct OpenSums {
  VI run[kCount], total[kCount];
};

// The products of a block: kRows vectors of rows times kTokens tokens, whose sums are [kRows][kTokens]. Products of a token come
// before their additions, because a core of Zen 3 deals instructions out to its two halves in turn, and each can do only one
// product a cycle: where the two alternate, all products meet in one half.
template <class D, int kRows, int kTokens>
LFM_INLINE void AddProducts(const Weights<D>* w, const Q8Block* x, OpenSums<kRows * kTokens>& sums) {
  constexpr int kRun = RunOf<D>();
  // The compiler would add in a tree, whose products all need registers at once: good for one sum only.
  constexpr bool kPinned = kRows * kTokens > 1 || D::kWide;
#pragma GCC unroll 8
  for (int g = 0; g < 8; g++) {
    VI now[kRows];
#pragma GCC unroll 2
    for (int r = 0; r < kRows; r++) {
      now[r] = w[r].w[g].v;
      if constexpr (kRows > 1) asm volatile("" : "+x"(now[r]));  // is loaded once, here
    }
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; t++) {
      const VI q = Broadcast4(x[t].q + 4 * g);
      VI pair[kRows], start;
      if constexpr (kOffset < D >> 0) start = StartOfRun<D>(x[t], g);
#pragma GCC unroll 2
      for (int r = 0; r < kRows; r++) pair[r] = PairProducts<D>(now[r], q);
#pragma GCC unroll 2
      for (int r = 0; r < kRows; r++) {
        VI& run = sums.run[r * kTokens + t];
        if (g % kRun > 0) {
          run = _mm256_add_epi16(run, pair[r]);
        } else {
          run = kOffset<D> > 0 ? _mm256_add_epi16(start, pair[r]) : pair[r];
        }
        if constexpr (kPinned) asm("" : "+x"(run));
        if (g % kRun == kRun - 1 && g < 7) {
          VI& total = sums.total[r * kTokens + t];
          const VI wide = _mm256_madd_epi16(run, D::kHalves ? w[r].sc[g / 4] : _mm256_set1_epi16(1));
          total = g < kRun ? wide : AddI(total, wide);
          if constexpr (kPinned) asm("" : "+x"(total));
        }
      }
    }
  }
}

// The exact integers of sum i, widened at last by `scale`.
template <class D, int kCount>
LFM_INLINE VF Close(const OpenSums<kCount>& sums, int i, VI scale) {
  VI sum = _mm256_madd_epi16(sums.run[i], scale);
  if constexpr (RunOf<D>() < 8) sum = AddI(sums.total[i], sum);
  return ToF(sum);
}
