// Attention over one KV page, and the merge of partial results.
//
// A score is an fma chain over the dims from +0, one lane a key. Then, with m' = max(m, page maximum):
// l = l * exp(m - m') + sum exp(s - m'), acc = acc * exp(m - m'), and one fma a key, in order. Invisible keys take no
// part: their memory may hold anything. For many queries a page is unpacked to f32 first; for the few of decoding it is
// converted as it is read. Memory is slower than either, so what comes next is fetched line by line within the loops: a
// burst of fetches between them would fill the buffers of the core and stop it.

constexpr int kFewQueries = 4;  // most that do without unpacking: the group of a KV head
// Of many queries, those whose scores are turned into weights and met with values before the next are begun, so that all
// of it stays in the first-level cache beside the unpacked page (32 KiB for 64 dims, as much as some have).
constexpr int kQueryTile = kN >= 16 ? 8 : 32;
// Virtual vectors of keys or dims beside queries in registers: 4 x 4 sums of 32 registers, 6 x 1 (two halves) of 16. Two
// fused multiply-adds a cycle with a latency of four want eight sums or more, and loads that serve several of them.
constexpr int kWideStep = kN >= 16 ? 4 : 1;
constexpr int kQueryStep = kN == 8 ? 6 : 4;
// Queries and groups of keys whose exp are taken in step: eight vectors of 32 registers, four of 16.
constexpr int kWeighQueries = kN >= 16 ? 2 : 1;
constexpr int kWeighGroups = kN >= 16 ? 4 : 2;

LFM_INLINE int MostKeys(const int* n_keys, int n) {
  int most = 0;
  for (int i = 0; i < n; i++) most = n_keys[i] > most ? n_keys[i] : most;
  return most;
}
LFM_INLINE int LeastKeys(const int* n_keys, int n) {
  int least = kPagePositions;
  for (int i = 0; i < n; i++) least = n_keys[i] < least ? n_keys[i] : least;
  return least;
}
LFM_INLINE int GroupsOf(int n_keys) { return (n_keys + kLanes - 1) / kLanes; }

// Fetches the lines of `bytes` from `at` (one at least) to the second level, or to the first.
enum class FetchTo { kFirst, kSecond };
template <FetchTo kTo = FetchTo::kSecond>
LFM_INLINE void Fetch(const uint8_t* at, int bytes) {
  for (int i = 0; i < bytes || i == 0; i += 64) __builtin_prefetch(at + i, 0, kTo == FetchTo::kFirst ? 3 : 2);
}

// Keys as their readers see them: vector (g, d) holds dim d of the 16 keys of group g.
struct UnpackedKeys {
  const float* keys;  // [groups][head_dim][16]
  int head_dim;
  template <int kG>
  LFM_INLINE void ReadScales(int, int, F32x16*) const {}
  LFM_INLINE F32x16 At(int group, int d, const F32x16&) const { return Load(keys + (group * head_dim + d) * kLanes); }
  LFM_INLINE void FetchAt(int, int, int) const {}
};

template <KvType kType>
struct PackedKeys {
  const uint8_t* page;
  KvLayout<kType> layout;
  template <int kG>
  LFM_INLINE void ReadScales(int group, int block, F32x16* scales) const {
    if constexpr (kType == KvType::kQ8_0) {
      for (int g = 0; g < kG; g++) {
        scales[g] = LoadHalf16(page + layout.key_scales + 2 * kLanes * ((group + g) * layout.n_blocks + block));
      }
    }
  }
  LFM_INLINE F32x16 At(int group, int d, const F32x16& scale) const {
    const F32x16 k = LoadKv<kType>(page + layout.keys + (group * layout.head_dim + d) * kLanes * kKvSize<kType>);
    if constexpr (kType == KvType::kQ8_0) return Mul(k, scale);
    return k;
  }
  // As much of the values as is read of the keys.
  LFM_INLINE void FetchAt(int group, int n_groups, int d) const {
    const int bytes = n_groups * kLanes * kKvSize<kType>;
    Fetch(page + layout.values + group * layout.head_dim * kLanes * kKvSize<kType> + d * bytes, bytes);
  }
};

// scores[q * 64 + 16 * i ..] of kQ queries and the keys of kG groups.
template <int kQ, int kG, class Keys>
LFM_INLINE void Scores(const Keys& keys, int group, const float* queries, int head_dim, float* scores) {
  F32x16 s[kQ][kG], scales[kG];
  for (int q = 0; q < kQ; q++) {
    for (int g = 0; g < kG; g++) s[q][g] = Set(0.0f);
  }
  for (int d0 = 0; d0 < head_dim; d0 += kBlock) {
    keys.template ReadScales<kG>(group, d0 / kBlock, scales);
    const int end = d0 + kBlock < head_dim ? d0 + kBlock : head_dim;
    for (int d = d0; d < end; d++) {
      keys.FetchAt(group, kG, d);
      F32x16 k[kG];
      for (int g = 0; g < kG; g++) k[g] = keys.At(group + g, d, scales[g]);
      for (int q = 0; q < kQ; q++) {
        const F32x16 x = Set(queries[q * head_dim + d]);
        for (int g = 0; g < kG; g++) s[q][g] = Fma(x, k[g], s[q][g]);
      }
    }
  }
  for (int q = 0; q < kQ; q++) {
    for (int g = 0; g < kG; g++) Store(scores + q * kPagePositions + (group + g) * kLanes, s[q][g]);
  }
}

template <int kQ, class Keys>
LFM_INLINE void ScoresOfGroups(const Keys& keys, int n_groups, const float* queries, int head_dim, float* scores) {
  int group = 0;
  for (; group + kWideStep <= n_groups; group += kWideStep) {
    Scores<kQ, kWideStep>(keys, group, queries, head_dim, scores);
  }
  for (; group < n_groups; group++) Scores<kQ, 1>(keys, group, queries, head_dim, scores);
}

template <int kQ, class Keys>
LFM_INLINE void ScoresOfStep(const Keys& keys, int n_groups, int q, const float* queries, int head_dim, float* scores) {
  ScoresOfGroups<kQ>(keys, n_groups, queries + q * head_dim, head_dim, scores + q * kPagePositions);
}

template <class Keys>
LFM_INLINE void ScoresOfQueries(const Keys& keys, int n_groups, const float* queries, int n, int head_dim, float* scores) {
  int q = 0;
  for (; q + kQueryStep <= n; q += kQueryStep) ScoresOfStep<kQueryStep>(keys, n_groups, q, queries, head_dim, scores);
  for (; kQueryStep > 4 && q + 4 <= n; q += 4) ScoresOfStep<4>(keys, n_groups, q, queries, head_dim, scores);
  for (; q + 2 <= n; q += 2) ScoresOfStep<2>(keys, n_groups, q, queries, head_dim, scores);
  if (q < n) ScoresOfStep<1>(keys, n_groups, q, queries, head_dim, scores);
}

LFM_INLINE F32x16 MaxOfGroups(const float* scores, int n_groups) {
  F32x16 max = Load(scores);
  for (int g = 1; g < n_groups; g++) max = Max(max, Load(scores + g * kLanes));
  return max;
}

// How weights come from scores: exp(s - m), m the greatest so far.
struct FloatWeights {
  static LFM_INLINE float Reference(float m, float page_max) { return m > page_max ? m : page_max; }
  template <int kCount>
  static LFM_INLINE void Exps(F32x16* x) {
    ExpOfNegatives<kCount>(x);
  }
};

// Turns the scores of kQ queries and kG groups into weights, and adds those to the queries' lane sums.
template <class Weights, int kQ, int kG>
LFM_INLINE void Weigh(float* scores, const float* m, F32x16* sums) {
  F32x16 p[kQ * kG];
  for (int i = 0; i < kQ * kG; i++) p[i] = Sub(Load(scores + i / kG * kPagePositions + i % kG * kLanes), Set(m[i / kG]));
  Weights::template Exps<kQ * kG>(p);
  for (int i = 0; i < kQ * kG; i++) {
    Store(scores + i / kG * kPagePositions + i % kG * kLanes, p[i]);
    sums[i / kG] = Add(sums[i / kG], p[i]);
  }
}

// Where the maximum stays, which it does on nearly every page of a long past, the correction is exp(0) = 1 and nothing is to
// be multiplied.
LFM_INLINE void UpdateState(float m, float sum, int head_dim, AttentionState* state, float* acc) {
  if (state->m == m) {
    state->l = state->l + sum;
    return;
  }
  if (state->l == 0.0f) {  // the first page
    *state = {m, sum};
    return;
  }
  const float correction = Exp1(state->m - m);
  state->l = state->l * correction + sum;
  state->m = m;
  for (int d = 0; d < head_dim; d += kLanes) Store(acc + d, Mul(Load(acc + d), Set(correction)));
}

// Four queries that see the whole page: their trees are one.
template <class Weights>
LFM_INLINE void SoftmaxOfFour(float* scores, int head_dim, AttentionState* state, float* acc) {
  F32x16 lanes[4];
  float m[4], sum[4];
  for (int q = 0; q < 4; q++) lanes[q] = MaxOfGroups(scores + q * kPagePositions, kKeyGroups);
  MaxTrees(lanes, m);
  for (int q = 0; q < 4; q++) {
    m[q] = Weights::Reference(state[q].m, m[q]);
    lanes[q] = Set(0.0f);
  }
  for (int q = 0; q < 4; q += kWeighQueries) {
    for (int g = 0; g < kKeyGroups; g += kWeighGroups) {
      Weigh<Weights, kWeighQueries, kWeighGroups>(scores + q * kPagePositions + g * kLanes, m + q, lanes + q);
    }
  }
  SumTrees(lanes, sum);
  for (int q = 0; q < 4; q++) UpdateState(m[q], sum[q], head_dim, state + q, acc + q * head_dim);
}

template <class Weights>
LFM_INLINE void SoftmaxOfOne(float* scores, int n_keys, int head_dim, AttentionState* state, float* acc) {
  const int n_groups = GroupsOf(n_keys);
  for (int j = n_keys; j < n_groups * kLanes; j++) scores[j] = -__builtin_inff();
  const float page_max = MaxTree(MaxOfGroups(scores, n_groups));
  const float m = Weights::Reference(state->m, page_max);
  F32x16 sum = Set(0.0f);
  for (int g = 0; g < n_groups; g++) Weigh<Weights, 1, 1>(scores + g * kLanes, &m, &sum);
  UpdateState(m, SumTree(sum), head_dim, state, acc);
}

// `whole`: all see the whole page.
template <class Weights>
LFM_INLINE void SoftmaxOfQueries(float* scores, const int* n_keys, bool whole, int n, int head_dim, AttentionState* state,
                                 float* acc) {
  for (int q = 0; q < n;) {
    float* const s = scores + q * kPagePositions;
    if (q + 4 <= n && (whole || LeastKeys(n_keys + q, 4) == kPagePositions)) {
      SoftmaxOfFour<Weights>(s, head_dim, state + q, acc + q * head_dim);
      q += 4;
    } else {
      if (n_keys[q] > 0) SoftmaxOfOne<Weights>(s, n_keys[q], head_dim, state + q, acc + q * head_dim);
      q++;
    }
  }
}

// Values as their readers see them: 16 dims from d of position j.
struct UnpackedValues {
  const float* values;  // [64][head_dim]
  int head_dim;
  LFM_INLINE F32x16 At(int j, int d) const { return Load(values + j * head_dim + d); }
  LFM_INLINE void FetchAt(int, int, int) const {}
};

template <KvType kType>
struct PackedValues {
  const uint8_t* page;
  KvLayout<kType> layout;
  const float* scales;  // q8_0: [64][n_blocks]
  const uint8_t* next;  // the page whose keys are fetched
  LFM_INLINE F32x16 At(int j, int d) const {
    const F32x16 v = LoadKv<kType>(page + layout.values + (j * layout.head_dim + d) * kKvSize<kType>);
    if constexpr (kType == KvType::kQ8_0) return Mul(v, Set(scales[j * layout.n_blocks + d / kBlock]));
    return v;
  }
  // As much of the next keys as is read of the values, front to back though the values are read by columns.
  LFM_INLINE void FetchAt(int j, int d, int n_dims) const {
    Fetch(next + layout.keys + (d * kPagePositions + j * n_dims) * kKvSize<kType>, n_dims * kKvSize<kType>);
  }
};

// acc[q][d .. d + 16 kD) += p[q][j] * values[j], j in [first, end).
template <int kQ, int kD, class Values>
LFM_INLINE void AddValues(const Values& values, int d, int first, int end, const float* p, int head_dim, float* acc) {
  F32x16 a[kQ][kD];
  for (int q = 0; q < kQ; q++) {
    for (int i = 0; i < kD; i++) a[q][i] = Load(acc + q * head_dim + d + i * kLanes);
  }
  for (int j = first; j < end; j++) {
    values.FetchAt(j, d, kD * kLanes);
    F32x16 v[kD];
    for (int i = 0; i < kD; i++) v[i] = values.At(j, d + i * kLanes);
    for (int q = 0; q < kQ; q++) {
      const F32x16 w = Set(p[q * kPagePositions + j]);
      for (int i = 0; i < kD; i++) a[q][i] = Fma(w, v[i], a[q][i]);
    }
  }
  for (int q = 0; q < kQ; q++) {
    for (int i = 0; i < kD; i++) Store(acc + q * head_dim + d + i * kLanes, a[q][i]);
  }
}

template <int kQ, class Values>
LFM_INLINE void AddValuesOfDims(const Values& values, int first, int end, const float* p, int head_dim, float* acc) {
  int d = 0;
  for (; d + kWideStep * kLanes <= head_dim; d += kWideStep * kLanes) {
    AddValues<kQ, kWideStep>(values, d, first, end, p, head_dim, acc);
  }
  for (; d < head_dim; d += kLanes) AddValues<kQ, 1>(values, d, first, end, p, head_dim, acc);
}

// For kQ queries from q, of which each sees n_keys positions: those that all see together, then the others' rest.
template <int kQ, class Values>
LFM_INLINE void AddValuesOfStep(const Values& values, int q, const float* p, const int* n_keys, bool whole, int head_dim,
                                float* acc) {
  p += q * kPagePositions;
  acc += q * head_dim;
  const int common = whole ? kPagePositions : LeastKeys(n_keys + q, kQ);
  if (common > 0) AddValuesOfDims<kQ>(values, 0, common, p, head_dim, acc);
  for (int i = 0; !whole && kQ > 1 && i < kQ; i++) {
    if (n_keys[q + i] == common) continue;
    AddValuesOfDims<1>(values, common, n_keys[q + i], p + i * kPagePositions, head_dim, acc + i * head_dim);
  }
}

template <class Values>
LFM_INLINE void AddValuesOfQueries(const Values& values, const float* p, const int* n_keys, bool whole, int n, int head_dim,
                                   float* acc) {
  int q = 0;
  for (; q + kQueryStep <= n; q += kQueryStep) AddValuesOfStep<kQueryStep>(values, q, p, n_keys, whole, head_dim, acc);
  for (; kQueryStep > 4 && q + 4 <= n; q += 4) AddValuesOfStep<4>(values, q, p, n_keys, whole, head_dim, acc);
  for (; q + 2 <= n; q += 2) AddValuesOfStep<2>(values, q, p, n_keys, whole, head_dim, acc);
  if (q < n) AddValuesOfStep<1>(values, q, p, n_keys, whole, head_dim, acc);
}

// One tile of queries.
template <class Keys, class Values>
LFM_INLINE void AttendTile(const Keys& keys, const Values& values, const float* queries, const int* n_keys, int n, int head_dim,
                           AttentionState* state, float* acc, float* scores) {
  const bool whole = LeastKeys(n_keys, n) == kPagePositions;
  const int most = whole ? kPagePositions : MostKeys(n_keys, n);
  if (most == 0) return;
  ScoresOfQueries(keys, GroupsOf(most), queries, n, head_dim, scores);
  SoftmaxOfQueries<FloatWeights>(scores, n_keys, whole, n, head_dim, state, acc);
  AddValuesOfQueries(values, scores, n_keys, whole, n, head_dim, acc);
}

template <KvType kType>
LFM_INLINE void AttendFew(const uint8_t* page, const uint8_t* next, const float* queries, const int* n_keys, int most, int n,
                          int head_dim, AttentionState* state, float* acc) {
  alignas(64) float scores[kFewQueries * kPagePositions];
  alignas(64) float scales[kValueScales];
  const KvLayout<kType> layout(head_dim);
  if constexpr (kType == KvType::kQ8_0) {
    UnpackValueScales(page, layout, most, scales);
    Fetch(next + layout.key_scales, layout.keys - layout.key_scales);
    Fetch(next + layout.value_scales, layout.values - layout.value_scales);
  }
  AttendTile(PackedKeys<kType>{page, layout}, PackedValues<kType>{page, layout, scales, next}, queries, n_keys, n, head_dim,
             state, acc, scores);
}

template <KvType kType>
LFM_INLINE void AttendMany(const uint8_t* page, const uint8_t* next, const float* queries, const int* n_keys, int most, int n,
                           int head_dim, AttentionState* state, float* acc) {
  alignas(64) float keys[kPagePositions * kMaxHeadDim];
  alignas(64) float values[kPagePositions * kMaxHeadDim];
  alignas(64) float scores[kQueryTile * kPagePositions];
  const KvLayout<kType> layout(head_dim);
  for (int g = 0; g < GroupsOf(most); g++) UnpackKeys<kType>(page, layout, g, keys + g * kLanes * head_dim);
  UnpackValues<kType>(page, layout, most, values);
  const int bytes = layout.values + kPagePositions * head_dim * kKvSize<kType>;
  for (int q = 0; q < n; q += kQueryTile) {
    const int n_tile = n - q < kQueryTile ? n - q : kQueryTile;
    Fetch(next + bytes * q / n, bytes * n_tile / n);
    AttendTile(UnpackedKeys{keys, head_dim}, UnpackedValues{values, head_dim}, queries + q * head_dim, n_keys + q, n_tile,
               head_dim, state + q, acc + q * head_dim, scores);
  }
}

template <KvType kType>
void AttendPage(const std::byte* page_bytes, const std::byte* next_bytes, const float* queries, const int* n_keys, int n,
                int head_dim, AttentionState* state, float* acc) noexcept {
  const auto* const page = reinterpret_cast<const uint8_t*>(page_bytes);
  const auto* const next = next_bytes == nullptr ? page : reinterpret_cast<const uint8_t*>(next_bytes);
  const int most = MostKeys(n_keys, n);
  if (most == 0) return;
  if (n <= kFewQueries) {
    AttendFew<kType>(page, next, queries, n_keys, most, n, head_dim, state, acc);
  } else {
    AttendMany<kType>(page, next, queries, n_keys, most, n, head_dim, state, acc);
  }
}

void AttendMerge(const AttentionState* state, int64_t state_stride, const float* acc, int64_t stride, int n_parts, int head_dim,
                 float* out) noexcept {
  float m = -__builtin_inff();
  for (int p = 0; p < n_parts; p++) m = state[p * state_stride].m > m ? state[p * state_stride].m : m;
  float l = 0.0f;
  for (int d = 0; d < head_dim; d += kLanes) Store(out + d, Set(0.0f));
  for (int first = 0; first < n_parts; first += kLanes) {
    const int n = n_parts - first < kLanes ? n_parts - first : kLanes;
    const AttentionState* const states = state + first * state_stride;
    alignas(64) float w[kLanes];
    for (int p = 0; p < kLanes; p++) w[p] = p < n ? states[p * state_stride].m : m;
    Store(w, Exp(Sub(Load(w), Set(m))));
    for (int p = 0; p < n; p++) {  // a part that saw nothing has l = 0
      if (states[p * state_stride].l != 0.0f) l = __builtin_fmaf(w[p], states[p * state_stride].l, l);
    }
    for (int d = 0; d < head_dim; d += kLanes) {
      F32x16 sum = Load(out + d);
      for (int p = 0; p < n; p++) {
        if (states[p * state_stride].l != 0.0f) sum = Fma(Set(w[p]), Load(acc + (first + p) * stride + d), sum);
      }
      Store(out + d, sum);
    }
  }
  const F32x16 divisor = Set(l == 0.0f ? 1.0f : l);
  for (int d = 0; d < head_dim; d += kLanes) Store(out + d, Div(Load(out + d), divisor));
}
