// Decoders: one struct a weight type, from a panel's bytes to eight byte vectors (group g holds k = 4g .. 4g + 3 of
// every lane) and scales. All work on the kN rows beginning at the row the pointers were advanced to.
//   kBias    value = byte - kBias (signed types, kWide: bytes are the values, or offset by 128 if asked)
//   kMax     the largest byte (its magnitude if kWide), which says how many 16-bit products may be summed (AVX2)
//   kMins    additive terms a block (0, 1 or 2 halves);  kHalves: integer scales sc[2] for the halves of a block

struct BlockAt {
  const uint8_t* head;    // f16 kept at the front of the panel
  const uint8_t* scales;  // of the super-panel
  const uint8_t* quants;  // of the block
  int n_blocks;           // of the super-panel
  int b;                  // the block in it
  int row;                // first row
};

struct Scales {
  VF d;
  VF m[2];
  VI sc[2];
};

template <int kShift>  // kShift > 0: left. Bits that cross bytes are the caller's to mask.
LFM_INLINE VB ShiftB(VB a) {
  if constexpr (kShift > 0) return BytesOf(ShlI<kShift>(WordsOf(a)));
  if constexpr (kShift < 0) return BytesOf(ShrI<-kShift>(WordsOf(a)));
  return a;
}

LFM_INLINE void Nibbles(const uint8_t* q, VB* w) {
  for (int v = 0; v < 4; v++) {
    const VB x = LoadB(q + 64 * v);
    w[v] = AndB(x, 15);
    w[v + 4] = AndB(ShiftB<-4>(x), 15);
  }
}
// ORs bit g of plane x into bit kTo of w[g].
template <int kTo, int kGroup = 0>
LFM_INLINE void AddBits(const VB& x, VB* w) {
  w[kGroup] = OrB(w[kGroup], AndB(ShiftB<kTo - kGroup>(x), 1 << kTo));
  if constexpr (kGroup < 7) AddBits<kTo, kGroup + 1>(x, w);
}
// Bits 2 (g / 2) of plane x[g % 2], shifted to kTo.
template <int kTo, int kGroup>
LFM_INLINE VB TwoBits(const VB* x) {
  return AndB(ShiftB<kTo - 2 * (kGroup / 2)>(x[kGroup % 2]), 3 << kTo);
}
template <int kGroup = 0>
LFM_INLINE void AddHighTwoBits(const VB* x, VB* w) {
  w[kGroup] = OrB(w[kGroup], TwoBits<4, kGroup>(x));
  if constexpr (kGroup < 7) AddHighTwoBits<kGroup + 1>(x, w);
}
template <int kGroup = 0>
LFM_INLINE void LowTwoBits(const VB* x, VB* w) {
  w[kGroup] = TwoBits<0, kGroup>(x);
  if constexpr (kGroup < 7) LowTwoBits<kGroup + 1>(x, w);
}

LFM_INLINE VF HalfAt(const uint8_t* rows, int row) { return LoadHalf(rows + 2 * row); }

template <TensorType kType>
struct Decoder;

struct DecoderBase {
  static constexpr bool kWide = false, kHalves = false;
  static constexpr int kMins = 0, kBias = 0;
};

template <>
struct Decoder<TensorType::kQ4_0> : DecoderBase {
  static constexpr int kBias = 8, kMax = 15;
  template <bool kUnsigned>
  static LFM_INLINE void Quants(const BlockAt& at, VB* w) {
    Nibbles(at.quants + 4 * at.row, w);
  }
  static LFM_INLINE void GetScales(const BlockAt& at, Scales& s) { s.d = HalfAt(at.scales + 32 * at.b, at.row); }
};

template <>
struct Decoder<TensorType::kQ4_1> : DecoderBase {
  static constexpr int kMins = 1, kMax = 15;
  template <bool kUnsigned>
  static LFM_INLINE void Quants(const BlockAt& at, VB* w) {
    Nibbles(at.quants + 4 * at.row, w);
  }
  static LFM_INLINE void GetScales(const BlockAt& at, Scales& s) {
    s.d = HalfAt(at.scales + 64 * at.b, at.row);
    s.m[0] = HalfAt(at.scales + 64 * at.b + 32, at.row);
  }
};

LFM_INLINE void FiveBitQuants(const BlockAt& at, VB* w) {
  Nibbles(at.quants + 4 * at.row, w);
  AddBits<4>(LoadB(at.quants + 256 + 4 * at.row), w);
}

template <>
struct Decoder<TensorType::kQ5_0> : DecoderBase {
  static constexpr int kBias = 16, kMax = 31;
  template <bool kUnsigned>
  static LFM_INLINE void Quants(const BlockAt& at, VB* w) {
    FiveBitQuants(at, w);
  }
  static LFM_INLINE void GetScales(const BlockAt& at, Scales& s) { s.d = HalfAt(at.scales + 32 * at.b, at.row); }
};

template <>
struct Decoder<TensorType::kQ5_1> : DecoderBase {
  static constexpr int kMins = 1, kMax = 31;
  template <bool kUnsigned>
  static LFM_INLINE void Quants(const BlockAt& at, VB* w) {
    FiveBitQuants(at, w);
  }
  static LFM_INLINE void GetScales(const BlockAt& at, Scales& s) { Decoder<TensorType::kQ4_1>::GetScales(at, s); }
};

template <>
struct Decoder<TensorType::kQ8_0> : DecoderBase {
  static constexpr bool kWide = true;
  static constexpr int kMax = 128;
  template <bool kUnsigned>
  static LFM_INLINE void Quants(const BlockAt& at, VB* w) {
    for (int v = 0; v < 8; v++) {
      w[v] = LoadB(at.quants + 64 * v + 4 * at.row);
      if constexpr (kUnsigned) w[v] = XorB(w[v], 0x80);
    }
  }
  static LFM_INLINE void GetScales(const BlockAt& at, Scales& s) { s.d = HalfAt(at.scales + 32 * at.b, at.row); }
};

// Q4_K and Q5_K: d, dmin, then the 6-bit pairs sc | (m >> 4) << 6, then the low nibbles of m_j and m_(j+4).
LFM_INLINE void SixBitPairs(const BlockAt& at, Scales& s) {
  const VI x = LoadU8(at.scales + 64 + 16 * at.b + at.row);
  const VI low = LoadU8(at.scales + 192 + 16 * (at.b % 4) + at.row);
  const VI nibble = at.b < 4 ? AndI(low, 15) : ShrI<4>(low);
  s.d = MulF(HalfAt(at.scales, at.row), ToF(AndI(x, 63)));
  s.m[0] = NegF(MulF(HalfAt(at.scales + 32, at.row), ToF(OrI(nibble, ShlI<4>(ShrI<6>(x))))));
}

template <>
struct Decoder<TensorType::kQ4_K> : DecoderBase {
  static constexpr int kMins = 1, kMax = 15;
  template <bool kUnsigned>
  static LFM_INLINE void Quants(const BlockAt& at, VB* w) {
    Nibbles(at.quants + 4 * at.row, w);
  }
  static LFM_INLINE void GetScales(const BlockAt& at, Scales& s) { SixBitPairs(at, s); }
};

template <>
struct Decoder<TensorType::kQ5_K> : DecoderBase {
  static constexpr int kMins = 1, kMax = 31;
  template <bool kUnsigned>
  static LFM_INLINE void Quants(const BlockAt& at, VB* w) {
    FiveBitQuants(at, w);
  }
  static LFM_INLINE void GetScales(const BlockAt& at, Scales& s) { SixBitPairs(at, s); }
};

template <>
struct Decoder<TensorType::kQ6_K> : DecoderBase {
  static constexpr bool kHalves = true;
  static constexpr int kBias = 32, kMax = 63;
  template <bool kUnsigned>
  static LFM_INLINE void Quants(const BlockAt& at, VB* w) {
    const uint8_t* q = at.quants + 4 * at.row;
    Nibbles(q, w);
    const VB high[2] = {LoadB(q + 256), LoadB(q + 320)};
    AddHighTwoBits(high, w);
  }
  static LFM_INLINE void GetScales(const BlockAt& at, Scales& s) {
    s.d = HalfAt(at.head, at.row);
    for (int h = 0; h < 2; h++) s.sc[h] = LoadS8(at.scales + 32 * at.b + 16 * h + at.row);
  }
};

template <>
struct Decoder<TensorType::kQ3_K> : DecoderBase {
  static constexpr bool kHalves = true;
  static constexpr int kBias = 4, kMax = 7;
  template <bool kUnsigned>
  static LFM_INLINE void Quants(const BlockAt& at, VB* w) {
    const uint8_t* q = at.quants + 4 * at.row;
    const VB low[2] = {LoadB(q), LoadB(q + 64)};
    LowTwoBits(low, w);
    AddBits<2>(LoadB(q + 128), w);
  }
  static LFM_INLINE void GetScales(const BlockAt& at, Scales& s) {
    s.d = HalfAt(at.head, at.row);
    const VI low = LoadU8(at.scales + 16 * at.b + at.row);
    VI high = LoadU8(at.scales + 128 + 16 * (at.b / 2) + at.row);
    if (at.b % 2 == 1) high = ShrI<4>(high);
    const VI offset = SetI(-32);
    s.sc[0] = AddI(OrI(AndI(low, 15), ShlI<4>(AndI(high, 3))), offset);
    s.sc[1] = AddI(OrI(ShrI<4>(low), ShlI<2>(AndI(high, 12))), offset);
  }
};

template <>
struct Decoder<TensorType::kQ2_K> : DecoderBase {
  static constexpr bool kHalves = true;
  static constexpr int kMins = 2, kMax = 3;
  template <bool kUnsigned>
  static LFM_INLINE void Quants(const BlockAt& at, VB* w) {
    const uint8_t* q = at.quants + 4 * at.row;
    const VB low[2] = {LoadB(q), LoadB(q + 64)};
    LowTwoBits(low, w);
  }
  static LFM_INLINE void GetScales(const BlockAt& at, Scales& s) {
    s.d = HalfAt(at.scales, at.row);
    const VF min = HalfAt(at.scales + 32, at.row);
    for (int h = 0; h < 2; h++) {
      const VI x = LoadU8(at.scales + 64 + 32 * at.b + 16 * h + at.row);
      s.sc[h] = AndI(x, 15);
      s.m[h] = NegF(MulF(min, ToF(ShrI<4>(x))));
    }
  }
};

template <int kOffset>
struct OffsetLevels {
  alignas(16) uint8_t v[16];
  constexpr explicit OffsetLevels(const int8_t* levels) : v() {
    for (int i = 0; i < 16; i++) v[i] = static_cast<uint8_t>(levels[i] + kOffset);
  }
};

template <bool kUnsigned>
LFM_INLINE void Iq4Quants(const BlockAt& at, VB* w) {
  static constexpr OffsetLevels<kUnsigned ? 128 : 0> kTable(kIq4Levels);
  Nibbles(at.quants + 4 * at.row, w);
  for (int g = 0; g < 8; g++) w[g] = LookUp(kTable.v, w[g]);
}

template <>
struct Decoder<TensorType::kIQ4_NL> : DecoderBase {
  static constexpr bool kWide = true;
  static constexpr int kMax = 127;
  template <bool kUnsigned>
  static LFM_INLINE void Quants(const BlockAt& at, VB* w) {
    Iq4Quants<kUnsigned>(at, w);
  }
  static LFM_INLINE void GetScales(const BlockAt& at, Scales& s) { s.d = HalfAt(at.scales + 32 * at.b, at.row); }
};

template <>
struct Decoder<TensorType::kIQ4_XS> : DecoderBase {
  static constexpr bool kWide = true;
  static constexpr int kMax = 127;
  template <bool kUnsigned>
  static LFM_INLINE void Quants(const BlockAt& at, VB* w) {
    Iq4Quants<kUnsigned>(at, w);
  }
  static LFM_INLINE void GetScales(const BlockAt& at, Scales& s) {
    VI low = LoadU8(at.scales + 32 + 16 * (at.b / 2) + at.row);
    if (at.b % 2 == 1) low = ShrI<4>(low);
    VI high = LoadU8(at.scales + 96 + 16 * (at.b / 4) + at.row);
    if ((at.b & 1) != 0) high = ShrI<2>(high);
    if ((at.b & 2) != 0) high = ShrI<4>(high);
    const VI scale = AddI(OrI(AndI(low, 15), ShlI<4>(AndI(high, 3))), SetI(-32));
    s.d = MulF(HalfAt(at.scales, at.row), ToF(scale));
  }
};

template <>
struct Decoder<TensorType::kMXFP4> : DecoderBase {
  static constexpr int kBias = 12, kMax = 24;
  template <bool kUnsigned>
  static LFM_INLINE void Quants(const BlockAt& at, VB* w) {
    static constexpr OffsetLevels<12> kTable(kMxfp4Levels);
    Nibbles(at.quants + 4 * at.row, w);
    for (int g = 0; g < 8; g++) w[g] = LookUp(kTable.v, w[g]);
  }
  // 2^(e - 128) = (2^(e - 1)'s exponent bits, e >= 2) or a denormal: 2^(e - 64) in range, times 2^-64, is both.
  static LFM_INLINE void GetScales(const BlockAt& at, Scales& s) {
    const VI e = LoadU8(at.scales + 16 * at.b + at.row);
    const VI high = ShrI<1>(e);
    const VI rest = AddI(e, NegI(high));
    const VI bias = SetI(63);  // 2^(high - 64) * 2^(rest - 64)
    s.d = MulF(CastF(ShlI<23>(AddI(high, bias))), CastF(ShlI<23>(AddI(rest, bias))));
  }
};

#include "kernels/decode_grids.inl"
