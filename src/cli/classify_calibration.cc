#include "cli/classify_calibration.h"

#include <memory>
#include <utility>

#include "base/strings.h"
#include "classify/calibration.h"
#include "classify/fingerprint.h"
#include "cli/classify_job.h"
#include "cli/figures.h"
#include "cli/interrupt.h"
#include "formats/checkpoint.h"

namespace lfm::cli {
namespace {

Error CalibrationUsage(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

// The probabilities of texts, one row after the other; rows that cannot be scored are left out.
Result<std::vector<double>> ProbabilitiesOf(classify::Classifier& classifier, std::span<const std::string> texts) {
  LFM_TRY(const auto scores, classifier.Score(texts, &Interrupted()));
  std::vector<double> all;
  for (const classify::Scores& one : scores) {
    if (one.status.ok()) all.insert(all.end(), one.probabilities.begin(), one.probabilities.end());
  }
  if (all.empty()) return CalibrationUsage("--prior: there is no text to estimate it from");
  return all;
}

// The probabilities that a prior is estimated from.
Result<std::vector<double>> PriorRows(const std::string& kind, const ClassifyArgs& args, const std::string& input,
                                      classify::Classifier& classifier) {
  if (kind == "contextual") return ProbabilitiesOf(classifier, classify::ContentFreeTexts());
  LFM_TRY(OpenedTable table, args.Open(input));
  std::vector<std::string> texts;
  while (static_cast<int64_t>(texts.size()) < kPriorRows) {
    LFM_TRY(const RowBatch batch, ReadBatch(table, kPriorRows - static_cast<int64_t>(texts.size())));
    if (batch.rows.empty()) break;
    for (size_t i = 0; i < batch.rows.size(); ++i) {
      if (batch.rows[i].status.ok()) texts.push_back(batch.texts[i]);
    }
  }
  return ProbabilitiesOf(classifier, texts);
}

// All figures of a calibration as text.
void AddSettings(const classify::Calibration& calibration, std::string& settings) {
  settings += Json(calibration.temperature).Dump();
  for (const double bias : calibration.biases) settings += " " + Json(bias).Dump();
}

// With parents, or with yes/no questions.
Result<Adjustment> MakeSetAdjustment(const CalibrationArgs& flags, const ClassifyArgs& args, const std::string& input,
                                     const engine::LoadedModel& model, classify::Classifier& classifier) {
  Adjustment adjustment;
  const auto kind = args.multi_label ? classify::SetKind::kMultiLabel : classify::SetKind::kParents;
  auto tree = std::make_shared<const classify::LabelTree>(classifier.labels());
  auto calibration = std::make_shared<classify::SetCalibration>();
  if (flags.prior) {
    LFM_TRY(const auto rows, PriorRows(*flags.prior, args, input, classifier));
    *calibration = flags.prior == "batch" ? BatchPrior(*tree, kind, rows) : ContextualPrior(*tree, kind, rows);
  } else {
    LFM_TRY(*calibration, ReadSetCalibrationFor(*flags.calibration, kind, model, classifier));
    adjustment.thresholds = calibration->label_thresholds;
  }
  if (flags.precision) {
    auto thresholds = calibration->ThresholdsFor(ShortestDouble(*flags.precision));
    if (!thresholds.ok()) return thresholds.error().Within("--target-precision");
    adjustment.thresholds = std::move(*thresholds);
  }
  for (const classify::Calibration& part : calibration->parts) {
    adjustment.settings += "\n";
    AddSettings(part, adjustment.settings);
  }
  for (const double threshold : adjustment.thresholds) adjustment.settings += StrCat(" ", Significant(threshold, 17));
  adjustment.adjust = [calibration, tree](std::span<double> probabilities) { calibration->Apply(*tree, probabilities); };
  return adjustment;
}

}  // namespace

void CalibrationArgs::Declare(Args& args) {
  args.Text("--calibration", calibration, "FILE",
            "probabilities as lfm classify fit corrected them; for the same labels and model");
  args.Real("--target-precision", precision, "P",
            "abstain below the confidence that reached it on the rows of the calibration; eval: the coverage shown is for it");
  args.Choice("--prior", prior, {"batch", "contextual"},
              "take the labels' prior away, without labelled rows: the mean over the first 1024 rows, or over empty texts");
}

Status CalibrationArgs::Check(const std::string& input) const {
  if (precision && !(*precision > 0 && *precision < 1))
    return CalibrationUsage("--target-precision: a share between 0 and 1 is wanted");
  if (!changes()) return Ok();
  if (calibration && prior) return CalibrationUsage("--calibration and --prior both correct the probabilities; give one of them");
  if (prior == "batch" && input == "-")
    return CalibrationUsage("--prior batch reads rows twice; give a file, not standard input");
  return Ok();
}

Result<Adjustment> MakeAdjustment(const CalibrationArgs& flags, const ClassifyArgs& args, const std::string& input,
                                  const engine::LoadedModel& model, classify::Classifier& classifier) {
  Adjustment adjustment;
  if (flags.precision && !flags.calibration)
    return CalibrationUsage("--target-precision needs --calibration FILE, which knows the thresholds");
  if (!flags.changes()) return adjustment;
  if (args.multi_label || !classifier.labels().is_flat()) return MakeSetAdjustment(flags, args, input, model, classifier);
  auto calibration = std::make_shared<classify::Calibration>();
  if (flags.prior) {
    LFM_TRY(const auto rows, PriorRows(*flags.prior, args, input, classifier));
    const auto n_labels = static_cast<int64_t>(classifier.labels().size());
    calibration->biases =
        flags.prior == "batch" ? classify::BatchBiases(rows, n_labels) : classify::ContextualBiases(rows, n_labels);
  } else {
    LFM_TRY(*calibration, ReadCalibrationFor(*flags.calibration, model, classifier));
  }
  if (flags.precision) {
    auto threshold = calibration->ThresholdFor(ShortestDouble(*flags.precision));
    if (!threshold.ok()) return threshold.error().Within("--target-precision");
    adjustment.threshold = *threshold;
  }
  // The biases and not the flags: a prior depends on the rows.
  AddSettings(*calibration, adjustment.settings);
  adjustment.adjust = [calibration](std::span<double> probabilities) { calibration->Apply(probabilities); };
  return adjustment;
}

}  // namespace lfm::cli
