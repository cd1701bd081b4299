// The forms of a KV page: keys [64 / 16][head_dim][16] (a lane per key), values [64][head_dim].
// q8_0: int8, with one f16 scale per position and 32 dims: keys' scales [4][n_blocks][16], keys, values' scales
// [64][n_blocks], values.
// i16: pairs of integers of 13 bits in 16, keys [64 / 16][head_dim / 2][16][2], values [64 / 2][head_dim][2], with an f32 scale
// per position before the keys, [64], and before the values.

constexpr int kKeyGroups = kPagePositions / kLanes;
constexpr int kMaxHeadDim = 256;
constexpr int kValueScales = kPagePositions * kMaxHeadDim / kBlock;  // of a page of q8_0, at most

template <KvType kType>
constexpr int kKvSize = kType == KvType::kF32    ? 4
                        : kType == KvType::kQ8_0 ? 1
                                                 : 2;

LFM_INLINE int KvBlocks(int head_dim) { return (head_dim + kBlock - 1) / kBlock; }

// Byte offsets of a page's parts.
template <KvType kType>
struct KvLayout {
  int head_dim, n_blocks, key_scales, keys, value_scales, values;
  LFM_INLINE explicit KvLayout(int dim) : head_dim(dim), n_blocks(KvBlocks(dim)) {
    int scale_bytes = kType == KvType::kQ8_0 ? kPagePositions * n_blocks * 2 : 0;
    if (kType == KvType::kI16) scale_bytes = kPagePositions * 4;
    key_scales = 0;
    keys = scale_bytes;
    value_scales = keys + kPagePositions * head_dim * kKvSize<kType>;
    values = value_scales + scale_bytes;
  }
};

// 16 elements to f32.
template <KvType kType>
LFM_INLINE F32x16 LoadKv(const uint8_t* p) {
  if constexpr (kType == KvType::kF32) return Load(reinterpret_cast<const float*>(p));
  if constexpr (kType == KvType::kF16) return LoadHalf16(p);
  if constexpr (kType == KvType::kQ8_0) return LoadInt8(p);
}

// Keys of a group of 16 positions as f32 [head_dim][16].
template <KvType kType>
LFM_INLINE void UnpackKeys(const uint8_t* page, const KvLayout<kType>& layout, int group, float* out) {
  const int n = layout.head_dim;
  const uint8_t* keys = page + layout.keys + group * n * kLanes * kKvSize<kType>;
  for (int d0 = 0; d0 < n; d0 += kBlock) {
    F32x16 scale;
    if constexpr (kType == KvType::kQ8_0) {
      scale = LoadHalf16(page + layout.key_scales + 2 * kLanes * (group * layout.n_blocks + d0 / kBlock));
    }
    const int end = d0 + kBlock < n ? d0 + kBlock : n;
    for (int d = d0; d < end; d++) {
      F32x16 v = LoadKv<kType>(keys + d * kLanes * kKvSize<kType>);
      if constexpr (kType == KvType::kQ8_0) v = Mul(v, scale);
      Store(out + kLanes * d, v);
    }
  }
}

// The scales of the first n values of q8_0 as f32 [64][n_blocks]; whole vectors of them, so a few more.
LFM_INLINE void UnpackValueScales(const uint8_t* page, const KvLayout<KvType::kQ8_0>& layout, int n, float* out) {
  for (int i = 0; i < n * layout.n_blocks; i += kLanes) Store(out + i, LoadHalf16(page + layout.value_scales + 2 * i));
}

// The first n values as f32 [n][head_dim].
template <KvType kType>
LFM_INLINE void UnpackValues(const uint8_t* page, const KvLayout<kType>& layout, int n, float* out) {
  alignas(64) float scales[kValueScales];
  if constexpr (kType == KvType::kQ8_0) UnpackValueScales(page, layout, n, scales);
  const uint8_t* const values = page + layout.values;
  for (int j = 0; j < n; j++) {
    for (int d = 0; d < layout.head_dim; d += kLanes) {
      const int at = j * layout.head_dim + d;
      F32x16 v = LoadKv<kType>(values + at * kKvSize<kType>);
      if constexpr (kType == KvType::kQ8_0) v = Mul(v, Set(scales[j * layout.n_blocks + d / kBlock]));
      Store(out + at, v);
    }
  }
}

// 16 or 32 values to int8 with an f16 scale. q is computed with the scale before it is rounded to f16.
LFM_INLINE uint16_t QuantizeKv(const float* x, int n, int8_t* q) {
  const F32x16 zero = Set(0.0f), x0 = Load(x), x1 = n > kLanes ? Load(x + kLanes) : zero;
  const float amax = MaxTree(Max(Abs(x0), Abs(x1)));
  const VF scale = SetF(amax >= 0x1p-100f ? 127.0f / amax : 0.0f);
  for (int i = 0; i < kParts; i++) {
    StoreS8(q + kN * i, RoundF(MulF(x0.v[i], scale)));
    StoreS8(q + kLanes + kN * i, RoundF(MulF(x1.v[i], scale)));
  }
  return FloatToHalfBits(amax / 127.0f);
}

template <KvType kType>
void KvStore(std::byte* page_bytes, int i_position, const float* key, const float* value, int head_dim) noexcept {
  uint8_t* const page = reinterpret_cast<uint8_t*>(page_bytes);
  const KvLayout<kType> layout(head_dim);
  constexpr int kSize = kKvSize<kType>;
  const int group = i_position / kLanes, lane = i_position % kLanes;
  for (int d0 = 0; d0 < head_dim; d0 += kBlock) {
    const int n = head_dim - d0 < kBlock ? head_dim - d0 : kBlock;
    alignas(64) uint8_t k[kBlock * 4], v[kBlock * 4];  // this block, converted
    if constexpr (kType == KvType::kQ8_0) {
      const int block = d0 / kBlock;
      const uint16_t ks = QuantizeKv(key + d0, n, reinterpret_cast<int8_t*>(k));
      const uint16_t vs = QuantizeKv(value + d0, n, reinterpret_cast<int8_t*>(v));
      __builtin_memcpy(page + layout.key_scales + 2 * (kLanes * (group * layout.n_blocks + block) + lane), &ks, 2);
      __builtin_memcpy(page + layout.value_scales + 2 * (i_position * layout.n_blocks + block), &vs, 2);
    } else if constexpr (kType == KvType::kF16) {
      for (int i = 0; i < n; i += kLanes) {
        StoreHalf16(k + 2 * i, Load(key + d0 + i));
        StoreHalf16(v + 2 * i, Load(value + d0 + i));
      }
    } else {
      __builtin_memcpy(k, key + d0, static_cast<size_t>(n) * 4);
      __builtin_memcpy(v, value + d0, static_cast<size_t>(n) * 4);
    }
    for (int i = 0; i < n; i++) {
      uint8_t* const to = page + layout.keys + ((group * head_dim + d0 + i) * kLanes + lane) * kSize;
      __builtin_memcpy(to, k + i * kSize, kSize);
    }
    __builtin_memcpy(page + layout.values + (i_position * head_dim + d0) * kSize, v, static_cast<size_t>(n) * kSize);
  }
}
