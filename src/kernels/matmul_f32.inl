// Matrix product of packed weights, dequantised, with f32 activations. Per block of 32 and row two fma chains from +0,
// over even and odd k; then acc += even + odd. The order is docs/numerics.md's; the values are those of Dequantize.

constexpr int kUnitParts = 2 * kParts;
constexpr int kChainParts = kUnitParts < 2 ? 1 : 2;  // native vectors of rows at a time
constexpr int kChainTokens = kN == 8 ? 2 : 4;        // tokens at a time: enough chains to hide the fma, if registers allow

// Byte e of each lane, less the bias, as f32.
template <class D, int kByte>
LFM_INLINE VF ByteAsFloat(const VB& w) {
  if constexpr (D::kWide) return ToF(SraI<24>(ShlI<24 - 8 * kByte>(WordsOf(w))));
  const VI u = AndI(ShrI<8 * kByte>(WordsOf(w)), 255);
  return ToF(AddI(u, SetI(-D::kBias)));
}

template <TensorType kType>
constexpr bool kFloats = IsFloat(kType);

// Two neighbouring k of kN rows of such a type.
template <TensorType kType>
LFM_INLINE void LoadPair(const BlockAt& at, int k, VF* w) {
  if constexpr (kType == TensorType::kF32) {
    for (int i = 0; i < 2; i++) w[i] = LoadF(reinterpret_cast<const float*>(at.quants) + kLanes * (k + i) + at.row);
  } else if constexpr (kType == TensorType::kF16) {
    for (int i = 0; i < 2; i++) w[i] = LoadHalf(at.quants + 2 * (kLanes * (k + i) + at.row));
  } else {
    static_assert(kType == TensorType::kBF16);
    const VI pair = WordsOf(LoadB(at.quants + 2 * kLanes * k + 4 * at.row));
    w[0] = CastF(ShlI<16>(pair));
    w[1] = CastF(ShlI<16>(ShrI<16>(pair)));
  }
}

// A block of kN rows as f32: out[16 * k].
template <TensorType kType>
LFM_INLINE void DecodeFloats(const BlockAt& at, float* out) {
  if constexpr (kFloats<kType>) {
    for (int k = 0; k < kBlock; k += 2) {
      VF w[2];
      LoadPair<kType>(at, k, w);
      for (int i = 0; i < 2; i++) StoreF(out + kLanes * (k + i), w[i]);
    }
  } else {
    using D = Decoder<kType>;
    VB w[8];
    Scales s;
    D::template Quants<false>(at, w);
    D::GetScales(at, s);
    for (int h = 0; h < 2; h++) {
      const VF d = D::kHalves ? MulF(s.d, ToF(s.sc[h])) : s.d;
      for (int g = 4 * h; g < 4 * h + 4; g++) {
        VF v[4] = {ByteAsFloat<D, 0>(w[g]), ByteAsFloat<D, 1>(w[g]), ByteAsFloat<D, 2>(w[g]), ByteAsFloat<D, 3>(w[g])};
        for (int e = 0; e < 4; e++) {
          v[e] = MulF(d, v[e]);
          if constexpr (D::kMins > 0) v[e] = AddF(v[e], s.m[D::kMins == 2 ? h : 0]);
          StoreF(out + kLanes * (4 * g + e), v[e]);
        }
      }
    }
  }
}

// acc[t][..] += one block of kChainParts native vectors of rows for kTokens tokens. Row i of the unit lies at
// w[kLanes * kBlock * (i / 16) + i % 16]. One copy for all types.
template <int kTokens>
__attribute__((noinline)) void AddBlockF32(const float* const* w, const F32Block* x, float* acc) {
  VF even[kTokens][kChainParts], odd[kTokens][kChainParts];
  for (int t = 0; t < kTokens; t++) {
    for (int i = 0; i < kChainParts; i++) even[t][i] = odd[t][i] = SetF(0.0f);
  }
  for (int k = 0; k < kBlock; k += 2) {
    for (int i = 0; i < kChainParts; i++) {
      const VF w0 = LoadF(w[i] + kLanes * k), w1 = LoadF(w[i] + kLanes * (k + 1));
      for (int t = 0; t < kTokens; t++) {
        even[t][i] = FmaF(w0, SetF(x[t].x[k]), even[t][i]);
        odd[t][i] = FmaF(w1, SetF(x[t].x[k + 1]), odd[t][i]);
      }
    }
  }
  for (int t = 0; t < kTokens; t++) {
    for (int i = 0; i < kChainParts; i++) {
      float* const a = acc + t * kUnitRows + kN * i;
      StoreF(a, AddF(LoadF(a), AddF(even[t][i], odd[t][i])));
    }
  }
}

// One token and one panel of such a type, straight from memory: every weight is used once.
template <TensorType kType, Steps kSteps>
void MatrixVectorF32(const std::byte* panel, int64_t n_blocks, Prefetch ahead, const F32Block* x, float* out) noexcept {
  VF acc[kParts];
  for (int i = 0; i < kParts; i++) acc[i] = SetF(0.0f);
  ForBlocksOfPanel<kType, kSteps>(panel, n_blocks, ahead, [&](BlockAt at) LFM_INLINE_LAMBDA {
    VF even[kParts], odd[kParts];
    for (int i = 0; i < kParts; i++) even[i] = odd[i] = SetF(0.0f);
    for (int k = 0; k < kBlock; k += 2) {
      const VF x0 = SetF(x->x[k]), x1 = SetF(x->x[k + 1]);
      for (int i = 0; i < kParts; i++) {
        VF w[2];
        at.row = kN * i;
        LoadPair<kType>(at, k, w);
        even[i] = FmaF(w[0], x0, even[i]);
        odd[i] = FmaF(w[1], x1, odd[i]);
      }
    }
    for (int i = 0; i < kParts; i++) acc[i] = AddF(acc[i], AddF(even[i], odd[i]));
    x++;
  });
  for (int i = 0; i < kParts; i++) StoreF(out + kN * i, acc[i]);
}

template <TensorType kType>
void MatmulF32Of(const std::byte* panel0, const std::byte* panel1, int64_t n_blocks, const F32Block* x, int n_tokens, float* out,
                 int64_t out_stride) noexcept {
  if constexpr (kFloats<kType>) {
    if (n_tokens == 1) {
      WithChosenAhead<kType, true>([&]<Steps kSteps>(Prefetch ahead) {
        MatrixVectorF32<kType, kSteps>(panel0, n_blocks, ahead, x, out);
        if (panel1 != nullptr) MatrixVectorF32<kType, kSteps>(panel1, n_blocks, ahead, x, out + kLanes);
      });
      return;
    }
  }
  alignas(64) float acc[kMaxTile * kUnitRows];
  alignas(64) float w[2][kBlock * kLanes];
  for (int i = 0; i < n_tokens * kUnitRows; i += kN) StoreF(acc + i, SetF(0.0f));
  ForBlocks<kType>(panel0, panel1, n_blocks, [&](BlockAt at0, BlockAt at1) LFM_INLINE_LAMBDA {
    for (int i = 0; i < kParts; i++) {
      at0.row = at1.row = kN * i;
      DecodeFloats<kType>(at0, w[0] + kN * i);
      DecodeFloats<kType>(at1, w[1] + kN * i);
    }
    for (int i = 0; i < kUnitParts; i += kChainParts) {
      const float* rows[kChainParts];
      for (int j = 0; j < kChainParts; j++) rows[j] = w[(i + j) / kParts] + (i + j) % kParts * kN;
      int t = 0;
      for (; t + kChainTokens <= n_tokens; t += kChainTokens) {
        AddBlockF32<kChainTokens>(rows, x + t, acc + t * kUnitRows + kN * i);
      }
      for (; t < n_tokens; t++) AddBlockF32<1>(rows, x + t, acc + t * kUnitRows + kN * i);
    }
    x += n_tokens;
  });
  for (int t = 0; t < n_tokens; t++) {
    for (int i = 0; i < kUnitRows; i += kN) StoreF(out + t * out_stride + i, LoadF(acc + t * kUnitRows + i));
  }
}

template <int kIndex = 0>
void FillMatmulF32(MatmulF32* table) {
  table[kIndex] = &MatmulF32Of<kTypeOrder[kIndex]>;
  if constexpr (kIndex + 1 < kTypeCount) FillMatmulF32<kIndex + 1>(table);
}
