// Matrix product with int8 tiles, for many tokens. The packed layout is what tiles want: the eight vectors of a block
// are the rows of B, and a token's 32 quants are a row of A. The integers of a block are flushed with their scales
// before the next one, as everywhere. A backend of 16 lanes and amx_tiles.inl (or its emulation) come before this.
//
// Tiles: 0 and 1 hold A (16 tokens; the remaining ones), 2 B, 4 and 5 C. Half blocks (types with a scale per 16) use
// the same tiles with K = 16.

constexpr int kMinAmxTokens = 8;  // below, the rest of the tile would cost more than it gives
constexpr int kTileTokens = 16;

template <class D>
TileConfig ConfigFor(int rest) {
  TileConfig config;
  const auto shape = [&](int tile, int rows, int row_bytes) {
    config.rows[tile] = static_cast<uint8_t>(rows);
    config.row_bytes[tile] = static_cast<uint16_t>(row_bytes);
  };
  constexpr int kK = D::kHalves ? 16 : 32;
  shape(0, kTileTokens, kK);
  shape(2, kK / 4, 64);
  shape(4, kTileTokens, 64);
  if (rest > 0) {
    shape(1, rest, kK);
    shape(5, rest, 64);
  }
  return config;
}

// Integer sums of one panel (or half of a block) with all tokens: sums[t][16].
LFM_INLINE void TileSums(const uint8_t* w, const int8_t* q, int n_tokens, int32_t* sums) {
  TileLoad(2, w, 64);
  int t = 0;
  for (; t + kTileTokens <= n_tokens; t += kTileTokens) {
    TileLoad(0, q + t * static_cast<int>(sizeof(Q8Block)), sizeof(Q8Block));
    TileZero(4);
    TileDot(4, 0, 2);
    TileStore(4, sums + t * kLanes, 64);
  }
  if (t < n_tokens) {
    TileLoad(1, q + t * static_cast<int>(sizeof(Q8Block)), sizeof(Q8Block));
    TileZero(5);
    TileDot(5, 1, 2);
    TileStore(5, sums + t * kLanes, 64);
  }
}

// One block of one panel: decode to signed bytes, tiles, flush into acc[t][32].
template <class D>
LFM_INLINE void AddBlockByTiles(const BlockAt& at, const Q8Block* x, int n_tokens, float* acc) {
  static_assert(kN == kLanes);
  alignas(64) uint8_t weights[8 * 64];
  alignas(64) int32_t sums[D::kHalves ? 2 : 1][kMaxTile * kLanes];
  VB w[8];
  Scales s;
  D::template Quants<false>(at, w);
  D::GetScales(at, s);
  for (int g = 0; g < 8; g++) StoreB(weights + 64 * g, D::kWide ? w[g] : SubB(w[g], D::kBias));
  for (int h = 0; h < (D::kHalves ? 2 : 1); h++) TileSums(weights + 256 * h, x->q + 16 * h, n_tokens, sums[h]);
  VF sc[2];
  if constexpr (D::kHalves) {
    for (int h = 0; h < 2; h++) sc[h] = ToF(s.sc[h]);
  }
  for (int t = 0; t < n_tokens; t++, acc += kUnitRows) {
    VF sum = ToF(LoadI(sums[0] + kLanes * t));
    if constexpr (D::kHalves) sum = FmaF(ToF(LoadI(sums[1] + kLanes * t)), sc[1], MulF(sum, sc[0]));  // exact
    StoreF(acc, AddSum<D>(sum, s.d, s.m, x[t], LoadF(acc)));
  }
}

template <TensorType kType>
void MatmulAmxOf(const std::byte* panel0, const std::byte* panel1, int64_t n_blocks, const Q8Block* x, int n_tokens,
                 float* out, int64_t out_stride) noexcept {
  using D = Decoder<kType>;
  if (n_tokens < kMinAmxTokens) return MatmulQ8Of<kType>(panel0, panel1, n_blocks, x, n_tokens, out, out_stride);
  alignas(64) float acc[kMaxTile * kUnitRows];
  for (int i = 0; i < n_tokens * kUnitRows; i += kN) StoreF(acc + i, SetF(0.0f));
  const TileConfig config = ConfigFor<D>(n_tokens % kTileTokens);
  TilesOn(config);
  ForBlocks<kType>(panel0, panel1, n_blocks, [&](const BlockAt& at0, const BlockAt& at1) LFM_INLINE_LAMBDA {
    AddBlockByTiles<D>(at0, x, n_tokens, acc);
    AddBlockByTiles<D>(at1, x, n_tokens, acc + kLanes);
    x += n_tokens;
  });
  TilesOff();
  for (int t = 0; t < n_tokens; t++) {
    for (int i = 0; i < kUnitRows; i += kN) StoreF(out + t * out_stride + i, LoadF(acc + t * kUnitRows + i));
  }
}

template <int kIndex = 0>
void FillMatmulAmx(MatmulQ8* table) {
  constexpr TensorType kType = kTypeOrder[kIndex];
  if constexpr (LayoutOf(kType).scales != 0) table[kIndex] = &MatmulAmxOf<kType>;
  if constexpr (kIndex + 1 < kTypeCount) FillMatmulAmx<kIndex + 1>(table);
}
