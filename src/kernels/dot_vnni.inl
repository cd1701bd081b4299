// Integer sums of a block with vpdpbusd, on 512 or 256 bits: four products a lane and instruction. It wants one
// unsigned side, so weights stay unsigned and the bias is repaired by where the sum starts:
// sum (u - b) q = sum u q - b sum q. The including file defines Dpbusd.

constexpr bool kUnsignedWeights = true;
using HalfScale = VF;
LFM_INLINE HalfScale MakeHalfScale(VI scale) { return ToF(scale); }
// With 32 registers both panels go together: one broadcast of activations serves two registers of weights.
constexpr int kGroup = kN == 16 ? 2 : 1;

template <class D>
struct Weights {
  VB w[8];
  VF d;
  VF m[2];
  HalfScale sc[2];
};

LFM_INLINE VI Dot4(VI sum, const VB& w, const int8_t* q) {
  int32_t four;
  __builtin_memcpy(&four, q, 4);
  return Dpbusd(sum, w, SetI(four));
}

template <class D>
LFM_INLINE VF BlockSum(const Weights<D>& w, const Q8Block& x) {
  constexpr int kBias = D::kWide ? 128 : D::kBias;
  if constexpr (D::kHalves) {
    VI s0 = SetI(kBias * x.nsum0), s1 = SetI(kBias * x.nsum1);
    for (int g = 0; g < 4; g++) {
      s0 = Dot4(s0, w.w[g], x.q + 4 * g);
      s1 = Dot4(s1, w.w[g + 4], x.q + 16 + 4 * g);
    }
    // Below 2^24 everywhere: exact, as the integer would be.
    return FmaF(ToF(s1), w.sc[1], MulF(ToF(s0), w.sc[0]));
  } else {
    // Two chains: one of eight is forty cycles long, and too few tokens are in flight to hide it.
    VI s0 = SetI(kBias * (x.nsum0 + x.nsum1)), s1 = SetI(0);
    for (int g = 0; g < 4; g++) {
      s0 = Dot4(s0, w.w[g], x.q + 4 * g);
      s1 = Dot4(s1, w.w[g + 4], x.q + 16 + 4 * g);
    }
    return ToF(AddI(s0, s1));
  }
}
