// Probabilities made trustworthy on labelled rows: p' is softmax(log p / temperature + bias), fitted and kept as a small file.
//
// Temperature scaling is Guo et al. 2017 ("On calibration of modern neural networks"); a bias for each label beside it is
// the affine calibration of arXiv 2505.23783. Priors without labelled rows: batch calibration (arXiv 2309.17249) and
// contextual calibration (Zhao et al. 2021). Sets with parents or of yes/no questions: set_calibration.h.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "classify/metrics.h"

namespace lfm::classify {

// From this confidence on, the labelled rows reached the precision.
struct PrecisionThreshold {
  double precision = 0, confidence = 0, coverage = 0;  // coverage: the share of rows at or above it
};

// Whose probabilities a calibration is made for. Both are hashes in hexadecimal; equal means that every probability is the same.
struct Fingerprint {
  std::string model;   // the weights
  std::string labels;  // the labels' names, the prompt that lists them and the way they are scored

  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

struct Calibration {
  double temperature = 1;
  std::vector<double> biases;                  // of each label, log units
  std::vector<PrecisionThreshold> thresholds;  // by rising precision
  Fingerprint made_for;

  // One row, in place: stays a distribution, also where a probability is 0. Thread-safe.
  void Apply(std::span<double> probabilities) const;
  void Apply(Scored& scored) const;
  // Whether Apply() would change nothing.
  bool IsIdentity() const;
  // The fitted confidence for that precision, or an error that lists those that there are.
  Result<double> ThresholdFor(double precision) const;
};

// The file of `lfm classify fit`, and back. Reading checks every member; names the one that is wrong.
inline constexpr const char* kCalibrationFormat = "lfm-calibration";
Json CalibrationJson(const Calibration& calibration, std::span<const std::string> names);
Result<Calibration> CalibrationFromJson(const Json& json);
// The same from a file's text. An error where the file is for other labels, another prompt or another model: its figures
// would be wrong there.
Result<Calibration> ReadCalibration(std::string_view text, const Fingerprint& here, std::span<const std::string> names);

struct FitOptions {
  int n_folds = 5;
  uint64_t seed = 1;                                              // of the folds
  std::vector<double> precisions = {0.8, 0.9, 0.95, 0.98, 0.99};  // thresholds are sought for these
  int n_resamples = 1000;                                         // of the intervals of `before` and `after`
  // Called before each fit; false cancels.
  std::function<bool(int done, int total)> progress;
};

struct Fit {
  Calibration calibration;
  double shrinkage = 0;  // the chosen pull of the biases towards 0; infinite: temperature alone
  bool helps = false;    // the log loss of rows left out is better than without
  Metrics before;        // as the model gives them
  Metrics after;         // each row calibrated by a fit on the other folds: nothing measured on what it was fitted on
  Scored left_out;       // the rows calibrated so
};

// From the strongest on. Chosen is the strongest whose log loss on rows left out is within a standard error of the best.
inline constexpr int kShrinkages = 8;
double ShrinkageAt(int i);  // infinite, 100, 30, 10, 3, 1, 0.3, 0.1

inline constexpr int64_t kFewestFitRows = 10;

// Fits temperature and biases by maximum likelihood with Gaussian priors: of the log temperature with deviation 1 about 0,
// of each bias with variance 1 / shrinkage. Deterministic. At least kFewestFitRows rows.
Result<Fit> FitCalibration(const Scored& scored, const FitOptions& options = {});

// The maximum for one shrinkage, without cross-validation: `temperature` and `biases` alone.
Calibration FitAt(const Scored& scored, double shrinkage);

// The lowest confidence c with (wrong + 1) / (rows + 1) <= 1 - precision over the rows at or above c: one error more than
// was seen, so few rows do not promise much (the rule of conformal risk control, arXiv 2208.02814). None: no c does.
std::optional<PrecisionThreshold> FindThreshold(const Scored& scored, double precision);
// The same of any decisions, each with its confidence and whether it was right, in any order.
struct RankedDecision {
  double confidence = 0;
  bool right = false;
};
std::optional<PrecisionThreshold> FindThreshold(std::vector<RankedDecision> decisions, double precision);

// The confidence below which handing a row over is cheaper than answering: 1 - hand_over / error, at least 0.
Result<double> ThresholdOfCosts(double error, double hand_over);

// Biases that take a prior away: minus the mean log probability over rows (batch calibration), and minus the log of the mean
// probability over texts that say nothing (contextual calibration). Their mean is 0.
std::vector<double> BatchBiases(std::span<const double> probabilities, int64_t n_labels);
std::vector<double> ContextualBiases(std::span<const double> probabilities, int64_t n_labels);

}  // namespace lfm::classify
