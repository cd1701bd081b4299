// Points of lattices without gathers, for AVX-512 with VBMI: vpermi2b looks up 64 bytes at once in tables of 128. What it looks up
// are not the weights but their places among the few levels (GridCodes); a shift picks the places of every row's group,
// which, with the sign beside them, look up the weight in a table of 64 bytes.

LFM_INLINE __m512i LoadTable(const uint8_t* table, int i) { return _mm512_load_si512(table + 64 * i); }

// table[place] of 256 or 512 points; bit 8 of the places are the bits of `high`.
template <size_t kPoints>
LFM_INLINE __m512i LookUpCodes(const uint8_t* table, __m512i place, __mmask64 high) {
  if constexpr (kPoints == 256) {
    const __m512i a = _mm512_permutex2var_epi8(LoadTable(table, 0), place, LoadTable(table, 1));
    const __m512i b = _mm512_permutex2var_epi8(LoadTable(table, 2), place, LoadTable(table, 3));
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(place), a, b);
  } else {
    constexpr size_t kHalf = kPoints / 2;
    const __m512i a = LookUpCodes<kHalf>(table, place, high), b = LookUpCodes<kHalf>(table + kHalf, place, high);
    return _mm512_mask_blend_epi8(high, a, b);
  }
}

// Offsets for vpmultishiftqb, eight bytes a qword.
struct alignas(64) Offsets {
  uint8_t v[64] = {};
  LFM_INLINE __m512i Of(__m512i a) const { return _mm512_multishift_epi64_epi8(_mm512_load_si512(v), a); }
};

// For octets: byte 2 l + i of a qword (place l of its row i) from bit kFirst + kPerOctet * l of the row's half.
constexpr Offsets BitsOfOctets(int first, int per_octet) {
  Offsets offsets;
  for (int i = 0; i < 64; i++) {
    offsets.v[i] = static_cast<uint8_t>((32 * (i % 2) + per_octet * (i % 8 / 2) + first - 7) & 63);  // to the top bit
  }
  return offsets;
}
// For quads: place 4 kVector + l is a bit of one of the four bytes (rows) at the front of a qword.
constexpr Offsets BitsOfQuads(int vector) {
  Offsets offsets;
  for (int i = 0; i < 64; i++) {
    const int row = i % 8 / 4 * 2 + i % 2, l = 4 * vector + i % 16 / 8 * 2 + i % 4 / 2;
    offsets.v[i] = static_cast<uint8_t>((8 * row + l - 7) & 63);
  }
  return offsets;
}
// The codes of four k of two rows: from byte `first` of a qword and, for the second row, `step` bytes on.
constexpr Offsets CodesOfGroup(int first, int step, const int (&bits)[4]) {
  Offsets offsets;
  for (int i = 0; i < 64; i++) offsets.v[i] = static_cast<uint8_t>(8 * (first + i % 8 / 4 * step) + bits[i % 4]);
  return offsets;
}
constexpr int kTwoBits[4] = {0, 2, 4, 6};
constexpr int kThreeBits[4] = {0, 3, 8, 11};

template <size_t kLevels, bool kUnsigned>
struct SignedLevels {
  alignas(64) uint8_t v[64] = {};
  constexpr explicit SignedLevels(const int (&levels)[kLevels]) {
    for (size_t i = 0; i < 64; i++) {
      const int level = levels[i % kLevels], weight = (i / kLevels) % 2 == 1 ? -level : level;
      v[i] = static_cast<uint8_t>(weight + (kUnsigned ? 128 : 0));
    }
  }
};

// The weights of group kGroup, from codes in the low bits of each byte (anything above them).
template <int kGroup, int kBits>
LFM_INLINE VB LookUpSigned(const uint8_t* levels, __m512i codes, VB signs) {
  const __m512i sign = ShiftB<kBits - kGroup>(signs).v;
  const __m512i index = _mm512_ternarylogic_epi32(_mm512_set1_epi8((1 << kBits) - 1), codes, sign, 0xca);
  return {_mm512_permutexvar_epi8(index, _mm512_load_si512(levels))};
}

template <int kL = 0>
LFM_INLINE void OctetWeights(const uint8_t* levels, __m512i low, __m512i high, VB signs, VB* w) {
  static constexpr Offsets kCodes = CodesOfGroup(2 * kL, 1, kTwoBits);
  w[2 * kL] = LookUpSigned<2 * kL, 2>(levels, kCodes.Of(low), signs);
  w[2 * kL + 1] = LookUpSigned<2 * kL + 1, 2>(levels, kCodes.Of(high), signs);
  if constexpr (kL < 3) OctetWeights<kL + 1>(levels, low, high, signs, w);
}
template <int kL = 0>
LFM_INLINE void QuadWeights(const uint8_t* levels, const __m512i* codes, VB signs, VB* w) {
  static constexpr Offsets kCodes = CodesOfGroup(kL % 2 * 4, 2, kThreeBits);
  w[kL] = LookUpSigned<kL, 3>(levels, kCodes.Of(codes[kL / 2]), signs);
  if constexpr (kL < 7) QuadWeights<kL + 1>(levels, codes, signs, w);
}

// The bits of places that their bytes have not.
LFM_INLINE void HighBits(const OctetPlaces&, __mmask64*) {}
LFM_INLINE void HighBits(const PlacesIq2Xs& places, __mmask64* high) {
  static constexpr Offsets kBits = BitsOfOctets(25, 2);
  high[0] = _mm512_movepi8_mask(kBits.Of(places.signs));
}
LFM_INLINE void HighBits(const QuadPlaces&, __mmask64*) {}
LFM_INLINE void HighBits(const PlacesIq3S& places, __mmask64* high) {
  static constexpr Offsets kBits[2] = {BitsOfQuads(0), BitsOfQuads(1)};
  const __m512i rows = _mm512_set1_epi64(0x0c080400);  // four rows' bytes to the front of both qwords
  const __m512i bytes = _mm512_shuffle_epi8(places.high, rows);
  for (int v = 0; v < 2; v++) high[v] = _mm512_movepi8_mask(kBits[v].Of(bytes));
}
LFM_INLINE const QuadPlaces& LowPlaces(const QuadPlaces& places) { return places; }
LFM_INLINE const QuadPlaces& LowPlaces(const PlacesIq3S& places) { return places.low; }

template <TensorType kType>
constexpr const auto& CodesOf() {
  if constexpr (kType == TensorType::kIQ2_XXS) return kIq2XxsCodes;
  if constexpr (kType == TensorType::kIQ2_XS) return kIq2XsCodes;
  if constexpr (kType == TensorType::kIQ3_XXS) return kIq3XxsCodes;
  if constexpr (kType == TensorType::kIQ3_S) return kIq3SCodes;
}

template <TensorType kType, bool kUnsigned, class Places>
LFM_INLINE void SignedPoints(const Places& places, VB signs, VB* w) {
  constexpr const auto& kCodes = CodesOf<kType>();
  constexpr size_t kPoints = sizeof(kCodes.low);
  __mmask64 high[2] = {};
  HighBits(places, high);
  if constexpr (kType == TensorType::kIQ3_XXS || kType == TensorType::kIQ3_S) {
    static constexpr SignedLevels<8, kUnsigned> kLevels(kType == TensorType::kIQ3_S ? kIq3SLevels : kIq3XxsLevels);
    __m512i codes[4];
    for (int v = 0; v < 2; v++) {
      const __m512i place = LowPlaces(places).low[v].v;
      const __m512i low = LookUpCodes<kPoints>(kCodes.low, place, high[v]);
      const __m512i high_code = LookUpCodes<kPoints>(kCodes.high, place, high[v]);
      codes[2 * v] = _mm512_unpacklo_epi8(low, high_code);
      codes[2 * v + 1] = _mm512_unpackhi_epi8(low, high_code);
    }
    QuadWeights(kLevels.v, codes, signs, w);
  } else {
    static constexpr SignedLevels<4, kUnsigned> kLevels(kIq2Levels);
    const __m512i low = LookUpCodes<kPoints>(kCodes.low, places.low.v, high[0]);
    const __m512i high_code = LookUpCodes<kPoints>(kCodes.high, places.low.v, high[0]);
    OctetWeights(kLevels.v, low, high_code, signs, w);
  }
}
