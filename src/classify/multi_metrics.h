// How good yes/no decisions over many labels are, where several labels may fit a row.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "classify/metrics.h"

namespace lfm::classify {

// Rows with a probability for every label that it fits, and the labels that do.
struct MultiScored {
  int64_t n_labels = 0;
  std::vector<double> probabilities;  // [rows, labels], each by itself from 0 to 1
  std::vector<uint8_t> fits;          // [rows, labels], 1: the label is right

  int64_t n_rows() const { return n_labels > 0 ? static_cast<int64_t>(fits.size()) / n_labels : 0; }
};

Status CheckScored(const MultiScored& scored);

// [rows, labels]: 1 where the probability reaches its label's threshold.
std::vector<uint8_t> GivenLabels(const MultiScored& scored, std::span<const double> thresholds);

struct MultiLabelFigures {
  LabelFigures counts;
  double auroc = 0.5;  // how well the probability parts rows that the label fits from the others
};

struct MultiMetrics {
  int64_t n_rows = 0, n_labels = 0;
  Figure subset_accuracy;  // rows of which every label is right
  Figure hamming_loss;     // wrong decisions, of rows x labels
  Figure micro_f1;         // over all decisions together
  Figure macro_f1;         // over the labels that are right or given somewhere
  Figure ece;              // of all probabilities against the share that fits, 15 bins of equal mass
  Figure brier, log_loss;  // means over rows x labels
  std::vector<MultiLabelFigures> labels;
  std::vector<ReliabilityBin> bins;  // confidence: mean probability; accuracy: the share that fits
};

// `given`: the decisions, as GivenLabels() makes them. options.precision is not used. Linear in rows x labels x resamples,
// sorting aside. Thread-safe.
Result<MultiMetrics> Measure(const MultiScored& scored, std::span<const uint8_t> given, const MeasureOptions& options = {});

// The document of `lfm classify eval --multi-label --json`.
Json MetricsJson(const MultiMetrics& metrics, std::span<const std::string> names);

}  // namespace lfm::classify
