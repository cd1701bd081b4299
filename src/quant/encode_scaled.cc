// Blocks of 256 whose sub-blocks have integer scales of either sign under one f16 scale: Q3_K, Q6_K, IQ4_XS.
#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "quant/encode_blocks.h"
#include "quant/scale_search.h"

namespace lfm::quant {
namespace {


struct BlockFit {
  float d = 0;                 // f16
  int scales[kLaneCount] = {}; // of the block's sub-blocks
};

// d and integer scales for n sub-blocks from `first`: several d around the largest scale, each with the scales rounded
// to it; the error of rounding a scale is known from its curve.
BlockFit ChooseD(const ScaleFit& fit, int first, int n, int low, int high) {
  float extreme = 0;
  for (int l = first; l < first + n; ++l) {
    if (std::abs(fit.scale[l]) > std::abs(extreme)) extreme = fit.scale[l];
  }
  BlockFit best;
  if (extreme == 0) return best;
  double best_error = INFINITY;
  const int n_tries = high > 60 ? 3 : 8;
  for (int i = 0; i < 2 * n_tries; ++i) {
    const int end = i % 2 == 0 ? low + i / 2 : high - i / 2;
    const float d = RoundToHalf(extreme / static_cast<float>(end));
    if (d == 0) continue;
    BlockFit tried;
    tried.d = d;
    double error = 0;
    for (int l = 0; l < n; ++l) {
      const float scale = fit.scale[first + l];
      const int rounded = std::clamp(static_cast<int>(std::lrint(scale / d)), low, high);
      const double off = static_cast<double>(scale) - static_cast<double>(d) * rounded;
      error += static_cast<double>(fit.curve[first + l]) * off * off;
      tried.scales[l] = rounded;
    }
    if (error < best_error) {
      best_error = error;
      best = tried;
    }
  }
  return best;
}

template <class Levels, int N>
struct ScaledGroup {
  static constexpr int kSubs = kKBlock / N;             // sub-blocks of a block
  static constexpr int kBlocks = kLaneCount / kSubs;       // blocks of a group

  LFM_INLINE static Lanes ScalesOf(const BlockFit* fits) {
    Lanes scale{};
    for (int l = 0; l < kLaneCount; ++l) {
      const BlockFit& fit = fits[l / kSubs];
      scale[l] = fit.d * static_cast<float>(fit.scales[l % kSubs]);
    }
    return scale;
  }

  // Each integer scale moves by one where the true error becomes smaller.
  LFM_INLINE static Lanes RefineScales(const Group<N>& group, int low, int high, BlockFit* fits) {
    Lanes best = ScaleError<Levels, N>(group, ScalesOf(fits));
    BlockFit base[kBlocks];
    std::copy(fits, fits + kBlocks, base);
    for (const int step : {-1, 1}) {
      BlockFit tried[kBlocks];
      std::copy(base, base + kBlocks, tried);
      for (int l = 0; l < kLaneCount; ++l) {
        int& scale = tried[l / kSubs].scales[l % kSubs];
        scale = std::clamp(scale + step, low, high);
      }
      const Lanes error = ScaleError<Levels, N>(group, ScalesOf(tried));
      for (int l = 0; l < kLaneCount; ++l) {
        if (!(error[l] < best[l])) continue;
        best[l] = error[l];
        fits[l / kSubs].scales[l % kSubs] = tried[l / kSubs].scales[l % kSubs];
      }
    }
    return best;
  }

  // d by least squares over all sub-blocks of each block, kept where the true error becomes smaller.
  LFM_INLINE static void RefitD(const Group<N>& group, const Lanes& error, BlockFit* fits) {
    const Lanes inverse = Ratio(Fill(1), ScalesOf(fits));
    Lanes xv{}, vv{};
    for (int i = 0; i < N; ++i) {
      const Lanes v = Levels::Nearest(group.x[i] * inverse);
      xv += group.w[i] * v * group.x[i];
      vv += group.w[i] * v * v;
    }
    BlockFit tried[kBlocks];
    std::copy(fits, fits + kBlocks, tried);
    for (int b = 0; b < kBlocks; ++b) {
      double p = 0, q = 0;
      for (int l = 0; l < kSubs; ++l) {
        const double scale = fits[b].scales[l];
        p += scale * static_cast<double>(xv[b * kSubs + l]);
        q += scale * scale * static_cast<double>(vv[b * kSubs + l]);
      }
      if (q > 0) tried[b].d = RoundToHalf(static_cast<float>(p / q));
    }
    const Lanes new_error = ScaleError<Levels, N>(group, ScalesOf(tried));
    for (int b = 0; b < kBlocks; ++b) {
      double before = 0, after = 0;
      for (int l = b * kSubs; l < (b + 1) * kSubs; ++l) {
        before += static_cast<double>(error[l]);
        after += static_cast<double>(new_error[l]);
      }
      if (after < before) fits[b].d = tried[b].d;
    }
  }
};

void StoreQ6K(const BlockFit& fit, const uint8_t* codes, std::byte* out) {
  for (int half = 0; half < 2; ++half) {
    const uint8_t* c = codes + 128 * half;
    for (int i = 0; i < 64; ++i) out[64 * half + i] = static_cast<std::byte>((c[i] & 15) | (c[i + 64] & 15) << 4);
    for (int i = 0; i < 32; ++i) {
      out[128 + 32 * half + i] = static_cast<std::byte>(c[i] >> 4 | (c[i + 32] >> 4) << 2 | (c[i + 64] >> 4) << 4 |
                                                        (c[i + 96] >> 4) << 6);
    }
  }
  for (int j = 0; j < 16; ++j) out[192 + j] = static_cast<std::byte>(fit.scales[j]);
  StoreHalf(out + 208, fit.d);
}

void StoreQ3K(const BlockFit& fit, const uint8_t* codes, std::byte* out) {
  std::fill(out, out + 110, std::byte{0});
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
  std::fill(out, out + 8, std::byte{0});
  StoreHalf(out, fit.d);
  for (int j = 0; j < 8; ++j) {
    const int scale = fit.scales[j] + 32;
    out[4 + j / 2] |= static_cast<std::byte>((scale & 15) << (4 * (j % 2)));
    out[2 + j / 4] |= static_cast<std::byte>((scale >> 4) << (2 * (j % 4)));
    const uint8_t* c = codes + 32 * j;
    for (int i = 0; i < 16; ++i) out[8 + 16 * j + i] = static_cast<std::byte>(c[i] | c[i + 16] << 4);
  }
}

template <class Levels, int N, int kSteps, bool kBothEnds, class Store>
LFM_INLINE void EncodeAll(TensorType type, int low, int high, float spread, Store store, const float* x,
                          const float* importance, int64_t n, std::byte* out) {
  using G = ScaledGroup<Levels, N>;
  Group<N> group;
  Lanes code[N];
  uint8_t codes[N * kLaneCount];
  BlockFit fits[G::kBlocks];
  for (int64_t at = 0; at < n; at += N * kLaneCount) {
    const auto n_sub = static_cast<int>(std::min<int64_t>(kLaneCount, (n - at) / N));
    Load<N>(x + at, importance ? importance + at : nullptr, n_sub, group);
    const ScaleFit fit = SearchScale<Levels, N, kSteps, kBothEnds>(group, spread);
    for (int b = 0; b < G::kBlocks; ++b) fits[b] = ChooseD(fit, b * G::kSubs, G::kSubs, low, high);
    for (int i = 0; i < 2; ++i) {
      const Lanes error = G::RefineScales(group, low, high, fits);
      G::RefitD(group, error, fits);
    }
    const Lanes inverse = Ratio(Fill(1), G::ScalesOf(fits));
    for (int i = 0; i < N; ++i) code[i] = Levels::Code(group.x[i] * inverse);
    StoreCodes<N>(code, n_sub, codes);
    for (int b = 0; b < n_sub / G::kSubs; ++b, out += InfoOf(type).block_bytes) store(fits[b], codes + b * kKBlock, out);
  }
}

LFM_CLONES void EncodeQ6K(const float* x, const float* importance, int64_t n, std::byte* out) {
  EncodeAll<UniformLevels<-32, 31>, 16, 5, true>(TensorType::kQ6_K, -128, 127, 0.05f, StoreQ6K, x, importance, n, out);
}
LFM_CLONES void EncodeQ3K(const float* x, const float* importance, int64_t n, std::byte* out) {
  EncodeAll<UniformLevels<-4, 3>, 16, 8, true>(TensorType::kQ3_K, -32, 31, 0.3f, StoreQ3K, x, importance, n, out);
}
LFM_CLONES void EncodeIq4Xs(const float* x, const float* importance, int64_t n, std::byte* out) {
  EncodeAll<Iq4NlLevels, 32, 6, true>(TensorType::kIQ4_XS, -32, 31, 0.18f, StoreIq4Xs, x, importance, n, out);
}

}  // namespace

void EncodeScaled(TensorType type, const float* x, const float* importance, int64_t n, std::byte* out) {
  switch (type) {
    case TensorType::kQ3_K: return EncodeQ3K(x, importance, n, out);
    case TensorType::kQ6_K: return EncodeQ6K(x, importance, n, out);
    default: LFM_CHECK(type == TensorType::kIQ4_XS); return EncodeIq4Xs(x, importance, n, out);
  }
}

}  // namespace lfm::quant
