// x ~ scale * q - offset: blocks of 256 with integer scales and offsets (Q2_K, Q4_K, Q5_K), and blocks of 32 with their
// own (Q4_1, Q5_1).
#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "quant/encode_blocks.h"
#include "quant/lanes.h"

namespace lfm::quant {
namespace {


// Sums over a lane that depend on the data alone.
struct DataSums {
  Lanes w, wx;
};

// The line of each lane, how much of the error it takes away (larger is better), and the sums behind it.
struct LineFit {
  Lanes scale, offset, gain;
  Lanes qq, q, w;  // sums of w q^2, w q, w: the curvature of the error
};

LFM_INLINE Lanes Quant(const Lanes& x, const Lanes& inverse, const Lanes& offset, float top) {
  return Round(Min(Max((x + offset) * inverse, Lanes{}), Fill(top)));
}

// Quants by (inverse, offset), then scale and offset by least squares; kept where they explain more.
// Offsets below zero cannot be stored where `kSigned` is false.
template <int N, bool kSigned>
LFM_INLINE void TryLine(const Group<N>& group, const DataSums& data, const Lanes& inverse, const Lanes& offset,
                        float top, LineFit& best) {
  Lanes q1{}, q2{}, xq{};
  for (int i = 0; i < N; ++i) {
    const Lanes q = Quant(group.x[i], inverse, offset, top);
    const Lanes wq = group.w[i] * q;
    q1 += wq;
    q2 += wq * q;
    xq += wq * group.x[i];
  }
  const Lanes zero{};
  const Lanes determinant = data.w * q2 - q1 * q1;
  const IntLanes solvable = determinant > data.w * q2 * 1e-6f;
  Lanes scale = solvable ? Ratio(data.w * xq - data.wx * q1, determinant) : Ratio(xq, q2);
  // The line is scale q + minus. Where all quants are 0 (equal values) it is the mean.
  Lanes minus = solvable ? Ratio(data.wx * q2 - q1 * xq, determinant) : q2 > zero ? zero : Ratio(data.wx, data.w);
  if (!kSigned) {
    const IntLanes bad = minus > zero;
    scale = bad ? Ratio(xq, q2) : scale;
    minus = bad ? zero : minus;
  }
  const IntLanes legal = scale >= zero;
  // The error is const - 2 (s xq + m wx) + s^2 qq + 2 s m q + m^2 w.
  const Lanes gain = 2.0f * (scale * xq + minus * data.wx) - scale * scale * q2 - 2.0f * scale * minus * q1 -
                     minus * minus * data.w;
  const IntLanes better = (gain > best.gain) & legal;
  best.scale = better ? scale : best.scale;
  best.offset = better ? -minus : best.offset;
  best.gain = better ? gain : best.gain;
  best.qq = better ? q2 : best.qq;
  best.q = better ? q1 : best.q;
}

// Candidates cut the range at both ends by several shares; the best is refined by quantising and fitting in turn.
template <int N, bool kSigned>
LFM_INLINE LineFit SearchLine(const Group<N>& group, float top, float least, float most, int n_steps) {
  DataSums data{};
  Lanes low = group.x[0], high = group.x[0];
  for (int i = 0; i < N; ++i) {
    data.w += group.w[i];
    data.wx += group.w[i] * group.x[i];
    low = Min(low, group.x[i]);
    high = Max(high, group.x[i]);
  }
  if (!kSigned) low = Min(low, Lanes{});
  LineFit best{};
  best.w = data.w;
  if (kSigned) best.gain = Fill(-INFINITY);
  const Lanes unit = Ratio(Fill(1), high - low);
  // Each number of levels twice: with the low end kept, and with what overhangs shared between both ends. At last the
  // best line's own quants, twice. One loop, because TryLine is large and every call is a copy of it.
  for (int i = 0; i < 2 * n_steps + 2; ++i) {
    Lanes inverse, offset;
    if (i < 2 * n_steps) {
      const int i_step = i / 2;
      const float levels = top + least + (most - least) * static_cast<float>(i_step) / static_cast<float>(n_steps - 1);
      inverse = unit * levels;
      offset = i % 2 == 0 ? -low : -low - Ratio(Fill(0.5f * (levels - top)), inverse);
    } else {
      inverse = Ratio(Fill(1), best.scale);
      offset = best.offset;
    }
    TryLine<N, kSigned>(group, data, inverse, offset, top, best);
  }
  return best;
}

template <int N>
LFM_INLINE Lanes LineError(const Group<N>& group, const Lanes& scale, const Lanes& offset, float top) {
  const Lanes inverse = Ratio(Fill(1), scale);
  Lanes error{};
  for (int i = 0; i < N; ++i) {
    const Lanes e = group.x[i] - (scale * Quant(group.x[i], inverse, offset, top) - offset);
    error += group.w[i] * e * e;
  }
  return error;
}

// The stored numbers of one block of 256.
struct BlockLine {
  float d = 0, d_min = 0;  // f16
  int scales[kLaneCount] = {}, mins[kLaneCount] = {};
};

template <int N, int kTop, int kMaxScale>
struct AffineGroup {
  static constexpr int kSubs = kKBlock / N;
  static constexpr int kBlocks = kLaneCount / kSubs;
  static constexpr float kTopLevel = kTop;

  LFM_INLINE static void Expand(const BlockLine* lines, Lanes& scale, Lanes& offset) {
    for (int l = 0; l < kLaneCount; ++l) {
      const BlockLine& line = lines[l / kSubs];
      scale[l] = line.d * static_cast<float>(line.scales[l % kSubs]);
      offset[l] = line.d_min * static_cast<float>(line.mins[l % kSubs]);
    }
  }

  LFM_INLINE static Lanes Error(const Group<N>& group, const BlockLine* lines) {
    Lanes scale{}, offset{};
    Expand(lines, scale, offset);
    return LineError<N>(group, scale, offset, kTopLevel);
  }

  // d and d_min around the largest scale and offset: those that round all of them with the least error, as the
  // curvature tells it. The offset is moved to suit the rounded scale.
  static BlockLine Choose(const LineFit& fit, int first) {
    float max_scale = 0, max_offset = 0;
    for (int l = first; l < first + kSubs; ++l) {
      max_scale = std::max(max_scale, static_cast<float>(fit.scale[l]));
      max_offset = std::max(max_offset, static_cast<float>(fit.offset[l]));
    }
    BlockLine best;
    double best_error = INFINITY;
    constexpr int kTries = 4;
    for (int i = 0; i < kTries; ++i) {
      for (int j = 0; j < kTries; ++j) {
        BlockLine line;
        line.d = RoundToHalf(max_scale / static_cast<float>(kMaxScale - i));
        line.d_min = RoundToHalf(max_offset / static_cast<float>(kMaxScale - j));
        double error = 0;
        for (int l = 0; l < kSubs; ++l) error += RoundSub(fit, first + l, l, line);
        if (error < best_error) {
          best_error = error;
          best = line;
        }
      }
    }
    return best;
  }

  // Rounds scale and offset of one sub-block; gives the error that it adds.
  static double RoundSub(const LineFit& fit, int lane, int l, BlockLine& line) {
    const auto round = [](double value, float unit) {
      return unit == 0 ? 0 : std::clamp(static_cast<int>(std::lrint(value / static_cast<double>(unit))), 0, kMaxScale);
    };
    line.scales[l] = round(static_cast<double>(fit.scale[lane]), line.d);
    const double ds = static_cast<double>(line.d) * line.scales[l] - static_cast<double>(fit.scale[lane]);
    const double w = static_cast<double>(fit.w[lane]), q = static_cast<double>(fit.q[lane]);
    const double shift = w > 0 ? ds * q / w : 0;
    line.mins[l] = round(static_cast<double>(fit.offset[lane]) + shift, line.d_min);
    const double dm = static_cast<double>(line.d_min) * line.mins[l] - static_cast<double>(fit.offset[lane]);
    return ds * ds * static_cast<double>(fit.qq[lane]) - 2 * ds * dm * q + dm * dm * w;
  }

  // Each pair of integers moves by one where the true error becomes smaller. Gives that error.
  LFM_INLINE static Lanes Refine(const Group<N>& group, BlockLine* lines) {
    Lanes best = Fill(INFINITY);
    BlockLine base[kBlocks];
    std::copy(lines, lines + kBlocks, base);
    for (const int step : {4, 0, 1, 2, 3, 5, 6, 7, 8}) {  // 4: as they are
      BlockLine tried[kBlocks];
      std::copy(base, base + kBlocks, tried);
      for (int l = 0; l < kLaneCount; ++l) {
        BlockLine& line = tried[l / kSubs];
        line.scales[l % kSubs] = std::clamp(line.scales[l % kSubs] + step / 3 - 1, 0, kMaxScale);
        line.mins[l % kSubs] = std::clamp(line.mins[l % kSubs] + step % 3 - 1, 0, kMaxScale);
      }
      const Lanes error = Error(group, tried);
      for (int l = 0; l < kLaneCount; ++l) {
        if (!(error[l] < best[l])) continue;
        best[l] = error[l];
        lines[l / kSubs].scales[l % kSubs] = tried[l / kSubs].scales[l % kSubs];
        lines[l / kSubs].mins[l % kSubs] = tried[l / kSubs].mins[l % kSubs];
      }
    }
    return best;
  }

  // d and d_min of each block by least squares, kept where the true error becomes smaller.
  LFM_INLINE static void Refit(const Group<N>& group, const Lanes& error, BlockLine* lines) {
    Lanes scale{}, offset{}, q1{}, q2{}, xq{}, w{}, wx{};
    Expand(lines, scale, offset);
    const Lanes inverse = Ratio(Fill(1), scale);
    for (int i = 0; i < N; ++i) {
      const Lanes q = Quant(group.x[i], inverse, offset, kTopLevel), wq = group.w[i] * q;
      q1 += wq;
      q2 += wq * q;
      xq += wq * group.x[i];
      w += group.w[i];
      wx += group.w[i] * group.x[i];
    }
    BlockLine tried[kBlocks];
    std::copy(lines, lines + kBlocks, tried);
    for (int b = 0; b < kBlocks; ++b) {
      double a = 0, cross = 0, c = 0, p = 0, r = 0;
      for (int l = 0; l < kSubs; ++l) {
        const int lane = b * kSubs + l;
        const double s = lines[b].scales[l], m = lines[b].mins[l];
        a += s * s * static_cast<double>(q2[lane]);
        cross += s * m * static_cast<double>(q1[lane]);
        c += m * m * static_cast<double>(w[lane]);
        p += s * static_cast<double>(xq[lane]);
        r += m * static_cast<double>(wx[lane]);
      }
      const double determinant = a * c - cross * cross;
      if (determinant > 1e-9 * a * c) {
        const double d = (p * c - r * cross) / determinant, d_min = (p * cross - r * a) / determinant;
        if (d > 0) tried[b].d = RoundToHalf(static_cast<float>(d));
        if (d_min > 0) tried[b].d_min = RoundToHalf(static_cast<float>(d_min));
      } else if (a > 0 && p > 0) {
        tried[b].d = RoundToHalf(static_cast<float>(p / a));
      }
    }
    const Lanes new_error = Error(group, tried);
    for (int b = 0; b < kBlocks; ++b) {
      double before = 0, after = 0;
      for (int l = b * kSubs; l < (b + 1) * kSubs; ++l) {
        before += static_cast<double>(error[l]);
        after += static_cast<double>(new_error[l]);
      }
      if (after < before) lines[b] = tried[b];
    }
  }
};

// Q4_K and Q5_K: eight 6-bit scales and offsets in 12 bytes.
void StoreScales(const BlockLine& line, std::byte* out) {
  StoreHalf(out, line.d);
  StoreHalf(out + 2, line.d_min);
  std::byte* s = out + 4;
  for (int j = 0; j < 4; ++j) {
    s[j] = static_cast<std::byte>(line.scales[j] | (line.scales[j + 4] >> 4) << 6);
    s[j + 4] = static_cast<std::byte>(line.mins[j] | (line.mins[j + 4] >> 4) << 6);
    s[j + 8] = static_cast<std::byte>((line.scales[j + 4] & 15) | (line.mins[j + 4] & 15) << 4);
  }
}

void StoreNibblePairs(const uint8_t* codes, std::byte* out) {
  for (int j = 0; j < 4; ++j) {
    const uint8_t* c = codes + 64 * j;
    for (int i = 0; i < 32; ++i) out[32 * j + i] = static_cast<std::byte>((c[i] & 15) | (c[i + 32] & 15) << 4);
  }
}

void StoreQ4K(const BlockLine& line, const uint8_t* codes, std::byte* out) {
  StoreScales(line, out);
  StoreNibblePairs(codes, out + 16);
}

void StoreQ5K(const BlockLine& line, const uint8_t* codes, std::byte* out) {
  StoreScales(line, out);
  for (int i = 0; i < 32; ++i) {
    int fifth = 0;
    for (int j = 0; j < 8; ++j) fifth |= (codes[32 * j + i] >> 4) << j;
    out[16 + i] = static_cast<std::byte>(fifth);
  }
  StoreNibblePairs(codes, out + 48);
}

void StoreQ2K(const BlockLine& line, const uint8_t* codes, std::byte* out) {
  for (int j = 0; j < 16; ++j) out[j] = static_cast<std::byte>(line.scales[j] | line.mins[j] << 4);
  for (int half = 0; half < 2; ++half) {
    const uint8_t* c = codes + 128 * half;
    for (int i = 0; i < 32; ++i) {
      out[16 + 32 * half + i] = static_cast<std::byte>(c[i] | c[i + 32] << 2 | c[i + 64] << 4 | c[i + 96] << 6);
    }
  }
  StoreHalf(out + 80, line.d);
  StoreHalf(out + 82, line.d_min);
}

struct Search {
  float least, most;  // levels more or fewer than there are
  int n_steps;
};

template <int N, int kTop, int kMaxScale, class Store>
LFM_INLINE void EncodeAll(size_t block_bytes, Search search, Store store, const float* x, const float* importance,
                          int64_t n, std::byte* out) {
  using G = AffineGroup<N, kTop, kMaxScale>;
  Group<N> group;
  Lanes code[N];
  uint8_t codes[N * kLaneCount];
  BlockLine lines[G::kBlocks];
  for (int64_t at = 0; at < n; at += N * kLaneCount) {
    const auto n_sub = static_cast<int>(std::min<int64_t>(kLaneCount, (n - at) / N));
    Load<N>(x + at, importance ? importance + at : nullptr, n_sub, group);
    const LineFit fit = SearchLine<N, false>(group, kTop, search.least, search.most, search.n_steps);
    for (int b = 0; b < G::kBlocks; ++b) lines[b] = G::Choose(fit, b * G::kSubs);
    for (int i = 0; i < 2; ++i) {
      const Lanes error = G::Refine(group, lines);
      G::Refit(group, error, lines);
    }
    Lanes scale{}, offset{};
    G::Expand(lines, scale, offset);
    const Lanes inverse = Ratio(Fill(1), scale);
    for (int i = 0; i < N; ++i) code[i] = Quant(group.x[i], inverse, offset, kTop);
    StoreCodes<N>(code, n_sub, codes);
    for (int b = 0; b < n_sub / G::kSubs; ++b, out += block_bytes) store(lines[b], codes + b * kKBlock, out);
  }
}

LFM_CLONES void EncodeQ2K(const float* x, const float* importance, int64_t n, std::byte* out) {
  EncodeAll<16, 3, 15>(84, {-0.6f, 1.2f, 10}, StoreQ2K, x, importance, n, out);
}
LFM_CLONES void EncodeQ4K(const float* x, const float* importance, int64_t n, std::byte* out) {
  EncodeAll<32, 15, 63>(144, {-0.9f, 2.7f, 9}, StoreQ4K, x, importance, n, out);
}
LFM_CLONES void EncodeQ5K(const float* x, const float* importance, int64_t n, std::byte* out) {
  EncodeAll<32, 31, 63>(176, {-0.9f, 2.7f, 9}, StoreQ5K, x, importance, n, out);
}

// Q4_1 and Q5_1: value = d q + m with f16 d and m.
template <int kTop>
LFM_INLINE void EncodeOne(bool five, const float* x, const float* importance, int64_t n, std::byte* out) {
  constexpr int kSize = 32;
  Group<kSize> group;
  Lanes code[kSize];
  uint8_t codes[kSize * kLaneCount];
  for (int64_t at = 0; at < n; at += kSize * kLaneCount) {
    const auto n_sub = static_cast<int>(std::min<int64_t>(kLaneCount, (n - at) / kSize));
    Load<kSize>(x + at, importance ? importance + at : nullptr, n_sub, group);
    LineFit fit = SearchLine<kSize, true>(group, kTop, -0.9f, 2.7f, 9);
    for (int l = 0; l < kLaneCount; ++l) {
      fit.scale[l] = RoundToHalf(fit.scale[l]);
      fit.offset[l] = RoundToHalf(fit.offset[l]);
    }
    const Lanes inverse = Ratio(Fill(1), fit.scale);
    for (int i = 0; i < kSize; ++i) code[i] = Quant(group.x[i], inverse, fit.offset, kTop);
    StoreCodes<kSize>(code, n_sub, codes);
    for (int l = 0; l < n_sub; ++l, out += five ? 24 : 20) {
      const uint8_t* c = codes + l * kSize;
      StoreHalf(out, fit.scale[l]);
      StoreHalf(out + 2, -fit.offset[l]);
      std::byte* low = out + 4;
      if (five) {
        uint32_t fifth = 0;
        for (int i = 0; i < kSize; ++i) fifth |= uint32_t{c[i] / 16u} << i;
        std::memcpy(low, &fifth, 4);
        low += 4;
      }
      for (int i = 0; i < 16; ++i) low[i] = static_cast<std::byte>((c[i] & 15) | (c[i + 16] & 15) << 4);
    }
  }
}

LFM_CLONES void EncodeQ4_1(const float* x, const float* importance, int64_t n, std::byte* out) {
  EncodeOne<15>(false, x, importance, n, out);
}
LFM_CLONES void EncodeQ5_1(const float* x, const float* importance, int64_t n, std::byte* out) {
  EncodeOne<31>(true, x, importance, n, out);
}

}  // namespace

void EncodeAffine(TensorType type, const float* x, const float* importance, int64_t n, std::byte* out) {
  switch (type) {
    case TensorType::kQ2_K: return EncodeQ2K(x, importance, n, out);
    case TensorType::kQ4_K: return EncodeQ4K(x, importance, n, out);
    default: LFM_CHECK(type == TensorType::kQ5_K); return EncodeQ5K(x, importance, n, out);
  }
}

void EncodeOffset(TensorType type, const float* x, const float* importance, int64_t n, std::byte* out) {
  type == TensorType::kQ4_1 ? EncodeQ4_1(x, importance, n, out) : EncodeQ5_1(x, importance, n, out);
}

}  // namespace lfm::quant
