// Matrix product with smmla, for two tokens at a time: a 2 x 2 block of rows and tokens over eight k an instruction. Two
// neighbouring groups of a block, zipped, are two rows of eight k; that is done once for all tokens.

template <class D>
struct PairWeights {
  int8x16_t rows01[4], rows23[4];  // k = 8p .. 8p + 7 of two rows
  Scales s;
};

template <class D>
LFM_INLINE void DecodePairs(BlockAt at, int row, PairWeights<D>& w) {
  at.row = row;
  VB groups[8];
  D::template Quants<false>(at, groups);
  D::GetScales(at, w.s);
  for (int p = 0; p < 4; p++) {
    const VI a = WordsOf(groups[2 * p]), b = WordsOf(groups[2 * p + 1]);
    w.rows01[p] = vreinterpretq_s8_s32(vzip1q_s32(a, b));
    w.rows23[p] = vreinterpretq_s8_s32(vzip2q_s32(a, b));
  }
}

struct TwoSums {
  VI t0, t1;
};  // four rows of each of two tokens

// Steps [first, first + n) of eight k; the sums start at the bias times nsum0 and nsum1 of the two tokens.
template <class D>
LFM_INLINE TwoSums PairSums(const PairWeights<D>& w, const Q8Block* x, int first, int n, int32_t nsum0, int32_t nsum1) {
  constexpr int kBias = D::kWide ? 0 : D::kBias;
  const int32x2_t start = vset_lane_s32(kBias * nsum1, vdup_n_s32(kBias * nsum0), 1);
  VI sum01 = vcombine_s32(start, start), sum23 = sum01;
  for (int p = first; p < first + n; p++) {
    const int8x16_t q = vcombine_s8(vld1_s8(x[0].q + 8 * p), vld1_s8(x[1].q + 8 * p));
    sum01 = vmmlaq_s32(sum01, w.rows01[p], q);
    sum23 = vmmlaq_s32(sum23, w.rows23[p], q);
  }
  return {vuzp1q_s32(sum01, sum23), vuzp2q_s32(sum01, sum23)};
}

template <class D>
LFM_INLINE void AddBlockOfPair(const PairWeights<D>& w, const Q8Block* x, float* acc) {
  TwoSums sum;
  if constexpr (D::kHalves) {
    const TwoSums a = PairSums<D>(w, x, 0, 2, x[0].nsum0, x[1].nsum0);
    const TwoSums b = PairSums<D>(w, x, 2, 2, x[0].nsum1, x[1].nsum1);
    sum.t0 = vmlaq_s32(vmulq_s32(a.t0, w.s.sc[0]), b.t0, w.s.sc[1]);
    sum.t1 = vmlaq_s32(vmulq_s32(a.t1, w.s.sc[0]), b.t1, w.s.sc[1]);
  } else {
    sum = PairSums<D>(w, x, 0, 4, x[0].nsum0 + x[0].nsum1, x[1].nsum0 + x[1].nsum1);
  }
  StoreF(acc, AddSum<D>(ToF(sum.t0), w.s.d, w.s.m, x[0], LoadF(acc)));
  StoreF(acc + kUnitRows, AddSum<D>(ToF(sum.t1), w.s.d, w.s.m, x[1], LoadF(acc + kUnitRows)));
}

template <TensorType kType>
void MatmulI8mmOf(const std::byte* panel0, const std::byte* panel1, int64_t n_blocks, const Q8Block* x, int n_tokens, float* out,
                  int64_t out_stride) noexcept {
  using D = Decoder<kType>;
  if (n_tokens == 1) return MatmulQ8Of<kType>(panel0, panel1, n_blocks, x, 1, out, out_stride);
  // An odd token pairs with a copy of itself, whose results are not stored.
  const int n_even = n_tokens + n_tokens % 2;
  alignas(64) float acc[kMaxTile * kUnitRows];
  for (int i = 0; i < n_even * kUnitRows; i += kN) StoreF(acc + i, SetF(0.0f));
  ForBlocks<kType>(panel0, panel1, n_blocks, [&](const BlockAt& at0, const BlockAt& at1) LFM_INLINE_LAMBDA {
    const Q8Block last[2] = {x[n_tokens - 1], x[n_tokens - 1]};
    for (int i = 0; i < kUnitParts; i++) {
      PairWeights<D> w;
      DecodePairs<D>(i < kParts ? at0 : at1, i % kParts * kN, w);
      for (int t = 0; t < n_even; t += 2) {
        AddBlockOfPair<D>(w, t + 1 < n_tokens ? x + t : last, acc + t * kUnitRows + kN * i);
      }
    }
    x += n_tokens;
  });
  for (int t = 0; t < n_tokens; t++) {
    for (int i = 0; i < kUnitRows; i += kN) StoreF(out + t * out_stride + i, LoadF(acc + t * kUnitRows + i));
  }
}

template <int kIndex = 0>
void FillMatmulI8mm(MatmulQ8* table) {
  constexpr TensorType kType = kTypeOrder[kIndex];
  if constexpr (!IsFloat(kType)) table[kIndex] = &MatmulI8mmOf<kType>;
  if constexpr (kIndex + 1 < kTypeCount) FillMatmulI8mm<kIndex + 1>(table);
}
