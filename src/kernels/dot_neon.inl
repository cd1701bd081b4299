// Integer sums of a block with sdot: signed times signed, four products a lane. Narrow weights go as u (at most 127,
// so a positive int8), and the bias is repaired by where the sum starts.

constexpr bool kUnsignedWeights = false;
using HalfScale = VI;
LFM_INLINE HalfScale MakeHalfScale(VI scale) { return scale; }
constexpr int kGroup = 2;

template <class D>
struct Weights {
  VB w[8];
  VF d;
  VF m[2];
  HalfScale sc[2];
};

// Four groups: sum + w[0..3] . q[0..15].
LFM_INLINE VI Dot16(VI sum, const VB* w, const int8_t* q) {
  const int8x16_t x = vld1q_s8(q);
  sum = vdotq_laneq_s32(sum, vreinterpretq_s8_u8(w[0].v), x, 0);
  sum = vdotq_laneq_s32(sum, vreinterpretq_s8_u8(w[1].v), x, 1);
  sum = vdotq_laneq_s32(sum, vreinterpretq_s8_u8(w[2].v), x, 2);
  return vdotq_laneq_s32(sum, vreinterpretq_s8_u8(w[3].v), x, 3);
}

template <class D>
LFM_INLINE VF BlockSum(const Weights<D>& w, const Q8Block& x) {
  constexpr int kBias = D::kWide ? 0 : D::kBias;
  if constexpr (D::kHalves) {
    const VI s0 = Dot16(SetI(kBias * x.nsum0), w.w, x.q);
    const VI s1 = Dot16(SetI(kBias * x.nsum1), w.w + 4, x.q + 16);
    return ToF(vmlaq_s32(vmulq_s32(s0, w.sc[0]), s1, w.sc[1]));
  } else {
    const VI s = Dot16(SetI(kBias * (x.nsum0 + x.nsum1)), w.w, x.q);
    return ToF(Dot16(s, w.w + 4, x.q + 16));
  }
}
