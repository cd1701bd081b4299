// Blocks of 32 with one scale: Q4_0, Q5_0, Q8_0, IQ4_NL and MXFP4.

void PackNibbles(const uint8_t* codes, std::byte* out) {
  for (int i = 0; i < 16; ++i) out[i] = static_cast<std::byte>((codes[i] & 15) | (codes[i + 16] & 15) << 4);
}

// A block after its scale: Q8_0 holds signed bytes, Q5_0 the fifth bits first.
template <int kBits>
LFM_INLINE void StoreBlock(float scale, const uint8_t* codes, std::byte* out) {
  StoreHalf(out, scale);
  if (kBits == 8) {
    for (int i = 0; i < kSize; ++i) out[2 + i] = static_cast<std::byte>(codes[i] - 127);
    return;
  }
  if (kBits == 5) {
    uint32_t fifth = 0;
    for (int i = 0; i < kSize; ++i) fifth |= uint32_t{codes[i] / 16u} << i;
    __builtin_memcpy(out + 2, &fifth, 4);
    PackNibbles(codes, out + 6);
    return;
  }
  PackNibbles(codes, out + 2);
}

template <class Levels, int kBits, int kSteps, bool kBothEnds>
LFM_INLINE void EncodeLevels(float spread, const float* x, const float* importance, int64_t n, std::byte* out) {
  constexpr int kBlockBytes = 2 + kBits * kSize / 8;
  Group<kSize> group;
  Lanes code[kSize];
  uint8_t codes[kSize * kLaneCount];
  for (int64_t at = 0; at < n; at += kSize * kLaneCount) {
    const int n_sub = SubCount(n - at, kSize);
    Load<kSize>(x + at, importance ? importance + at : nullptr, n_sub, group);
    float scale[kLaneCount];
    ToArray(ToHalf<1>(SearchScale<Levels, kSize, kSteps, kBothEnds>(group, spread).scale), scale);
    const Lanes inverse = Ratio(Fill(1), FromArray(scale));
    for (int i = 0; i < kSize; ++i) code[i] = Levels::Code(group.x[i] * inverse);
    StoreCodes<kSize>(code, n_sub, codes);
    for (int l = 0; l < n_sub; ++l, out += kBlockBytes) StoreBlock<kBits>(scale[l], codes + l * kSize, out);
  }
}

void EncodeQ4_0(const float* x, const float* importance, int64_t n, std::byte* out) {
  EncodeLevels<UniformLevels<-8, 7>, 4, 6, true>(0.18f, x, importance, n, out);
}
void EncodeQ5_0(const float* x, const float* importance, int64_t n, std::byte* out) {
  EncodeLevels<UniformLevels<-16, 15>, 5, 5, true>(0.1f, x, importance, n, out);
}
void EncodeQ8_0(const float* x, const float* importance, int64_t n, std::byte* out) {
  EncodeLevels<UniformLevels<-127, 127>, 8, 2, false>(0.006f, x, importance, n, out);
}
void EncodeIq4Nl(const float* x, const float* importance, int64_t n, std::byte* out) {
  EncodeLevels<Iq4NlLevels, 4, 6, true>(0.18f, x, importance, n, out);
}

// The magnitudes of MXFP4, doubled, have codes 0..7; the sign is bit 3.
LFM_INLINE Lanes Mxfp4Code(const Lanes& magnitude) {
  constexpr float kMiddles[7] = {0.5f, 1.5f, 2.5f, 3.5f, 5, 7, 10};
  Lanes code = Fill(0);
  for (const float middle : kMiddles) code += Select(magnitude > middle, Fill(1), Fill(0));
  return code;
}
LFM_INLINE Lanes Mxfp4Level(const Lanes& magnitude) {
  constexpr float kMiddles[7] = {0.5f, 1.5f, 2.5f, 3.5f, 5, 7, 10}, kSteps[7] = {1, 1, 1, 1, 2, 2, 4};
  Lanes level = Fill(0);
  for (int i = 0; i < 7; ++i) level += Select(magnitude > kMiddles[i], Fill(kSteps[i]), Fill(0));
  return level;
}

void EncodeMxfp4(const float* x, const float* importance, int64_t n, std::byte* out) {
  Group<kSize> group;
  Lanes code[kSize];
  uint8_t codes[kSize * kLaneCount];
  for (int64_t at = 0; at < n; at += kSize * kLaneCount) {
    const int n_sub = SubCount(n - at, kSize);
    Load<kSize>(x + at, importance ? importance + at : nullptr, n_sub, group);
    float extreme[kLaneCount], scale[kLaneCount], exponent[kLaneCount];
    Lanes most = Fill(0);
    for (int i = 0; i < kSize; ++i) most = Max(most, Abs(group.x[i]));
    ToArray(most, extreme);
    // The stored exponent whose largest level (12 doubled) is next to the extreme, and its neighbours.
    Lanes best_error = Fill(__builtin_inff()), best_scale = Fill(1), best_exponent = Fill(0);
    for (int step = -1; step <= 2; ++step) {
      for (int l = 0; l < kLaneCount; ++l) {
        uint32_t bits;
        __builtin_memcpy(&bits, &extreme[l], 4);
        const int e = static_cast<int>(bits >> 23) - 2 + step;
        const int stored = e < 0 ? 0 : e > 254 ? 254 : e;
        exponent[l] = static_cast<float>(stored);
        scale[l] = kernels::E8m0HalfToFloat(static_cast<uint8_t>(stored));
      }
      const Lanes tried = FromArray(scale), inverse = Fill(1) / tried;
      Lanes error = Fill(0);
      for (int i = 0; i < kSize; ++i) {
        const Lanes magnitude = Abs(group.x[i]);
        const Lanes e = magnitude - tried * Mxfp4Level(magnitude * inverse);
        error += group.w[i] * e * e;
      }
      const Mask better = error < best_error;
      best_error = Select(better, error, best_error);
      best_scale = Select(better, tried, best_scale);
      best_exponent = Select(better, FromArray(exponent), best_exponent);
    }
    ToArray(best_exponent, exponent);
    const Lanes inverse = Fill(1) / best_scale;
    for (int i = 0; i < kSize; ++i) {
      const Lanes magnitude = Mxfp4Code(Abs(group.x[i]) * inverse);
      code[i] = magnitude + Select(group.x[i] < Fill(0), Fill(8), Fill(0));
    }
    StoreCodes<kSize>(code, n_sub, codes);
    for (int l = 0; l < n_sub; ++l, out += 17) {
      out[0] = static_cast<std::byte>(exponent[l]);
      PackNibbles(codes + l * kSize, out + 1);
    }
  }
}
