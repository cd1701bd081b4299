// The virtual vector of 16 lanes over the native ones, and what is built on it: sums by the fixed tree, exp.

constexpr int kParts = kLanes / kN;  // native vectors of a virtual one

struct F32x16 {
  VF v[kParts];
};

#define LFM_PARTS for (int i = 0; i < kParts; i++)

LFM_INLINE F32x16 Load(const float* p) {
  F32x16 r;
  LFM_PARTS r.v[i] = LoadF(p + kN * i);
  return r;
}
LFM_INLINE void Store(float* p, const F32x16& a) { LFM_PARTS StoreF(p + kN * i, a.v[i]); }
LFM_INLINE F32x16 Set(float x) {
  F32x16 r;
  LFM_PARTS r.v[i] = SetF(x);
  return r;
}
LFM_INLINE F32x16 Add(F32x16 a, const F32x16& b) {
  LFM_PARTS a.v[i] = AddF(a.v[i], b.v[i]);
  return a;
}
LFM_INLINE F32x16 Sub(F32x16 a, const F32x16& b) {
  LFM_PARTS a.v[i] = SubF(a.v[i], b.v[i]);
  return a;
}
LFM_INLINE F32x16 Mul(F32x16 a, const F32x16& b) {
  LFM_PARTS a.v[i] = MulF(a.v[i], b.v[i]);
  return a;
}
LFM_INLINE F32x16 Div(F32x16 a, const F32x16& b) {
  LFM_PARTS a.v[i] = DivF(a.v[i], b.v[i]);
  return a;
}
LFM_INLINE F32x16 Max(F32x16 a, const F32x16& b) {
  LFM_PARTS a.v[i] = MaxF(a.v[i], b.v[i]);
  return a;
}
LFM_INLINE F32x16 Abs(F32x16 a) {
  LFM_PARTS a.v[i] = AbsF(a.v[i]);
  return a;
}
LFM_INLINE F32x16 Neg(F32x16 a) {
  LFM_PARTS a.v[i] = NegF(a.v[i]);
  return a;
}
LFM_INLINE F32x16 Fma(F32x16 a, const F32x16& b, const F32x16& c) {
  LFM_PARTS a.v[i] = FmaF(a.v[i], b.v[i], c.v[i]);
  return a;
}
LFM_INLINE F32x16 LoadHalf16(const uint8_t* p) {
  F32x16 r;
  LFM_PARTS r.v[i] = LoadHalf(p + 2 * kN * i);
  return r;
}
LFM_INLINE void StoreHalf16(uint8_t* p, const F32x16& a) { LFM_PARTS StoreHalf(p + 2 * kN * i, a.v[i]); }
LFM_INLINE F32x16 LoadInt8(const uint8_t* p) {
  F32x16 r;
  LFM_PARTS r.v[i] = ToF(LoadS8(p + kN * i));
  return r;
}

// The first n of 16 values; the rest are 0.
LFM_INLINE F32x16 LoadSome(const float* p, int64_t n) {
  alignas(64) float t[16] = {};
  for (int64_t i = 0; i < n; i++) t[i] = p[i];
  return Load(t);
}
LFM_INLINE void StoreSome(float* p, const F32x16& a, int64_t n) {
  alignas(64) float t[16];
  Store(t, a);
  for (int64_t i = 0; i < n; i++) p[i] = t[i];
}

// ((i, i + 8), (i, i + 4), (i, i + 2), (i, i + 1)): whole vectors first, then the lanes of one.
LFM_INLINE float SumTree(F32x16 a) {
  for (int step = kParts / 2; step > 0; step /= 2) {
    for (int i = 0; i < step; i++) a.v[i] = AddF(a.v[i], a.v[i + step]);
  }
  return SumLanes(a.v[0]);
}
LFM_INLINE float MaxTree(F32x16 a) {
  for (int step = kParts / 2; step > 0; step /= 2) {
    for (int i = 0; i < step; i++) a.v[i] = MaxF(a.v[i], a.v[i + step]);
  }
  return MaxLanes(a.v[0]);
}

// The trees of four vectors.
LFM_INLINE void SumTrees(const F32x16* a, float* out) {
  VF s[4];
  for (int q = 0; q < 4; q++) {
    VF v[kParts];
    LFM_PARTS v[i] = a[q].v[i];
    for (int step = kParts / 2; step > 0; step /= 2) {
      for (int i = 0; i < step; i++) v[i] = AddF(v[i], v[i + step]);
    }
    s[q] = v[0];
  }
  SumLanesOfFour(s, out);
}
LFM_INLINE void MaxTrees(const F32x16* a, float* out) {
  VF s[4];
  for (int q = 0; q < 4; q++) {
    VF v[kParts];
    LFM_PARTS v[i] = a[q].v[i];
    for (int step = kParts / 2; step > 0; step /= 2) {
      for (int i = 0; i < step; i++) v[i] = MaxF(v[i], v[i + step]);
    }
    s[q] = v[0];
  }
  MaxLanesOfFour(s, out);
}

#ifndef LFM_HAS_SCALE
// p * 2^n for the whole n of ExpV, in two exact steps, so that results down to the denormals round once.
LFM_INLINE VF Scale(VF p, VI n) {
  const VI half = SraI<1>(n);
  const VI rest = AddI(n, NegI(half));
  const VI one = SetI(127);
  return MulF(MulF(p, CastF(ShlI<23>(AddI(half, one)))), CastF(ShlI<23>(AddI(rest, one))));
}
#endif

// exp(x) = 2^n e^r, n = round(x / ln 2), |r| <= ln(2) / 2; a polynomial of degree 6 (fitted to 3e-9).
// exp(0) = 1, exp(-inf) = 0, exp(> 88.72) = inf.
// kCount vectors go in step: a core looks too few instructions ahead to find other work while one waits for itself.
template <int kCount>
LFM_INLINE void ExpClamped(VF* x) {
  VF nf[kCount], p[kCount];
  VI n[kCount];
#define LFM_EACH for (int i = 0; i < kCount; i++)
  LFM_EACH n[i] = RoundF(MulF(x[i], SetF(0x1.715476p+0f)));
  LFM_EACH nf[i] = ToF(n[i]);
  LFM_EACH x[i] = FmaF(nf[i], SetF(-0x1.62e4p-1f), x[i]);  // r; ln 2 in two pieces: the first has 15 bits, n * it is exact
  LFM_EACH x[i] = FmaF(nf[i], SetF(-0x1.7f7d1cp-20f), x[i]);
  LFM_EACH p[i] = FmaF(SetF(0x1.6a24b6p-10f), x[i], SetF(0x1.1239ep-7f));
  LFM_EACH p[i] = FmaF(p[i], x[i], SetF(0x1.5558fp-5f));
  LFM_EACH p[i] = FmaF(p[i], x[i], SetF(0x1.555492p-3f));
  LFM_EACH p[i] = FmaF(p[i], x[i], SetF(0x1.fffffcp-2f));
  LFM_EACH p[i] = FmaF(MulF(x[i], x[i]), p[i], x[i]);
  LFM_EACH x[i] = Scale(AddF(p[i], SetF(1.0f)), n[i]);
#undef LFM_EACH
}
LFM_INLINE VF ExpV(VF x) {
  x = MinF(MaxF(x, SetF(-104.0f)), SetF(89.0f));
  ExpClamped<1>(&x);
  return x;
}
// The same of kCount vectors that hold nothing above 0.
template <int kCount>
LFM_INLINE void ExpOfNegatives(F32x16* x) {
  VF v[kCount * kParts];
  for (int i = 0; i < kCount * kParts; i++) v[i] = MaxF(x[i / kParts].v[i % kParts], SetF(-104.0f));
  ExpClamped<kCount * kParts>(v);
  for (int i = 0; i < kCount * kParts; i++) x[i / kParts].v[i % kParts] = v[i];
}
LFM_INLINE F32x16 Exp(F32x16 x) {
  LFM_PARTS x.v[i] = ExpV(x.v[i]);
  return x;
}
LFM_INLINE float Exp1(float x) {
  alignas(64) float t[kN];
  StoreF(t, ExpV(SetF(x)));
  return t[0];
}

// 1 / (1 + exp(-x)) and x / (1 + exp(-x)): for x < -88.7 the divisor is inf and the results are 0 and -0.
LFM_INLINE F32x16 Sigmoid(const F32x16& x) { return Div(Set(1.0f), Add(Set(1.0f), Exp(Neg(x)))); }
LFM_INLINE F32x16 Silu(const F32x16& x) { return Div(x, Add(Set(1.0f), Exp(Neg(x)))); }
