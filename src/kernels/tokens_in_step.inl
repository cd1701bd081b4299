// How tokens meet a block of weights with AVX2: up to four go in step, so that one look at the weights serves them all.

template <class D>
LFM_INLINE VI WideningOf(const Weights<D>& w) {
  return D::kHalves ? w.sc[1] : _mm256_set1_epi16(1);
}

template <class D, int kTokens>
LFM_INLINE void AddBlockOfTokens(const Weights<D>& w, const Q8Block* x, VF* acc) {
  OpenSums<kTokens> sums;
  AddProducts<D, 1, kTokens>(&w, x, sums);
#pragma GCC unroll 4
  for (int t = 0; t < kTokens; t++) acc[t] = AddSum<D>(Close<D>(sums, t, WideningOf(w)), w.d, w.m, x[t], acc[t]);
}

// Two vectors of rows and kTokens tokens, whose sums stand in memory. So do the weights: a product takes a third of the loads
// that it takes with the weights of one vector in registers, and eight sums have room there.
template <class D, int kTokens>
LFM_INLINE void AddBlockOfRows(const Weights<D>* w, const Q8Block* x, float* acc) {
  OpenSums<2 * kTokens> sums;
  AddProducts<D, 2, kTokens>(w, x, sums);
  asm volatile("" ::: "memory");  // scales come from memory from here on, and take no registers before
#pragma GCC unroll 4
  for (int t = 0; t < kTokens; t++) {
#pragma GCC unroll 2
    for (int r = 0; r < 2; r++) {
      float* const a = acc + t * kUnitRows + r * kN;
      StoreF(a, AddSum<D>(Close<D>(sums, r * kTokens + t, w[r].sc[1]), w[r].d, w[r].m, x[t], LoadF(a)));
    }
  }
}

// Two vectors of rows with a tile of more than kFewTokens: four tokens at a time, and three or two where that leaves no single one.
template <class D>
LFM_INLINE void AddTwoParts(const Weights<D>* w, const Q8Block* x, int n_tokens, float* acc) {
  for (; n_tokens >= 8; n_tokens -= 4, x += 4, acc += 4 * kUnitRows) AddBlockOfRows<D, 4>(w, x, acc);
  if (n_tokens == 4 || n_tokens == 7) {
    AddBlockOfRows<D, 4>(w, x, acc);
    n_tokens -= 4, x += 4, acc += 4 * kUnitRows;
  }
  for (; n_tokens >= 5 || n_tokens == 3; n_tokens -= 3, x += 3, acc += 3 * kUnitRows) AddBlockOfRows<D, 3>(w, x, acc);
  if (n_tokens == 2) AddBlockOfRows<D, 2>(w, x, acc);
}

// All parts of both panels with the tokens of a tile: acc [n_tokens][32].
template <class D>
LFM_INLINE void AddBlockOfTile(const BlockAt& at0, const BlockAt& at1, const Q8Block* x, int n_tokens, float* acc) {
  if constexpr (D::kWide) {  // a product is four instructions: nothing is gained by rows that share loads
    for (int i = 0; i < kUnitParts; i++) {
      Weights<D> w;
      Decode<D>(i < kParts ? at0 : at1, i % kParts * kN, w);
      float* a = acc + kN * i;
      for (int t = 0; t < n_tokens; t++, a += kUnitRows) {
        VF sum = LoadF(a);
        AddBlockOfTokens<D, 1>(w, x + t, &sum);
        StoreF(a, sum);
      }
    }
  } else {
    static_assert(kParts == 2);
    for (int panel = 0; panel < 2; panel++) {
      Weights<D> w[2];
      for (int i = 0; i < 2; i++) {
        Decode<D>(panel == 0 ? at0 : at1, i * kN, w[i]);
        if constexpr (!D::kHalves) w[i].sc[1] = _mm256_set1_epi16(1);
      }
      asm volatile("" ::"r"(w) : "memory");  // in memory
      AddTwoParts<D>(w, x, n_tokens, acc + panel * kLanes);
    }
  }
}
