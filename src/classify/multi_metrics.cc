#include "classify/multi_metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/strings.h"
#include "classify/bootstrap.h"

namespace lfm::classify {
namespace {

constexpr double kLeastOfDecision = 2.220446049250313e-16;  // what the log loss takes for 0

constexpr Figure MultiMetrics::*kMultiFigures[] = {
    &MultiMetrics::subset_accuracy, &MultiMetrics::hamming_loss, &MultiMetrics::micro_f1,
    &MultiMetrics::macro_f1,        &MultiMetrics::ece,          &MultiMetrics::brier,
    &MultiMetrics::log_loss};
constexpr const char* kMultiNames[] = {"subset_accuracy", "hamming_loss", "micro_f1", "macro_f1", "ece", "brier", "log_loss"};

// The figures of rows of which each counts `counts` times: one implementation for the whole set and for its resamples.
class MultiMeasurer {
 public:
  MultiMeasurer(const MultiScored& scored, std::span<const uint8_t> given)
      : scored_(scored), given_(given), k_(static_cast<size_t>(scored.n_labels)), order_(scored.fits.size()), wrong_(n_rows()),
        brier_(n_rows()), loss_(n_rows()), labels_(k_) {
    std::iota(order_.begin(), order_.end(), size_t{0});
    std::stable_sort(order_.begin(), order_.end(),
                     [&](size_t a, size_t b) { return scored_.probabilities[a] < scored_.probabilities[b]; });
    for (size_t i = 0; i < scored_.fits.size(); ++i) {
      const double p = scored_.probabilities[i], off = p - scored_.fits[i];
      const double right = std::clamp(scored_.fits[i] != 0 ? p : 1 - p, kLeastOfDecision, 1 - kLeastOfDecision);
      wrong_[i / k_] += given_[i] != scored_.fits[i] ? 1 : 0;
      brier_[i / k_] += off * off;
      loss_[i / k_] -= std::log(right);
    }
  }

  size_t n_rows() const { return scored_.fits.size() / k_; }
  const std::vector<LabelFigures>& labels() const { return labels_; }
  const std::vector<ReliabilityBin>& bins() const { return bins_; }

  // In the order of kMultiFigures.
  std::vector<double> Of(std::span<const int32_t> counts) {
    std::fill(labels_.begin(), labels_.end(), LabelFigures());
    double n_exact = 0, n_wrong = 0, brier = 0, loss = 0;
    for (size_t row = 0; row < counts.size(); ++row) {
      const int32_t count = counts[row];
      if (count == 0) continue;
      n_exact += wrong_[row] == 0 ? count : 0;
      n_wrong += count * wrong_[row];
      brier += count * brier_[row];
      loss += count * loss_[row];
      for (size_t j = 0; j < k_; ++j) {
        const bool fits = scored_.fits[row * k_ + j] != 0, given = given_[row * k_ + j] != 0;
        labels_[j].n_rows += fits ? count : 0;
        labels_[j].n_predicted += given ? count : 0;
        labels_[j].n_right += fits && given ? count : 0;
      }
    }
    const double n = static_cast<double>(std::accumulate(counts.begin(), counts.end(), int64_t{0}));
    const double n_decisions = n * static_cast<double>(k_);
    BinFiller filler(static_cast<int64_t>(n_decisions));
    for (const size_t i : order_) filler.Add(scored_.probabilities[i], scored_.fits[i] != 0, counts[i / k_]);
    const double ece = filler.Finish();
    bins_ = filler.bins();
    const auto [micro, macro] = F1();
    return {n_exact / n, n_wrong / n_decisions, micro, macro, ece, brier / n_decisions, loss / n_decisions};
  }

 private:
  // Over all decisions, and the mean over the labels. Where nothing is right and nothing is given, all was well.
  std::pair<double, double> F1() {
    LabelFigures all;
    double sum = 0;
    int64_t n_present = 0;
    for (LabelFigures& label : labels_) {
      FillShares(label);
      all.n_rows += label.n_rows;
      all.n_predicted += label.n_predicted;
      all.n_right += label.n_right;
      sum += label.f1;
      n_present += label.n_rows + label.n_predicted > 0 ? 1 : 0;
    }
    if (n_present == 0) return {1, 1};
    FillShares(all);
    return {all.f1, sum / static_cast<double>(n_present)};
  }

  const MultiScored& scored_;
  const std::span<const uint8_t> given_;
  const size_t k_;
  std::vector<size_t> order_;  // of the decisions, by rising probability
  std::vector<int32_t> wrong_;
  std::vector<double> brier_, loss_;  // of each row, sums over the labels
  std::vector<LabelFigures> labels_;
  std::vector<ReliabilityBin> bins_;
};

double AurocOf(const MultiScored& scored, size_t label) {
  std::vector<double> yes, no;
  for (size_t i = label; i < scored.fits.size(); i += static_cast<size_t>(scored.n_labels)) {
    (scored.fits[i] != 0 ? yes : no).push_back(scored.probabilities[i]);
  }
  return AreaUnderRoc(yes, no);
}

}  // namespace

Status CheckScored(const MultiScored& scored) {
  const auto refuse = [](std::string what) { return Error{ErrorCode::kInvalidArgument, std::move(what)}; };
  if (scored.fits.empty()) return refuse("there is no labelled row to measure on");
  if (scored.n_labels < 1 || scored.probabilities.size() != scored.fits.size() ||
      scored.fits.size() % static_cast<size_t>(scored.n_labels) != 0) {
    return refuse(StrCat(scored.probabilities.size(), " probabilities and ", scored.fits.size(), " answers are not rows of ",
                         scored.n_labels, " labels"));
  }
  for (const double p : scored.probabilities) {
    if (!(p >= 0 && p <= 1.000001)) return refuse(StrCat(p, " is no probability"));
  }
  return Ok();
}

std::vector<uint8_t> GivenLabels(const MultiScored& scored, std::span<const double> thresholds) {
  std::vector<uint8_t> given(scored.probabilities.size());
  for (size_t i = 0; i < given.size(); ++i) given[i] = scored.probabilities[i] >= thresholds[i % thresholds.size()] ? 1 : 0;
  return given;
}

Result<MultiMetrics> Measure(const MultiScored& scored, std::span<const uint8_t> given, const MeasureOptions& options) {
  LFM_RETURN_IF_ERROR(CheckScored(scored));
  if (given.size() != scored.fits.size()) return Error{ErrorCode::kInvalidArgument, "there are not as many decisions as answers"};
  MultiMeasurer measurer(scored, given);
  MultiMetrics metrics;
  metrics.n_rows = scored.n_rows();
  metrics.n_labels = scored.n_labels;
  const size_t n_rows = measurer.n_rows();
  const std::vector<double> values = measurer.Of(std::vector<int32_t>(n_rows, 1));
  std::vector<Figure*> figures;
  for (size_t f = 0; f < values.size(); ++f) {
    metrics.*kMultiFigures[f] = {values[f], values[f], values[f]};
    figures.push_back(&(metrics.*kMultiFigures[f]));
  }
  metrics.bins = measurer.bins();
  for (size_t j = 0; j < measurer.labels().size(); ++j) metrics.labels.push_back({measurer.labels()[j], AurocOf(scored, j)});
  const auto resampled = [&](std::span<const int32_t> counts) { return measurer.Of(counts); };
  Bootstrap(n_rows, AffordableResamples(scored.fits.size(), options), options.seed, resampled, figures);
  return metrics;
}

Json MetricsJson(const MultiMetrics& metrics, std::span<const std::string> names) {
  Json json = Json::MakeObject();
  json.Set("rows", metrics.n_rows);
  for (size_t f = 0; f < std::size(kMultiFigures); ++f) json.Set(kMultiNames[f], FigureJson(metrics.*kMultiFigures[f]));
  Json labels = Json::MakeArray();
  for (size_t i = 0; i < metrics.labels.size(); ++i) {
    Json one = LabelFiguresJson(metrics.labels[i].counts, names[i]);
    one.Set("auroc", metrics.labels[i].auroc);
    labels.Append(std::move(one));
  }
  json.Set("labels", std::move(labels));
  json.Set("bins", BinsJson(metrics.bins));
  return json;
}

}  // namespace lfm::classify
