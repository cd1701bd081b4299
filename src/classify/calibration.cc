#include "classify/calibration.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/strings.h"
#include "classify/minimise.h"
#include "engine/random.h"

namespace lfm::classify {
namespace {

// A probability of 0 counts as this: the logarithm stays finite.
constexpr double kLeastProbability = 1e-30;
constexpr double kPriorOfLogTemperature = 1;  // inverse variance
constexpr double kInfinite = std::numeric_limits<double>::infinity();
constexpr double kGrid[kShrinkages] = {kInfinite, 100, 30, 10, 3, 1, 0.3, 0.1};

double LogOf(double p) { return std::log(std::max(p, kLeastProbability)); }

// values := softmax(values); returns the logarithm of the sum.
double Softmax(std::span<double> values) {
  const double most = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (double& value : values) sum += value = std::exp(value - most);
  for (double& value : values) value /= sum;
  return most + std::log(sum);
}

// The penalised log loss of chosen rows, as a function of (log of 1 / temperature, biases...).
class Objective {
 public:
  Objective(std::span<const double> logs, const Scored& scored, std::vector<int64_t> rows, double shrinkage)
      : logs_(logs), scored_(scored), rows_(std::move(rows)), shrinkage_(shrinkage) {}

  double operator()(std::span<const double> x, std::span<double> gradient) const {
    const double scale = std::exp(x[0]);
    const auto biases = x.subspan(1);
    double loss = 0.5 * kPriorOfLogTemperature * x[0] * x[0], by_scale = 0;
    std::fill(gradient.begin(), gradient.end(), 0.0);
    const bool has_biases = std::isfinite(shrinkage_);
    const size_t k = biases.size();
    std::vector<double> q(k);
    for (const int64_t i : rows_) {
      const auto logs = logs_.subspan(static_cast<size_t>(i) * k, k);
      for (size_t j = 0; j < k; ++j) q[j] = scale * logs[j] + biases[j];
      const size_t truth = static_cast<size_t>(scored_.truth[static_cast<size_t>(i)]);
      const double at_truth = q[truth];
      loss += Softmax(q) - at_truth;
      q[truth] -= 1;
      for (size_t j = 0; j < k; ++j) {
        by_scale += q[j] * logs[j];
        if (has_biases) gradient[1 + j] += q[j];
      }
    }
    gradient[0] = by_scale * scale + kPriorOfLogTemperature * x[0];
    if (has_biases) {
      for (size_t j = 0; j < k; ++j) {
        loss += 0.5 * shrinkage_ * biases[j] * biases[j];
        gradient[1 + j] += shrinkage_ * biases[j];
      }
    }
    return loss;
  }

 private:
  std::span<const double> logs_;
  const Scored& scored_;
  std::vector<int64_t> rows_;
  double shrinkage_;
};

std::vector<double> LogsOf(const Scored& scored) {
  std::vector<double> logs(scored.probabilities.size());
  std::transform(scored.probabilities.begin(), scored.probabilities.end(), logs.begin(), LogOf);
  return logs;
}

// Fits from x on, and leaves the place there: the next weaker shrinkage begins near its own.
Calibration FitRows(std::span<const double> logs, const Scored& scored, std::vector<int64_t> rows, double shrinkage,
                    std::vector<double>& x) {
  const Objective objective(logs, scored, std::move(rows), shrinkage);
  Minimise([&](std::span<const double> at, std::span<double> gradient) { return objective(at, gradient); }, x);
  Calibration fitted;
  fitted.temperature = std::exp(-x[0]);
  fitted.biases.assign(x.begin() + 1, x.end());
  return fitted;
}

// A fold for each row: rows of one label go around the folds, in an order drawn by the seed.
std::vector<int> Folds(const Scored& scored, int n_folds, uint64_t seed) {
  std::vector<size_t> order(scored.truth.size());
  std::iota(order.begin(), order.end(), size_t{0});
  for (size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[static_cast<size_t>(engine::UniformDraw(seed, i) * static_cast<double>(i))]);
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scored.truth[a] < scored.truth[b]; });
  std::vector<int> folds(order.size());
  for (size_t i = 0; i < order.size(); ++i) folds[order[i]] = static_cast<int>(i % static_cast<size_t>(n_folds));
  return folds;
}

std::vector<double> LossesOf(const Scored& scored) {
  std::vector<double> losses;
  for (int64_t i = 0; i < scored.n_rows(); ++i) {
    losses.push_back(-LogOf(scored.row(i)[static_cast<size_t>(scored.truth[static_cast<size_t>(i)])]));
  }
  return losses;
}

double MeanOf(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Whether the first losses are worse than the second ones by no more than the standard error of their difference.
bool IsAsGood(std::span<const double> losses, std::span<const double> best) {
  const double n = static_cast<double>(losses.size()), mean = MeanOf(losses) - MeanOf(best);
  double squares = 0;
  for (size_t i = 0; i < losses.size(); ++i) {
    const double off = losses[i] - best[i] - mean;
    squares += off * off;
  }
  return mean <= std::sqrt(squares / n / (n - 1));
}

// The strongest shrinkage that is as good as the best one: a few rows do not tell small differences.
int ChooseShrinkage(const std::vector<std::vector<double>>& losses) {
  const auto best =
      std::min_element(losses.begin(), losses.end(), [](const auto& a, const auto& b) { return MeanOf(a) < MeanOf(b); });
  const auto chosen = std::find_if(losses.begin(), best, [&](const auto& one) { return IsAsGood(one, *best); });
  return static_cast<int>(chosen - losses.begin());
}

// Every row by fits on the other folds, for each shrinkage.
Result<std::vector<Scored>> LeaveOut(std::span<const double> logs, const Scored& scored, const FitOptions& options) {
  std::vector<Scored> all(kShrinkages, scored);
  const std::vector<int> folds = Folds(scored, options.n_folds, options.seed);
  for (int fold = 0; fold < options.n_folds; ++fold) {
    std::vector<int64_t> rows;
    for (int64_t i = 0; i < scored.n_rows(); ++i) {
      if (folds[static_cast<size_t>(i)] != fold) rows.push_back(i);
    }
    std::vector<double> x(static_cast<size_t>(scored.n_labels) + 1);
    for (int s = 0; s < kShrinkages; ++s) {
      if (options.progress && !options.progress(fold * kShrinkages + s, options.n_folds * kShrinkages)) {
        return Error{ErrorCode::kCancelled, "interrupted"};
      }
      const Calibration fitted = FitRows(logs, scored, rows, ShrinkageAt(s), x);
      for (int64_t i = 0; i < scored.n_rows(); ++i) {
        if (folds[static_cast<size_t>(i)] != fold) continue;
        auto& left_out = all[static_cast<size_t>(s)];
        fitted.Apply(std::span(left_out.probabilities)
                         .subspan(static_cast<size_t>(i * scored.n_labels), static_cast<size_t>(scored.n_labels)));
      }
    }
  }
  return all;
}

std::vector<double> Centred(std::vector<double> values) {
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  for (double& value : values) value -= mean;
  return values;
}

}  // namespace

double ShrinkageAt(int i) { return kGrid[i]; }

void Calibration::Apply(std::span<double> probabilities) const {
  for (size_t j = 0; j < probabilities.size(); ++j) {
    probabilities[j] = LogOf(probabilities[j]) / temperature + (j < biases.size() ? biases[j] : 0);
  }
  Softmax(probabilities);
}

void Calibration::Apply(Scored& scored) const {
  const size_t k = static_cast<size_t>(scored.n_labels);
  for (size_t i = 0; i < scored.truth.size(); ++i) Apply(std::span(scored.probabilities).subspan(i * k, k));
}

bool Calibration::IsIdentity() const {
  return temperature == 1 && std::all_of(biases.begin(), biases.end(), [](double bias) { return bias == 0; });
}

Result<double> Calibration::ThresholdFor(double precision) const {
  std::string known;
  for (const PrecisionThreshold& threshold : thresholds) {
    if (std::abs(threshold.precision - precision) < 1e-9) return threshold.confidence;
    known += StrCat(known.empty() ? "" : ", ", threshold.precision);
  }
  return Error{ErrorCode::kInvalidArgument,
               known.empty() ? std::string("no precision was reached on the rows that the calibration was fitted on")
                             : StrCat("no threshold was fitted for a precision of ", precision, "; there are those for ", known)};
}

Calibration FitAt(const Scored& scored, double shrinkage) {
  std::vector<int64_t> rows(scored.truth.size());
  std::iota(rows.begin(), rows.end(), int64_t{0});
  std::vector<double> x(static_cast<size_t>(scored.n_labels) + 1);
  return FitRows(LogsOf(scored), scored, std::move(rows), shrinkage, x);
}

Result<Fit> FitCalibration(const Scored& scored, const FitOptions& options) {
  LFM_RETURN_IF_ERROR(CheckScored(scored));
  if (scored.n_rows() < kFewestFitRows) {
    return Error{ErrorCode::kInvalidArgument, StrCat("a calibration needs at least ", kFewestFitRows,
                                                     " labelled rows, better 100; there are ", scored.n_rows())};
  }
  LFM_TRY(std::vector<Scored> left_out, LeaveOut(LogsOf(scored), scored, options));
  Fit fit;
  std::vector<std::vector<double>> losses;
  for (const Scored& one : left_out) losses.push_back(LossesOf(one));
  const int chosen = ChooseShrinkage(losses);
  fit.shrinkage = ShrinkageAt(chosen);
  fit.calibration = FitAt(scored, fit.shrinkage);
  fit.helps = MeanOf(losses[static_cast<size_t>(chosen)]) < MeanOf(LossesOf(scored));
  fit.left_out = std::move(left_out[static_cast<size_t>(chosen)]);
  MeasureOptions measure;
  measure.n_resamples = options.n_resamples;
  LFM_TRY(fit.before, Measure(scored, measure));
  LFM_TRY(fit.after, Measure(fit.left_out, measure));
  std::vector<double> precisions = options.precisions;
  std::sort(precisions.begin(), precisions.end());
  precisions.erase(std::unique(precisions.begin(), precisions.end()), precisions.end());
  for (const double precision : precisions) {
    if (const auto found = FindThreshold(fit.left_out, precision)) fit.calibration.thresholds.push_back(*found);
  }
  return fit;
}

std::optional<PrecisionThreshold> FindThreshold(const Scored& scored, double precision) {
  std::vector<RankedDecision> rows;
  for (int64_t i = 0; i < scored.n_rows(); ++i) {
    const int32_t best = Best(scored.row(i));
    rows.push_back({scored.row(i)[static_cast<size_t>(best)], best == scored.truth[static_cast<size_t>(i)]});
  }
  return FindThreshold(std::move(rows), precision);
}

std::optional<PrecisionThreshold> FindThreshold(std::vector<RankedDecision> decisions, double precision) {
  std::sort(decisions.begin(), decisions.end(), [](const auto& a, const auto& b) { return a.confidence > b.confidence; });
  std::optional<PrecisionThreshold> found;
  int64_t n_wrong = 0;
  for (size_t i = 0; i < decisions.size(); ++i) {
    n_wrong += decisions[i].right ? 0 : 1;
    if (i + 1 < decisions.size() && decisions[i + 1].confidence == decisions[i].confidence) continue;
    const double n = static_cast<double>(i + 1);
    // Compared without a quotient, so that 1 of 20 is 5 % and not a rounding above it.
    if (static_cast<double>(n_wrong + 1) <= (1 - precision) * (n + 1) * (1 + 1e-12)) {
      found = PrecisionThreshold{precision, decisions[i].confidence, n / static_cast<double>(decisions.size())};
    }
  }
  return found;
}

Result<double> ThresholdOfCosts(double error, double hand_over) {
  if (!(error > 0) || !(hand_over >= 0) || !std::isfinite(error) || !std::isfinite(hand_over)) {
    return Error{ErrorCode::kInvalidArgument, "the cost of an error must be more than 0, that of a hand-over at least 0"};
  }
  return std::max(0.0, 1 - hand_over / error);
}

std::vector<double> BatchBiases(std::span<const double> probabilities, int64_t n_labels) {
  std::vector<double> sums(static_cast<size_t>(n_labels));
  for (size_t i = 0; i < probabilities.size(); ++i) sums[i % sums.size()] -= LogOf(probabilities[i]);
  const size_t rows = probabilities.size() / sums.size();
  const double n_rows = static_cast<double>(rows);
  if (n_rows > 0) {
    for (double& sum : sums) sum /= n_rows;
  }
  return Centred(std::move(sums));
}

std::vector<double> ContextualBiases(std::span<const double> probabilities, int64_t n_labels) {
  std::vector<double> biases(static_cast<size_t>(n_labels));
  for (size_t i = 0; i < probabilities.size(); ++i) biases[i % biases.size()] += probabilities[i];
  const size_t rows = probabilities.size() / biases.size();
  const double n_rows = static_cast<double>(rows);
  for (double& bias : biases) bias = n_rows > 0 ? -LogOf(bias / n_rows) : 0;
  return Centred(std::move(biases));
}

}  // namespace lfm::classify
