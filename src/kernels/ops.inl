// Elementwise kernels, norms, activations and their quantisation, in virtual vectors of 16 lanes.

// Calls body(i, load, store) over n values; the last call may hold fewer than 16, padded with zeros.
template <class Body>
LFM_INLINE void ForLanes(int64_t n, Body&& body) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    body(
        i, [](const float* p) LFM_INLINE_LAMBDA { return Load(p); },
        [](float* p, const F32x16& a) LFM_INLINE_LAMBDA { Store(p, a); });
  }
  if (i < n) {
    const int64_t rest = n - i;
    body(
        i, [rest](const float* p) LFM_INLINE_LAMBDA { return LoadSome(p, rest); },
        [rest](float* p, const F32x16& a) LFM_INLINE_LAMBDA { StoreSome(p, a, rest); });
  }
}

// Minus the sums of a half block by pairs. Bytes are made unsigned, and added beside each other in a word: two in 16 bits, then
// those of all four groups.
LFM_INLINE void NegatedPairSums(const int8_t* q, int16_t* nsums) {
  uint64_t sums = 0;
  for (int i = 0; i < 2; i++) {
    uint64_t eight;
    __builtin_memcpy(&eight, q + 8 * i, 8);
    eight ^= 0x8080808080808080u;
    sums += (eight & 0x00ff00ff00ff00ffu) + (eight >> 8 & 0x00ff00ff00ff00ffu);
  }
  sums += sums >> 32;
  constexpr int kOffset = 8 * 128;  // of eight bytes
  nsums[0] = static_cast<int16_t>(kOffset - static_cast<int>(sums & 0xffff));
  nsums[1] = static_cast<int16_t>(kOffset - static_cast<int>(sums >> 16 & 0xffff));
}

// q = round(x * 127 / amax); a block that is smaller than 2^-100 everywhere is zero (127 / amax could overflow).
LFM_INLINE void QuantizeBlock(const F32x16& x0, const F32x16& x1, Q8Block* out) {
  const float amax = MaxTree(Max(Abs(x0), Abs(x1)));
  const bool zero = !(amax >= 0x1p-100f);
  out->d = zero ? 0.0f : amax / 127.0f;
  const VF scale = SetF(zero ? 0.0f : 127.0f / amax);
  for (int i = 0; i < kParts; i++) {
    StoreS8(out->q + kN * i, RoundF(MulF(x0.v[i], scale)));
    StoreS8(out->q + 16 + kN * i, RoundF(MulF(x1.v[i], scale)));
  }
  for (int h = 0; h < 2; h++) NegatedPairSums(out->q + 16 * h, out->nsums[h]);
  out->nsum0 = out->nsums[0][0] + out->nsums[0][1];
  out->nsum1 = out->nsums[1][0] + out->nsums[1][1];
  out->dsum = out->d * static_cast<float>(-(out->nsum0 + out->nsum1));
}

void QuantizeQ8(const float* x, int64_t n, Q8Block* out, int64_t stride) noexcept {
  for (int64_t i = 0; i < n; i += kBlock, out += stride) QuantizeBlock(Load(x + i), Load(x + i + 16), out);
}

LFM_INLINE float InverseRms(const float* x, int64_t n, float eps) {
  F32x16 sum = Set(0.0f);
  for (int64_t i = 0; i < n; i += kLanes) {
    const F32x16 v = Load(x + i);
    sum = Fma(v, v, sum);
  }
  return 1.0f / __builtin_sqrtf(SumTree(sum) / static_cast<float>(n) + eps);
}

void RmsNorm(const float* x, const float* w, int64_t n, float eps, float* out) noexcept {
  const F32x16 r = Set(InverseRms(x, n, eps));
  for (int64_t i = 0; i < n; i += kLanes) Store(out + i, Mul(Mul(Load(x + i), r), Load(w + i)));
}

void SwigluQ8(const float* gate, const float* up, int n_tokens, int64_t stride, Q8Block* out) noexcept {
  for (int t = 0; t < n_tokens; t++, gate += stride, up += stride) {
    QuantizeBlock(Mul(Silu(Load(gate)), Load(up)), Mul(Silu(Load(gate + 16)), Load(up + 16)), out + t);
  }
}

void SwigluF32(const float* gate, const float* up, int n_tokens, int64_t stride, F32Block* out) noexcept {
  for (int t = 0; t < n_tokens; t++, gate += stride, up += stride) {
    for (int i = 0; i < kBlock; i += kLanes) Store(out[t].x + i, Mul(Silu(Load(gate + i)), Load(up + i)));
  }
}

void NormRope(float* x, const float* w, const float* cos, const float* sin, int head_dim, float eps) noexcept {
  RmsNorm(x, w, head_dim, eps, x);
  const int half = head_dim / 2;
  ForLanes(half, [&](int64_t i, auto load, auto store) LFM_INLINE_LAMBDA {
    const F32x16 a = load(x + i), b = load(x + half + i), c = load(cos + i), s = load(sin + i);
    store(x + i, Sub(Mul(a, c), Mul(b, s)));
    store(x + half + i, Add(Mul(b, c), Mul(a, s)));
  });
}

void ShortConv(const float* u, const float* c, const float* const* history, const float* taps, int n_taps, int64_t n,
               float* out) noexcept {
  ForLanes(n, [&](int64_t i, auto load, auto store) LFM_INLINE_LAMBDA {
    F32x16 y = Set(0.0f);
    for (int j = 0; j < n_taps - 1; j++) y = Fma(load(taps + j * n + i), load(history[j] + i), y);
    y = Fma(load(taps + (n_taps - 1) * n + i), load(u + i), y);
    store(out + i, Mul(load(c + i), y));
  });
}

void AddTo(const float* x, int64_t n, float* out) noexcept {
  ForLanes(n, [&](int64_t i, auto load, auto store) LFM_INLINE_LAMBDA { store(out + i, Add(load(out + i), load(x + i))); });
}

void AddScaled(const float* x, float w, int64_t n, float* out) noexcept {
  const F32x16 scale = Set(w);
  ForLanes(n,
           [&](int64_t i, auto load, auto store) LFM_INLINE_LAMBDA { store(out + i, Fma(scale, load(x + i), load(out + i))); });
}

void SigmoidOf(const float* x, int64_t n, float* out) noexcept {
  ForLanes(n, [&](int64_t i, auto load, auto store) LFM_INLINE_LAMBDA { store(out + i, Sigmoid(load(x + i))); });
}

void FillOps(Table& table) {
  table.quantize_q8 = &QuantizeQ8;
  table.rms_norm = &RmsNorm;
  table.swiglu_q8 = &SwigluQ8;
  table.swiglu_f32 = &SwigluF32;
  table.norm_rope = &NormRope;
  table.short_conv = &ShortConv;
  table.add = &AddTo;
  table.add_scaled = &AddScaled;
  table.sigmoid = &SigmoidOf;
}
