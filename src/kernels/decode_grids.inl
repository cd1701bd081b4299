// Decoders of IQ1, IQ2, IQ3 and TQ weights (the rest of decode.inl). Weights of a lattice are looked up as signed bytes, eight
// or four at a time; the backend says how.

// The spare bit of octet l (eight k) of a sign word: element 3 of group 2 l + 1, to bit kTo.
template <int kOctet, int kTo>
LFM_INLINE VI SpareBit(VI signs) {
  return AndI(ShrI<25 + 2 * kOctet - kTo>(signs), 1 << kTo);
}
LFM_INLINE VI SpareNibble(VI signs) {
  return OrI(OrI(SpareBit<0, 0>(signs), SpareBit<1, 1>(signs)), OrI(SpareBit<2, 2>(signs), SpareBit<3, 3>(signs)));
}
// Puts the eighth signs into the places of the spare bits: the number of negative ones among eight is even.
LFM_INLINE VI CompleteSigns(VI signs) {
  signs = AndI(signs, 0x55ffffff);
  VI odd = AndI(XorI(signs, ShrI<1>(signs)), 0x55555555);  // of groups 2 l and 2 l + 1 together, at bit 2 l of each byte
  odd = XorI(odd, ShrI<16>(odd));
  odd = AndI(XorI(odd, ShrI<8>(odd)), 0x55);
  return OrI(signs, ShlI<25>(odd));
}

LFM_INLINE VF OddScale(VF d, VI scale) { return MulF(d, ToF(OrI(ShlI<1>(scale), SetI(1)))); }

// Both halves' scales of a byte: 2 s + 1 of its nibbles.
LFM_INLINE void OddHalves(VI nibbles, Scales& s) {
  s.sc[0] = OrI(ShlI<1>(AndI(nibbles, 15)), SetI(1));
  s.sc[1] = OrI(ShlI<1>(ShrI<4>(nibbles)), SetI(1));
}

// Low bytes of the places of four octets, as they lie in memory (layout.h), and of eight quads.
template <int kL>
LFM_INLINE VI LowOfOctet(VB low) {
  return BytesOfRows<2 * kL, 8>(low);
}
struct QuadPlaces {
  VB low[2];
  template <int kL>
  LFM_INLINE VI At() const {
    return BytesOfRows<kL % 4 / 2 * 8 + kL % 2 * 2, 4>(low[kL / 4]);
  }
};
struct OctetPlaces {
  VB low;
  template <int kL>
  LFM_INLINE VI At() const {
    return LowOfOctet<kL>(low);
  }
};

// The same with the bits that a byte has not.
struct PlacesIq2Xs {
  VB low;
  VI signs;
  template <int kL>
  LFM_INLINE VI At() const {
    return OrI(LowOfOctet<kL>(low), SpareBit<kL, 8>(signs));
  }
};
struct PlacesIq2S {
  VB low;
  VI high;  // two more bits each
  template <int kL>
  LFM_INLINE VI At() const {
    return OrI(LowOfOctet<kL>(low), AndI(ShlI<8 - 2 * kL>(high), 0x300));
  }
};
struct PlacesIq3S {
  QuadPlaces low;
  VI high;  // a bit more each
  template <int kL>
  LFM_INLINE VI At() const {
    return OrI(low.At<kL>(), AndI(ShlI<8 - kL>(high), 0x100));
  }
};
struct PlacesIq1S {
  VB low;
  VI high;  // three more bits each, then three of the scale and the sign of delta
  template <int kL>
  LFM_INLINE VI At() const {
    return OrI(LowOfOctet<kL>(low), AndI(ShlI<8>(ShrI<3 * kL>(high)), 0x700));
  }
};
struct PlacesIq1M {
  VB low;
  VI high[2];  // a nibble each: three more bits and the sign of delta
  template <int kL>
  LFM_INLINE VI At() const {
    return OrI(LowOfOctet<kL>(low), AndI(ShlI < kL % 2 == 0 ? 8 : 4 > (high[kL / 2]), 0x700));
  }
};

// Looks up what place<l>() says, for four octets or eight quads.
template <int kL = 0, size_t kPoints, class Place>
LFM_INLINE void LookUpAll(const Grid<uint64_t, kPoints>& grid, const Place& place, VB* w) {
  LookUpPairs(grid.points, place.template At<kL>(), w + 2 * kL);
  if constexpr (kL < 3) LookUpAll<kL + 1>(grid, place, w);
}
template <int kL = 0, size_t kPoints, class Place>
LFM_INLINE void LookUpAll(const Grid<uint32_t, kPoints>& grid, const Place& place, VB* w) {
  w[kL] = LookUpWords(grid.points, place.template At<kL>());
  if constexpr (kL < 7) LookUpAll<kL + 1>(grid, place, w);
}

// Weights of the types with signs: the points at `places`, with the signs of the plane, as bytes (offset by 128 if asked). An ISA
// that can look up bytes in larger tables than sixteen has its own way.
#ifdef __AVX512VBMI__
#include "kernels/lattice_vbmi.inl"
#else
// Signed bytes: negates where bit g of the plane says so, and offsets them by 128 if asked.
template <bool kUnsigned, int kGroup = 0>
LFM_INLINE void GiveSigns(VB signs, VB* w) {
  w[kGroup] = NegateWhere<kGroup>(w[kGroup], signs);
  if constexpr (kUnsigned) w[kGroup] = XorB(w[kGroup], 0x80);
  if constexpr (kGroup < 7) GiveSigns<kUnsigned, kGroup + 1>(signs, w);
}

template <TensorType kType>
constexpr const auto& GridOf() {
  if constexpr (kType == TensorType::kIQ2_XXS) return kIq2XxsGrid;
  if constexpr (kType == TensorType::kIQ2_XS) return kIq2XsGrid;
  if constexpr (kType == TensorType::kIQ2_S) return kIq2SGrid;
  if constexpr (kType == TensorType::kIQ3_XXS) return kIq3XxsGrid;
  if constexpr (kType == TensorType::kIQ3_S) return kIq3SGrid;
}
template <TensorType kType, bool kUnsigned, class Places>
LFM_INLINE void SignedPoints(const Places& places, VB signs, VB* w) {
  LookUpAll(GridOf<kType>(), places, w);
  GiveSigns<kUnsigned>(signs, w);
}
#endif

struct LatticeDecoder : DecoderBase {
  static constexpr bool kWide = true;
  static constexpr int kMax = 62;
};

template <>
struct Decoder<TensorType::kIQ2_XXS> : LatticeDecoder {
  template <bool kUnsigned>
  static LFM_INLINE void Quants(const BlockAt& at, VB* w) {
    const uint8_t* const q = at.quants + 4 * at.row;
    SignedPoints<TensorType::kIQ2_XXS, kUnsigned>(OctetPlaces{LoadB(q)}, BytesOf(CompleteSigns(WordsOf(LoadB(q + 64)))), w);
  }
  static LFM_INLINE void GetScales(const BlockAt& at, Scales& s) {
    s.d = OddScale(MulF(HalfAt(at.head, at.row), SetF(0.125f)), SpareNibble(WordsOf(LoadB(at.quants + 64 + 4 * at.row))));
  }
};

template <>
struct Decoder<TensorType::kIQ2_XS> : LatticeDecoder {
  static constexpr bool kHalves = true;
  template <bool kUnsigned>
  static LFM_INLINE void Quants(const BlockAt& at, VB* w) {
    const uint8_t* const q = at.quants + 4 * at.row;
    const VI signs = WordsOf(LoadB(q + 64));
    SignedPoints<TensorType::kIQ2_XS, kUnsigned>(PlacesIq2Xs{LoadB(q), signs}, BytesOf(CompleteSigns(signs)), w);
  }
  static LFM_INLINE void GetScales(const BlockAt& at, Scales& s) {
    s.d = MulF(HalfAt(at.head, at.row), SetF(0.125f));
    OddHalves(LoadU8(at.scales + 16 * at.b + at.row), s);
  }
};

template <>
struct Decoder<TensorType::kIQ2_S> : LatticeDecoder {
  static constexpr bool kHalves = true;
  template <bool kUnsigned>
  static LFM_INLINE void Quants(const BlockAt& at, VB* w) {
    const uint8_t* const q = at.quants + 4 * at.row;
    const PlacesIq2S places{LoadB(q), LoadU8(at.scales + 128 + 16 * at.b + at.row)};
    SignedPoints<TensorType::kIQ2_S, kUnsigned>(places, LoadB(q + 64), w);
  }
  static LFM_INLINE void GetScales(const BlockAt& at, Scales& s) { Decoder<TensorType::kIQ2_XS>::GetScales(at, s); }
};

template <>
struct Decoder<TensorType::kIQ3_XXS> : LatticeDecoder {
  template <bool kUnsigned>
  static LFM_INLINE void Quants(const BlockAt& at, VB* w) {
    const uint8_t* const q = at.quants + 4 * at.row;
    const QuadPlaces places{{LoadB(q), LoadB(q + 64)}};
    SignedPoints<TensorType::kIQ3_XXS, kUnsigned>(places, BytesOf(CompleteSigns(WordsOf(LoadB(q + 128)))), w);
  }
  static LFM_INLINE void GetScales(const BlockAt& at, Scales& s) {
    s.d = OddScale(MulF(HalfAt(at.head, at.row), SetF(0.25f)), SpareNibble(WordsOf(LoadB(at.quants + 128 + 4 * at.row))));
  }
};

template <>
struct Decoder<TensorType::kIQ3_S> : LatticeDecoder {
  static constexpr int kMax = 15;
  template <bool kUnsigned>
  static LFM_INLINE void Quants(const BlockAt& at, VB* w) {
    const uint8_t* const q = at.quants + 4 * at.row;
    const PlacesIq3S places{{{LoadB(q), LoadB(q + 64)}}, LoadU8(at.scales + 16 * at.b + at.row)};
    SignedPoints<TensorType::kIQ3_S, kUnsigned>(places, LoadB(q + 128), w);
  }
  static LFM_INLINE void GetScales(const BlockAt& at, Scales& s) {
    VI scale = LoadU8(at.scales + 128 + 16 * (at.b / 2) + at.row);
    if (at.b % 2 == 1) scale = ShrI<4>(scale);
    s.d = OddScale(HalfAt(at.head, at.row), AndI(scale, 15));
  }
};

// 8 g + delta: `minus` is 1 in the lanes whose delta is -1.
template <bool kUnsigned>
LFM_INLINE void AddDelta(VI minus, VB* w, int n) {
  const VB delta = BytesOf(OrI(NegI(minus), SetI(0x01010101)));
  for (int g = 0; g < n; g++) {
    w[g] = AddB(w[g], delta);
    if constexpr (kUnsigned) w[g] = XorB(w[g], 0x80);
  }
}

template <>
struct Decoder<TensorType::kIQ1_S> : LatticeDecoder {
  static constexpr int kMax = 9;
  static LFM_INLINE VI High(const BlockAt& at) {
    const uint8_t* const low = at.scales + 32 * at.b + at.row;
    return OrI(LoadU8(low), ShlI<8>(LoadU8(low + 16)));
  }
  template <bool kUnsigned>
  static LFM_INLINE void Quants(const BlockAt& at, VB* w) {
    const VI high = High(at);
    LookUpAll(kIq1Grid, PlacesIq1S{LoadB(at.quants + 4 * at.row), high}, w);
    AddDelta<kUnsigned>(ShrI<15>(high), w, 8);
  }
  static LFM_INLINE void GetScales(const BlockAt& at, Scales& s) {
    s.d = OddScale(MulF(HalfAt(at.head, at.row), SetF(0.125f)), AndI(ShrI<12>(High(at)), 7));
  }
};

template <>
struct Decoder<TensorType::kIQ1_M> : LatticeDecoder {
  static constexpr bool kHalves = true;
  static constexpr int kMax = 9;
  template <bool kUnsigned>
  static LFM_INLINE void Quants(const BlockAt& at, VB* w) {
    const uint8_t* const high = at.scales + 32 * at.b + at.row;
    const PlacesIq1M places{LoadB(at.quants + 4 * at.row), {LoadU8(high), LoadU8(high + 16)}};
    LookUpAll(kIq1Grid, places, w);
    for (int h = 0; h < 2; h++) {
      AddDelta<kUnsigned>(AndI(ShrI<3>(places.high[h]), 1), w + 4 * h, 2);
      AddDelta<kUnsigned>(ShrI<7>(places.high[h]), w + 4 * h + 2, 2);
    }
  }
  // Four words a row hold four scales of three bits each: 12 bits of three words, and the fourth's in their upper nibbles.
  static LFM_INLINE VI Word(const BlockAt& at, int i) {
    const uint8_t* const low = at.scales + 256 + 32 * i + at.row;
    return OrI(LoadU8(low), ShlI<8>(LoadU8(low + 16)));
  }
  static LFM_INLINE void GetScales(const BlockAt& at, Scales& s) {
    VI word = at.b < 6 ? Word(at, at.b / 2)
                       : OrI(OrI(ShrI<12>(Word(at, 0)), AndI(ShrI<8>(Word(at, 1)), 0xf0)), AndI(ShrI<4>(Word(at, 2)), 0xf00));
    if (at.b % 2 == 1) word = ShrI<6>(word);
    s.d = MulF(HalfAt(at.head, at.row), SetF(0.125f));
    s.sc[0] = OrI(AndI(ShlI<1>(word), 14), SetI(1));
    s.sc[1] = OrI(AndI(ShrI<2>(word), 14), SetI(1));
  }
};

// Digit i of bytes that are x = ceil(256 n / 243), n of five digits to base 3: the upper byte of (3^i x mod 256) * 3. `power`: 3^i.
LFM_INLINE VB Digit(VB x, int power) {
  constexpr int32_t kEven = 0x00ff00ff;
  const VI even = Mul16(AndI(Mul16(AndI(WordsOf(x), kEven), power), kEven), 3);
  const VI odd = Mul16(AndI(Mul16(AndI(ShrI<8>(WordsOf(x)), kEven), power), kEven), 3);
  return BytesOf(OrI(AndI(ShrI<8>(even), kEven), AndI(odd, ~kEven)));
}

template <>
struct Decoder<TensorType::kTQ1_0> : DecoderBase {
  static constexpr int kBias = 1, kMax = 2;
  // Blocks 0 to 4 are the digits of eight vectors; blocks 5 to 7 ten halves of the digits of four vectors, but that the last
  // half is four digits of one vector.
  template <bool kUnsigned>
  static LFM_INLINE void Quants(const BlockAt& at, VB* w) {
    constexpr int kPowers[] = {1, 3, 9, 27, 81};
    const uint8_t* const q = at.scales + 4 * at.row;
    if (at.b < 5) {
      for (int g = 0; g < 8; g++) w[g] = Digit(LoadB(q + 64 * g), kPowers[at.b]);
      return;
    }
    for (int g = 0; g < 4; g++) {
      const VB x = LoadB(q + 512 + 64 * g);
      w[g] = Digit(x, kPowers[2 * (at.b - 5)]);
      w[g + 4] = at.b < 7 ? Digit(x, kPowers[2 * (at.b - 5) + 1]) : Digit(LoadB(q + 768), kPowers[g]);
    }
  }
  static LFM_INLINE void GetScales(const BlockAt& at, Scales& s) { s.d = HalfAt(at.head, at.row); }
};

template <>
struct Decoder<TensorType::kTQ2_0> : DecoderBase {
  static constexpr int kBias = 1, kMax = 3;
  template <bool kUnsigned>
  static LFM_INLINE void Quants(const BlockAt& at, VB* w) {
    Decoder<TensorType::kQ2_K>::Quants<kUnsigned>(at, w);
  }
  static LFM_INLINE void GetScales(const BlockAt& at, Scales& s) { s.d = HalfAt(at.head, at.row); }
};
