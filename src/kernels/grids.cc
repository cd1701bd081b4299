#include "kernels/grids.h"

namespace lfm::kernels {
namespace {

#include "kernels/weight_grids.inc"

constexpr int kIq2Levels[] = {8, 25, 43, 0};
constexpr int kIq1Levels[] = {-8, 0, 8, 0};
constexpr int kIq3XxsLevels[] = {4, 12, 20, 28, 36, 44, 52, 62};
constexpr int kIq3SLevels[] = {1, 3, 5, 7, 9, 11, 13, 15};

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

}  // namespace

constinit const Grid<uint64_t, 256> kIq2XxsGrid = Expand<uint64_t>(kIq2XxsPoints, kIq2Levels);
constinit const Grid<uint64_t, 512> kIq2XsGrid = Expand<uint64_t>(kIq2XsPoints, kIq2Levels);
constinit const Grid<uint64_t, 1024> kIq2SGrid = Expand<uint64_t>(kIq2SPoints, kIq2Levels);
constinit const Grid<uint64_t, 2048> kIq1Grid = Expand<uint64_t>(kIq1Points, kIq1Levels);
constinit const Grid<uint32_t, 256> kIq3XxsGrid = Expand<uint32_t>(kIq3XxsPoints, kIq3XxsLevels);
constinit const Grid<uint32_t, 512> kIq3SGrid = Expand<uint32_t>(kIq3SPoints, kIq3SLevels);

}  // namespace lfm::kernels
