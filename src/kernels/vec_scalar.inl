// The native vector of the scalar reference: 16 lanes in arrays, one plain loop an operation. Every backend offers
// exactly these names (docs/numerics.md says what each must round to); the shared .inl files use nothing else.
constexpr int kN = 16;  // lanes of a native vector

// clang-format off: a line an operation
struct VF {
  float v[kN];
};
struct VI {
  int32_t v[kN];
};
struct VB {
  uint8_t v[4 * kN];
};  // 4 bytes a lane

#define LFM_LANES for (int i = 0; i < kN; i++)

LFM_INLINE VF LoadF(const float* p) {
  VF r;
  LFM_LANES r.v[i] = p[i];
  return r;
}
LFM_INLINE void StoreF(float* p, VF a) { LFM_LANES p[i] = a.v[i]; }
LFM_INLINE VF SetF(float x) {
  VF r;
  LFM_LANES r.v[i] = x;
  return r;
}
LFM_INLINE VF AddF(VF a, VF b) {
  LFM_LANES a.v[i] += b.v[i];
  return a;
}
LFM_INLINE VF SubF(VF a, VF b) {
  LFM_LANES a.v[i] -= b.v[i];
  return a;
}
LFM_INLINE VF MulF(VF a, VF b) {
  LFM_LANES a.v[i] *= b.v[i];
  return a;
}
LFM_INLINE VF DivF(VF a, VF b) {
  LFM_LANES a.v[i] /= b.v[i];
  return a;
}
LFM_INLINE VF FmaF(VF a, VF b, VF c) {
  LFM_LANES a.v[i] = __builtin_fmaf(a.v[i], b.v[i], c.v[i]);
  return a;
}
LFM_INLINE VF MaxF(VF a, VF b) {
  LFM_LANES a.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i];
  return a;
}
LFM_INLINE VF MinF(VF a, VF b) {
  LFM_LANES a.v[i] = a.v[i] < b.v[i] ? a.v[i] : b.v[i];
  return a;
}
LFM_INLINE VF AbsF(VF a) {
  LFM_LANES a.v[i] = __builtin_fabsf(a.v[i]);
  return a;
}
LFM_INLINE VF NegF(VF a) {
  LFM_LANES a.v[i] = -a.v[i];
  return a;
}
LFM_INLINE VF ToF(VI a) {
  VF r;
  LFM_LANES r.v[i] = static_cast<float>(a.v[i]);
  return r;
}
// Round to nearest even; |a| < 2^22.
LFM_INLINE VI RoundF(VF a) {
  VI r;
  LFM_LANES {
    const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
    r.v[i] = static_cast<int32_t>((a.v[i] + magic) - magic);
  }
  return r;
}
LFM_INLINE VF LoadHalf(const uint8_t* p) {
  VF r;
  LFM_LANES {
    uint16_t h;
    __builtin_memcpy(&h, p + 2 * i, 2);
    r.v[i] = HalfBitsToFloat(h);
  }
  return r;
}
LFM_INLINE void StoreHalf(uint8_t* p, VF a) {
  LFM_LANES {
    const uint16_t h = FloatToHalfBits(a.v[i]);
    __builtin_memcpy(p + 2 * i, &h, 2);
  }
}

LFM_INLINE VI SetI(int32_t x) {
  VI r;
  LFM_LANES r.v[i] = x;
  return r;
}
LFM_INLINE VI AddI(VI a, VI b) {
  LFM_LANES a.v[i] += b.v[i];
  return a;
}
LFM_INLINE VI NegI(VI a) {
  LFM_LANES a.v[i] = -a.v[i];
  return a;
}
LFM_INLINE VI AndI(VI a, int32_t b) {
  LFM_LANES a.v[i] &= b;
  return a;
}
LFM_INLINE VI OrI(VI a, VI b) {
  LFM_LANES a.v[i] |= b.v[i];
  return a;
}
LFM_INLINE VI XorI(VI a, VI b) {
  LFM_LANES a.v[i] ^= b.v[i];
  return a;
}
// The low halves of products of 16 bits, two a lane.
LFM_INLINE VI Mul16(VI a, int b) {
  LFM_LANES {
    const uint32_t low = static_cast<uint32_t>(a.v[i]) & 0xffffu, high = static_cast<uint32_t>(a.v[i]) >> 16;
    const auto factor = static_cast<uint32_t>(b);
    a.v[i] = static_cast<int32_t>(((high * factor) << 16) | ((low * factor) & 0xffffu));
  }
  return a;
}
template <int kShift>
LFM_INLINE VI ShlI(VI a) {
  LFM_LANES a.v[i] = static_cast<int32_t>(static_cast<uint32_t>(a.v[i]) << kShift);
  return a;
}
template <int kShift>  // logical
LFM_INLINE VI ShrI(VI a) {
  LFM_LANES a.v[i] = static_cast<int32_t>(static_cast<uint32_t>(a.v[i]) >> kShift);
  return a;
}
template <int kShift>  // arithmetic
LFM_INLINE VI SraI(VI a) {
  LFM_LANES a.v[i] >>= kShift;
  return a;
}
LFM_INLINE VF CastF(VI a) {
  VF r;
  __builtin_memcpy(&r, &a, sizeof(r));
  return r;
}
LFM_INLINE VI CastI(VF a) {
  VI r;
  __builtin_memcpy(&r, &a, sizeof(r));
  return r;
}
LFM_INLINE VI LoadU8(const uint8_t* p) {
  VI r;
  LFM_LANES r.v[i] = p[i];
  return r;
}
LFM_INLINE VI LoadS8(const uint8_t* p) {
  VI r;
  LFM_LANES r.v[i] = static_cast<int8_t>(p[i]);
  return r;
}
LFM_INLINE void StoreS8(int8_t* p, VI a) { LFM_LANES p[i] = static_cast<int8_t>(a.v[i]); }
LFM_INLINE void StoreS16(int16_t* p, VI a) { LFM_LANES p[i] = static_cast<int16_t>(a.v[i]); }
// Sums of products of a lane's two halves of 16 bits.
using VP = VI;
LFM_INLINE VP NoPairs() { return SetI(0); }
LFM_INLINE VI SumOfPairs(const VP& a) { return a; }
LFM_INLINE VP DotPairs(VP sum, VI a, VI b) {
  LFM_LANES {
    const int32_t high = (a.v[i] >> 16) * (b.v[i] >> 16);
    sum.v[i] += high + static_cast<int16_t>(a.v[i]) * static_cast<int16_t>(b.v[i]);
  }
  return sum;
}

LFM_INLINE VB LoadB(const uint8_t* p) {
  VB r;
  __builtin_memcpy(&r, p, sizeof(r));
  return r;
}
LFM_INLINE void StoreB(uint8_t* p, VB a) { __builtin_memcpy(p, &a, sizeof(a)); }
LFM_INLINE VB SubB(VB a, int b) {
  for (uint8_t& x : a.v) x = static_cast<uint8_t>(x - b);
  return a;
}
LFM_INLINE VI LoadI(const int32_t* p) {
  VI r;
  __builtin_memcpy(&r, p, sizeof(r));
  return r;
}
LFM_INLINE VI WordsOf(VB a) {
  VI r;
  __builtin_memcpy(&r, &a, sizeof(r));
  return r;
}
LFM_INLINE VB BytesOf(VI a) {
  VB r;
  __builtin_memcpy(&r, &a, sizeof(r));
  return r;
}
LFM_INLINE VB AndB(VB a, uint8_t b) {
  for (uint8_t& x : a.v) x &= b;
  return a;
}
LFM_INLINE VB XorB(VB a, uint8_t b) {
  for (uint8_t& x : a.v) x ^= b;
  return a;
}
LFM_INLINE VB OrB(VB a, VB b) {
  for (int i = 0; i < 4 * kN; i++) a.v[i] |= b.v[i];
  return a;
}
LFM_INLINE VB AddB(VB a, VB b) {
  for (int i = 0; i < 4 * kN; i++) a.v[i] = static_cast<uint8_t>(a.v[i] + b.v[i]);
  return a;
}
// -a where bit kBit of `bits` is set.
template <int kBit>
LFM_INLINE VB NegateWhere(VB a, VB bits) {
  for (int i = 0; i < 4 * kN; i++) {
    if ((bits.v[i] >> kBit & 1) != 0) a.v[i] = static_cast<uint8_t>(-a.v[i]);
  }
  return a;
}
// Of each four lanes' sixteen bytes: bytes kFirst, kFirst + 1, kFirst + kStep, kFirst + kStep + 1.
template <int kFirst, int kStep>
LFM_INLINE VI BytesOfRows(VB a) {
  VI r;
  LFM_LANES r.v[i] = a.v[i / 4 * 16 + kFirst + i / 2 % 2 * kStep + i % 2];
  return r;
}
// table[index] of each lane: four bytes, or eight in two parts.
LFM_INLINE VB LookUpWords(const uint32_t* table, VI index) {
  VB r;
  LFM_LANES __builtin_memcpy(r.v + 4 * i, table + index.v[i], 4);
  return r;
}
LFM_INLINE void LookUpPairs(const uint64_t* table, VI index, VB* out) {
  LFM_LANES {
    const uint64_t both = table[index.v[i]];
    const auto low = static_cast<uint32_t>(both), high = static_cast<uint32_t>(both >> 32);
    __builtin_memcpy(out[0].v + 4 * i, &low, 4);
    __builtin_memcpy(out[1].v + 4 * i, &high, 4);
  }
}
// table[a], a < 16 in every byte.
LFM_INLINE VB LookUp(const uint8_t* table, VB a) {
  for (uint8_t& x : a.v) x = table[x];
  return a;
}

// Over the lanes, by the fixed tree: (i, i + 8), (i, i + 4), (i, i + 2), (i, i + 1).
LFM_INLINE float SumLanes(VF a) {
  for (int step = kN / 2; step > 0; step /= 2) {
    for (int i = 0; i < step; i++) a.v[i] = a.v[i] + a.v[i + step];
  }
  return a.v[0];
}
LFM_INLINE float MaxLanes(VF a) {
  for (int step = kN / 2; step > 0; step /= 2) {
    for (int i = 0; i < step; i++) a.v[i] = a.v[i] > a.v[i + step] ? a.v[i] : a.v[i + step];
  }
  return a.v[0];
}
LFM_INLINE void SumLanesOfFour(const VF* a, float* out) {
  for (int i = 0; i < 4; i++) out[i] = SumLanes(a[i]);
}
LFM_INLINE void MaxLanesOfFour(const VF* a, float* out) {
  for (int i = 0; i < 4; i++) out[i] = MaxLanes(a[i]);
}
LFM_INLINE int32_t SumLanes(VI a) {
  int32_t sum = 0;
  LFM_LANES sum += a.v[i];
  return sum;
}
// clang-format on
