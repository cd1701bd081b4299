// exp of scores with AVX-512's scaling instruction: ExpV of wide.inl, number for number, up to the last step. That one rounds
// once, as ExpV's second factor does, so the bits are the same (denormals too); compared on every finite f32.

LFM_INLINE F32x16 ExpByScale(F32x16 a) {
  const VF x = MinF(MaxF(a.v[0], SetF(-104.0f)), SetF(89.0f));
  const VF n = ToF(RoundF(MulF(x, SetF(0x1.715476p+0f))));
  VF r = FmaF(n, SetF(-0x1.62e4p-1f), x);
  r = FmaF(n, SetF(-0x1.7f7d1cp-20f), r);
  VF p = SetF(0x1.6a24b6p-10f);
  p = FmaF(p, r, SetF(0x1.1239ep-7f));
  p = FmaF(p, r, SetF(0x1.5558fp-5f));
  p = FmaF(p, r, SetF(0x1.555492p-3f));
  p = FmaF(p, r, SetF(0x1.fffffcp-2f));
  p = FmaF(MulF(r, r), p, r);
  a.v[0] = _mm512_scalef_ps(AddF(p, SetF(1.0f)), n);
  return a;
}
#define LFM_EXP_OF_SCORES ExpByScale
