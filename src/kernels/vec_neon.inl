// The native vector of NEON (ARMv8.2 with dotprod): 4 lanes, one register.
constexpr int kN = 4;
using VF = float32x4_t;
using VI = int32x4_t;
struct VB {
  uint8x16_t v;
};

LFM_INLINE VF LoadF(const float* p) { return vld1q_f32(p); }
LFM_INLINE void StoreF(float* p, VF a) { vst1q_f32(p, a); }
LFM_INLINE VF SetF(float x) { return vdupq_n_f32(x); }
LFM_INLINE VF AddF(VF a, VF b) { return vaddq_f32(a, b); }
LFM_INLINE VF SubF(VF a, VF b) { return vsubq_f32(a, b); }
LFM_INLINE VF MulF(VF a, VF b) { return vmulq_f32(a, b); }
LFM_INLINE VF DivF(VF a, VF b) { return vdivq_f32(a, b); }
LFM_INLINE VF FmaF(VF a, VF b, VF c) { return vfmaq_f32(c, a, b); }
LFM_INLINE VF MaxF(VF a, VF b) { return vmaxq_f32(a, b); }
LFM_INLINE VF MinF(VF a, VF b) { return vminq_f32(a, b); }
LFM_INLINE VF AbsF(VF a) { return vabsq_f32(a); }
LFM_INLINE VF NegF(VF a) { return vnegq_f32(a); }
LFM_INLINE VF ToF(VI a) { return vcvtq_f32_s32(a); }
LFM_INLINE VI RoundF(VF a) { return vcvtnq_s32_f32(a); }
LFM_INLINE VF LoadHalf(const uint8_t* p) { return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p))); }
LFM_INLINE void StoreHalf(uint8_t* p, VF a) { vst1_u8(p, vreinterpret_u8_f16(vcvt_f16_f32(a))); }

LFM_INLINE VI SetI(int32_t x) { return vdupq_n_s32(x); }
LFM_INLINE VI NegI(VI a) { return vnegq_s32(a); }
LFM_INLINE VI AddI(VI a, VI b) { return vaddq_s32(a, b); }
LFM_INLINE VI AndI(VI a, int32_t b) { return vandq_s32(a, vdupq_n_s32(b)); }
LFM_INLINE VI OrI(VI a, VI b) { return vorrq_s32(a, b); }
LFM_INLINE VI XorI(VI a, VI b) { return veorq_s32(a, b); }
// The low halves of products of 16 bits.
LFM_INLINE VI Mul16(VI a, int b) {
  return vreinterpretq_s32_u16(vmulq_n_u16(vreinterpretq_u16_s32(a), static_cast<uint16_t>(b)));
}
template <int kShift>
LFM_INLINE VI ShlI(VI a) {
  if constexpr (kShift == 0) return a;
  if constexpr (kShift != 0) return vshlq_n_s32(a, kShift);
}
template <int kShift>  // logical
LFM_INLINE VI ShrI(VI a) {
  if constexpr (kShift == 0) return a;
  if constexpr (kShift != 0) return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(a), kShift));
}
template <int kShift>  // arithmetic
LFM_INLINE VI SraI(VI a) {
  return vshrq_n_s32(a, kShift);
}
LFM_INLINE VF CastF(VI a) { return vreinterpretq_f32_s32(a); }
LFM_INLINE VI CastI(VF a) { return vreinterpretq_s32_f32(a); }
LFM_INLINE uint8x8_t LoadFour(const uint8_t* p) {
  uint32_t four;
  __builtin_memcpy(&four, p, 4);
  return vreinterpret_u8_u32(vdup_n_u32(four));
}
LFM_INLINE VI LoadU8(const uint8_t* p) { return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(LoadFour(p))))); }
LFM_INLINE VI LoadS8(const uint8_t* p) { return vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(LoadFour(p))))); }
LFM_INLINE void StoreS8(int8_t* p, VI a) {
  const int16x4_t words = vmovn_s32(a);
  const int8x8_t bytes = vmovn_s16(vcombine_s16(words, words));
  const uint32_t four = vget_lane_u32(vreinterpret_u32_s8(bytes), 0);
  __builtin_memcpy(p, &four, 4);
}
LFM_INLINE void StoreS16(int16_t* p, VI a) { vst1_s16(p, vmovn_s32(a)); }
// Sums of products of a lane's two halves of 16 bits, which stay apart until the end.
struct VP {
  VI low, high;
};
LFM_INLINE VP NoPairs() { return {SetI(0), SetI(0)}; }
LFM_INLINE VI SumOfPairs(VP a) { return vpaddq_s32(a.low, a.high); }
LFM_INLINE VP DotPairs(VP sum, VI a, VI b) {
  const int16x8_t x = vreinterpretq_s16_s32(a), y = vreinterpretq_s16_s32(b);
  return {vmlal_s16(sum.low, vget_low_s16(x), vget_low_s16(y)), vmlal_high_s16(sum.high, x, y)};
}

LFM_INLINE VB LoadB(const uint8_t* p) { return {vld1q_u8(p)}; }
LFM_INLINE VI WordsOf(VB a) { return vreinterpretq_s32_u8(a.v); }
LFM_INLINE VB BytesOf(VI a) { return {vreinterpretq_u8_s32(a)}; }
LFM_INLINE VB AndB(VB a, uint8_t b) { return {vandq_u8(a.v, vdupq_n_u8(b))}; }
LFM_INLINE VB XorB(VB a, uint8_t b) { return {veorq_u8(a.v, vdupq_n_u8(b))}; }
LFM_INLINE VB OrB(VB a, VB b) { return {vorrq_u8(a.v, b.v)}; }
LFM_INLINE VB AddB(VB a, VB b) { return {vaddq_u8(a.v, b.v)}; }
// -a where bit kBit of `bits` is set.
template <int kBit>
LFM_INLINE VB NegateWhere(VB a, VB bits) {
  const uint8x16_t minus = vtstq_u8(bits.v, vdupq_n_u8(1 << kBit));
  return {vsubq_u8(veorq_u8(a.v, minus), minus)};
}
// Bytes kFirst, kFirst + 1, kFirst + kStep, kFirst + kStep + 1.
template <int kFirst, int kStep>
LFM_INLINE VI BytesOfRows(VB a) {
  constexpr uint32_t kPick = 0xffffff00u + kFirst;  // the other bytes of a lane become 0
  const uint32_t pick[4] = {kPick, kPick + 1, kPick + kStep, kPick + kStep + 1};
  return vreinterpretq_s32_u8(vqtbl1q_u8(a.v, vreinterpretq_u8_u32(vld1q_u32(pick))));
}
// table[index] of each lane: four bytes, or eight in two parts.
LFM_INLINE VB LookUpWords(const uint32_t* table, VI index) {
  uint32x4_t words = vdupq_n_u32(table[vgetq_lane_s32(index, 0)]);
  words = vld1q_lane_u32(table + vgetq_lane_s32(index, 1), words, 1);
  words = vld1q_lane_u32(table + vgetq_lane_s32(index, 2), words, 2);
  return {vreinterpretq_u8_u32(vld1q_lane_u32(table + vgetq_lane_s32(index, 3), words, 3))};
}
LFM_INLINE void LookUpPairs(const uint64_t* table, VI index, VB* out) {
  const uint64x1_t a = vld1_u64(table + vgetq_lane_s32(index, 0)), b = vld1_u64(table + vgetq_lane_s32(index, 1));
  const uint64x1_t c = vld1_u64(table + vgetq_lane_s32(index, 2)), d = vld1_u64(table + vgetq_lane_s32(index, 3));
  const uint32x4_t ab = vreinterpretq_u32_u64(vcombine_u64(a, b)), cd = vreinterpretq_u32_u64(vcombine_u64(c, d));
  out[0] = {vreinterpretq_u8_u32(vuzp1q_u32(ab, cd))};
  out[1] = {vreinterpretq_u8_u32(vuzp2q_u32(ab, cd))};
}
LFM_INLINE VB LookUp(const uint8_t* table, VB a) { return {vqtbl1q_u8(vld1q_u8(table), a.v)}; }

// Over the lanes, by the fixed tree: (i, i + 2), (i, i + 1).
LFM_INLINE float SumLanes(VF a) {
  const float32x2_t s = vadd_f32(vget_low_f32(a), vget_high_f32(a));
  return vget_lane_f32(s, 0) + vget_lane_f32(s, 1);
}
LFM_INLINE float MaxLanes(VF a) {
  const float32x2_t s = vmax_f32(vget_low_f32(a), vget_high_f32(a));
  return vget_lane_f32(vpmax_f32(s, s), 0);
}
LFM_INLINE int32_t SumLanes(VI a) { return vaddvq_s32(a); }
// The same trees for four vectors at once.
LFM_INLINE VF LowHalves(VF a, VF b) { return vcombine_f32(vget_low_f32(a), vget_low_f32(b)); }
LFM_INLINE VF HighHalves(VF a, VF b) { return vcombine_f32(vget_high_f32(a), vget_high_f32(b)); }
LFM_INLINE void SumLanesOfFour(const VF* a, float* out) {
  const VF ab = vaddq_f32(LowHalves(a[0], a[1]), HighHalves(a[0], a[1]));
  const VF cd = vaddq_f32(LowHalves(a[2], a[3]), HighHalves(a[2], a[3]));
  vst1q_f32(out, vpaddq_f32(ab, cd));
}
LFM_INLINE void MaxLanesOfFour(const VF* a, float* out) {
  const VF ab = vmaxq_f32(LowHalves(a[0], a[1]), HighHalves(a[0], a[1]));
  const VF cd = vmaxq_f32(LowHalves(a[2], a[3]), HighHalves(a[2], a[3]));
  vst1q_f32(out, vpmaxq_f32(ab, cd));
}
