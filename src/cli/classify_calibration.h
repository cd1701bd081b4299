// The flags that change a row's probabilities before it is decided: a fitted calibration, or a prior without labelled rows.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "classify/classifier.h"
#include "cli/args.h"
#include "cli/classify_args.h"
#include "cli/classify_labelled.h"

namespace lfm::cli {

struct CalibrationArgs {
  std::optional<std::string> calibration, prior;
  std::optional<float> precision;  // --target-precision

  void Declare(Args& args);
  bool changes() const { return calibration.has_value() || prior.has_value(); }
  // Flags that do not go together.
  Status Check(const std::string& input) const;
};

struct Adjustment {
  std::function<void(std::span<double>)> adjust;  // empty: nothing is changed
  std::optional<double> threshold;                // of --target-precision
  // In its place with parents: of each level. With --multi-label: of each label, fitted or of --target-precision.
  std::vector<double> thresholds;
  std::string settings;  // all that it depends on, for the resume point
};

// Reads --calibration, or scores what --prior needs: the first kPriorRows rows of `input`, or texts that say nothing.
Result<Adjustment> MakeAdjustment(const CalibrationArgs& calibration, const ClassifyArgs& args, const std::string& input,
                                  const engine::LoadedModel& model, classify::Classifier& classifier);

inline constexpr int64_t kPriorRows = 1024;

}  // namespace lfm::cli
