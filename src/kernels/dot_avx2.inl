// Integer sums of a block without VNNI. vpmaddubsw adds pairs of products in 16 bits, and as many of its results may
// be added before widening as cannot overflow: n * 2 * kMax * 127 <= 32767, so 8 for 4-bit weights (30,480), 4 for
// 5 bits, 2 for 6. The widening vpmaddwd multiplies by the scale of a half block for free. Signed weights go as
// |w| and sign(q, w): of the full int8 range one result at a time (32,512).

constexpr bool kUnsignedWeights = false;
using HalfScale = VI;  // (sc, sc) in 16 bits
LFM_INLINE HalfScale MakeHalfScale(VI scale) { return OrI(AndI(scale, 0xffff), ShlI<16>(scale)); }
constexpr int kGroup = 1;

template <class D>
struct Weights {
  VB w[8];
  VF d;
  VF m[2];
  HalfScale sc[2];
};

LFM_INLINE VI Broadcast4(const int8_t* q) {
  int32_t four;
  __builtin_memcpy(&four, q, 4);
  return SetI(four);
}

// sum of w q over the groups [first, first + n), times the 16-bit factors of `scale`.
template <class D>
LFM_INLINE VI SumGroups(const VB* w, const int8_t* q, int first, int n, VI scale) {
  constexpr int kFit = 32767 / (2 * D::kMax * 127), kRun = kFit >= 8 ? 8 : kFit >= 4 ? 4 : kFit >= 2 ? 2 : 1;
  VI total = SetI(0);
  for (int run = first; run < first + n; run += kRun) {
    VI sum = SetI(0);
    for (int g = run; g < run + kRun && g < first + n; g++) {
      const VI x = Broadcast4(q + 4 * g);
      VI pair;
      if constexpr (D::kWide) {
        pair = _mm256_maddubs_epi16(_mm256_abs_epi8(w[g].v), _mm256_sign_epi8(x, w[g].v));
      } else {
        pair = _mm256_maddubs_epi16(w[g].v, x);
      }
      sum = g == run ? pair : _mm256_add_epi16(sum, pair);
    }
    const VI wide = _mm256_madd_epi16(sum, scale);
    total = run == first ? wide : AddI(total, wide);
  }
  return total;
}

template <class D>
LFM_INLINE VF BlockSum(const Weights<D>& w, const Q8Block& x) {
  if constexpr (D::kHalves) {
    VI sum = AddI(SumGroups<D>(w.w, x.q, 0, 4, w.sc[0]), SumGroups<D>(w.w, x.q, 4, 4, w.sc[1]));
    if constexpr (D::kBias != 0) {  // + bias * (sc0 * nsum0 + sc1 * nsum1)
      constexpr int kShift = D::kBias == 32 ? 5 : 2;
      static_assert(D::kBias == 1 << kShift);
      const VI both = _mm256_blend_epi16(w.sc[0], w.sc[1], 0xaa);
      const VI nsum = SetI((x.nsum0 & 0xffff) | static_cast<int32_t>(static_cast<uint32_t>(x.nsum1) << 16));
      sum = AddI(sum, ShlI<kShift>(_mm256_madd_epi16(both, nsum)));
    }
    return ToF(sum);
  } else {
    VI sum = SumGroups<D>(w.w, x.q, 0, 8, _mm256_set1_epi16(1));
    if constexpr (!D::kWide && D::kBias != 0) sum = AddI(sum, SetI(D::kBias * (x.nsum0 + x.nsum1)));
    return ToF(sum);
  }
}
