// Calibrations of sets that are asked by several questions: with parents a group of siblings is one, with yes/no questions each
// label is. Every question has a temperature and biases of its own, fitted as calibration.h says on the rows that it concerns,
// and keeps the model's probabilities where its rows are few or a fit gains nothing on rows left out.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "classify/calibration.h"
#include "classify/label_tree.h"
#include "classify/multi_metrics.h"

namespace lfm::classify {

enum class SetKind : uint8_t { kParents, kMultiLabel };

struct SetCalibration {
  SetKind kind = SetKind::kParents;
  // Of each group of a LabelTree, in its order; or of each label, over its answers yes and no.
  std::vector<Calibration> parts;
  // Of each level, from the top: from that confidence of the likeliest leaf's label there on, it was right so often. Or of
  // each label: from that probability on it fitted so often.
  std::vector<std::vector<PrecisionThreshold>> thresholds;
  std::vector<double> label_thresholds;  // kMultiLabel: of each label, from which on it is given
  Fingerprint made_for;

  // One row of all labels, in place. Thread-safe. The tree must be of the set that it was fitted for.
  void Apply(const LabelTree& tree, std::span<double> probabilities) const;
  // Of each level or label for this precision; infinite where none reached it. An error where none did at all.
  Result<std::vector<double>> ThresholdsFor(double precision) const;
};

// What became of one question.
struct PartFit {
  int64_t n_rows = 0;  // kMultiLabel: that the label fits
  bool fitted = false;
  double shrinkage = 0;
};
// A group needs kFewestFitRows rows, a label so many that it fits and so many that it does not.
inline constexpr int64_t kFewestOfEachAnswer = 3;

struct TreeFit {
  SetCalibration calibration;
  std::vector<PartFit> parts;          // of the groups
  std::vector<Metrics> before, after;  // of each level; after: no row under a fit that saw it
};
// `truth` of `scored` are places of any labels: one that has others below it says what is right down to its level.
// At least kFewestFitRows rows.
Result<TreeFit> FitTree(const LabelTree& tree, const Scored& scored, const FitOptions& options = {});

struct MultiFit {
  SetCalibration calibration;
  std::vector<PartFit> parts;  // of the labels
  // At 0.5 without a fit; and no row under a fit or a threshold that saw it.
  MultiMetrics before, after;
};
// The threshold of a label is the one of most F1 on rows left out; 0.5 where that is no better there, on other folds, than 0.5
// and than giving the label to every row.
Result<MultiFit> FitMulti(const MultiScored& scored, const FitOptions& options = {});

// Priors without labelled rows, as calibrations; `probabilities`: [rows, labels], of rows or of texts that say nothing.
// With parents each group has its own; a row counts in a group as much as it is likely to be in it. A label's yes/no question:
// batch takes away what it has more or less in mean log odds than the labels have together; contextual makes a text that
// says nothing undecided.
SetCalibration BatchPrior(const LabelTree& tree, SetKind kind, std::span<const double> probabilities);
SetCalibration ContextualPrior(const LabelTree& tree, SetKind kind, std::span<const double> probabilities);

// The file, version 2 of what calibration.h describes: {"kind": "parents", "groups": [{"parent", "temperature", "labels":
// [{"name", "bias"}]}], "levels": [{"thresholds"}]} or {"kind": "multi-label", "labels": [{"name", "temperature", "bias",
// "threshold", "thresholds"}]}.
Json SetCalibrationJson(const SetCalibration& calibration, const LabelTree& tree, std::span<const std::string> names);
// Refuses what is for other labels, another prompt or another model, and what is damaged.
Result<SetCalibration> ReadSetCalibration(std::string_view text, SetKind kind, const Fingerprint& here, const LabelTree& tree,
                                          std::span<const std::string> names);

}  // namespace lfm::classify
