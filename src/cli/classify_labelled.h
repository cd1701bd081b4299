// `lfm classify fit` and `lfm classify eval`: labelled rows to a calibration, and to figures.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "classify/calibration.h"
#include "classify/labelled.h"
#include "classify/set_calibration.h"
#include "cli/args.h"
#include "cli/classify_args.h"
#include "engine/loaded_model.h"

namespace lfm::cli {

// Flags of both beside those of ClassifyArgs and CalibrationArgs.
struct LabelledArgs {
  std::optional<std::string> labelled, label_column, plots;
  bool json = false;

  void Declare(Args& args);
};

// An error where the file is not made for this classifier on this model.
Result<classify::Calibration> ReadCalibrationFor(const std::string& path, const engine::LoadedModel& model,
                                                 const classify::Classifier& classifier);

Result<classify::SetCalibration> ReadSetCalibrationFor(const std::string& path, classify::SetKind kind,
                                                       const engine::LoadedModel& model, const classify::Classifier& classifier);

// 0.95f -> 0.95: what was typed, not the float that is nearest to it.
double ShortestDouble(float value);

// Writes the calibration to `output` and says what it gains.
Result<int> RunClassifyFit(const ClassifyArgs& args, const LabelledArgs& labelled, std::optional<float> precision,
                           const std::string& output);
// Prints figures, and with plots writes them as pictures into that folder. threshold: of labels, with --multi-label.
struct CalibrationArgs;
Result<int> RunClassifyEval(const ClassifyArgs& args, const LabelledArgs& labelled, const CalibrationArgs& calibration,
                            std::optional<float> threshold);

}  // namespace lfm::cli
