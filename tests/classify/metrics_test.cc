// Figures against scikit-learn and numpy (tests/data/classify/make_metrics.py).
#include "classify/metrics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "classify/fixture.h"

namespace lfm::classify {
namespace {

constexpr double kExact = 1e-12;

Figure Metrics::*FigureOf(const std::string& name) {
  if (name == "accuracy") return &Metrics::accuracy;
  if (name == "macro_f1") return &Metrics::macro_f1;
  if (name == "ece") return &Metrics::ece;
  if (name == "brier") return &Metrics::brier;
  if (name == "log_loss") return &Metrics::log_loss;
  if (name == "aurc") return &Metrics::aurc;
  return &Metrics::coverage;
}

TEST(Metrics, AreThoseOfScikitLearn) {
  for (const Json& fixture : MetricsFixture()) {
    SCOPED_TRACE(fixture["name"].AsString());
    const auto metrics = Measure(ScoredOf(fixture), {.precision = 0.8, .n_resamples = 0});
    ASSERT_TRUE(metrics.ok()) << metrics.error().message;
    for (const auto& [name, value] : fixture["figures"].members()) {
      EXPECT_NEAR((*metrics.*FigureOf(name)).value, value.AsDouble(), kExact) << name;
    }
    const auto& bins = fixture["bins"].items();
    ASSERT_EQ(metrics->bins.size(), bins.size());
    for (size_t i = 0; i < bins.size(); ++i) {
      EXPECT_EQ(metrics->bins[i].n_rows, bins[i]["rows"].AsInt());
      EXPECT_NEAR(metrics->bins[i].confidence, bins[i]["confidence"].AsDouble(), kExact);
      EXPECT_NEAR(metrics->bins[i].accuracy, bins[i]["accuracy"].AsDouble(), kExact);
    }
  }
}

TEST(Metrics, EachLabelAndTheConfusionAreThoseOfScikitLearn) {
  for (const Json& fixture : MetricsFixture()) {
    SCOPED_TRACE(fixture["name"].AsString());
    const auto metrics = Measure(ScoredOf(fixture), {.n_resamples = 0});
    ASSERT_TRUE(metrics.ok());
    const auto& labels = fixture["by_label"].items();
    ASSERT_EQ(metrics->labels.size(), labels.size());
    for (size_t i = 0; i < labels.size(); ++i) {
      EXPECT_EQ(metrics->labels[i].n_rows, labels[i]["rows"].AsInt());
      EXPECT_NEAR(metrics->labels[i].precision, labels[i]["precision"].AsDouble(), kExact);
      EXPECT_NEAR(metrics->labels[i].recall, labels[i]["recall"].AsDouble(), kExact);
      EXPECT_NEAR(metrics->labels[i].f1, labels[i]["f1"].AsDouble(), kExact);
    }
    int64_t n_rows = 0;
    for (const ConfusionCell& cell : metrics->confusion) {
      const Json& row = fixture["confusion"].items()[static_cast<size_t>(cell.truth)];
      EXPECT_EQ(cell.n_rows, row.items()[static_cast<size_t>(cell.predicted)].AsInt());
      n_rows += cell.n_rows;
    }
    EXPECT_EQ(n_rows, metrics->n_rows);
  }
}

TEST(Metrics, IntervalsAreThoseOfTheSameResamplesInNumpy) {
  for (const Json& fixture : MetricsFixture()) {
    SCOPED_TRACE(fixture["name"].AsString());
    const auto metrics = Measure(ScoredOf(fixture), {.precision = 0.8, .n_resamples = 20, .seed = 7});
    ASSERT_TRUE(metrics.ok());
    for (const auto& [name, ends] : fixture["intervals"].members()) {
      EXPECT_NEAR((*metrics.*FigureOf(name)).low, ends.items()[0].AsDouble(), kExact) << name;
      EXPECT_NEAR((*metrics.*FigureOf(name)).high, ends.items()[1].AsDouble(), kExact) << name;
    }
  }
}

TEST(Metrics, AreaUnderRocIsThatOfScikitLearn) {
  for (const Json& fixture : MetricsFixture()) {
    const Scored scored = ScoredOf(fixture);
    std::vector<double> right, wrong;
    for (int64_t i = 0; i < scored.n_rows(); ++i) {
      const bool is_right = Best(scored.row(i)) == scored.truth[static_cast<size_t>(i)];
      (is_right ? right : wrong).push_back(Margin(scored.row(i)));
    }
    EXPECT_NEAR(AreaUnderRoc(right, wrong), fixture["auroc_of_margin"].AsDouble(), kExact);
  }
  EXPECT_EQ(AreaUnderRoc({}, std::vector<double>{1}), 0.5);
}

TEST(Metrics, RefuseWhatIsNoLabelledSet) {
  EXPECT_FALSE(Measure({2, {}, {}}).ok());
  EXPECT_FALSE(Measure({2, {0.5, 0.5, 1}, {0}}).ok());
  EXPECT_FALSE(Measure({2, {0.5, 0.5}, {2}}).ok());
  EXPECT_FALSE(Measure({2, {0.5, -1}, {0}}).ok());
  EXPECT_FALSE(Measure({2, {0.5, std::nan("")}, {0}}).ok());
  EXPECT_TRUE(Measure({1, {1}, {0}}).ok());
}

TEST(Metrics, OneRowAndCertaintyAreNoSpecialCase) {
  const auto metrics = Measure({3, {0, 1, 0}, {1}});
  ASSERT_TRUE(metrics.ok());
  EXPECT_EQ(metrics->accuracy.value, 1);
  EXPECT_EQ(metrics->macro_f1.value, 1);
  EXPECT_EQ(metrics->ece.value, 0);
  EXPECT_EQ(metrics->aurc.value, 0);
  EXPECT_EQ(metrics->coverage.value, 1);
  EXPECT_EQ(metrics->bins.size(), 1u);
}

}  // namespace
}  // namespace lfm::classify
