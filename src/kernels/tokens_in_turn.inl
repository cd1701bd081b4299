// How tokens meet a block of weights: one after the other.

template <class D>
LFM_INLINE VF AddBlock(const Weights<D>& w, const Q8Block& x, VF acc) {
  return AddSum<D>(BlockSum<D>(w, x), w.d, w.m, x, acc);
}

template <class D, int kTokens, int kToken = 0>
LFM_INLINE void AddBlockOfTokens(const Weights<D>& w, const Q8Block* x, VF* acc) {
  acc[kToken] = AddBlock<D>(w, x[kToken], acc[kToken]);
  if constexpr (kToken + 1 < kTokens) AddBlockOfTokens<D, kTokens, kToken + 1>(w, x, acc);
}

// All parts of both panels with the tokens of a tile: acc [n_tokens][32].
template <class D>
LFM_INLINE void AddBlockOfTile(const BlockAt& at0, const BlockAt& at1, const Q8Block* x, int n_tokens, float* acc) {
  for (int i = 0; i < kUnitParts; i += kGroup) {
    Weights<D> w[kGroup];
    for (int j = 0; j < kGroup; j++) Decode<D>(i + j < kParts ? at0 : at1, (i + j) % kParts * kN, w[j]);
    float* a = acc + kN * i;
    for (int t = 0; t < n_tokens; t++, a += kUnitRows) {
      for (int j = 0; j < kGroup; j++) StoreF(a + kN * j, AddBlock<D>(w[j], x[t], LoadF(a + kN * j)));
    }
  }
}
