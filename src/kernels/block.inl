// A block of weights in registers, and what its sums are multiplied by. dot_*.inl comes before this.
// Per block and row: acc = fma(S, d * da, acc), then one fma for each min (docs/numerics.md).

constexpr int kUnitParts = 2 * kParts;  // native vectors of 32 rows

template <class D>
LFM_INLINE void Decode(BlockAt at, int row, Weights<D>& w) {
  at.row = row;
  Scales s;
  D::template Quants<kUnsignedWeights>(at, w.w);
  D::GetScales(at, s);
  w.d = s.d;
  for (int i = 0; i < D::kMins; i++) w.m[i] = s.m[i];
  if constexpr (D::kHalves) {
    for (int i = 0; i < 2; i++) w.sc[i] = MakeHalfScale(s.sc[i]);
  }
}

// Adds the integer sum of a block, with its scales, to a token's accumulator.
template <class D>
LFM_INLINE VF AddSum(VF sum, VF d, const VF* m, const Q8Block& x, VF acc) {
  acc = FmaF(sum, MulF(d, SetF(x.d)), acc);
  if constexpr (D::kMins == 1) acc = FmaF(m[0], SetF(x.dsum), acc);
  if constexpr (D::kMins == 2) {
    acc = FmaF(m[0], SetF(x.d * static_cast<float>(-x.nsum0)), acc);
    acc = FmaF(m[1], SetF(x.d * static_cast<float>(-x.nsum1)), acc);
  }
  return acc;
}
