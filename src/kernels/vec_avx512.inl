// The native vector of AVX-512 (F, BW, DQ, VL): 16 lanes, one register.
constexpr int kN = 16;
using VF = __m512;
using VI = __m512i;
struct VB {
  __m512i v;
};

LFM_INLINE VF LoadF(const float* p) { return _mm512_loadu_ps(p); }
LFM_INLINE void StoreF(float* p, VF a) { _mm512_storeu_ps(p, a); }
LFM_INLINE VF SetF(float x) { return _mm512_set1_ps(x); }
LFM_INLINE VF AddF(VF a, VF b) { return _mm512_add_ps(a, b); }
LFM_INLINE VF SubF(VF a, VF b) { return _mm512_sub_ps(a, b); }
LFM_INLINE VF MulF(VF a, VF b) { return _mm512_mul_ps(a, b); }
LFM_INLINE VF DivF(VF a, VF b) { return _mm512_div_ps(a, b); }
LFM_INLINE VF FmaF(VF a, VF b, VF c) { return _mm512_fmadd_ps(a, b, c); }
LFM_INLINE VF MaxF(VF a, VF b) { return _mm512_max_ps(a, b); }
LFM_INLINE VF MinF(VF a, VF b) { return _mm512_min_ps(a, b); }
LFM_INLINE VF AbsF(VF a) { return _mm512_abs_ps(a); }
LFM_INLINE VF NegF(VF a) { return _mm512_xor_ps(a, _mm512_set1_ps(-0.0f)); }
LFM_INLINE VF ToF(VI a) { return _mm512_cvtepi32_ps(a); }
LFM_INLINE VI RoundF(VF a) { return _mm512_cvtps_epi32(a); }
// One instruction that rounds once gives wide.inl's bits (compared on every finite f32 through exp).
LFM_INLINE VF Scale(VF p, VI n) { return _mm512_scalef_ps(p, _mm512_cvtepi32_ps(n)); }
#define LFM_HAS_SCALE
LFM_INLINE VF LoadHalf(const uint8_t* p) { return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
LFM_INLINE void StoreHalf(uint8_t* p, VF a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

LFM_INLINE VI SetI(int32_t x) { return _mm512_set1_epi32(x); }
LFM_INLINE VI NegI(VI a) { return _mm512_sub_epi32(_mm512_setzero_si512(), a); }
LFM_INLINE VI AddI(VI a, VI b) { return _mm512_add_epi32(a, b); }
LFM_INLINE VI AndI(VI a, int32_t b) { return _mm512_and_si512(a, SetI(b)); }
LFM_INLINE VI OrI(VI a, VI b) { return _mm512_or_si512(a, b); }
LFM_INLINE VI XorI(VI a, VI b) { return _mm512_xor_si512(a, b); }
// The low halves of products of 16 bits.
LFM_INLINE VI Mul16(VI a, int b) { return _mm512_mullo_epi16(a, _mm512_set1_epi16(static_cast<int16_t>(b))); }
template <int kShift>
LFM_INLINE VI ShlI(VI a) {
  return _mm512_slli_epi32(a, kShift);
}
template <int kShift>
LFM_INLINE VI ShrI(VI a) {
  return _mm512_srli_epi32(a, kShift);
}
template <int kShift>
LFM_INLINE VI SraI(VI a) {
  return _mm512_srai_epi32(a, kShift);
}
LFM_INLINE VF CastF(VI a) { return _mm512_castsi512_ps(a); }
LFM_INLINE VI CastI(VF a) { return _mm512_castps_si512(a); }
LFM_INLINE VI LoadU8(const uint8_t* p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
LFM_INLINE VI LoadS8(const uint8_t* p) { return _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
LFM_INLINE void StoreS8(int8_t* p, VI a) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a)); }
LFM_INLINE void StoreS16(int16_t* p, VI a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(a)); }
// Sums of products of a lane's two halves of 16 bits. Not by its intrinsic: g++ 12 copies sixteen sums to other registers and back each time.
using VP = VI;
LFM_INLINE VP NoPairs() { return SetI(0); }
LFM_INLINE VI SumOfPairs(VP a) { return a; }
LFM_INLINE VP DotPairs(VP sum, VI a, VI b) {
  __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
}

LFM_INLINE VB LoadB(const uint8_t* p) { return {_mm512_loadu_si512(p)}; }
LFM_INLINE void StoreB(uint8_t* p, VB a) { _mm512_storeu_si512(p, a.v); }
LFM_INLINE VB SubB(VB a, int b) { return {_mm512_sub_epi8(a.v, _mm512_set1_epi8(static_cast<char>(b)))}; }
LFM_INLINE VI LoadI(const int32_t* p) { return _mm512_loadu_si512(p); }
LFM_INLINE VI WordsOf(VB a) { return a.v; }
LFM_INLINE VB BytesOf(VI a) { return {a}; }
LFM_INLINE VB AndB(VB a, uint8_t b) { return {_mm512_and_si512(a.v, _mm512_set1_epi8(static_cast<char>(b)))}; }
LFM_INLINE VB XorB(VB a, uint8_t b) { return {_mm512_xor_si512(a.v, _mm512_set1_epi8(static_cast<char>(b)))}; }
LFM_INLINE VB OrB(VB a, VB b) { return {_mm512_or_si512(a.v, b.v)}; }
LFM_INLINE VB AddB(VB a, VB b) { return {_mm512_add_epi8(a.v, b.v)}; }
// -a where bit kBit of `bits` is set.
template <int kBit>
LFM_INLINE VB NegateWhere(VB a, VB bits) {
  const __mmask64 minus = _mm512_test_epi8_mask(bits.v, _mm512_set1_epi8(static_cast<char>(1 << kBit)));
  return {_mm512_mask_sub_epi8(a.v, minus, _mm512_setzero_si512(), a.v)};
}
// Of each four lanes' sixteen bytes: bytes kFirst, kFirst + 1, kFirst + kStep, kFirst + kStep + 1.
template <int kFirst, int kStep>
LFM_INLINE VI BytesOfRows(VB a) {
  constexpr int32_t kPick = static_cast<int32_t>(0x80808000u) + kFirst;  // the other bytes of a lane become 0
  const __m128i pick = _mm_setr_epi32(kPick, kPick + 1, kPick + kStep, kPick + kStep + 1);
  return _mm512_shuffle_epi8(a.v, _mm512_broadcast_i32x4(pick));
}
// table[index] of each lane: four bytes, or eight in two parts.
LFM_INLINE VB LookUpWords(const uint32_t* table, VI index) { return {_mm512_i32gather_epi32(index, table, 4)}; }
LFM_INLINE void LookUpPairs(const uint64_t* table, VI index, VB* out) {
  const __m512i a = _mm512_i32gather_epi64(_mm512_castsi512_si256(index), table, 8);
  const __m512i b = _mm512_i32gather_epi64(_mm512_extracti64x4_epi64(index, 1), table, 8);
  const __m512i low = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  out[0] = {_mm512_permutex2var_epi32(a, low, b)};
  out[1] = {_mm512_permutex2var_epi32(a, _mm512_add_epi32(low, _mm512_set1_epi32(1)), b)};
}
LFM_INLINE VB LookUp(const uint8_t* table, VB a) {
  const __m128i t = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
  return {_mm512_shuffle_epi8(_mm512_broadcast_i32x4(t), a.v)};
}

// Over the lanes, by the fixed tree: (i, i + 8), (i, i + 4), (i, i + 2), (i, i + 1).
LFM_INLINE float SumLanes(VF a) {
  const __m256 h = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
LFM_INLINE float MaxLanes(VF a) {
  const __m256 h = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
LFM_INLINE int32_t SumLanes(VI a) { return _mm512_reduce_add_epi32(a); }

// The same tree for four vectors at once: lanes i and i + 8 of two, then i and i + 4 of all meet in one register, whose quarters
// belong to one vector each.
template <typename Join>
LFM_INLINE void JoinLanesOfFour(const VF* a, float* out, Join join) {
  const VF ab = join(_mm512_shuffle_f32x4(a[0], a[1], 0x44), _mm512_shuffle_f32x4(a[0], a[1], 0xee));
  const VF cd = join(_mm512_shuffle_f32x4(a[2], a[3], 0x44), _mm512_shuffle_f32x4(a[2], a[3], 0xee));
  VF s = join(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
  s = join(s, _mm512_permute_ps(s, 0x4e));
  s = join(s, _mm512_permute_ps(s, 0xb1));
  alignas(64) float t[16];
  _mm512_store_ps(t, s);
  for (int i = 0; i < 4; i++) out[i] = t[4 * i];
}
LFM_INLINE void SumLanesOfFour(const VF* a, float* out) {
  JoinLanesOfFour(a, out, [](VF x, VF y) LFM_INLINE_LAMBDA { return _mm512_add_ps(x, y); });
}
LFM_INLINE void MaxLanesOfFour(const VF* a, float* out) {
  JoinLanesOfFour(a, out, [](VF x, VF y) LFM_INLINE_LAMBDA { return _mm512_max_ps(x, y); });
}
