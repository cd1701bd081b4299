// Blocks of 256 whose sub-blocks have integer scales of either sign under one f16 scale: Q3_K, Q6_K, IQ4_XS.

// The stored numbers of the blocks of a group: f16 d of the block that a lane belongs to, and each lane's integer scale.
struct BlockScales {
  Lanes d, scales;
};

template <class Levels, int N, int kLowScale, int kHighScale>
struct ScaledGroup {
  static constexpr int kSubs = kKBlock / N;  // sub-blocks of a block
  static constexpr float kLow = kLowScale, kHigh = kHighScale;

  LFM_INLINE static Lanes ToLevel(const Lanes& value) { return Round(Min(Max(value, Fill(kLow)), Fill(kHigh))); }
  LFM_INLINE static Lanes Error(const Group<N>& group, const BlockScales& fits) {
    return ScaleError<Levels, N>(group, fits.d * fits.scales);
  }

  // d and integer scales: several d around the scale that is largest by magnitude, each with the scales rounded to it;
  // the error of rounding a scale is known from its curve.
  LFM_INLINE static BlockScales ChooseD(const ScaleFit& fit) {
    constexpr int kTries = kHighScale > 60 ? 3 : 8;
    const Lanes most = BlockMax<kSubs>(fit.scale), least = -BlockMax<kSubs>(-fit.scale);
    const Lanes extreme = Select(-least > most, least, most);
    BlockScales best{Fill(0), Fill(0)};
    Lanes best_error = Fill(__builtin_inff());
    for (int i = 0; i < 2 * kTries; ++i) {
      const float end = i % 2 == 0 ? kLow + static_cast<float>(i / 2) : kHigh - static_cast<float>(i / 2);
      const Lanes d = ToHalf<kSubs>(extreme * (1.0f / end));
      const Lanes scales = ToLevel(fit.scale * Ratio(Fill(1), d));
      const Lanes off = fit.scale - d * scales;
      const Lanes error = BlockSum<kSubs>(fit.curve * off * off);
      const Mask better = error < best_error;
      best_error = Select(better, error, best_error);
      best.d = Select(better, d, best.d);
      best.scales = Select(better, scales, best.scales);
    }
    return best;
  }

  // Each integer scale moves by one where the true error becomes smaller.
  LFM_INLINE static Lanes RefineScales(const Group<N>& group, BlockScales& fits) {
    const BlockScales base = fits;
    Lanes best = Error(group, base);
    for (const float step : {-1.0f, 1.0f}) {
      const BlockScales tried{base.d, ToLevel(base.scales + step)};
      const Lanes error = Error(group, tried);
      const Mask better = error < best;
      best = Select(better, error, best);
      fits.scales = Select(better, tried.scales, fits.scales);
    }
    return best;
  }

  // d by least squares over all sub-blocks of each block, kept where the true error becomes smaller.
  LFM_INLINE static void RefitD(const Group<N>& group, const Lanes& error, BlockScales& fits) {
    const Lanes inverse = Ratio(Fill(1), fits.d * fits.scales);
    Lanes xv = Fill(0), vv = Fill(0);
    for (int i = 0; i < N; ++i) {
      const Lanes v = Levels::Nearest(group.x[i] * inverse), wv = group.w[i] * v;
      xv += wv * group.x[i];
      vv += wv * v;
    }
    const Lanes p = BlockSum<kSubs>(fits.scales * xv), q = BlockSum<kSubs>(fits.scales * fits.scales * vv);
    const BlockScales tried{Select(q > 0.0f, ToHalf<kSubs>(Ratio(p, q)), fits.d), fits.scales};
    const Mask better = BlockSum<kSubs>(Error(group, tried)) < BlockSum<kSubs>(error);
    fits.d = Select(better, tried.d, fits.d);
  }
};

// The numbers of one block, as they are stored.
struct BlockFit {
  float d;  // f16
  int scales[kLaneCount];
};

LFM_INLINE BlockFit FitOf(const BlockScales& fits, int first, int n_subs) {
  float d[kLaneCount], scales[kLaneCount];
  ToArray(fits.d, d), ToArray(fits.scales, scales);
  BlockFit fit{d[first], {}};
  for (int l = 0; l < n_subs; ++l) fit.scales[l] = static_cast<int>(scales[first + l]);
  return fit;
}

void StoreQ6K(const BlockFit& fit, const uint8_t* codes, std::byte* out) {
  for (int half = 0; half < 2; ++half) {
    const uint8_t* c = codes + 128 * half;
    for (int i = 0; i < 64; ++i) out[64 * half + i] = static_cast<std::byte>((c[i] & 15) | (c[i + 64] & 15) << 4);
    for (int i = 0; i < 32; ++i) {
      out[128 + 32 * half + i] =
          static_cast<std::byte>(c[i] >> 4 | (c[i + 32] >> 4) << 2 | (c[i + 64] >> 4) << 4 | (c[i + 96] >> 4) << 6);
    }
  }
  for (int j = 0; j < 16; ++j) out[192 + j] = static_cast<std::byte>(fit.scales[j]);
  StoreHalf(out + 208, fit.d);
}

void StoreQ3K(const BlockFit& fit, const uint8_t* codes, std::byte* out) {
  __builtin_memset(out, 0, 110);
  for (int i = 0; i < kKBlock; ++i) {
    out[i % 32] |= static_cast<std::byte>((codes[i] >> 2) << (i / 32));
    out[32 + i / 128 * 32 + i % 32] |= static_cast<std::byte>((codes[i] & 3) << (2 * (i / 32 % 4)));
  }
  for (int j = 0; j < 16; ++j) {
    const int scale = fit.scales[j] + 32;
    out[96 + j % 8] |= static_cast<std::byte>((scale & 15) << (4 * (j / 8)));
    out[104 + j % 4] |= static_cast<std::byte>((scale >> 4) << (2 * (j / 4)));
  }
  StoreHalf(out + 108, fit.d);
}

void StoreIq4Xs(const BlockFit& fit, const uint8_t* codes, std::byte* out) {
  __builtin_memset(out, 0, 8);
  StoreHalf(out, fit.d);
  for (int j = 0; j < 8; ++j) {
    const int scale = fit.scales[j] + 32;
    out[4 + j / 2] |= static_cast<std::byte>((scale & 15) << (4 * (j % 2)));
    out[2 + j / 4] |= static_cast<std::byte>((scale >> 4) << (2 * (j % 4)));
    const uint8_t* c = codes + 32 * j;
    for (int i = 0; i < 16; ++i) out[8 + 16 * j + i] = static_cast<std::byte>(c[i] | c[i + 16] << 4);
  }
}

template <class Levels, int N, int kSteps, int kLowScale, int kHighScale, class Store>
LFM_INLINE void EncodeScales(size_t block_bytes, float spread, Store store, const float* x, const float* importance, int64_t n,
                             std::byte* out) {
  using G = ScaledGroup<Levels, N, kLowScale, kHighScale>;
  Group<N> group;
  Lanes code[N];
  uint8_t codes[N * kLaneCount];
  for (int64_t at = 0; at < n; at += N * kLaneCount) {
    const int n_sub = SubCount(n - at, N);
    Load<N>(x + at, importance ? importance + at : nullptr, n_sub, group);
    const ScaleFit fit = SearchScale<Levels, N, kSteps, true>(group, spread);
    BlockScales fits = G::ChooseD(fit);
    for (int i = 0; i < 2; ++i) {
      const Lanes error = G::RefineScales(group, fits);
      G::RefitD(group, error, fits);
    }
    const Lanes inverse = Ratio(Fill(1), fits.d * fits.scales);
    for (int i = 0; i < N; ++i) code[i] = Levels::Code(group.x[i] * inverse);
    StoreCodes<N>(code, n_sub, codes);
    for (int b = 0; b < n_sub / G::kSubs; ++b, out += block_bytes) {
      store(FitOf(fits, b * G::kSubs, G::kSubs), codes + b * kKBlock, out);
    }
  }
}

void EncodeQ6K(const float* x, const float* importance, int64_t n, std::byte* out) {
  EncodeScales<UniformLevels<-32, 31>, 16, 5, -128, 127>(210, 0.05f, StoreQ6K, x, importance, n, out);
}
void EncodeQ3K(const float* x, const float* importance, int64_t n, std::byte* out) {
  EncodeScales<UniformLevels<-4, 3>, 16, 8, -32, 31>(110, 0.3f, StoreQ3K, x, importance, n, out);
}
void EncodeIq4Xs(const float* x, const float* importance, int64_t n, std::byte* out) {
  EncodeScales<Iq4NlLevels, 32, 6, -32, 31>(136, 0.18f, StoreIq4Xs, x, importance, n, out);
}
