// Attention over one KV page, and the merge of partial results.
//
// A score is an fma chain over the dims from +0, one lane a key. Then, with m' = max(m, page maximum):
// l = l * exp(m - m') + sum exp(s - m'), acc = acc * exp(m - m'), and one fma a key, in order. Invisible keys take no
// part: their memory may hold anything. The page is unpacked to f32 in pieces, for up to 64 queries at once.

constexpr int kQueryTile = 64;               // model::kMaxQueries: 64 x 64 scores are 16 KiB, half of a first-level cache
constexpr int kQueryStep = 4;                // queries in registers: 4 sums beside a vector of keys, as counted for 16 registers
constexpr int kWideStep = kN >= 16 ? 2 : 1;  // virtual vectors of keys or dims beside them
constexpr int kMaxHeadDim = 256;

// scores[q * 64 + 16 * i ..] of kQ queries and kG groups of 16 keys, which lie head_dim * 16 floats apart.
template <int kQ, int kG>
LFM_INLINE void Scores(const float* keys, const float* queries, int head_dim, float* scores) {
  F32x16 s[kQ][kG];
  for (int q = 0; q < kQ; q++) {
    for (int g = 0; g < kG; g++) s[q][g] = Set(0.0f);
  }
  for (int d = 0; d < head_dim; d++) {
    F32x16 k[kG];
    for (int g = 0; g < kG; g++) k[g] = Load(keys + (g * head_dim + d) * kLanes);
    for (int q = 0; q < kQ; q++) {
      const F32x16 x = Set(queries[q * head_dim + d]);
      for (int g = 0; g < kG; g++) s[q][g] = Fma(x, k[g], s[q][g]);
    }
  }
  for (int q = 0; q < kQ; q++) {
    for (int g = 0; g < kG; g++) Store(scores + q * kPagePositions + g * kLanes, s[q][g]);
  }
}

template <int kG>
LFM_INLINE void ScoresOfGroups(const float* keys, const float* queries, int n_queries, int head_dim, float* scores) {
  int q = 0;
  for (; q + kQueryStep <= n_queries; q += kQueryStep) {
    Scores<kQueryStep, kG>(keys, queries + q * head_dim, head_dim, scores + q * kPagePositions);
  }
  for (; q < n_queries; q++) Scores<1, kG>(keys, queries + q * head_dim, head_dim, scores + q * kPagePositions);
}

// Turns the scores of one query into weights, updates its state and rescales its acc.
LFM_INLINE void Softmax(float* scores, int n_keys, int head_dim, AttentionState* state, float* acc) {
  const int n_groups = (n_keys + kLanes - 1) / kLanes;
  for (int j = n_keys; j < n_groups * kLanes; j++) scores[j] = -__builtin_inff();
  F32x16 max = Load(scores);
  for (int g = 1; g < n_groups; g++) max = Max(max, Load(scores + g * kLanes));
  const float page_max = MaxTree(max);
  const float m = state->m > page_max ? state->m : page_max;
  const float correction = Exp1(state->m - m);
  F32x16 sum = Set(0.0f);
  for (int g = 0; g < n_groups; g++) {
    const F32x16 p = Exp(Sub(Load(scores + g * kLanes), Set(m)));
    Store(scores + g * kLanes, p);
    sum = Add(sum, p);
  }
  state->l = state->l * correction + SumTree(sum);
  state->m = m;
  for (int d = 0; d < head_dim; d += kLanes) Store(acc + d, Mul(Load(acc + d), Set(correction)));
}

// acc[q][0 .. 16 kD) += p[q][j] * values[j], j in [0, n).
template <int kQ, int kD>
LFM_INLINE void AddValues(const float* values, int n, const float* p, int head_dim, float* acc) {
  F32x16 a[kQ][kD];
  for (int q = 0; q < kQ; q++) {
    for (int i = 0; i < kD; i++) a[q][i] = Load(acc + q * head_dim + i * kLanes);
  }
  for (int j = 0; j < n; j++) {
    F32x16 v[kD];
    for (int i = 0; i < kD; i++) v[i] = Load(values + j * head_dim + i * kLanes);
    for (int q = 0; q < kQ; q++) {
      const F32x16 w = Set(p[q * kPagePositions + j]);
      for (int i = 0; i < kD; i++) a[q][i] = Fma(w, v[i], a[q][i]);
    }
  }
  for (int q = 0; q < kQ; q++) {
    for (int i = 0; i < kD; i++) Store(acc + q * head_dim + i * kLanes, a[q][i]);
  }
}

template <int kQ>
LFM_INLINE void AddValuesOfDims(const float* values, int n, const float* p, int head_dim, float* acc) {
  int d = 0;
  for (; d + kWideStep * kLanes <= head_dim; d += kWideStep * kLanes) {
    AddValues<kQ, kWideStep>(values + d, n, p, head_dim, acc + d);
  }
  for (; d < head_dim; d += kLanes) AddValues<kQ, 1>(values + d, n, p, head_dim, acc + d);
}

// Values of the keys [first, first + n_unpacked), for queries that see n_keys[i] of the page.
LFM_INLINE void AddValuesOfQueries(const float* values, int first, int n_unpacked, const float* p, const int* n_keys,
                                   int n_queries, int head_dim, float* acc) {
  for (int q0 = 0; q0 < n_queries; q0 += kQueryStep) {
    int seen[kQueryStep];  // of these values, by each query
    int common = n_unpacked;
    for (int i = 0; i < kQueryStep; i++) {
      const int n = q0 + i < n_queries ? n_keys[q0 + i] - first : 0;
      seen[i] = n < 0 ? 0 : n < n_unpacked ? n : n_unpacked;
      common = seen[i] < common ? seen[i] : common;
    }
    const float* const weights = p + q0 * kPagePositions + first;
    if (common > 0) AddValuesOfDims<kQueryStep>(values, common, weights, head_dim, acc + q0 * head_dim);
    for (int i = 0; i < kQueryStep; i++) {
      if (seen[i] == common) continue;
      AddValuesOfDims<1>(values + common * head_dim, seen[i] - common, weights + i * kPagePositions + common, head_dim,
                         acc + (q0 + i) * head_dim);
    }
  }
}

// The values of a group of positions, read ahead while the scores of its keys are computed.
template <KvType kType>
LFM_INLINE void PrefetchValues(const uint8_t* page, const KvLayout<kType>& layout, int group) {
  const int n = kLanes * layout.head_dim * kKvSize<kType>;
  const uint8_t* const values = page + layout.values + group * n;
  for (int at = 0; at < n; at += 64) __builtin_prefetch(values + at);
}

template <KvType kType>
void AttendTile(const uint8_t* page, const float* queries, const int* n_keys, int n_queries, int head_dim, AttentionState* state,
                float* acc) {
  alignas(64) float scores[kQueryTile * kPagePositions];
  alignas(64) float unpacked[kWideStep * kLanes * kMaxHeadDim];
  const KvLayout<kType> layout(head_dim);
  int max_keys = 0;
  for (int i = 0; i < n_queries; i++) max_keys = n_keys[i] > max_keys ? n_keys[i] : max_keys;

  for (int first = 0; first < max_keys;) {
    const int group = first / kLanes;
    PrefetchValues<kType>(page, layout, group);
    UnpackKeys<kType>(page, layout, group, unpacked);
    if (kWideStep == 2 && first + kLanes < max_keys) {
      UnpackKeys<kType>(page, layout, group + 1, unpacked + kLanes * head_dim);
      ScoresOfGroups<kWideStep>(unpacked, queries, n_queries, head_dim, scores + first);
      first += 2 * kLanes;
    } else {
      ScoresOfGroups<1>(unpacked, queries, n_queries, head_dim, scores + first);
      first += kLanes;
    }
  }
  for (int i = 0; i < n_queries; i++) {
    if (n_keys[i] > 0) Softmax(scores + i * kPagePositions, n_keys[i], head_dim, state + i, acc + i * head_dim);
  }
  for (int first = 0; first < max_keys; first += kLanes) {
    const int n = max_keys - first < kLanes ? max_keys - first : kLanes;
    for (int j = 0; j < n; j++) UnpackValue<kType>(page, layout, first + j, unpacked + j * head_dim);
    AddValuesOfQueries(unpacked, first, n, scores, n_keys, n_queries, head_dim, acc);
  }
}

template <KvType kType>
void AttendPage(const std::byte* page, const float* queries, const int* n_keys, int n_queries, int head_dim,
                AttentionState* state, float* acc) noexcept {
  for (int i = 0; i < n_queries; i += kQueryTile) {
    const int n = n_queries - i < kQueryTile ? n_queries - i : kQueryTile;
    AttendTile<kType>(reinterpret_cast<const uint8_t*>(page), queries + i * head_dim, n_keys + i, n, head_dim, state + i,
                      acc + i * head_dim);
  }
}

void AttendMerge(const AttentionState* state, int64_t state_stride, const float* acc, int64_t stride, int n_parts, int head_dim,
                 float* out) noexcept {
  float m = -__builtin_inff();
  for (int p = 0; p < n_parts; p++) m = state[p * state_stride].m > m ? state[p * state_stride].m : m;
  float l = 0.0f;
  for (int d = 0; d < head_dim; d += kLanes) Store(out + d, Set(0.0f));
  for (int p = 0; p < n_parts; p++) {
    const AttentionState& part = state[p * state_stride];
    if (part.l == 0.0f) continue;  // saw nothing
    const float w = Exp1(part.m - m);
    l = __builtin_fmaf(w, part.l, l);
    for (int d = 0; d < head_dim; d += kLanes) Store(out + d, Fma(Set(w), Load(acc + p * stride + d), Load(out + d)));
  }
  const F32x16 divisor = Set(l == 0.0f ? 1.0f : l);
  for (int d = 0; d < head_dim; d += kLanes) Store(out + d, Div(Load(out + d), divisor));
}

void FillAttention(Table& table) {
  table.kv_store[0] = &KvStore<KvType::kF16>;
  table.kv_store[1] = &KvStore<KvType::kF32>;
  table.kv_store[2] = &KvStore<KvType::kQ8_0>;
  table.attend_page[0] = &AttendPage<KvType::kF16>;
  table.attend_page[1] = &AttendPage<KvType::kF32>;
  table.attend_page[2] = &AttendPage<KvType::kQ8_0>;
  table.attend_merge = &AttendMerge;
}
