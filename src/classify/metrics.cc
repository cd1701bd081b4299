#include "classify/metrics.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/strings.h"
#include "classify/bootstrap.h"

namespace lfm::classify {
namespace {

// What log loss takes for a probability of 0, as scikit-learn does for doubles.
constexpr double kLeastOfLogLoss = 2.220446049250313e-16;

// A row as far as figures need it.
struct MeasuredRow {
  double confidence, brier, loss;
  int32_t truth, predicted;
  size_t i_row;
  bool right() const { return truth == predicted; }
};

std::vector<MeasuredRow> RowsByConfidence(const Scored& scored) {
  std::vector<MeasuredRow> rows;
  rows.reserve(scored.truth.size());
  for (int64_t i = 0; i < scored.n_rows(); ++i) {
    const auto p = scored.row(i);
    const int32_t truth = scored.truth[static_cast<size_t>(i)], best = Best(p);
    double brier = 0;
    for (size_t j = 0; j < p.size(); ++j) {
      const double off = p[j] - (static_cast<int32_t>(j) == truth ? 1 : 0);
      brier += off * off;
    }
    const double right = std::clamp(p[static_cast<size_t>(truth)], kLeastOfLogLoss, 1 - kLeastOfLogLoss);
    rows.push_back({p[static_cast<size_t>(best)], brier, -std::log(right), truth, best, static_cast<size_t>(i)});
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const MeasuredRow& a, const MeasuredRow& b) { return a.confidence < b.confidence; });
  return rows;
}

// The figures of rows of which each counts `counts` times: one implementation for the whole set and for its resamples.
class Measurer {
 public:
  Measurer(std::span<const MeasuredRow> rows, int64_t n_labels, double precision)
      : rows_(rows), labels_(static_cast<size_t>(n_labels)), precision_(precision) {}

  struct Values {
    double accuracy, macro_f1, ece, brier, log_loss, aurc, coverage;
  };

  Values Of(std::span<const int32_t> counts) {
    n_ = std::accumulate(counts.begin(), counts.end(), int64_t{0});
    const double n = static_cast<double>(n_);
    Values values{};
    std::fill(labels_.begin(), labels_.end(), LabelFigures());
    int64_t n_right = 0;
    for (size_t i = 0; i < rows_.size(); ++i) {
      const MeasuredRow& row = rows_[i];
      if (counts[i] == 0) continue;
      labels_[static_cast<size_t>(row.truth)].n_rows += counts[i];
      labels_[static_cast<size_t>(row.predicted)].n_predicted += counts[i];
      if (row.right()) labels_[static_cast<size_t>(row.truth)].n_right += counts[i];
      n_right += row.right() ? counts[i] : 0;
      values.brier += counts[i] * row.brier;
      values.log_loss += counts[i] * row.loss;
    }
    values.accuracy = static_cast<double>(n_right) / n;
    values.brier /= n;
    values.log_loss /= n;
    values.macro_f1 = MacroF1();
    values.ece = FillBins(counts);
    RiskAndCoverage(counts, values);
    return values;
  }

  const std::vector<LabelFigures>& labels() const { return labels_; }
  const std::vector<ReliabilityBin>& bins() const { return bins_; }

 private:
  double MacroF1() {
    double sum = 0;
    int64_t n_present = 0;
    for (LabelFigures& label : labels_) {
      if (label.n_rows + label.n_predicted == 0) continue;
      ++n_present;
      FillShares(label);
      sum += label.f1;
    }
    return sum / static_cast<double>(n_present);
  }

  double FillBins(std::span<const int32_t> counts) {
    BinFiller filler(n_);
    for (size_t i = 0; i < rows_.size(); ++i) filler.Add(rows_[i].confidence, rows_[i].right(), counts[i]);
    const double ece = filler.Finish();
    bins_ = filler.bins();
    return ece;
  }

  // From the most confident row down; rows of one confidence come together, for no threshold parts them.
  void RiskAndCoverage(std::span<const int32_t> counts, Values& values) const {
    int64_t n_taken = 0, n_wrong = 0;
    for (size_t end = rows_.size(); end > 0;) {
      int64_t n_group = 0, n_group_wrong = 0;
      const double confidence = rows_[end - 1].confidence;
      for (; end > 0 && rows_[end - 1].confidence == confidence; --end) {
        n_group += counts[end - 1];
        n_group_wrong += rows_[end - 1].right() ? 0 : counts[end - 1];
      }
      for (int64_t k = 1; k <= n_group; ++k) {
        const double wrong = static_cast<double>(n_wrong) +
                             static_cast<double>(n_group_wrong) * static_cast<double>(k) / static_cast<double>(n_group);
        values.aurc += wrong / static_cast<double>(n_taken + k);
      }
      n_taken += n_group;
      n_wrong += n_group_wrong;
      if (n_group > 0 && static_cast<double>(n_taken - n_wrong) >= precision_ * static_cast<double>(n_taken)) {
        values.coverage = static_cast<double>(n_taken) / static_cast<double>(n_);
      }
    }
    values.aurc /= static_cast<double>(n_);
  }

  std::span<const MeasuredRow> rows_;
  std::vector<LabelFigures> labels_;
  std::vector<ReliabilityBin> bins_;
  double precision_;
  int64_t n_ = 0;
};

constexpr double Measurer::Values::*kValues[] = {
    &Measurer::Values::accuracy, &Measurer::Values::macro_f1, &Measurer::Values::ece,     &Measurer::Values::brier,
    &Measurer::Values::log_loss, &Measurer::Values::aurc,     &Measurer::Values::coverage};
constexpr Figure Metrics::*kFigures[] = {&Metrics::accuracy, &Metrics::macro_f1, &Metrics::ece,     &Metrics::brier,
                                         &Metrics::log_loss, &Metrics::aurc,     &Metrics::coverage};

}  // namespace

Status CheckScored(const Scored& scored) {
  const auto refuse = [](std::string what) { return Error{ErrorCode::kInvalidArgument, std::move(what)}; };
  if (scored.truth.empty()) return refuse("there is no labelled row to measure on");
  if (scored.n_labels < 1 || scored.probabilities.size() != scored.truth.size() * static_cast<size_t>(scored.n_labels)) {
    return refuse(StrCat(scored.probabilities.size(), " probabilities are not those of ", scored.truth.size(), " rows of ",
                         scored.n_labels, " labels"));
  }
  for (size_t i = 0; i < scored.truth.size(); ++i) {
    if (scored.truth[i] < 0 || scored.truth[i] >= scored.n_labels)
      return refuse(StrCat("row ", i, ": there is no label ", scored.truth[i]));
  }
  for (const double p : scored.probabilities) {
    if (!(p >= 0 && p <= 1.000001)) return refuse(StrCat(p, " is no probability"));
  }
  return Ok();
}

int32_t Best(std::span<const double> probabilities) {
  return static_cast<int32_t>(std::max_element(probabilities.begin(), probabilities.end()) - probabilities.begin());
}

double Margin(std::span<const double> probabilities) {
  double first = 0, second = 0;
  for (const double p : probabilities) {
    second = std::max(second, std::min(first, p));
    first = std::max(first, p);
  }
  return first - second;
}

Result<Metrics> Measure(const Scored& scored, const MeasureOptions& options) {
  LFM_RETURN_IF_ERROR(CheckScored(scored));
  const std::vector<MeasuredRow> rows = RowsByConfidence(scored);
  Measurer measurer(rows, scored.n_labels, options.precision);
  Metrics metrics;
  metrics.n_rows = scored.n_rows();
  metrics.n_labels = scored.n_labels;
  metrics.precision = options.precision;
  const std::vector<int32_t> once(rows.size(), 1);
  const Measurer::Values values = measurer.Of(once);
  for (size_t f = 0; f < std::size(kValues); ++f) {
    const double value = values.*kValues[f];
    metrics.*kFigures[f] = {value, value, value};
  }
  metrics.labels = measurer.labels();
  metrics.bins = measurer.bins();
  std::map<std::pair<int32_t, int32_t>, int64_t> cells;
  for (const MeasuredRow& row : rows) ++cells[{row.truth, row.predicted}];
  for (const auto& [cell, n] : cells) metrics.confusion.push_back({cell.first, cell.second, n});
  // Rows are drawn by their place in the set, and counted where they stand by confidence.
  std::vector<Figure*> figures;
  for (const auto figure : kFigures) figures.push_back(&(metrics.*figure));
  std::vector<int32_t> sorted_counts(rows.size());
  const auto resampled = [&](std::span<const int32_t> counts) {
    for (size_t i = 0; i < rows.size(); ++i) sorted_counts[i] = counts[rows[i].i_row];
    const Measurer::Values drawn = measurer.Of(sorted_counts);
    std::vector<double> all;
    for (const auto value : kValues) all.push_back(drawn.*value);
    return all;
  };
  Bootstrap(rows.size(), AffordableResamples(rows.size(), options), options.seed, resampled, figures);
  return metrics;
}

double AreaUnderRoc(std::span<const double> above, std::span<const double> below) {
  if (above.empty() || below.empty()) return 0.5;
  std::vector<double> sorted(below.begin(), below.end());
  std::sort(sorted.begin(), sorted.end());
  double wins = 0;
  for (const double value : above) {
    const auto [first, last] = std::equal_range(sorted.begin(), sorted.end(), value);
    wins += static_cast<double>(first - sorted.begin()) + 0.5 * static_cast<double>(last - first);
  }
  return wins / static_cast<double>(above.size()) / static_cast<double>(below.size());
}

Json MetricsJson(const Metrics& metrics, std::span<const std::string> names) {
  constexpr const char* kNames[] = {"accuracy", "macro_f1", "ece", "brier", "log_loss", "aurc", "coverage"};
  Json json = Json::MakeObject();
  json.Set("rows", metrics.n_rows);
  for (size_t f = 0; f < std::size(kFigures); ++f) json.Set(kNames[f], FigureJson(metrics.*kFigures[f]));
  json.Set("precision", metrics.precision);
  Json labels = Json::MakeArray(), cells = Json::MakeArray();
  for (size_t i = 0; i < metrics.labels.size(); ++i) {
    labels.Append(LabelFiguresJson(metrics.labels[i], names[i]));
  }
  for (const ConfusionCell& cell : metrics.confusion) {
    Json one = Json::MakeObject();
    one.Set("label", names[static_cast<size_t>(cell.truth)]);
    one.Set("predicted", names[static_cast<size_t>(cell.predicted)]);
    one.Set("rows", cell.n_rows);
    cells.Append(std::move(one));
  }
  json.Set("labels", std::move(labels));
  json.Set("confusion", std::move(cells));
  json.Set("bins", BinsJson(metrics.bins));
  return json;
}

}  // namespace lfm::classify
