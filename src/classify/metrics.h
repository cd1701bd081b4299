// How good the probabilities of a classifier are, measured on rows whose label is known.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace lfm::classify {

// Rows with a probability for every label, and the label that is right.
struct Scored {
  int64_t n_labels = 0;
  std::vector<double> probabilities;  // [rows, labels], each row sums to 1
  std::vector<int32_t> truth;         // [rows], indices of labels

  int64_t n_rows() const { return static_cast<int64_t>(truth.size()); }
  std::span<const double> row(int64_t i) const {
    return std::span(probabilities).subspan(static_cast<size_t>(i * n_labels), static_cast<size_t>(n_labels));
  }
};

// An error where shapes differ, there is no row, a label does not exist or a probability is none.
Status CheckScored(const Scored& scored);

// The likeliest label; of equals the first.
int32_t Best(std::span<const double> probabilities);
// The likeliest minus the second likeliest; of one label that label's.
double Margin(std::span<const double> probabilities);

// A figure with the 2.5 and 97.5 percentiles of its bootstrap.
struct Figure {
  double value = 0, low = 0, high = 0;
};

struct LabelFigures {
  int64_t n_rows = 0, n_predicted = 0, n_right = 0;
  double precision = 0, recall = 0, f1 = 0;  // 0 where there is nothing to divide by, as scikit-learn has it
};

struct ConfusionCell {
  int32_t truth = 0, predicted = 0;
  int64_t n_rows = 0;
};

// Rows of like confidence.
struct ReliabilityBin {
  int64_t n_rows = 0;
  double confidence = 0, accuracy = 0;  // means
};

struct Metrics {
  int64_t n_rows = 0, n_labels = 0;
  Figure accuracy;
  Figure macro_f1;  // over the labels that are right or predicted somewhere
  Figure ece;       // expected calibration error, 15 bins of equal mass
  Figure brier;     // sum over the labels, 0 to 2
  Figure log_loss;  // nats
  Figure
      aurc;  // area under risk against coverage: mean error among the most confident rows; equal confidences share their errors
  Figure coverage;  // the largest share of rows, most confident first, that reaches `precision`
  double precision = 0;
  std::vector<LabelFigures> labels;
  std::vector<ConfusionCell> confusion;  // cells that hold a row, by truth and prediction
  std::vector<ReliabilityBin> bins;      // by rising confidence
};

struct MeasureOptions {
  double precision = 0.95;  // of `coverage`
  int n_resamples = 1000;   // of the bootstrap over rows, fewer from 100,000 rows on; 0: intervals are the value itself
  uint64_t seed = 1;        // the same seed gives the same intervals, everywhere
};

inline constexpr int kReliabilityBins = 15;

// Linear in rows x (labels + resamples). Thread-safe.
Result<Metrics> Measure(const Scored& scored, const MeasureOptions& options = {});

// The chance that a value of `above` is larger than one of `below`, where equal ones count half. 0.5 where either is empty.
double AreaUnderRoc(std::span<const double> above, std::span<const double> below);

// The document of `lfm classify eval --json`. `names`: of the labels.
Json MetricsJson(const Metrics& metrics, std::span<const std::string> names);

}  // namespace lfm::classify
