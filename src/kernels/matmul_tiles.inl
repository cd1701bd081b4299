// Matrix product with int8 tiles (AMX), for many tokens. The packed layout is what tiles want: the eight vectors of a block
// are the rows of B, and 16 tokens of a block (Q8Tile) are A. The integers of a block are flushed with their scales before
// the next one, as everywhere. A backend of 16 lanes and amx_tiles.inl (or its emulation) come before this.
//
// While a tile instruction is in flight, 512-bit float instructions run at half their rate (measured, Emerald Rapids;
// docs/performance.md). So the work goes in phases: two blocks, two panels and two groups of 16 tokens through the tiles,
// with each store three or four dots behind its dot; then integer work (the next blocks are unpacked) while the tile
// unit drains; then the flush, without tile instructions. Tiles 0 to 3 are C, 4 and 5 A, 6 and 7 B.

constexpr int kPhaseBlocks = 2;                  // dots of a phase: enough to keep each store three or four dots behind
constexpr int kPanelBytes = 8 * 64;              // of an unpacked block
constexpr int kTileSums = kTileTokens * kLanes;  // in a C tile

TileConfig PhaseConfig() {
  TileConfig config;
  for (int tile = 0; tile < 8; tile++) {
    config.rows[tile] = tile < 6 ? kTileTokens : 8;
    config.row_bytes[tile] = tile == 4 || tile == 5 ? kBlock : 64;
  }
  return config;
}

// Blocks that are unpacked together, twice: those in use and the next ones. Half a super-panel leaves the first-level cache
// to the rest: on Emerald Rapids, one thread, Q4_0, 93 cycles a tile of 16 x 16 x 32 at 16 tokens against 102 for a whole one, 78
// against 82 at 32, the same at 64 and 128; a quarter took 91, 80, 80 and 73 where half took 93, 78, 74 and 71.
constexpr int kStepBlocks = 4;
static_assert(kSuperBlocks % kStepBlocks == 0 && kStepBlocks % kPhaseBlocks == 0);

// The blocks of a step, of both panels: quants as signed bytes, and the scales.
struct alignas(64) Unpacked {
  uint8_t q[kStepBlocks][2][kPanelBytes];
  float d[kStepBlocks][2][kLanes];
  float m[kStepBlocks][2][kLanes];
};

// Two panels, super-panel by super-panel.
template <TensorType kType>
struct SuperPanels {
  static constexpr PanelLayout kLayout = LayoutOf(kType);
  static constexpr int kBytes = kLayout.scales + kLayout.quants;
  const uint8_t* panels[2];
  int64_t n_blocks, n_supers;

  int BlocksOf(int64_t i) const {
    const int64_t left = n_blocks - i * kSuperBlocks;
    return left < kSuperBlocks ? static_cast<int>(left) : kSuperBlocks;
  }

  // Of a step, which never crosses a super-panel.
  int BlocksOfStep(int64_t step) const {
    const int64_t left = n_blocks - step * kStepBlocks;
    return left < kStepBlocks ? static_cast<int>(left) : kStepBlocks;
  }

  // Block `at_step` of a step and panel p, into `out`; asks for the same block two super-panels on, or of the next unit,
  // which follows in memory: a few lines at a time, because many at once would make the unpacking wait.
  LFM_INLINE void Unpack(int64_t step, int at_step, int p, Unpacked& out) const {
    using D = Decoder<kType>;
    const int64_t i = step * kStepBlocks / kSuperBlocks;
    const int b = static_cast<int>(step * kStepBlocks % kSuperBlocks) + at_step;
    const int n = BlocksOf(i);
    const uint8_t* const body = panels[p] + n_supers * kLayout.head + i * kSuperBlocks * kBytes;
    const int64_t unit = 2 * (panels[1] - panels[0]), beyond = i + 2 - n_supers;
    const uint8_t* const ahead =
        (beyond < 0 ? body + 2 * kSuperBlocks * kBytes : panels[p] + unit + beyond * kSuperBlocks * kBytes) + b * kBytes;
    for (int line = 0; line < kBytes; line += 64) __builtin_prefetch(ahead + line, 0, 2);
    const BlockAt at{panels[p] + i * kLayout.head, body, body + n * kLayout.scales + b * kLayout.quants, n, b, 0};
    VB w[8];
    D::template Quants<false>(at, w);
    for (int g = 0; g < 8; g++) StoreB(out.q[at_step][p] + 64 * g, D::kWide ? w[g] : SubB(w[g], D::kBias));
    Scales s;
    D::GetScales(at, s);
    StoreF(out.d[at_step][p], s.d);
    if constexpr (D::kMins > 0) StoreF(out.m[at_step][p], s.m[0]);
  }
};

// The dots of one block. x0 and x1 are the two groups of tokens; each load serves two dots.
template <int kGroups>
LFM_INLINE void DotBlock(const Q8Tile* x0, const Q8Tile* x1, const uint8_t* w) {
  TileLoad(4, x0->q, kBlock);
  TileLoad(6, w, 64);
  TileZero(0);
  TileDot(0, 4, 6);
  if constexpr (kGroups == 2) {
    TileLoad(5, x1->q, kBlock);
    TileZero(1);
    TileDot(1, 5, 6);
  }
  TileLoad(7, w + kPanelBytes, 64);
  TileZero(2);
  TileDot(2, 4, 7);
  if constexpr (kGroups == 2) {
    TileZero(3);
    TileDot(3, 5, 7);
  }
}

// The same, with the sums of the block before stored between.
template <int kGroups>
LFM_INLINE void StoreAndDotBlock(const Q8Tile* x0, const Q8Tile* x1, const uint8_t* w, int32_t* sums) {
  TileLoad(4, x0->q, kBlock);
  TileLoad(6, w, 64);
  TileStore(0, sums, 64);
  TileZero(0);
  TileDot(0, 4, 6);
  if constexpr (kGroups == 2) {
    TileLoad(5, x1->q, kBlock);
    TileStore(1, sums + kTileSums, 64);
    TileZero(1);
    TileDot(1, 5, 6);
  }
  TileLoad(7, w + kPanelBytes, 64);
  TileStore(2, sums + 2 * kTileSums, 64);
  TileZero(2);
  TileDot(2, 4, 7);
  if constexpr (kGroups == 2) {
    TileStore(3, sums + 3 * kTileSums, 64);
    TileZero(3);
    TileDot(3, 5, 7);
  }
}

// Integer sums of kBlocks blocks, both panels and kGroups groups of tokens: sums[block][panel][group][16 tokens][16].
template <int kBlocks, int kGroups>
LFM_INLINE void PhaseSums(const Q8Tile* x, const uint8_t* w, int32_t* sums) {
  const Q8Tile* const x1 = x + kSuperBlocks;
  DotBlock<kGroups>(x, x1, w);
  if constexpr (kBlocks == 2) {
    StoreAndDotBlock<kGroups>(x + 1, x1 + 1, w + 2 * kPanelBytes, sums);
    sums += 4 * kTileSums;
  }
  TileStore(0, sums, 64);
  if constexpr (kGroups == 2) TileStore(1, sums + kTileSums, 64);
  TileStore(2, sums + 2 * kTileSums, 64);
  if constexpr (kGroups == 2) TileStore(3, sums + 3 * kTileSums, 64);
}

struct BlockScales {
  VF d[2], m[2];  // of both panels
};

// Adds a block's sums of eight tokens to their accumulators, which stay in registers: a[2 t + panel].
template <class D, int kT = 0>
LFM_INLINE void FlushTokens(const int32_t* sums, const float* d, const float* dsum, const BlockScales& w, VF* a) {
  const VF scale = SetF(d[kT]);
  a[2 * kT] = FmaF(ToF(LoadI(sums + kT * kLanes)), MulF(w.d[0], scale), a[2 * kT]);
  a[2 * kT + 1] = FmaF(ToF(LoadI(sums + 2 * kTileSums + kT * kLanes)), MulF(w.d[1], scale), a[2 * kT + 1]);
  if constexpr (D::kMins > 0) {
    const VF sum = SetF(dsum[kT]);
    a[2 * kT] = FmaF(w.m[0], sum, a[2 * kT]);
    a[2 * kT + 1] = FmaF(w.m[1], sum, a[2 * kT + 1]);
  }
  if constexpr (kT < 7) FlushTokens<D, kT + 1>(sums, d, dsum, w, a);
}

template <int kI = 0>
LFM_INLINE void LoadAll(const float* acc, VF* a) {
  a[kI] = LoadF(acc + kI * kLanes);
  if constexpr (kI < 15) LoadAll<kI + 1>(acc, a);
}
template <int kI = 0>
LFM_INLINE void StoreAll(float* acc, const VF* a) {
  StoreF(acc + kI * kLanes, a[kI]);
  if constexpr (kI < 15) StoreAll<kI + 1>(acc, a);
}

// Eight tokens, from token `first` of a group on, and the blocks of a phase.
template <class D, int kBlocks, int kI = 0>
LFM_INLINE void FlushBlocks(const int32_t* sums, const Q8Tile* x, int first, const Unpacked& w, int b, VF* a) {
  BlockScales scales;
  for (int p = 0; p < 2; p++) {
    scales.d[p] = LoadF(w.d[b + kI][p]);
    if constexpr (D::kMins > 0) scales.m[p] = LoadF(w.m[b + kI][p]);
  }
  FlushTokens<D>(sums + kI * 4 * kTileSums, x[kI].d + first, x[kI].dsum + first, scales, a);
  if constexpr (kI + 1 < kBlocks) FlushBlocks<D, kBlocks, kI + 1>(sums, x, first, w, b, a);
}

// The flush of a phase: n_tokens of its 32, whole eights of them.
template <class D, int kBlocks>
LFM_INLINE void FlushPhase(const int32_t* sums, const Q8Tile* x, const Unpacked& w, int b, int n_tokens, float* acc) {
  for (int t = 0; t < n_tokens; t += 8) {
    const int group = t / kTileTokens, first = t % kTileTokens;
    VF a[16];
    LoadAll(acc + t * kUnitRows, a);
    FlushBlocks<D, kBlocks>(sums + group * kTileSums + first * kLanes, x + group * kSuperBlocks, first, w, b, a);
    StoreAll(acc + t * kUnitRows, a);
  }
}

template <TensorType kType>
void MatmulTilesOf(const std::byte* panel0, const std::byte* panel1, int64_t n_blocks, const Q8Tile* x, int n_tokens, float* out,
                   int64_t out_stride) noexcept {
  using D = Decoder<kType>;
  static_assert(kN == kLanes && !D::kHalves && D::kMins < 2);
  const SuperPanels<kType> weights{{reinterpret_cast<const uint8_t*>(panel0), reinterpret_cast<const uint8_t*>(panel1)},
                                   n_blocks,
                                   (n_blocks + kSuperBlocks - 1) / kSuperBlocks};
  const int n_groups = static_cast<int>(TileGroups(n_tokens));
  alignas(64) float acc[kMaxTile * kUnitRows];
  alignas(64) int32_t sums[kPhaseBlocks * 4 * kTileSums];
  Unpacked unpacked[2];
  for (int i = 0; i < n_groups * kTileTokens * kUnitRows; i += kN) StoreF(acc + i, SetF(0.0f));
  for (int j = 0; j < 2 * weights.BlocksOfStep(0); j++) weights.Unpack(0, j / 2, j % 2, unpacked[0]);
  TilesOn(PhaseConfig());
  const int64_t n_steps = (n_blocks + kStepBlocks - 1) / kStepBlocks;
  for (int64_t i = 0; i < n_steps; i++) {
    const Unpacked& w = unpacked[i % 2];
    Unpacked& next = unpacked[(i + 1) % 2];
    const int n = weights.BlocksOfStep(i), n_phases = n_groups / 2 * ((n + 1) / 2);
    const int n_unpack = i + 1 < n_steps ? 2 * weights.BlocksOfStep(i + 1) : 0;
    const int64_t first = i * kStepBlocks;
    const Q8Tile* const x_step = x + first / kSuperBlocks * n_groups * kSuperBlocks + first % kSuperBlocks;
    int n_unpacked = 0, phase = 0;
    for (int group = 0; group < n_groups; group += 2) {
      const int left = n_tokens - group * kTileTokens, n_here = left < 2 * kTileTokens ? left : 2 * kTileTokens;
      for (int b = 0; b < n; b += kPhaseBlocks) {
        const Q8Tile* const tiles = x_step + group * kSuperBlocks + b;
        const bool two = b + 1 < n;
        if (n_here > kTileTokens) {
          if (two) PhaseSums<2, 2>(tiles, w.q[b][0], sums);
          if (!two) PhaseSums<1, 2>(tiles, w.q[b][0], sums);
        } else {
          if (two) PhaseSums<2, 1>(tiles, w.q[b][0], sums);
          if (!two) PhaseSums<1, 1>(tiles, w.q[b][0], sums);
        }
        for (phase++; n_unpacked < n_unpack * phase / n_phases; n_unpacked++) {
          weights.Unpack(i + 1, n_unpacked / 2, n_unpacked % 2, next);
        }
        float* const to = acc + group * kTileTokens * kUnitRows;
        if (two) FlushPhase<D, 2>(sums, tiles, w, b, n_here, to);
        if (!two) FlushPhase<D, 1>(sums, tiles, w, b, n_here, to);
      }
    }
  }
  TilesOff();
  for (int t = 0; t < n_tokens; t++) {
    for (int i = 0; i < kUnitRows; i += kN) StoreF(out + t * out_stride + i, LoadF(acc + t * kUnitRows + i));
  }
}

// Types with a scale for 16 weights take the vector kernels: two dots of half a block cost as much as two whole ones.
template <int kIndex = 0>
void FillMatmulTiles(MatmulTiles* table) {
  constexpr TensorType kType = kTypeOrder[kIndex];
  if constexpr (!IsFloat(kType)) {
    if constexpr (!Decoder<kType>::kHalves && Decoder<kType>::kMins < 2) table[kIndex] = &MatmulTilesOf<kType>;
  }
  if constexpr (kIndex + 1 < kTypeCount) FillMatmulTiles<kIndex + 1>(table);
}
