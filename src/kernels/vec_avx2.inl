// The native vector of AVX2 with FMA and F16C: 8 lanes, one register.
constexpr int kN = 8;
using VF = __m256;
using VI = __m256i;
struct VB {
  __m256i v;
};

LFM_INLINE VF LoadF(const float* p) { return _mm256_loadu_ps(p); }
LFM_INLINE void StoreF(float* p, VF a) { _mm256_storeu_ps(p, a); }
LFM_INLINE VF SetF(float x) { return _mm256_set1_ps(x); }
LFM_INLINE VF AddF(VF a, VF b) { return _mm256_add_ps(a, b); }
LFM_INLINE VF SubF(VF a, VF b) { return _mm256_sub_ps(a, b); }
LFM_INLINE VF MulF(VF a, VF b) { return _mm256_mul_ps(a, b); }
LFM_INLINE VF DivF(VF a, VF b) { return _mm256_div_ps(a, b); }
LFM_INLINE VF FmaF(VF a, VF b, VF c) { return _mm256_fmadd_ps(a, b, c); }
LFM_INLINE VF MaxF(VF a, VF b) { return _mm256_max_ps(a, b); }
LFM_INLINE VF MinF(VF a, VF b) { return _mm256_min_ps(a, b); }
LFM_INLINE VF AbsF(VF a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
LFM_INLINE VF NegF(VF a) { return _mm256_xor_ps(a, _mm256_set1_ps(-0.0f)); }
LFM_INLINE VF ToF(VI a) { return _mm256_cvtepi32_ps(a); }
LFM_INLINE VI RoundF(VF a) { return _mm256_cvtps_epi32(a); }
LFM_INLINE VF LoadHalf(const uint8_t* p) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
LFM_INLINE void StoreHalf(uint8_t* p, VF a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}

LFM_INLINE VI SetI(int32_t x) { return _mm256_set1_epi32(x); }
LFM_INLINE VI NegI(VI a) { return _mm256_sub_epi32(_mm256_setzero_si256(), a); }
LFM_INLINE VI AddI(VI a, VI b) { return _mm256_add_epi32(a, b); }
LFM_INLINE VI AndI(VI a, int32_t b) { return _mm256_and_si256(a, SetI(b)); }
LFM_INLINE VI OrI(VI a, VI b) { return _mm256_or_si256(a, b); }
LFM_INLINE VI XorI(VI a, VI b) { return _mm256_xor_si256(a, b); }
// The low halves of products of 16 bits.
LFM_INLINE VI Mul16(VI a, int b) { return _mm256_mullo_epi16(a, _mm256_set1_epi16(static_cast<int16_t>(b))); }
template <int kShift>
LFM_INLINE VI ShlI(VI a) {
  return _mm256_slli_epi32(a, kShift);
}
template <int kShift>
LFM_INLINE VI ShrI(VI a) {
  return _mm256_srli_epi32(a, kShift);
}
template <int kShift>
LFM_INLINE VI SraI(VI a) {
  return _mm256_srai_epi32(a, kShift);
}
LFM_INLINE VF CastF(VI a) { return _mm256_castsi256_ps(a); }
LFM_INLINE VI CastI(VF a) { return _mm256_castps_si256(a); }
LFM_INLINE VI LoadU8(const uint8_t* p) { return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))); }
LFM_INLINE VI LoadS8(const uint8_t* p) { return _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))); }
LFM_INLINE void StoreS8(int8_t* p, VI a) {
  const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(words, words));
}
// Of numbers that fit.
LFM_INLINE void StoreS16(int16_t* p, VI a) {
  const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), words);
}
// Sums of products of a lane's two halves of 16 bits.
using VP = VI;
LFM_INLINE VP NoPairs() { return SetI(0); }
LFM_INLINE VI SumOfPairs(VP a) { return a; }
// Left to itself the compiler adds a loop's products in trees and keeps the sums in memory.
LFM_INLINE VP DotPairs(VP sum, VI a, VI b) {
  sum = _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
  asm("" : "+x"(sum));
  return sum;
}

LFM_INLINE VB LoadB(const uint8_t* p) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))}; }
LFM_INLINE VI WordsOf(VB a) { return a.v; }
LFM_INLINE VB BytesOf(VI a) { return {a}; }
LFM_INLINE VB AndB(VB a, uint8_t b) { return {_mm256_and_si256(a.v, _mm256_set1_epi8(static_cast<char>(b)))}; }
LFM_INLINE VB XorB(VB a, uint8_t b) { return {_mm256_xor_si256(a.v, _mm256_set1_epi8(static_cast<char>(b)))}; }
LFM_INLINE VB OrB(VB a, VB b) { return {_mm256_or_si256(a.v, b.v)}; }
LFM_INLINE VB AddB(VB a, VB b) { return {_mm256_add_epi8(a.v, b.v)}; }
// -a where bit kBit of `bits` is set.
template <int kBit>
LFM_INLINE VB NegateWhere(VB a, VB bits) {
  const __m256i bit = _mm256_set1_epi8(static_cast<char>(1 << kBit));
  const __m256i minus = _mm256_cmpeq_epi8(_mm256_and_si256(bits.v, bit), bit);
  return {_mm256_sub_epi8(_mm256_xor_si256(a.v, minus), minus)};
}
// Of each four lanes' sixteen bytes: bytes kFirst, kFirst + 1, kFirst + kStep, kFirst + kStep + 1.
template <int kFirst, int kStep>
LFM_INLINE VI BytesOfRows(VB a) {
  constexpr int32_t kPick = static_cast<int32_t>(0x80808000u) + kFirst;  // the other bytes of a lane become 0
  const __m128i pick = _mm_setr_epi32(kPick, kPick + 1, kPick + kStep, kPick + kStep + 1);
  return _mm256_shuffle_epi8(a.v, _mm256_broadcastsi128_si256(pick));
}
// table[index] of each lane: four bytes, or eight in two parts.
LFM_INLINE VB LookUpWords(const uint32_t* table, VI index) {
  return {_mm256_i32gather_epi32(reinterpret_cast<const int*>(table), index, 4)};
}
LFM_INLINE void LookUpPairs(const uint64_t* table, VI index, VB* out) {
  const auto* const pairs = reinterpret_cast<const long long*>(table);
  const __m256i a = _mm256_i32gather_epi64(pairs, _mm256_castsi256_si128(index), 8);       // lanes 0 to 3
  const __m256i b = _mm256_i32gather_epi64(pairs, _mm256_extracti128_si256(index, 1), 8);  // lanes 4 to 7
  const __m256 ac = _mm256_castsi256_ps(_mm256_permute2x128_si256(a, b, 0x20));            // lanes 0, 1 and 4, 5
  const __m256 bd = _mm256_castsi256_ps(_mm256_permute2x128_si256(a, b, 0x31));
  out[0] = {_mm256_castps_si256(_mm256_shuffle_ps(ac, bd, 0x88))};
  out[1] = {_mm256_castps_si256(_mm256_shuffle_ps(ac, bd, 0xdd))};
}
LFM_INLINE VB LookUp(const uint8_t* table, VB a) {
  const __m128i t = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
  return {_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(t), a.v)};
}

// Over the lanes, by the fixed tree: (i, i + 4), (i, i + 2), (i, i + 1).
LFM_INLINE float SumLanes(VF a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
LFM_INLINE float MaxLanes(VF a) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
// The same tree for four vectors at once: lanes i and i + 4 of two, then i and i + 2 of all meet in one register.
template <typename Join>
LFM_INLINE void JoinLanesOfFour(const VF* a, float* out, Join join) {
  const VF ab = join(_mm256_permute2f128_ps(a[0], a[1], 0x20), _mm256_permute2f128_ps(a[0], a[1], 0x31));
  const VF cd = join(_mm256_permute2f128_ps(a[2], a[3], 0x20), _mm256_permute2f128_ps(a[2], a[3], 0x31));
  const VF s = join(_mm256_shuffle_ps(ab, cd, 0x44), _mm256_shuffle_ps(ab, cd, 0xee));  // of a, c and b, d
  alignas(32) float t[8];
  _mm256_store_ps(t, join(s, _mm256_permute_ps(s, 0xb1)));
  for (int i = 0; i < 4; i++) out[i] = t[i % 2 * 4 + i / 2 * 2];
}
LFM_INLINE void SumLanesOfFour(const VF* a, float* out) {
  JoinLanesOfFour(a, out, [](VF x, VF y) LFM_INLINE_LAMBDA { return _mm256_add_ps(x, y); });
}
LFM_INLINE void MaxLanesOfFour(const VF* a, float* out) {
  JoinLanesOfFour(a, out, [](VF x, VF y) LFM_INLINE_LAMBDA { return _mm256_max_ps(x, y); });
}
LFM_INLINE int32_t SumLanes(VI a) {
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}
