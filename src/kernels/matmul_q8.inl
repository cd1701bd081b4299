// Matrix product of packed weights with int8 activations, for all types: decode a block of rows once, then all tokens.

// The most tokens whose sums are held in registers. Counted, not measured: with AVX2 a panel of 16 rows and four tokens take
// 8 of 16 registers, and the dot product needs most of the others; the next size that divides a tile would spill. The same
// number serves the ISAs with 32 registers, on which 6 or 8 were not tried.
constexpr int kFewTokens = 4;

// A block of all parts of a panel and kTokens tokens, unrolled: addresses become constants and sums stay in registers.
template <class D, int kTokens, int kPart = 0>
LFM_INLINE void AddBlockOfParts(const BlockAt& at, const Q8Block* x, VF* acc) {
  Weights<D> w;
  Decode<D>(at, kPart * kN, w);
  AddBlockOfTokens<D, kTokens>(w, x, acc + kPart * kTokens);
  if constexpr (kPart + 1 < kParts) AddBlockOfParts<D, kTokens, kPart + 1>(at, x, acc);
}

// One panel and few tokens: what decoding one sequence or several reads.
template <TensorType kType, int kTokens, Steps kSteps>
void FewTokensQ8(const std::byte* panel, int64_t n_blocks, Prefetch ahead, const Q8Block* x, float* out,
                 int64_t out_stride) noexcept {
  using D = Decoder<kType>;
  VF acc[kParts * kTokens];
  for (VF& one : acc) one = SetF(0.0f);
  ForBlocksOfPanel<kType, kSteps>(panel, n_blocks, ahead, [&](const BlockAt& at) LFM_INLINE_LAMBDA {
    AddBlockOfParts<D, kTokens>(at, x, acc);
    x += kTokens;
  });
  for (int t = 0; t < kTokens; t++) {
    for (int i = 0; i < kParts; i++) StoreF(out + t * out_stride + kN * i, acc[i * kTokens + t]);
  }
}

// Both panels of a unit, if there are at most kMost tokens.
template <TensorType kType, int kMost>
LFM_INLINE bool TryFewTokensQ8(const std::byte* panel0, const std::byte* panel1, int64_t n_blocks, const Q8Block* x, int n_tokens,
                               float* out, int64_t out_stride) {
  if (n_tokens == kMost) {
    const auto both = [&]<Steps kSteps>(Prefetch ahead) {
      FewTokensQ8<kType, kMost, kSteps>(panel0, n_blocks, ahead, x, out, out_stride);
      FewTokensQ8<kType, kMost, kSteps>(panel1, n_blocks, ahead, x, out + kLanes, out_stride);
    };
    WithChosenAhead<kType, kMost == 1>(both);
    return true;
  }
  if constexpr (kMost > 1) {
    return TryFewTokensQ8<kType, kMost - 1>(panel0, panel1, n_blocks, x, n_tokens, out, out_stride);
  }
  return false;
}

template <TensorType kType>
void MatmulQ8Of(const std::byte* panel0, const std::byte* panel1, int64_t n_blocks, const Q8Block* x, int n_tokens, float* out,
                int64_t out_stride) noexcept {
  using D = Decoder<kType>;
  if (TryFewTokensQ8<kType, kFewTokens>(panel0, panel1, n_blocks, x, n_tokens, out, out_stride)) return;
  alignas(64) float acc[kMaxTile * kUnitRows];
  for (int i = 0; i < n_tokens * kUnitRows; i += kN) StoreF(acc + i, SetF(0.0f));
  ForBlocks<kType>(panel0, panel1, n_blocks, [&](const BlockAt& at0, const BlockAt& at1) LFM_INLINE_LAMBDA {
    AddBlockOfTile<D>(at0, at1, x, n_tokens, acc);
    x += n_tokens;
  });
  for (int t = 0; t < n_tokens; t++) {
    for (int i = 0; i < kUnitRows; i += kN) StoreF(out + t * out_stride + i, LoadF(acc + t * kUnitRows + i));
  }
}

// Sets the table's entries of all quantised types.
template <int kIndex = 0>
void FillMatmulQ8(MatmulQ8* table) {
  constexpr TensorType kType = kTypeOrder[kIndex];
  if constexpr (!IsFloat(kType)) table[kIndex] = &MatmulQ8Of<kType>;
  if constexpr (kIndex + 1 < kTypeCount) FillMatmulQ8<kIndex + 1>(table);
}
