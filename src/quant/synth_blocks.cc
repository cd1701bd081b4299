// Layouts of the blocks are GGUF's. A uniform quant of b bits with step d has the deviation d * sqrt((4^b -
// 1) / 12).
#include "quant/synth_blocks.h"

#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "kernels/kernels.h"

namespace lfm::quant {
namespace {

constexpr double kDeviation4Bits = 4.609772;   // of 0..15
constexpr double kDeviation5Bits = 9.233092;   // of 0..31
constexpr double kDeviation6Bits = 18.472953;  // of 0..63
constexpr double kDeviationOdd = 73.898579;    // of the odd numbers -127..127
constexpr double kDeviationFp4 = 2.926175;     // of the 16 codes of E2M1

// IEEE half of a positive or negative value below 65504, to nearest even. Written out, since no CPU feature
// may be assumed here and it runs only for the tables.
uint16_t HalfBits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  const float magnitude = std::fabs(value);
  if (magnitude < 6.103515625e-5f) {  // subnormal: multiples of 2^-24
    return static_cast<uint16_t>(sign | static_cast<uint16_t>(std::lrintf(magnitude * 16777216.0f)));
  }
  bits &= 0x7FFFFFFF;
  bits += 0xFFF + ((bits >> 13) & 1);
  return static_cast<uint16_t>(sign | ((bits >> 13) - (112 << 10)));
}

uint16_t Bf16Bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

// Quantiles of the normal distribution in 4096 steps: a 12-bit number picks a weight. By bisection of erfc.
const std::array<float, 4096>& NormalQuantiles() {
  static const auto kTable = [] {
    std::array<float, 4096> table{};
    for (size_t i = 0; i < 2048; ++i) {
      const double p = (static_cast<double>(i) + 0.5) / 4096;
      double low = -8, high = 0;
      for (int step = 0; step < 60; ++step) {
        const double middle = (low + high) / 2;
        (0.5 * std::erfc(-middle / std::sqrt(2.0)) < p ? low : high) = middle;
      }
      table[i] = static_cast<float>(low);
      table[4095 - i] = static_cast<float>(-low);
    }
    return table;
  }();
  return kTable;
}

// A block scale from 6 random bits: 0.75 to 1.25 times the wanted one, so that their mean square is 1.0 to 2
// %.
float ScaleSpread(size_t i) { return 0.75f + 0.5f * (static_cast<float>(i) + 0.5f) / 64; }

// 64 half-precision scales for a step, half of them negative where the quants are not symmetric.
std::array<uint16_t, 64> ScaleTable(double step, bool signs) {
  std::array<uint16_t, 64> table{};
  for (size_t i = 0; i < 64; ++i) {
    table[i] = HalfBits(static_cast<float>(step) * ScaleSpread(i) * (signs && i % 2 == 1 ? -1.0f : 1.0f));
  }
  return table;
}

void FillBytes(CounterRandom& random, std::byte* out, size_t n) {
  for (; n >= 8; n -= 8, out += 8) {
    const uint64_t word = random.Next();
    std::memcpy(out, &word, 8);
  }
  const uint64_t word = random.Next();
  std::memcpy(out, &word, n);
}

// One half scale, then the quants: Q4_0 and Q8_0.
void FillSimple(std::array<uint16_t, 64> scales, size_t block_bytes, uint64_t or_mask, CounterRandom& random,
                std::span<std::byte> out) {
  for (size_t at = 0; at < out.size(); at += block_bytes) {
    std::byte* block = out.data() + at;
    std::memcpy(block, &scales[random.Next() >> 58], 2);
    for (size_t i = 2; i < block_bytes; i += 8) {
      const uint64_t word = random.Next() | or_mask;
      std::memcpy(block + i, &word, 8);
    }
  }
}

// Eight 6-bit scales and eight equal minimums, packed into 12 bytes as in Q4_K and Q5_K.
std::array<std::byte, 12> PackedScales(CounterRandom& random) {
  std::array<unsigned, 8> scale{};
  for (unsigned& s : scale) s = 32 + static_cast<unsigned>(random.Next() >> 59);
  std::array<std::byte, 12> packed{};
  for (size_t i = 0; i < 4; ++i) {
    const unsigned low = scale[i] | (scale[i + 4] >> 4) << 6;  // the same for the minimums
    packed[i] = packed[i + 4] = static_cast<std::byte>(low);
    packed[i + 8] = static_cast<std::byte>((scale[i + 4] & 15) * 17);
  }
  return packed;
}

// Q4_K and Q5_K: w = d * scale * q - dmin * min, with min = scale and dmin = middle * d, so that the mean is
// 0.
void FillKBlocks(double deviation, double unit, double middle, size_t block_bytes, CounterRandom& random,
                 std::span<std::byte> out) {
  constexpr double kScaleRms = 48.4;  // of 32..63
  std::array<std::array<std::byte, 12>, 64> packed;
  for (auto& entry : packed) entry = PackedScales(random);
  std::array<uint16_t, 64> d{}, d_min{};
  for (size_t i = 0; i < 64; ++i) {
    const double step = deviation / (unit * kScaleRms) * static_cast<double>(ScaleSpread(i));
    d[i] = HalfBits(static_cast<float>(step));
    d_min[i] = HalfBits(static_cast<float>(step * middle));
  }
  for (size_t at = 0; at < out.size(); at += block_bytes) {
    std::byte* block = out.data() + at;
    const uint64_t choice = random.Next();
    std::memcpy(block, &d[choice >> 58], 2);
    std::memcpy(block + 2, &d_min[choice >> 58], 2);
    std::memcpy(block + 4, packed[choice & 63].data(), 12);
    for (size_t i = 16; i < block_bytes; i += 8) {
      const uint64_t word = random.Next();
      std::memcpy(block + i, &word, 8);
    }
  }
}

// Q6_K: 192 bytes of quants, 16 signed scales, d. Scales have both signs, since quants are -32..31.
void FillQ6K(double deviation, CounterRandom& random, std::span<std::byte> out) {
  constexpr size_t kQuants = 192, kScales = 16, kBytes = 210;
  constexpr double kScaleRms = 96.9;  // of 64..127
  std::array<std::array<int8_t, kScales>, 64> scales;
  for (auto& entry : scales) {
    for (int8_t& scale : entry) {
      const uint64_t r = random.Next();
      const int magnitude = 64 + static_cast<int>(r >> 58);
      scale = static_cast<int8_t>((r & 1) != 0 ? -magnitude : magnitude);
    }
  }
  const auto d = ScaleTable(deviation / (kDeviation6Bits * kScaleRms), false);
  for (size_t at = 0; at < out.size(); at += kBytes) {
    std::byte* block = out.data() + at;
    for (size_t i = 0; i < kQuants; i += 8) {
      const uint64_t word = random.Next();
      std::memcpy(block + i, &word, 8);
    }
    const uint64_t choice = random.Next();
    std::memcpy(block + kQuants, scales[choice & 63].data(), kScales);
    std::memcpy(block + kQuants + kScales, &d[choice >> 58], 2);
  }
}

// MXFP4: a power of two, then 16 bytes of E2M1. The nearest power gives the deviation to within a factor
// sqrt(2).
void FillMxfp4(double deviation, CounterRandom& random, std::span<std::byte> out) {
  constexpr size_t kBytes = 17;
  const auto exponent = static_cast<std::byte>(127 + std::lround(std::log2(deviation / kDeviationFp4)));
  for (size_t at = 0; at < out.size(); at += kBytes) {
    out[at] = exponent;
    FillBytes(random, out.data() + at + 1, 16);
  }
}

// Where a block of IQ1, IQ2, IQ3 or TQ has its f16 scale; IQ1_M has it in the upper nibbles of four words.
void SetLatticeScale(TensorType type, uint16_t half, std::byte* block) {
  if (type == TensorType::kIQ1_M) {
    for (int i = 0; i < 4; ++i) {
      std::byte& byte = block[49 + 2 * i];
      byte = (byte & std::byte{15}) | static_cast<std::byte>((half >> (4 * i) & 15) << 4);
    }
    return;
  }
  const size_t at = type == TensorType::kTQ1_0 ? 52 : type == TensorType::kTQ2_0 ? 64 : 0;
  std::memcpy(block + at, &half, 2);
}

// IQ1, IQ2, IQ3 and TQ: any bytes are places, signs and scales. What deviation they have under a scale of 1 is measured.
void FillLattice(TensorType type, double deviation, CounterRandom& random, std::span<std::byte> out) {
  constexpr uint16_t kOne = 0x3c00;
  constexpr size_t kSamples = 256;
  const size_t block_bytes = InfoOf(type).block_bytes, block_size = InfoOf(type).block_size;
  std::vector<std::byte> samples(kSamples * block_bytes);
  std::vector<float> values(kSamples * block_size);
  CounterRandom fixed{1};
  FillBytes(fixed, samples.data(), samples.size());
  for (size_t i = 0; i < kSamples; ++i) SetLatticeScale(type, kOne, samples.data() + i * block_bytes);
  kernels::Dequantize(type, samples.data(), static_cast<int64_t>(values.size()), values.data());
  double squares = 0;
  for (const float value : values) squares += static_cast<double>(value) * static_cast<double>(value);
  const auto scales = ScaleTable(deviation / std::sqrt(squares / static_cast<double>(values.size())), true);
  FillBytes(random, out.data(), out.size());
  for (size_t at = 0; at < out.size(); at += block_bytes) SetLatticeScale(type, scales[random.Next() >> 58], out.data() + at);
}

// F16 and BF16: five 12-bit picks from a table of encoded quantiles a random word.
void FillHalves(uint16_t (*encode)(float), float deviation, CounterRandom& random, std::span<std::byte> out) {
  std::array<uint16_t, 4096> table{};
  for (size_t i = 0; i < table.size(); ++i) table[i] = encode(deviation * NormalQuantiles()[i]);
  std::byte* at = out.data();
  for (size_t n = out.size() / 2; n > 0;) {
    uint64_t word = random.Next();
    for (int i = 0; i < 5 && n > 0; ++i, --n, word >>= 12, at += 2) std::memcpy(at, &table[word & 4095], 2);
  }
}

}  // namespace

bool CanFillRandom(TensorType type) {
  switch (type) {
    case TensorType::kF32:
    case TensorType::kF16:
    case TensorType::kBF16:
    case TensorType::kQ4_0:
    case TensorType::kQ8_0:
    case TensorType::kQ4_K:
    case TensorType::kQ5_K:
    case TensorType::kQ6_K:
    case TensorType::kIQ1_S:
    case TensorType::kIQ1_M:
    case TensorType::kIQ2_XXS:
    case TensorType::kIQ2_XS:
    case TensorType::kIQ2_S:
    case TensorType::kIQ3_XXS:
    case TensorType::kIQ3_S:
    case TensorType::kTQ1_0:
    case TensorType::kTQ2_0:
    case TensorType::kMXFP4: return true;
    default: return false;
  }
}

void FillRandom(TensorType type, float deviation, CounterRandom& random, std::span<std::byte> out) {
  const size_t block_bytes = InfoOf(type).block_bytes;
  LFM_CHECK(CanFillRandom(type) && out.size() % block_bytes == 0);
  const double wanted = static_cast<double>(deviation);
  switch (type) {
    case TensorType::kQ4_0: return FillSimple(ScaleTable(wanted / kDeviation4Bits, true), block_bytes, 0, random, out);
    case TensorType::kQ8_0:  // odd quants only: never -128, which symmetric kernels may not expect
      return FillSimple(ScaleTable(wanted / kDeviationOdd, true), block_bytes, 0x0101010101010101u, random, out);
    case TensorType::kQ4_K: return FillKBlocks(wanted, kDeviation4Bits, 7.5, block_bytes, random, out);
    case TensorType::kQ5_K: return FillKBlocks(wanted, kDeviation5Bits, 15.5, block_bytes, random, out);
    case TensorType::kQ6_K: return FillQ6K(wanted, random, out);
    case TensorType::kMXFP4: return FillMxfp4(wanted, random, out);
    case TensorType::kF16: return FillHalves(HalfBits, deviation, random, out);
    case TensorType::kBF16: return FillHalves(Bf16Bits, deviation, random, out);
    case TensorType::kIQ1_S:
    case TensorType::kIQ1_M:
    case TensorType::kIQ2_XXS:
    case TensorType::kIQ2_XS:
    case TensorType::kIQ2_S:
    case TensorType::kIQ3_XXS:
    case TensorType::kIQ3_S:
    case TensorType::kTQ1_0:
    case TensorType::kTQ2_0: return FillLattice(type, wanted, random, out);
    default: return FillRandomF32(0, deviation, random, out);
  }
}

void FillRandomF32(float mean, float deviation, CounterRandom& random, std::span<std::byte> out) {
  LFM_CHECK(out.size() % 4 == 0);
  const auto& quantiles = NormalQuantiles();
  for (size_t at = 0; at < out.size(); at += 4) {
    const float value = mean + deviation * quantiles[random.Next() >> 52];
    std::memcpy(out.data() + at, &value, 4);
  }
}

}  // namespace lfm::quant
