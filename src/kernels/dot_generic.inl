// Integer sums of a block by plain loops: the reference of every other dot_*.inl.
// Each offers: kUnsignedWeights (types of the full int8 range come as unsigned bytes, offset by 128), HalfScale,
// MakeHalfScale and Weights; all but AVX2 kGroup (native vectors of rows that share a pass over the tokens) and BlockSum, too.

constexpr bool kUnsignedWeights = false;

using HalfScale = VI;
LFM_INLINE HalfScale MakeHalfScale(VI scale) { return scale; }
constexpr int kGroup = 1;

template <class D>
struct Weights {
  VB w[8];
  VF d;
  VF m[2];
  HalfScale sc[2];
};

// sum over groups [first, first + n) of (weight - kBias) * q, one lane at a time.
template <class D>
int32_t LaneSum(const VB* w, const int8_t* q, int lane, int first, int n) {
  int32_t sum = 0;
  for (int g = first; g < first + n; g++) {
    for (int e = 0; e < 4; e++) {
      const uint8_t byte = w[g].v[4 * lane + e];
      const int weight = D::kWide ? static_cast<int8_t>(byte) : byte - D::kBias;
      sum += weight * q[4 * g + e];
    }
  }
  return sum;
}

// The exact integer of a block as f32: sum of products, or sc0 * (first half) + sc1 * (second half).
template <class D>
VF BlockSum(const Weights<D>& w, const Q8Block& x) {
  VI sum;
  for (int i = 0; i < kN; i++) {
    if constexpr (D::kHalves) {
      sum.v[i] = w.sc[0].v[i] * LaneSum<D>(w.w, x.q, i, 0, 4) + w.sc[1].v[i] * LaneSum<D>(w.w, x.q, i, 4, 4);
    } else {
      sum.v[i] = LaneSum<D>(w.w, x.q, i, 0, 8);
    }
  }
  return ToF(sum);
}
