// x ~ scale * q - offset: blocks of 256 with integer scales and offsets (Q2_K, Q4_K, Q5_K), and blocks of 32 with their
// own (Q4_1, Q5_1).

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
  return Round(Min(Max((x + offset) * inverse, Fill(0)), Fill(top)));
}

// Quants by (inverse, offset), then scale and offset by least squares; kept where they explain more.
// Offsets below zero cannot be stored where `kSigned` is false.
template <int N, bool kSigned>
LFM_INLINE void TryLine(const Group<N>& group, const DataSums& data, const Lanes& inverse, const Lanes& offset, float top,
                        LineFit& best) {
  Lanes q1 = Fill(0), q2 = Fill(0), xq = Fill(0);
  for (int i = 0; i < N; ++i) {
    const Lanes q = Quant(group.x[i], inverse, offset, top);
    const Lanes wq = group.w[i] * q;
    q1 += wq;
    q2 += wq * q;
    xq += wq * group.x[i];
  }
  const Lanes determinant = data.w * q2 - q1 * q1;
  const Mask solvable = determinant > data.w * q2 * 1e-6f;
  Lanes scale = Select(solvable, Ratio(data.w * xq - data.wx * q1, determinant), Ratio(xq, q2));
  // The line is scale q + minus. Where all quants are 0 (equal values) it is the mean.
  Lanes minus = Select(solvable, Ratio(data.wx * q2 - q1 * xq, determinant), Select(q2 > 0.0f, Fill(0), Ratio(data.wx, data.w)));
  if (!kSigned) {
    const Mask bad = minus > 0.0f;
    scale = Select(bad, Ratio(xq, q2), scale);
    minus = Select(bad, Fill(0), minus);
  }
  const Mask legal = scale >= 0.0f;
  // The error is const - 2 (s xq + m wx) + s^2 qq + 2 s m q + m^2 w.
  const Lanes gain =
      (scale * xq + minus * data.wx) * 2.0f - scale * scale * q2 - scale * 2.0f * minus * q1 - minus * minus * data.w;
  const Mask better = (gain > best.gain) & legal;
  best.scale = Select(better, scale, best.scale);
  best.offset = Select(better, -minus, best.offset);
  best.gain = Select(better, gain, best.gain);
  best.qq = Select(better, q2, best.qq);
  best.q = Select(better, q1, best.q);
}

// Candidates cut the range at both ends by several shares; the best is refined by quantising and fitting in turn.
template <int N, bool kSigned>
LFM_INLINE LineFit SearchLine(const Group<N>& group, float top, float least, float most, int n_steps) {
  DataSums data{Fill(0), Fill(0)};
  Lanes low = group.x[0], high = group.x[0];
  for (int i = 0; i < N; ++i) {
    data.w += group.w[i];
    data.wx += group.w[i] * group.x[i];
    low = Min(low, group.x[i]);
    high = Max(high, group.x[i]);
  }
  if (!kSigned) low = Min(low, Fill(0));
  LineFit best{Fill(0), Fill(0), Fill(kSigned ? -__builtin_inff() : 0.0f), Fill(0), Fill(0), data.w};
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
  Lanes error = Fill(0);
  for (int i = 0; i < N; ++i) {
    const Lanes e = group.x[i] - (scale * Quant(group.x[i], inverse, offset, top) - offset);
    error += group.w[i] * e * e;
  }
  return error;
}

// The stored numbers of the blocks of a group: f16 d and d_min of the block that a lane belongs to, and each lane's
// integers.
struct BlockLines {
  Lanes d, d_min, scales, mins;
};

template <int N, int kTop, int kMaxScale>
struct AffineGroup {
  static constexpr int kSubs = kKBlock / N;
  static constexpr float kTopLevel = kTop, kMaxLevel = kMaxScale;

  LFM_INLINE static Lanes Error(const Group<N>& group, const BlockLines& lines) {
    return LineError<N>(group, lines.d * lines.scales, lines.d_min * lines.mins, kTopLevel);
  }

  LFM_INLINE static Lanes ToLevel(const Lanes& value) { return Round(Min(Max(value, Fill(0)), Fill(kMaxLevel))); }

  // d and d_min around the largest scale and offset: those that round all of them with the least error, as the
  // curvature tells it. The offset is moved to suit the rounded scale.
  LFM_INLINE static BlockLines Choose(const LineFit& fit) {
    constexpr int kTries = 4;
    const Lanes max_scale = BlockMax<kSubs>(fit.scale), max_offset = BlockMax<kSubs>(fit.offset);
    const Lanes mean_q = Ratio(fit.q, fit.w);
    Lanes d_min[kTries], inverse_min[kTries];
    for (int j = 0; j < kTries; ++j) {
      d_min[j] = ToHalf<kSubs>(max_offset * (1.0f / (kMaxLevel - static_cast<float>(j))));
      inverse_min[j] = Ratio(Fill(1), d_min[j]);
    }
    BlockLines best{Fill(0), Fill(0), Fill(0), Fill(0)};
    Lanes best_error = Fill(__builtin_inff());
    for (int i = 0; i < kTries; ++i) {
      const Lanes d = ToHalf<kSubs>(max_scale * (1.0f / (kMaxLevel - static_cast<float>(i))));
      const Lanes scales = ToLevel(fit.scale * Ratio(Fill(1), d));
      const Lanes ds = d * scales - fit.scale;
      const Lanes wanted = fit.offset + ds * mean_q;
      for (int j = 0; j < kTries; ++j) {
        const Lanes mins = ToLevel(wanted * inverse_min[j]);
        const Lanes dm = d_min[j] * mins - fit.offset;
        const Lanes error = BlockSum<kSubs>(ds * ds * fit.qq - ds * dm * fit.q * 2.0f + dm * dm * fit.w);
        const Mask better = error < best_error;
        best_error = Select(better, error, best_error);
        best.d = Select(better, d, best.d);
        best.d_min = Select(better, d_min[j], best.d_min);
        best.scales = Select(better, scales, best.scales);
        best.mins = Select(better, mins, best.mins);
      }
    }
    return best;
  }

  // Each pair of integers moves by one where the true error becomes smaller. Gives that error.
  LFM_INLINE static Lanes Refine(const Group<N>& group, BlockLines& lines) {
    const BlockLines base = lines;
    Lanes best = Error(group, base);
    for (int step = 0; step < 9; ++step) {
      if (step == 4) continue;  // as they are
      BlockLines tried = base;
      tried.scales = ToLevel(base.scales + static_cast<float>(step / 3 - 1));
      tried.mins = ToLevel(base.mins + static_cast<float>(step % 3 - 1));
      const Lanes error = Error(group, tried);
      const Mask better = error < best;
      best = Select(better, error, best);
      lines.scales = Select(better, tried.scales, lines.scales);
      lines.mins = Select(better, tried.mins, lines.mins);
    }
    return best;
  }

  // d and d_min of each block by least squares, kept where the true error becomes smaller.
  LFM_INLINE static void Refit(const Group<N>& group, const Lanes& error, BlockLines& lines) {
    Lanes q1 = Fill(0), q2 = Fill(0), xq = Fill(0), w = Fill(0), wx = Fill(0);
    const Lanes offset = lines.d_min * lines.mins, inverse = Ratio(Fill(1), lines.d * lines.scales);
    for (int i = 0; i < N; ++i) {
      const Lanes q = Quant(group.x[i], inverse, offset, kTopLevel), wq = group.w[i] * q;
      q1 += wq;
      q2 += wq * q;
      xq += wq * group.x[i];
      w += group.w[i];
      wx += group.w[i] * group.x[i];
    }
    const Lanes& s = lines.scales;
    const Lanes& m = lines.mins;
    const Lanes a = BlockSum<kSubs>(s * s * q2), cross = BlockSum<kSubs>(s * m * q1), c = BlockSum<kSubs>(m * m * w);
    const Lanes along = BlockSum<kSubs>(s * xq), across = BlockSum<kSubs>(m * wx);
    const Lanes determinant = a * c - cross * cross;
    const Mask solvable = determinant > a * c * 1e-6f;
    const Lanes d = ToHalf<kSubs>(Select(solvable, Ratio(along * c - across * cross, determinant), Ratio(along, a)));
    const Lanes d_min = ToHalf<kSubs>(Select(solvable, Ratio(along * cross - across * a, determinant), lines.d_min));
    BlockLines tried = lines;
    tried.d = Select(d > 0.0f, d, lines.d);
    tried.d_min = Select(d_min > 0.0f, d_min, lines.d_min);
    const Mask better = BlockSum<kSubs>(Error(group, tried)) < BlockSum<kSubs>(error);
    lines.d = Select(better, tried.d, lines.d);
    lines.d_min = Select(better, tried.d_min, lines.d_min);
  }
};

// The numbers of one block, as they are stored.
struct BlockLine {
  float d, d_min;  // f16
  int scales[kLaneCount], mins[kLaneCount];
};

LFM_INLINE BlockLine LineOf(const BlockLines& lines, int first, int n_subs) {
  float d[kLaneCount], d_min[kLaneCount], scales[kLaneCount], mins[kLaneCount];
  ToArray(lines.d, d), ToArray(lines.d_min, d_min), ToArray(lines.scales, scales), ToArray(lines.mins, mins);
  BlockLine line{d[first], d_min[first], {}, {}};
  for (int l = 0; l < n_subs; ++l) {
    line.scales[l] = static_cast<int>(scales[first + l]);
    line.mins[l] = static_cast<int>(mins[first + l]);
  }
  return line;
}

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
LFM_INLINE void EncodeAll(size_t block_bytes, Search search, Store store, const float* x, const float* importance, int64_t n,
                          std::byte* out) {
  using G = AffineGroup<N, kTop, kMaxScale>;
  Group<N> group;
  Lanes code[N];
  uint8_t codes[N * kLaneCount];
  for (int64_t at = 0; at < n; at += N * kLaneCount) {
    const int n_sub = SubCount(n - at, N);
    Load<N>(x + at, importance ? importance + at : nullptr, n_sub, group);
    const LineFit fit = SearchLine<N, false>(group, kTop, search.least, search.most, search.n_steps);
    BlockLines lines = G::Choose(fit);
    for (int i = 0; i < 2; ++i) {
      const Lanes error = G::Refine(group, lines);
      G::Refit(group, error, lines);
    }
    const Lanes offset = lines.d_min * lines.mins, inverse = Ratio(Fill(1), lines.d * lines.scales);
    for (int i = 0; i < N; ++i) code[i] = Quant(group.x[i], inverse, offset, kTop);
    StoreCodes<N>(code, n_sub, codes);
    for (int b = 0; b < n_sub / G::kSubs; ++b, out += block_bytes) {
      store(LineOf(lines, b * G::kSubs, G::kSubs), codes + b * kKBlock, out);
    }
  }
}

void EncodeQ2K(const float* x, const float* importance, int64_t n, std::byte* out) {
  EncodeAll<16, 3, 15>(84, {-0.6f, 1.2f, 10}, StoreQ2K, x, importance, n, out);
}
void EncodeQ4K(const float* x, const float* importance, int64_t n, std::byte* out) {
  EncodeAll<32, 15, 63>(144, {-0.9f, 2.7f, 9}, StoreQ4K, x, importance, n, out);
}
void EncodeQ5K(const float* x, const float* importance, int64_t n, std::byte* out) {
  EncodeAll<32, 31, 63>(176, {-0.9f, 2.7f, 9}, StoreQ5K, x, importance, n, out);
}

// Q4_1 and Q5_1: value = d q + m with f16 d and m.
template <int kTop>
LFM_INLINE void EncodeOne(bool five, const float* x, const float* importance, int64_t n, std::byte* out) {
  Group<kSize> group;
  Lanes code[kSize];
  uint8_t codes[kSize * kLaneCount];
  for (int64_t at = 0; at < n; at += kSize * kLaneCount) {
    const int n_sub = SubCount(n - at, kSize);
    Load<kSize>(x + at, importance ? importance + at : nullptr, n_sub, group);
    const LineFit fit = SearchLine<kSize, true>(group, kTop, -0.9f, 2.7f, 9);
    float scale[kLaneCount], offset[kLaneCount];
    ToArray(fit.scale, scale), ToArray(fit.offset, offset);
    for (int l = 0; l < kLaneCount; ++l) {
      scale[l] = RoundToHalf(scale[l]);
      offset[l] = RoundToHalf(offset[l]);
    }
    const Lanes inverse = Ratio(Fill(1), FromArray(scale));
    for (int i = 0; i < kSize; ++i) code[i] = Quant(group.x[i], inverse, FromArray(offset), kTop);
    StoreCodes<kSize>(code, n_sub, codes);
    for (int l = 0; l < n_sub; ++l, out += five ? 24 : 20) {
      const uint8_t* c = codes + l * kSize;
      StoreHalf(out, scale[l]);
      StoreHalf(out + 2, -offset[l]);
      std::byte* low = out + 4;
      if (five) {
        uint32_t fifth = 0;
        for (int i = 0; i < kSize; ++i) fifth |= uint32_t{c[i] / 16u} << i;
        __builtin_memcpy(low, &fifth, 4);
        low += 4;
      }
      for (int i = 0; i < 16; ++i) low[i] = static_cast<std::byte>((c[i] & 15) | (c[i + 16] & 15) << 4);
    }
  }
}

void EncodeQ4_1(const float* x, const float* importance, int64_t n, std::byte* out) {
  EncodeOne<15>(false, x, importance, n, out);
}
void EncodeQ5_1(const float* x, const float* importance, int64_t n, std::byte* out) {
  EncodeOne<31>(true, x, importance, n, out);
}
