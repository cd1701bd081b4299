#include "kernels/grids.h"

namespace lfm::kernels {
namespace {

#include "kernels/weight_grids.inc"

constexpr int kIq1Levels[] = {-8, 0, 8, 0};

// From places among 4 or 8 levels, packed, to bytes.
template <typename T, size_t kPoints, size_t kLevels>
constexpr Grid<T, kPoints> Expand(const uint16_t (&points)[kPoints], const int (&levels)[kLevels]) {
  constexpr unsigned kBits = kLevels == 4 ? 2 : 3;
  Grid<T, kPoints> grid{};
  for (size_t i = 0; i < kPoints; i++) {
    for (unsigned j = 0; j < sizeof(T); j++) {
      const int level = levels[(unsigned{points[i]} >> (kBits * j)) & (kLevels - 1)];
      grid.points[i] |= static_cast<T>(static_cast<uint8_t>(level)) << (8 * j);
    }
  }
  return grid;
}

template <unsigned kBits, size_t kPoints>
constexpr GridCodes<kPoints> Split(const uint16_t (&points)[kPoints]) {
  constexpr unsigned kLow = kBits == 2 ? 8 : 6;
  GridCodes<kPoints> codes{};
  for (size_t i = 0; i < kPoints; i++) {
    codes.low[i] = static_cast<uint8_t>(points[i] & ((1u << kLow) - 1));
    codes.high[i] = static_cast<uint8_t>(points[i] >> kLow);
  }
  return codes;
}

}  // namespace

constinit const Grid<uint64_t, 256> kIq2XxsGrid = Expand<uint64_t>(kIq2XxsPoints, kIq2Levels);
constinit const Grid<uint64_t, 512> kIq2XsGrid = Expand<uint64_t>(kIq2XsPoints, kIq2Levels);
constinit const Grid<uint64_t, 1024> kIq2SGrid = Expand<uint64_t>(kIq2SPoints, kIq2Levels);
constinit const Grid<uint64_t, 2048> kIq1Grid = Expand<uint64_t>(kIq1Points, kIq1Levels);
constinit const Grid<uint32_t, 256> kIq3XxsGrid = Expand<uint32_t>(kIq3XxsPoints, kIq3XxsLevels);
constinit const Grid<uint32_t, 512> kIq3SGrid = Expand<uint32_t>(kIq3SPoints, kIq3SLevels);

constinit const GridCodes<256> kIq2XxsCodes = Split<2>(kIq2XxsPoints);
constinit const GridCodes<512> kIq2XsCodes = Split<2>(kIq2XsPoints);
constinit const GridCodes<256> kIq3XxsCodes = Split<3>(kIq3XxsPoints);
constinit const GridCodes<512> kIq3SCodes = Split<3>(kIq3SPoints);

}  // namespace lfm::kernels
