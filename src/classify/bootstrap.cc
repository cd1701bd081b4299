#include "classify/bootstrap.h"

#include <algorithm>
#include <cmath>

#include "engine/random.h"

namespace lfm::classify {
namespace {

constexpr size_t kMostDraws = 100'000'000;
constexpr int kFewestResamples = 100;

// Linear between neighbours, as numpy's default.
double Percentile(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const size_t below = static_cast<size_t>(at);
  if (below + 1 >= sorted.size()) return sorted.back();
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[below + 1] - sorted[below]);
}

}  // namespace

void BinFiller::Add(double confidence, bool right, int64_t count) {
  const auto size = [&](size_t b) { return n_ / kReliabilityBins + (static_cast<int64_t>(b) < n_ % kReliabilityBins ? 1 : 0); };
  for (int64_t left = count; left > 0;) {
    while (bins_[bin_].n_rows == size(bin_)) ++bin_;
    const int64_t taken = std::min(left, size(bin_) - bins_[bin_].n_rows);
    bins_[bin_].n_rows += taken;
    bins_[bin_].confidence += static_cast<double>(taken) * confidence;
    bins_[bin_].accuracy += right ? static_cast<double>(taken) : 0;
    left -= taken;
  }
}

double BinFiller::Finish() {
  std::erase_if(bins_, [](const ReliabilityBin& b) { return b.n_rows == 0; });
  double error = 0;
  for (ReliabilityBin& b : bins_) {
    error += std::abs(b.accuracy - b.confidence) / static_cast<double>(n_);
    b.confidence /= static_cast<double>(b.n_rows);
    b.accuracy /= static_cast<double>(b.n_rows);
  }
  return error;
}

int AffordableResamples(size_t n, const MeasureOptions& options) {
  const int most = std::max(kFewestResamples, static_cast<int>(std::min<size_t>(kMostDraws / std::max<size_t>(n, 1), 1u << 30)));
  return std::min(options.n_resamples, most);
}

void Bootstrap(size_t n_rows, int n_resamples, uint64_t seed,
               const std::function<std::vector<double>(std::span<const int32_t> counts)>& values,
               std::span<Figure* const> figures) {
  std::vector<std::vector<double>> samples(figures.size());
  std::vector<int32_t> counts(n_rows);
  uint64_t draw = 0;
  for (int r = 0; r < n_resamples; ++r) {
    std::fill(counts.begin(), counts.end(), 0);
    for (size_t i = 0; i < n_rows; ++i) {
      ++counts[static_cast<size_t>(engine::UniformDraw(seed, draw++) * static_cast<double>(n_rows))];
    }
    const std::vector<double> drawn = values(counts);
    for (size_t f = 0; f < figures.size(); ++f) samples[f].push_back(drawn[f]);
  }
  for (size_t f = 0; f < figures.size(); ++f) {
    if (samples[f].empty()) continue;
    std::sort(samples[f].begin(), samples[f].end());
    figures[f]->low = Percentile(samples[f], 0.025);
    figures[f]->high = Percentile(samples[f], 0.975);
  }
}

void FillShares(LabelFigures& label) {
  const double right = static_cast<double>(label.n_right);
  label.precision = label.n_predicted > 0 ? right / static_cast<double>(label.n_predicted) : 0;
  label.recall = label.n_rows > 0 ? right / static_cast<double>(label.n_rows) : 0;
  label.f1 = label.n_rows + label.n_predicted > 0 ? 2 * right / static_cast<double>(label.n_rows + label.n_predicted) : 0;
}

Json FigureJson(const Figure& figure) {
  Json json = Json::MakeObject();
  json.Set("value", figure.value);
  json.Set("low", figure.low);
  json.Set("high", figure.high);
  return json;
}

Json LabelFiguresJson(const LabelFigures& figures, const std::string& name) {
  Json one = Json::MakeObject();
  one.Set("label", name);
  one.Set("rows", figures.n_rows);
  one.Set("predicted", figures.n_predicted);
  one.Set("precision", figures.precision);
  one.Set("recall", figures.recall);
  one.Set("f1", figures.f1);
  return one;
}

Json BinsJson(std::span<const ReliabilityBin> bins) {
  Json list = Json::MakeArray();
  for (const ReliabilityBin& bin : bins) {
    Json one = Json::MakeObject();
    one.Set("rows", bin.n_rows);
    one.Set("confidence", bin.confidence);
    one.Set("accuracy", bin.accuracy);
    list.Append(std::move(one));
  }
  return list;
}

}  // namespace lfm::classify
