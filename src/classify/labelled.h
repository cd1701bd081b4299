// Rows whose right label is known, read from a table and scored: what a calibration is fitted and measured on.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "classify/classifier.h"
#include "classify/label_tree.h"
#include "classify/metrics.h"
#include "classify/multi_metrics.h"
#include "classify/table.h"

namespace lfm::classify {

// The most rows that a fit or a measurement takes: all their probabilities are kept.
inline constexpr int64_t kMostLabelledRows = 1'000'000;

struct LabelledRows {
  std::vector<std::string> texts;
  std::vector<int32_t> truth;                // places in the label set; kNoLabel: none of them is right
  std::vector<std::vector<int32_t>> truths;  // with `several`: of each row all that fit, rising; perhaps none
};
inline constexpr int32_t kNoLabel = -1;

// Reads a table whose column (or member) `label_column` names the right label; an empty one means that none is. A bad row,
// or a label that the set does not have, is an error with its line: figures on part of the rows would mislead.
// several: the column holds any number of labels, with kLabelSeparator between them or as a JSON list.
Result<LabelledRows> ReadLabelled(TableReader& reader, TextTemplate& text, const std::string& label_column,
                                  const LabelSet& labels, bool several = false);
inline constexpr char kLabelSeparator = ';';

struct LabelledScores {
  Scored scored;              // the rows with a right label; truth: places of any labels of the set
  std::vector<uint8_t> fits;  // of rows that were read with `several` (all are in `scored`, without its truth): MultiScored's
  std::vector<double> label_mass;
  // The rows for which no label is right, in the same form.
  std::vector<double> none_probabilities, none_label_mass;
  int64_t n_tokens = 0;  // read for all rows
  int64_t n_none() const { return static_cast<int64_t>(none_label_mass.size()); }
};

// Every probability of every row. A row that cannot be scored is an error that names it. progress(rows done, all rows) is
// called between batches; false cancels.
Result<LabelledScores> ScoreLabelled(Classifier& classifier, const LabelledRows& rows,
                                     const std::function<bool(int64_t done, int64_t total)>& progress = {});

// How well three measures tell rows with a right label from rows without one, as areas under the ROC curve.
struct NoneFigures {
  int64_t n_rows = 0;  // without a right label
  double by_label_mass = 0.5, by_confidence = 0.5, by_margin = 0.5;
};
NoneFigures MeasureNone(const LabelledScores& scores);
NoneFigures MeasureNone(const LabelledScores& scores, const LabelTree& tree);  // of the leaves

}  // namespace lfm::classify
