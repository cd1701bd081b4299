// Sixteen sub-blocks side by side: the search for scales treats each as one lane, so that no sum ever crosses lanes and
// the result is the same for every width of the machine's vectors: floats round alike in all of them, because the build
// allows no fused multiply-add.
#if defined(__AVX512F__)
constexpr int kNative = 16;
#elif defined(__AVX__)
constexpr int kNative = 8;
#else
constexpr int kNative = 4;
#endif
constexpr int kLaneCount = 16, kParts = kLaneCount / kNative;
typedef float NativeFloats __attribute__((vector_size(4 * kNative)));
typedef int32_t NativeInts __attribute__((vector_size(4 * kNative)));

// One float for each of the sixteen; and what a comparison of such says.
struct Lanes {
  NativeFloats v[kParts];
  LFM_INLINE float operator[](int l) const { return v[l / kNative][l % kNative]; }
};
struct Mask {
  NativeInts v[kParts];
};

#define LFM_LANES(result, expression)                       \
  {                                                         \
    result r;                                               \
    for (int p = 0; p < kParts; ++p) r.v[p] = (expression); \
    return r;                                               \
  }
LFM_INLINE Lanes operator+(const Lanes& a, const Lanes& b) LFM_LANES(Lanes, a.v[p] + b.v[p]) LFM_INLINE Lanes operator-(
    const Lanes& a, const Lanes& b) LFM_LANES(Lanes, a.v[p] - b.v[p]) LFM_INLINE Lanes
operator*(const Lanes& a, const Lanes& b) LFM_LANES(Lanes, a.v[p] * b.v[p]) LFM_INLINE Lanes
operator/(const Lanes& a, const Lanes& b) LFM_LANES(Lanes, a.v[p] / b.v[p]) LFM_INLINE Lanes
operator+(const Lanes& a, float b) LFM_LANES(Lanes, a.v[p] + b) LFM_INLINE Lanes
operator-(const Lanes& a, float b) LFM_LANES(Lanes, a.v[p] - b) LFM_INLINE Lanes
operator*(const Lanes& a, float b) LFM_LANES(Lanes, a.v[p] * b) LFM_INLINE Lanes
operator-(const Lanes& a) LFM_LANES(Lanes, -a.v[p]) LFM_INLINE Mask
operator>(const Lanes& a, const Lanes& b) LFM_LANES(Mask, a.v[p] > b.v[p]) LFM_INLINE Mask
operator>(const Lanes& a, float b) LFM_LANES(Mask, a.v[p] > b) LFM_INLINE Mask
operator<(const Lanes& a, const Lanes& b) LFM_LANES(Mask, a.v[p] < b.v[p]) LFM_INLINE Mask
operator>=(const Lanes& a, float b) LFM_LANES(Mask, a.v[p] >= b) LFM_INLINE Mask
operator==(const Lanes& a, float b) LFM_LANES(Mask, a.v[p] == b) LFM_INLINE Mask
operator&(const Mask& a, const Mask& b) LFM_LANES(Mask, a.v[p] & b.v[p])
    // a where the mask is set, else b.
    LFM_INLINE Lanes Select(const Mask& m, const Lanes& a, const Lanes& b)
        LFM_LANES(Lanes, m.v[p] ? a.v[p] : b.v[p]) LFM_INLINE Lanes Fill(float value)
            LFM_LANES(Lanes, NativeFloats{} + value) LFM_INLINE Lanes Min(const Lanes& a, const Lanes& b)
                LFM_LANES(Lanes, a.v[p] < b.v[p] ? a.v[p] : b.v[p]) LFM_INLINE Lanes Max(const Lanes& a, const Lanes& b)
                    LFM_LANES(Lanes, a.v[p] > b.v[p] ? a.v[p] : b.v[p]) LFM_INLINE Lanes Abs(const Lanes& a)
                        LFM_LANES(Lanes, a.v[p] < NativeFloats{} ? -a.v[p] : a.v[p])
#undef LFM_LANES
                            LFM_INLINE Lanes&
                            operator+=(Lanes& a, const Lanes& b) {
  return a = a + b;
}

// a / b, or 0 where b is 0.
LFM_INLINE Lanes Ratio(const Lanes& a, const Lanes& b) {
  const Mask none = b == 0.0f;
  return Select(none, Fill(0), a / Select(none, Fill(1), b));
}
// To the nearest integer, ties to even, for |a| < 2^22.
LFM_INLINE Lanes Round(const Lanes& a) { return (a + 12582912.0f) - 12582912.0f; }

LFM_INLINE Lanes FromArray(const float* x) {
  Lanes r;
  __builtin_memcpy(&r, x, sizeof r);
  return r;
}
LFM_INLINE void ToArray(const Lanes& a, float* x) { __builtin_memcpy(x, &a, sizeof a); }

// N values of 16 sub-blocks and their weights. Lanes beyond the data are zero.
template <int N>
struct Group {
  Lanes x[N], w[N];
};

// Weights below this do not count as zero: a block whose columns were never seen still gets a scale.
constexpr float kLeastWeight = 1e-12f;

template <int N>
LFM_INLINE void Transpose(const float* x, int n_sub, float plus, Lanes* out) {
  float flat[N * kLaneCount] = {};
  for (int l = 0; l < n_sub; ++l) {
    for (int i = 0; i < N; ++i) flat[i * kLaneCount + l] = x[l * N + i] + plus;
  }
  for (int i = 0; i < N; ++i) out[i] = FromArray(flat + i * kLaneCount);
}

template <int N>
LFM_INLINE void Load(const float* x, const float* importance, int n_sub, Group<N>& group) {
  Transpose<N>(x, n_sub, 0.0f, group.x);
  if (importance) return Transpose<N>(importance, n_sub, kLeastWeight, group.w);
  for (int i = 0; i < N; ++i) group.w[i] = Fill(1);
}

// Quants from kLow to kHigh that stand for themselves.
template <int kLowest, int kHighest>
struct UniformLevels {
  static constexpr float kLow = kLowest, kHigh = kHighest;
  // The level nearest to t.
  LFM_INLINE static Lanes Nearest(const Lanes& t) { return Round(Min(Max(t, Fill(kLow)), Fill(kHigh))); }
  // The stored number of a level.
  LFM_INLINE static Lanes Code(const Lanes& t) { return Nearest(t) - kLow; }
};

// The sixteen levels of IQ4_NL and IQ4_XS, by comparing with the points half-way between neighbours.
struct Iq4NlLevels {
  static constexpr float kLow = -127, kHigh = 113;
  LFM_INLINE static Lanes Nearest(const Lanes& t) {
    Lanes level = Fill(kLow);
    for (int i = 0; i < 15; ++i) {
      const float middle = static_cast<float>(kernels::kIq4Levels[i] + kernels::kIq4Levels[i + 1]) * 0.5f;
      const auto step = static_cast<float>(kernels::kIq4Levels[i + 1] - kernels::kIq4Levels[i]);
      level += Select(t > middle, Fill(step), Fill(0));
    }
    return level;
  }
  LFM_INLINE static Lanes Code(const Lanes& t) {
    Lanes code = Fill(0);
    for (int i = 0; i < 15; ++i) {
      const float middle = static_cast<float>(kernels::kIq4Levels[i] + kernels::kIq4Levels[i + 1]) * 0.5f;
      code += Select(t > middle, Fill(1), Fill(0));
    }
    return code;
  }
};

// The nearest value that an f16 scale can take; out of range saturates.
LFM_INLINE float RoundToHalf(float value) {
  if (value > 65504.0f) value = 65504.0f;
  if (value < -65504.0f) value = -65504.0f;
  return kernels::HalfToFloat(kernels::FloatToHalf(value));
}

LFM_INLINE void StoreHalf(std::byte* out, float value) {
  const uint16_t bits = kernels::FloatToHalf(RoundToHalf(value));
  __builtin_memcpy(out, &bits, 2);
}

// Codes of a group as bytes: codes[l * N + i].
template <int N>
LFM_INLINE void StoreCodes(const Lanes* code, int n_sub, uint8_t* codes) {
  int32_t flat[N * kLaneCount];
  for (int i = 0; i < N; ++i) {
    for (int p = 0; p < kParts; ++p) {
      const NativeInts whole = __builtin_convertvector(code[i].v[p], NativeInts);
      __builtin_memcpy(flat + i * kLaneCount + p * kNative, &whole, sizeof whole);
    }
  }
  for (int l = 0; l < n_sub; ++l) {
    for (int i = 0; i < N; ++i) codes[l * N + i] = static_cast<uint8_t>(flat[i * kLaneCount + l]);
  }
}

// The sub-blocks of `size` values that the next group takes, of n values that are left.
LFM_INLINE int SubCount(int64_t n, int size) { return n / size < kLaneCount ? static_cast<int>(n / size) : kLaneCount; }

constexpr int kSize = 32;  // values of the blocks that are not of 256

// Lanes in runs of kSubs, the sub-blocks of one block: every lane gets what `of` makes of its run's values.
template <int kSubs, class Of>
LFM_INLINE Lanes OfBlocks(const Lanes& a, Of of) {
  float x[kLaneCount];
  ToArray(a, x);
  for (int b = 0; b < kLaneCount; b += kSubs) {
    const float result = of(x + b);
    for (int l = 0; l < kSubs; ++l) x[b + l] = result;
  }
  return FromArray(x);
}
template <int kSubs>
LFM_INLINE Lanes BlockSum(const Lanes& a) {
  return OfBlocks<kSubs>(a, [](const float* x) {
    float sum = 0;
    for (int l = 0; l < kSubs; ++l) sum += x[l];
    return sum;
  });
}
template <int kSubs>
LFM_INLINE Lanes BlockMax(const Lanes& a) {
  return OfBlocks<kSubs>(a, [](const float* x) {
    float most = x[0];
    for (int l = 1; l < kSubs; ++l) most = x[l] > most ? x[l] : most;
    return most;
  });
}
// The run's first value, rounded to f16.
template <int kSubs>
LFM_INLINE Lanes ToHalf(const Lanes& a) {
  return OfBlocks<kSubs>(a, [](const float* x) { return RoundToHalf(x[0]); });
}
