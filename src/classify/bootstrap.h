// What all measurements share: bins of equal mass, resamples of rows, and percentiles.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "classify/metrics.h"

namespace lfm::classify {

// Bins as numpy.array_split makes them: the first ones hold one more. What counts several times may lie in two.
class BinFiller {
 public:
  explicit BinFiller(int64_t n) : n_(n), bins_(kReliabilityBins) {}  // n: how many will be added

  void Add(double confidence, bool right, int64_t count);  // by rising confidence
  // The expected calibration error; bins() are then means, without those that stayed empty.
  double Finish();
  const std::vector<ReliabilityBin>& bins() const { return bins_; }

 private:
  int64_t n_;
  size_t bin_ = 0;
  std::vector<ReliabilityBin> bins_;
};

// How many resamples are drawn where each looks at n values: a large set needs fewer, for its figures hardly move.
int AffordableResamples(size_t n, const MeasureOptions& options);

// Resamples rows and gives each figure its interval. values(counts) are the figures of rows of which each counts so many
// times. The draws depend on the seed and the number of rows alone, so that two sets of scores are resampled alike.
void Bootstrap(size_t n_rows, int n_resamples, uint64_t seed,
               const std::function<std::vector<double>(std::span<const int32_t> counts)>& values,
               std::span<Figure* const> figures);

// Precision, recall and F1 of the counts.
void FillShares(LabelFigures& label);

Json FigureJson(const Figure& figure);
Json LabelFiguresJson(const LabelFigures& figures, const std::string& name);
Json BinsJson(std::span<const ReliabilityBin> bins);

}  // namespace lfm::classify
