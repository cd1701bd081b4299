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

extern const Grid<uint64_t, 256> kIq2XxsGrid;
extern const Grid<uint64_t, 512> kIq2XsGrid;
extern const Grid<uint64_t, 1024> kIq2SGrid;
extern const Grid<uint64_t, 2048> kIq1Grid;
extern const Grid<uint32_t, 256> kIq3XxsGrid;
extern const Grid<uint32_t, 512> kIq3SGrid;

}  // namespace lfm::kernels
