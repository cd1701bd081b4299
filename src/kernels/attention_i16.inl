// Attention over one page of KvType::kI16: keys and values are integers of 13 bits with a scale per position.
//
// A query becomes such integers too, and a score is their exact sum times both scales. The weights, times the scales of the
// values that they meet, become integers with one scale a page; their exact sums with the values are added to the accumulators
// by one fma a page. Exact sums have no order, so each ISA multiplies pairs of 16 bits as it can, and all give the same bits.

// Largest integers: sums of 64, or of head_dim, products of two stay below 2^31.
constexpr float kMostValue = 4095.0f;
LFM_INLINE float MostKey(int head_dim) { return head_dim <= 128 ? 4095.0f : 2895.0f; }

// What numbers are multiplied by to become integers: of those below 2^-100 everywhere, and where one is infinite, all are 0 (the
// scale amax / most tells the latter).
LFM_INLINE float InverseScale(float amax, float most) { return amax >= 0x1p-100f && amax <= __FLT_MAX__ ? most / amax : 0.0f; }

LFM_INLINE void StoreS16x16(int16_t* p, const F32x16& x) { LFM_PARTS StoreS16(p + kN * i, RoundF(x.v[i])); }

// n numbers, a multiple of 16, as integers in [-most, most]; gives their scale.
LFM_INLINE float QuantizeRow(const float* x, int n, float most, int16_t* q) {
  F32x16 lanes = Set(0.0f);
  for (int i = 0; i < n; i += kLanes) lanes = Max(Abs(Load(x + i)), lanes);
  const float amax = MaxTree(lanes), inverse = InverseScale(amax, most);
  for (int i = 0; i < n; i += kLanes) StoreS16x16(q + i, inverse == 0.0f ? Set(0.0f) : Mul(Load(x + i), Set(inverse)));
  return amax / most;
}

void KvStoreI16(std::byte* page_bytes, int i_position, const float* key, const float* value, int head_dim) noexcept {
  uint8_t* const page = reinterpret_cast<uint8_t*>(page_bytes);
  const KvLayout<KvType::kI16> layout(head_dim);
  alignas(64) int16_t k[kMaxHeadDim], v[kMaxHeadDim];
  const float key_scale = QuantizeRow(key, head_dim, MostKey(head_dim), k);
  const float value_scale = QuantizeRow(value, head_dim, kMostValue, v);
  __builtin_memcpy(page + layout.key_scales + 4 * i_position, &key_scale, 4);
  __builtin_memcpy(page + layout.value_scales + 4 * i_position, &value_scale, 4);
  const int group = i_position / kLanes, lane = i_position % kLanes;
  for (int d = 0; d < head_dim; d += 2) {
    __builtin_memcpy(page + layout.keys + 4 * ((group * head_dim / 2 + d / 2) * kLanes + lane), k + d, 4);
  }
  for (int d = 0; d < head_dim; d++) {
    __builtin_memcpy(page + layout.values + 4 * (i_position / 2 * head_dim + d) + 2 * (i_position % 2), v + d, 2);
  }
}

// A prepared query holds its integers, then their scale, in the place of its floats.
LFM_INLINE float ScaleOf(const float* query, int head_dim) { return query[head_dim / 2]; }

void PrepareQueriesI16(float* queries, int n, int head_dim) noexcept {
  for (float* q = queries; q < queries + n * head_dim; q += head_dim) {
    alignas(64) int16_t integers[kMaxHeadDim];
    const float scale = QuantizeRow(q, head_dim, MostKey(head_dim), integers);
    __builtin_memcpy(q, integers, static_cast<size_t>(head_dim) * 2);
    q[head_dim / 2] = scale;
  }
}

// 16 lanes of pairs, and the sums of their products.
struct Pairs16 {
  VI v[kParts];
};
struct PairSums16 {
  VP v[kParts];
};
LFM_INLINE Pairs16 LoadPairs(const uint8_t* p) {
  Pairs16 r;
  LFM_PARTS r.v[i] = WordsOf(LoadB(p + 4 * kN * i));
  return r;
}
LFM_INLINE F32x16 ToF32(const PairSums16& a) {
  F32x16 r;
  LFM_PARTS r.v[i] = ToF(SumOfPairs(a.v[i]));
  return r;
}
// Pair i of a query or of weights.
LFM_INLINE int32_t PairAt(const void* integers, int i) {
  int32_t pair;
  __builtin_memcpy(&pair, static_cast<const uint8_t*>(integers) + 4 * i, 4);
  return pair;
}

// A tile of queries, and what becomes of them.
struct IntegerTile {
  int n, most;             // queries, and positions of the page that some of them see
  const int* n_keys;       // [n]
  const float* queries;    // [n][head_dim], prepared
  float* scores;           // [n][64]
  const int16_t* weights;  // [n][64], 0 where a query does not see
  const float* weight_scales;
  float* acc;  // [n][head_dim]
};

// Whether the next page is fetched by each query's share, or, of so few queries that memory is slower, line by line within the
// loops, to which level.
enum class Ahead { kShares, kLinesToFirst, kLinesToSecond };

// The products of a page by vectors. Line by line, what lies half a page ahead is fetched: values with the keys, and the next
// page's keys with the values. Wide vectors are done so soon that memory would stand still while weights are made: so a quarter
// of the values is left for before the softmax, and a quarter of the keys for after it. 4 queries read pages from memory at 0.80
// of what plain reading gave, and so at 0.88 (AVX-512, Zen 5, two threads); with AVX2 nothing is gained, and all is fetched in the
// loops. On Zen 5 lines go to the first level: 0.89 of 66 GB/s instead of 0.75.
constexpr int kQuartersInLoops = kN == 16 ? 3 : 4;

template <Ahead kAhead>
struct PairProducts {
  const uint8_t *page, *next;
  KvLayout<KvType::kI16> layout;

  LFM_INLINE const float* ValueScales() const { return reinterpret_cast<const float*>(page + layout.value_scales); }
  LFM_INLINE int Quarter() const { return kPagePositions * layout.head_dim / 2; }  // bytes, of keys or values

  LFM_INLINE static void FetchLines(const uint8_t* at, int bytes) {
    if constexpr (kAhead == Ahead::kLinesToFirst) Fetch<FetchTo::kFirst>(at, bytes);
    if constexpr (kAhead == Ahead::kLinesToSecond) Fetch<FetchTo::kSecond>(at, bytes);
  }
  // Step i of a loop that reads kLines a step; `at` is what its first step fetches. One line a step and three quarters: one of four
  // is fetched twice.
  template <int kLines>
  LFM_INLINE static void FetchInStep(const uint8_t* at, int i) {
    constexpr int kBytes = kLines * 16 * kQuartersInLoops;
    FetchLines(at + i * kBytes, kBytes);
  }
  LFM_INLINE void FetchScales() const {
    FetchLines(next + layout.key_scales, kPagePositions * 4);
    FetchLines(next + layout.value_scales, kPagePositions * 4);
  }
  LFM_INLINE void FetchBeforeSoftmax() const {
    if constexpr (kQuartersInLoops == 3) FetchLines(page + layout.values + 3 * Quarter(), Quarter());
  }
  LFM_INLINE void FetchAfterSoftmax() const {
    if constexpr (kQuartersInLoops == 3) FetchLines(next + layout.keys, Quarter());
  }

  template <int kQ, int kG>
  LFM_INLINE void ScoresOf(const IntegerTile& t, int q0, int group) const {
    const int n_pairs = layout.head_dim / 2;
    const uint8_t* const keys = page + layout.keys + group * n_pairs * kLanes * 4;
    const float* const queries = t.queries + q0 * layout.head_dim;
    PairSums16 sums[kQ][kG];
    for (int q = 0; q < kQ; q++) {
      for (int g = 0; g < kG; g++) LFM_PARTS sums[q][g].v[i] = NoPairs();
    }
#pragma GCC unroll 4
    for (int d = 0; d < n_pairs; d++) {
      FetchInStep<kG>(page + layout.values + group * n_pairs * kLanes * kQuartersInLoops, d);
      Pairs16 k[kG];
      for (int g = 0; g < kG; g++) k[g] = LoadPairs(keys + (g * n_pairs + d) * kLanes * 4);
      for (int q = 0; q < kQ; q++) {
        const VI x = SetI(PairAt(queries + q * layout.head_dim, d));
        for (int g = 0; g < kG; g++) LFM_PARTS sums[q][g].v[i] = DotPairs(sums[q][g].v[i], x, k[g].v[i]);
      }
    }
    const auto* const scales = reinterpret_cast<const float*>(page + layout.key_scales) + group * kLanes;
    for (int q = 0; q < kQ; q++) {
      const F32x16 scale = Set(ScaleOf(queries + q * layout.head_dim, layout.head_dim));
      for (int g = 0; g < kG; g++) {
        Store(t.scores + (q0 + q) * kPagePositions + (group + g) * kLanes,
              Mul(ToF32(sums[q][g]), Mul(scale, Load(scales + g * kLanes))));
      }
    }
  }

  template <int kQ, int kD>
  LFM_INLINE void AddValuesOf(const IntegerTile& t, int q0, int d) const {
    const int dim = layout.head_dim;
    const uint8_t* const values = page + layout.values + d * 4;
    const int16_t* const weights = t.weights + q0 * kPagePositions;
    PairSums16 sums[kQ][kD];
    for (int q = 0; q < kQ; q++) {
      for (int j = 0; j < kD; j++) LFM_PARTS sums[q][j].v[i] = NoPairs();
    }
#pragma GCC unroll 4
    for (int p = 0; 2 * p < t.most; p++) {
      FetchInStep<kD>(next + layout.keys + (4 - kQuartersInLoops) * Quarter() + d * kPagePositions / 2 * kQuartersInLoops, p);
      Pairs16 v[kD];
      for (int j = 0; j < kD; j++) v[j] = LoadPairs(values + (p * dim + j * kLanes) * 4);
      for (int q = 0; q < kQ; q++) {
        const VI w = SetI(PairAt(weights + q * kPagePositions, p));
        for (int j = 0; j < kD; j++) LFM_PARTS sums[q][j].v[i] = DotPairs(sums[q][j].v[i], w, v[j].v[i]);
      }
    }
    for (int q = 0; q < kQ; q++) {
      if (t.n_keys[q0 + q] == 0) continue;
      for (int j = 0; j < kD; j++) {
        float* const out = t.acc + (q0 + q) * dim + d + j * kLanes;
        Store(out, Fma(Set(t.weight_scales[q0 + q]), ToF32(sums[q][j]), Load(out)));
      }
    }
  }

  template <int kQ>
  LFM_INLINE void ScoresOfStep(const IntegerTile& t, int q) const {
    int group = 0;
    for (; group + kWideStep <= GroupsOf(t.most); group += kWideStep) ScoresOf<kQ, kWideStep>(t, q, group);
    for (; kWideStep > 1 && group < GroupsOf(t.most); group++) ScoresOf<kQ, 1>(t, q, group);
  }
  template <int kQ>
  LFM_INLINE void AddValuesOfStep(const IntegerTile& t, int q) const {
    int d = 0;
    for (; d + kWideStep * kLanes <= layout.head_dim; d += kWideStep * kLanes) AddValuesOf<kQ, kWideStep>(t, q, d);
    for (; kWideStep > 1 && d < layout.head_dim; d += kLanes) AddValuesOf<kQ, 1>(t, q, d);
  }

  // Of many queries, `first` of `n_all` is the tile's first; each asks for its share of the next page.
  LFM_INLINE void Scores(const IntegerTile& t, int first, int n_all) const {
    const int bytes = layout.values + kPagePositions * layout.head_dim * 2;
    const auto fetch = [&](int q, int n) LFM_INLINE_LAMBDA {
      if constexpr (kAhead == Ahead::kShares) Fetch(next + bytes * (first + q) / n_all, bytes * n / n_all);
    };
    InSteps(t.n, [&]<int kQ>(int q) LFM_INLINE_LAMBDA {
      fetch(q, kQ);
      ScoresOfStep<kQ>(t, q);
    });
  }
  LFM_INLINE void AddValues(const IntegerTile& t) const {
    InSteps(t.n, [&]<int kQ>(int q) LFM_INLINE_LAMBDA { AddValuesOfStep<kQ>(t, q); });
  }
  // Four queries at a time; few of two or three, as small models have, together.
  template <class Step>
  LFM_INLINE static void InSteps(int n, Step&& step) {
    int q = 0;
    for (; q + 4 <= n; q += 4) step.template operator()<4>(q);
    if constexpr (kAhead != Ahead::kShares) {
      if (n - q == 3) return step.template operator()<3>(q);
      if (n - q == 2) return step.template operator()<2>(q);
    }
    for (; q < n; q++) step.template operator()<1>(q);
  }
};

// The softmax between: as a page's weights become integers with a scale of their own, what they are relative to need not be
// the greatest score, only near it. It stays while no score is above it by more than 8: then sums need no correction, which
// costs a wrongly foreseen branch and a long chain of operations. And 13 bits need no exp of 24: a polynomial of degree 4
// (fitted to 3e-6). n = round(x / ln 2) lies in the low bits of a float to which 1.5 * 2^23 is added.
struct IntegerWeights {
  static LFM_INLINE float Reference(float m, float page_max) { return page_max <= m + 8.0f ? m : page_max; }
  // Of numbers up to about 8. Below -86, where 2^n nears the least exponent, all are e^-86.
  template <int kCount>
  static LFM_INLINE void Exps(F32x16* wide) {
    constexpr float kRound = 0x1.8p+23f, kLog2E = 0x1.715476p+0f;
    constexpr int kN16 = kCount * kParts;
    VF x[kN16], t[kN16], p[kN16];
#define LFM_EACH for (int i = 0; i < kN16; i++)
    LFM_EACH x[i] = MaxF(wide[i / kParts].v[i % kParts], SetF(-86.0f));
    LFM_EACH t[i] = FmaF(x[i], SetF(kLog2E), SetF(kRound));
    LFM_EACH p[i] = SubF(SetF(kRound), t[i]);  // -n
    LFM_EACH x[i] = FmaF(x[i], SetF(kLog2E), p[i]);
    LFM_EACH p[i] = FmaF(SetF(0x1.3a02d6p-7f), x[i], SetF(0x1.c9fc4cp-5f));
    LFM_EACH p[i] = FmaF(p[i], x[i], SetF(0x1.ec0378p-3f));
    LFM_EACH p[i] = FmaF(p[i], x[i], SetF(0x1.62e12cp-1f));
    LFM_EACH p[i] = FmaF(p[i], x[i], SetF(1.0f));
    LFM_EACH wide[i / kParts].v[i % kParts] = CastF(AddI(CastI(p[i]), ShlI<23>(CastI(t[i]))));
#undef LFM_EACH
  }
};

// The weights p of kQ queries that see the whole page, times the scales of their values, as integers with a scale each.
template <int kQ>
LFM_INLINE void QuantizeWeights(const float* p, const float* value_scales, int16_t* weights, float* weight_scales) {
  F32x16 w[kQ][kKeyGroups], lanes[4];
  float amax[4];
  for (int q = 0; q < kQ; q++) {
    for (int g = 0; g < kKeyGroups; g++) {
      w[q][g] = Mul(Load(p + q * kPagePositions + g * kLanes), Load(value_scales + g * kLanes));
      lanes[q] = g == 0 ? w[q][g] : Max(w[q][g], lanes[q]);
    }
  }
  if constexpr (kQ == 4) MaxTrees(lanes, amax);
  if constexpr (kQ == 1) amax[0] = MaxTree(lanes[0]);
  for (int q = 0; q < kQ; q++) {
    const float inverse = InverseScale(amax[q], kMostValue);
    weight_scales[q] = amax[q] * (1.0f / kMostValue);
    for (int g = 0; g < kKeyGroups; g++) {
      StoreS16x16(weights + q * kPagePositions + g * kLanes, inverse == 0.0f ? Set(0.0f) : Mul(w[q][g], Set(inverse)));
    }
  }
}

// Of a query that does not see the whole page; what it does not see weighs 0, whatever lies there.
LFM_INLINE void QuantizeSomeWeights(const float* p, const float* value_scales, int n_keys, int16_t* weights,
                                    float* weight_scale) {
  alignas(64) float seen[2][kPagePositions] = {};
  for (int j = 0; j < n_keys; j++) {
    seen[0][j] = p[j];
    seen[1][j] = value_scales[j];
  }
  QuantizeWeights<1>(seen[0], seen[1], weights, weight_scale);
}

LFM_INLINE void QuantizeWeightsOfTile(const float* p, const float* value_scales, const int* n_keys, bool whole, int n,
                                      int16_t* weights, float* weight_scales) {
  int q = 0;
  for (; whole && q + 4 <= n; q += 4) {
    QuantizeWeights<4>(p + q * kPagePositions, value_scales, weights + q * kPagePositions, weight_scales + q);
  }
  for (; q < n; q++) {
    QuantizeSomeWeights(p + q * kPagePositions, value_scales, n_keys[q], weights + q * kPagePositions, weight_scales + q);
  }
}

template <Ahead kAhead>
LFM_INLINE void AttendI16(const uint8_t* page, const uint8_t* next, const float* queries, const int* n_keys, int n, int head_dim,
                          AttentionState* state, float* acc) {
  alignas(64) int16_t weights[kQueryTile * kPagePositions];
  alignas(64) float scores[kQueryTile * kPagePositions];
  float weight_scales[kQueryTile];
  const PairProducts<kAhead> products{page, next, KvLayout<KvType::kI16>(head_dim)};
  products.FetchScales();
  for (int first = 0; first < n; first += kQueryTile) {
    const int n_tile = n - first < kQueryTile ? n - first : kQueryTile;
    const int* const seen = n_keys + first;
    const bool whole = LeastKeys(seen, n_tile) == kPagePositions;
    const int most = whole ? kPagePositions : MostKeys(seen, n_tile);
    if (most == 0) continue;
    const IntegerTile tile{n_tile, most,    seen,          queries + first * head_dim,
                           scores, weights, weight_scales, acc + first * head_dim};
    products.Scores(tile, first, n);
    products.FetchBeforeSoftmax();
    SoftmaxOfQueries<IntegerWeights>(scores, seen, whole, n_tile, head_dim, state + first, tile.acc);
    products.FetchAfterSoftmax();
    QuantizeWeightsOfTile(scores, products.ValueScales(), seen, whole, n_tile, weights, weight_scales);
    products.AddValues(tile);
  }
}

template <Ahead kOfFew>
void AttendPageI16(const std::byte* page_bytes, const std::byte* next_bytes, const float* queries, const int* n_keys, int n,
                   int head_dim, AttentionState* state, float* acc) noexcept {
  const auto* const page = reinterpret_cast<const uint8_t*>(page_bytes);
  const auto* const next = next_bytes == nullptr ? page : reinterpret_cast<const uint8_t*>(next_bytes);
  if (n <= kFewQueries) {
    AttendI16<kOfFew>(page, next, queries, n_keys, n, head_dim, state, acc);
  } else {
    AttendI16<Ahead::kShares>(page, next, queries, n_keys, n, head_dim, state, acc);
  }
}

void LeaveQueries(float*, int, int) noexcept {}

void FillAttention(Table& table) {
  for (auto& prepare : table.prepare_queries) prepare = &LeaveQueries;
  table.prepare_queries[3] = &PrepareQueriesI16;
  table.kv_store[0] = &KvStore<KvType::kF16>;
  table.kv_store[1] = &KvStore<KvType::kF32>;
  table.kv_store[2] = &KvStore<KvType::kQ8_0>;
  table.kv_store[3] = &KvStoreI16;
  table.attend_page[0] = &AttendPage<KvType::kF16>;
  table.attend_page[1] = &AttendPage<KvType::kF32>;
  table.attend_page[2] = &AttendPage<KvType::kQ8_0>;
  const bool to_first = kN == 16 && GetCpuMaker() == CpuMaker::kAmd;  // measured with AVX-512 on Zen 5 only
  table.attend_page[3] = to_first ? &AttendPageI16<Ahead::kLinesToFirst> : &AttendPageI16<Ahead::kLinesToSecond>;
  table.attend_merge = &AttendMerge;
}
