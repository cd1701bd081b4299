#include "classify/set_calibration.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/strings.h"

namespace lfm::classify {
namespace {

constexpr double kNeverReached = std::numeric_limits<double>::infinity();
constexpr double kUnfittedThreshold = 0.5;
constexpr double kLeastShare = 1e-30;  // a probability of 0 counts as this

void ApplyToAnswer(const Calibration& part, double& probability) {
  if (part.IsIdentity()) return;
  double answers[] = {probability, 1 - probability};
  part.Apply(answers);
  probability = answers[0];
}

Calibration Unfitted(size_t n_answers) {
  Calibration calibration;
  calibration.biases.assign(n_answers, 0);
  return calibration;
}

// Each of the precisions once, rising.
std::vector<double> Precisions(const FitOptions& options) {
  std::vector<double> precisions = options.precisions;
  std::sort(precisions.begin(), precisions.end());
  precisions.erase(std::unique(precisions.begin(), precisions.end()), precisions.end());
  return precisions;
}

Error TooFewRows(int64_t n) {
  return {ErrorCode::kInvalidArgument,
          StrCat("a calibration needs at least ", kFewestFitRows, " labelled rows, better 100; there are ", n)};
}

// The confidence in the label of the likeliest leaf on this level, for each row that says what is right there.
std::vector<RankedDecision> DecisionsOnLevel(const LabelTree& tree, const Scored& scored, int level) {
  const std::vector<size_t>& leaves = tree.Cut(tree.n_levels());
  std::vector<RankedDecision> decisions;
  for (int64_t i = 0; i < scored.n_rows(); ++i) {
    const auto row = scored.row(i);
    const size_t truth = tree.At(static_cast<size_t>(scored.truth[static_cast<size_t>(i)]), level);
    if (!tree.IsLeaf(truth) && tree.LevelOf(truth) < level) continue;
    const size_t leaf = *std::max_element(leaves.begin(), leaves.end(), [&](size_t a, size_t b) { return row[a] < row[b]; });
    const size_t at = tree.At(leaf, level);
    decisions.push_back({row[at], at == truth});
  }
  return decisions;
}

Status MeasureLevels(const LabelTree& tree, const Scored& scored, const FitOptions& options, std::vector<Metrics>& levels) {
  MeasureOptions measure;
  measure.n_resamples = options.n_resamples;
  for (int level = 1; level <= tree.n_levels(); ++level) {
    const Scored on = tree.OnLevel(scored, level);
    if (on.n_rows() == 0) break;  // no row says what is right so far down
    LFM_TRY(Metrics metrics, Measure(on, measure));
    levels.push_back(std::move(metrics));
  }
  return Ok();
}

// One label's answers as a set of two labels: yes and no.
Scored AnswersOf(const MultiScored& scored, size_t label) {
  Scored answers;
  answers.n_labels = 2;
  for (size_t i = label; i < scored.fits.size(); i += static_cast<size_t>(scored.n_labels)) {
    answers.probabilities.insert(answers.probabilities.end(), {scored.probabilities[i], 1 - scored.probabilities[i]});
    answers.truth.push_back(scored.fits[i] != 0 ? 0 : 1);
  }
  return answers;
}

// The threshold of most F1 over these rows of a label. Between two probabilities it stands in their middle.
double BestThreshold(const MultiScored& scored, size_t label, const std::function<bool(size_t row)>& counts) {
  const auto k = static_cast<size_t>(scored.n_labels);
  std::vector<RankedDecision> rows;
  int64_t n_fits = 0, n_right = 0, n_given_at_half = 0, n_right_at_half = 0;
  for (size_t i = label; i < scored.fits.size(); i += k) {
    if (!counts(i / k)) continue;
    const bool fits = scored.fits[i] != 0;
    rows.push_back({scored.probabilities[i], fits});
    n_fits += fits ? 1 : 0;
    if (scored.probabilities[i] < kUnfittedThreshold) continue;
    n_given_at_half += 1;
    n_right_at_half += fits ? 1 : 0;
  }
  const auto f1 = [&](int64_t right, int64_t given) {
    return given + n_fits > 0 ? 2 * static_cast<double>(right) / static_cast<double>(given + n_fits) : 0;
  };
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.confidence > b.confidence; });
  double best = kUnfittedThreshold, most = f1(n_right_at_half, n_given_at_half);
  for (size_t i = 0; i < rows.size(); ++i) {
    n_right += rows[i].right ? 1 : 0;
    const double next = i + 1 < rows.size() ? rows[i + 1].confidence : 0;
    if (next == rows[i].confidence || !(f1(n_right, static_cast<int64_t>(i) + 1) > most)) continue;
    most = f1(n_right, static_cast<int64_t>(i) + 1);
    best = (rows[i].confidence + next) / 2;
  }
  return best;
}

// F1 of decisions on a label's rows.
double F1Of(const MultiScored& scored, size_t label, std::span<const uint8_t> given) {
  const auto k = static_cast<size_t>(scored.n_labels);
  LabelFigures figures;
  for (size_t row = 0; row < given.size(); ++row) {
    const bool fits = scored.fits[row * k + label] != 0;
    figures.n_rows += fits ? 1 : 0;
    figures.n_predicted += given[row];
    figures.n_right += fits && given[row] != 0 ? 1 : 0;
  }
  const int64_t n = figures.n_rows + figures.n_predicted;
  return n > 0 ? 2 * static_cast<double>(figures.n_right) / static_cast<double>(n) : 0;
}

// A label's decision on each row, and the threshold for rows to come.
struct LabelDecisions {
  std::vector<uint8_t> given;  // by thresholds of the rows of other folds
  double threshold = kUnfittedThreshold;
};

// The threshold moves from 0.5 where on rows left out that is better than 0.5, and better than giving the label to every row:
// where a probability tells nothing, most F1 lies there.
LabelDecisions DecideLabel(const MultiScored& scored, size_t label, int n_folds) {
  const auto k = static_cast<size_t>(scored.n_labels), folds = static_cast<size_t>(n_folds);
  const size_t n_rows = scored.fits.size() / k;
  std::vector<uint8_t> fitted(n_rows), at_half(n_rows);
  for (size_t fold = 0; fold < folds; ++fold) {
    const double threshold = BestThreshold(scored, label, [&](size_t row) { return row % folds != fold; });
    for (size_t row = fold; row < n_rows; row += folds) {
      fitted[row] = scored.probabilities[row * k + label] >= threshold ? 1 : 0;
      at_half[row] = scored.probabilities[row * k + label] >= kUnfittedThreshold ? 1 : 0;
    }
  }
  const double unfitted = std::max(F1Of(scored, label, at_half), F1Of(scored, label, std::vector<uint8_t>(n_rows, 1)));
  if (!(F1Of(scored, label, fitted) > unfitted)) return {at_half, kUnfittedThreshold};
  return {fitted, BestThreshold(scored, label, [](size_t) { return true; })};
}

double LogOdds(double p) { return std::log(std::max(p, kLeastShare)) - std::log(std::max(1 - p, kLeastShare)); }

// A prior of yes/no questions: minus what the measure says of each label.
SetCalibration MultiPrior(std::span<const double> minus) {
  SetCalibration prior;
  prior.kind = SetKind::kMultiLabel;
  for (const double value : minus) {
    Calibration part;
    part.biases = {-value, 0};
    prior.parts.push_back(part);
  }
  return prior;
}

}  // namespace

void SetCalibration::Apply(const LabelTree& tree, std::span<double> probabilities) const {
  if (kind == SetKind::kMultiLabel) {
    for (size_t i = 0; i < probabilities.size(); ++i) ApplyToAnswer(parts[i], probabilities[i]);
    return;
  }
  const std::vector<double> before(probabilities.begin(), probabilities.end());
  for (size_t g = 0; g < tree.groups().size(); ++g) {
    const LabelGroup& group = tree.groups()[g];
    std::vector<double> conditional = tree.Conditional(group, before);
    if (!parts[g].IsIdentity()) parts[g].Apply(conditional);
    const double above = group.parent < probabilities.size() ? probabilities[group.parent] : 1;
    for (size_t j = 0; j < conditional.size(); ++j) probabilities[group.places[j]] = above * conditional[j];
  }
}

Result<std::vector<double>> SetCalibration::ThresholdsFor(double precision) const {
  std::vector<double> found;
  for (const std::vector<PrecisionThreshold>& list : thresholds) {
    const auto it = std::find_if(list.begin(), list.end(),
                                 [&](const PrecisionThreshold& one) { return std::abs(one.precision - precision) < 1e-9; });
    found.push_back(it == list.end() ? kNeverReached : it->confidence);
  }
  if (std::any_of(found.begin(), found.end(), [](double value) { return std::isfinite(value); })) return found;
  std::string known;
  for (const std::vector<PrecisionThreshold>& list : thresholds) {
    for (const PrecisionThreshold& one : list) {
      if (known.find(StrCat(" ", one.precision, ",")) == std::string::npos) known += StrCat(" ", one.precision, ",");
    }
  }
  if (known.empty()) {
    return Error{ErrorCode::kInvalidArgument, "no precision was reached on the rows that the calibration was fitted on"};
  }
  known.pop_back();
  return Error{ErrorCode::kInvalidArgument,
               StrCat("no threshold was fitted for a precision of ", precision, "; there are those for", known)};
}

Result<TreeFit> FitTree(const LabelTree& tree, const Scored& scored, const FitOptions& options) {
  if (scored.n_rows() < kFewestFitRows) return TooFewRows(scored.n_rows());
  LFM_RETURN_IF_ERROR(CheckScored(scored));
  const auto k = static_cast<size_t>(scored.n_labels);
  TreeFit fit;
  Scored left_out = scored;
  FitOptions alone = options;
  alone.n_resamples = 0;
  alone.precisions.clear();
  for (const LabelGroup& group : tree.groups()) {
    std::vector<int64_t> rows;
    const Scored in = tree.InGroup(scored, group, rows);
    PartFit part{in.n_rows(), false, 0};
    Calibration calibration = Unfitted(group.places.size());
    Scored in_left_out;
    if (in.n_rows() >= kFewestFitRows && group.places.size() > 1) {
      LFM_TRY(Fit fitted, FitCalibration(in, alone));
      part.fitted = fitted.helps;
      part.shrinkage = fitted.shrinkage;
      if (fitted.helps) {
        calibration = std::move(fitted.calibration);
        in_left_out = std::move(fitted.left_out);
      }
    }
    // A row of the group by the fit that left it out; the others were in no fit of this group.
    size_t next = 0;
    for (size_t i = 0; i < scored.truth.size(); ++i) {
      const std::span<double> row = std::span(left_out.probabilities).subspan(i * k, k);
      std::vector<double> conditional = tree.Conditional(group, scored.row(static_cast<int64_t>(i)));
      const bool is_in = next < rows.size() && rows[next] == static_cast<int64_t>(i);
      if (part.fitted && is_in) {
        const auto kept = in_left_out.row(static_cast<int64_t>(next));
        conditional.assign(kept.begin(), kept.end());
      } else if (part.fitted) {
        calibration.Apply(conditional);
      }
      next += is_in ? 1 : 0;
      const double above = group.parent < k ? row[group.parent] : 1;
      for (size_t j = 0; j < conditional.size(); ++j) row[group.places[j]] = above * conditional[j];
    }
    fit.parts.push_back(part);
    fit.calibration.parts.push_back(std::move(calibration));
  }
  LFM_RETURN_IF_ERROR(MeasureLevels(tree, scored, options, fit.before));
  LFM_RETURN_IF_ERROR(MeasureLevels(tree, left_out, options, fit.after));
  for (int level = 1; level <= tree.n_levels(); ++level) {
    auto& found = fit.calibration.thresholds.emplace_back();
    const std::vector<RankedDecision> decisions = DecisionsOnLevel(tree, left_out, level);
    for (const double precision : Precisions(options)) {
      if (const auto one = FindThreshold(decisions, precision)) found.push_back(*one);
    }
  }
  return fit;
}

Result<MultiFit> FitMulti(const MultiScored& scored, const FitOptions& options) {
  if (scored.n_rows() < kFewestFitRows) return TooFewRows(scored.n_rows());
  LFM_RETURN_IF_ERROR(CheckScored(scored));
  const auto k = static_cast<size_t>(scored.n_labels);
  MultiFit fit;
  fit.calibration.kind = SetKind::kMultiLabel;
  MultiScored left_out = scored;
  std::vector<uint8_t> given(scored.fits.size());
  FitOptions alone = options;
  alone.n_resamples = 0;
  alone.precisions.clear();
  for (size_t label = 0; label < k; ++label) {
    const Scored answers = AnswersOf(scored, label);
    const auto n_yes = static_cast<int64_t>(std::count(answers.truth.begin(), answers.truth.end(), 0));
    PartFit part{n_yes, false, 0};
    Calibration calibration = Unfitted(2);
    if (std::min(n_yes, answers.n_rows() - n_yes) >= kFewestOfEachAnswer) {
      LFM_TRY(Fit fitted, FitCalibration(answers, alone));
      part.fitted = fitted.helps;
      part.shrinkage = fitted.shrinkage;
      if (fitted.helps) {
        calibration.temperature = fitted.calibration.temperature;
        calibration.biases = {fitted.calibration.biases[0] - fitted.calibration.biases[1], 0};
        for (int64_t i = 0; i < answers.n_rows(); ++i) {
          left_out.probabilities[static_cast<size_t>(i) * k + label] = fitted.left_out.row(i)[0];
        }
      }
    }
    std::vector<RankedDecision> decisions;
    for (size_t i = label; i < left_out.fits.size(); i += k)
      decisions.push_back({left_out.probabilities[i], left_out.fits[i] != 0});
    auto& found = fit.calibration.thresholds.emplace_back();
    for (const double precision : Precisions(options)) {
      if (const auto one = FindThreshold(decisions, precision)) found.push_back(*one);
    }
    const LabelDecisions decided = DecideLabel(left_out, label, options.n_folds);
    for (size_t i = 0; i < decided.given.size(); ++i) given[i * k + label] = decided.given[i];
    fit.calibration.label_thresholds.push_back(decided.threshold);
    fit.parts.push_back(part);
    fit.calibration.parts.push_back(std::move(calibration));
  }
  MeasureOptions measure;
  measure.n_resamples = options.n_resamples;
  LFM_TRY(fit.before, Measure(scored, GivenLabels(scored, std::vector<double>(k, kUnfittedThreshold)), measure));
  LFM_TRY(fit.after, Measure(left_out, given, measure));
  return fit;
}

SetCalibration BatchPrior(const LabelTree& tree, SetKind kind, std::span<const double> probabilities) {
  const size_t k = tree.n_labels(), n = probabilities.size() / k;
  if (kind == SetKind::kMultiLabel) {
    std::vector<double> means(k);
    double all = 0;
    for (size_t i = 0; i < n * k; ++i) means[i % k] += LogOdds(probabilities[i]) / static_cast<double>(n);
    for (const double mean : means) all += mean / static_cast<double>(k);
    for (double& mean : means) mean -= all;
    return MultiPrior(means);
  }
  SetCalibration prior;
  for (const LabelGroup& group : tree.groups()) {
    const size_t n_answers = group.places.size();
    std::vector<double> sums(n_answers);
    double weights = 0, mean = 0;
    for (size_t i = 0; i < n; ++i) {
      const auto row = probabilities.subspan(i * k, k);
      const std::vector<double> conditional = tree.Conditional(group, row);
      const double weight = group.parent < k ? row[group.parent] : 1;
      weights += weight;
      for (size_t j = 0; j < n_answers; ++j) sums[j] -= weight * std::log(std::max(conditional[j], kLeastShare));
    }
    for (double& sum : sums) {
      sum = weights > 0 ? sum / weights : 0;
      mean += sum / static_cast<double>(n_answers);
    }
    for (double& sum : sums) sum -= mean;
    prior.parts.emplace_back().biases = sums;
  }
  return prior;
}

SetCalibration ContextualPrior(const LabelTree& tree, SetKind kind, std::span<const double> probabilities) {
  const size_t k = tree.n_labels(), n = probabilities.size() / k;
  if (kind == SetKind::kMultiLabel) {
    std::vector<double> means(k);
    for (size_t i = 0; i < n * k; ++i) means[i % k] += probabilities[i] / static_cast<double>(n);
    for (double& mean : means) mean = LogOdds(mean);
    return MultiPrior(means);
  }
  SetCalibration prior;
  for (const LabelGroup& group : tree.groups()) {
    std::vector<double> all;
    for (size_t i = 0; i < n; ++i) {
      const std::vector<double> conditional = tree.Conditional(group, probabilities.subspan(i * k, k));
      all.insert(all.end(), conditional.begin(), conditional.end());
    }
    prior.parts.emplace_back().biases = ContextualBiases(all, static_cast<int64_t>(group.places.size()));
  }
  return prior;
}

}  // namespace lfm::classify
