// The lattices of IQ1, IQ2 and IQ3 weights as their kernels read them: the coordinates of a point are int8 in a row, the
// first in the lowest byte. Those of IQ1 are eight times as large as in the format, so that the 1/8 added to them is whole.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lfm::kernels {

template <typename T, size_t kPoints>
struct Grid {
  T points[kPoints];
};

// The same points as places among their levels, first coordinate lowest: 2 bits each (IQ2; four in `low`, four in `high`) or
// 3 bits each (IQ3; two in `low`, two in `high`).
template <size_t kPoints>
struct alignas(64) GridCodes {
  uint8_t low[kPoints], high[kPoints];
};

extern const GridCodes<256> kIq2XxsCodes;
extern const GridCodes<512> kIq2XsCodes;
extern const GridCodes<256> kIq3XxsCodes;
extern const GridCodes<512> kIq3SCodes;

// The levels, and 0 where there is none.
constexpr int kIq2Levels[] = {8, 25, 43, 0};
constexpr int kIq3XxsLevels[] = {4, 12, 20, 28, 36, 44, 52, 62};
constexpr int kIq3SLevels[] = {1, 3, 5, 7, 9, 11, 13, 15};

extern const Grid<uint64_t, 256> kIq2XxsGrid;
extern const Grid<uint64_t, 512> kIq2XsGrid;
extern const Grid<uint64_t, 1024> kIq2SGrid;
extern const Grid<uint64_t, 2048> kIq1Grid;
extern const Grid<uint32_t, 256> kIq3XxsGrid;
extern const Grid<uint32_t, 512> kIq3SGrid;

}  // namespace lfm::kernels
