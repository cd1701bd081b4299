// Figures of several labels a row against their definitions, counted by hand.
#include "classify/multi_metrics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lfm::classify {
namespace {

// Three rows, two labels.
const MultiScored kThree = {2, {.9, .2, .6, .7, .1, .4}, {1, 0, 0, 1, 0, 1}};

TEST(MultiMetrics, AreTheirDefinitions) {
  const std::vector<uint8_t> given = GivenLabels(kThree, std::vector<double>{.5, .5});
  EXPECT_EQ(given, (std::vector<uint8_t>{1, 0, 1, 1, 0, 0}));
  const auto metrics = Measure(kThree, given, {.n_resamples = 0});
  ASSERT_TRUE(metrics.ok()) << metrics.error().message;
  EXPECT_NEAR(metrics->subset_accuracy.value, 1.0 / 3, 1e-15);
  EXPECT_NEAR(metrics->hamming_loss.value, 2.0 / 6, 1e-15);
  EXPECT_NEAR(metrics->micro_f1.value, 2 * 2.0 / (3 + 3), 1e-15);        // 2 right of 3 that fit and 3 given
  EXPECT_NEAR(metrics->macro_f1.value, (2.0 / 3 + 2.0 / 3) / 2, 1e-15);  // each label: 1 right of 1 + 2 and of 2 + 1
  EXPECT_NEAR(metrics->brier.value, (.01 + .04 + .36 + .09 + .01 + .36) / 6, 1e-15);
  EXPECT_NEAR(metrics->log_loss.value, -std::log(.9 * .8 * .4 * .7 * .9 * .4) / 6, 1e-15);
  // Six decisions in fifteen bins: each alone.
  EXPECT_NEAR(metrics->ece.value, (.1 + .2 + .6 + .3 + .1 + .6) / 6, 1e-15);
  EXPECT_EQ(metrics->bins.size(), 6u);
  EXPECT_EQ(metrics->labels[0].counts.n_rows, 1);
  EXPECT_EQ(metrics->labels[0].counts.n_predicted, 2);
  EXPECT_EQ(metrics->labels[0].auroc, 1);
  EXPECT_EQ(metrics->labels[1].auroc, 1);
}

TEST(MultiMetrics, WhereNothingFitsAndNothingIsGivenAllIsWell) {
  const MultiScored scored = {2, {.1, .1, .2, .2}, {0, 0, 0, 0}};
  const auto metrics = Measure(scored, GivenLabels(scored, std::vector<double>{.5, .5}));
  ASSERT_TRUE(metrics.ok());
  EXPECT_EQ(metrics->subset_accuracy.value, 1);
  EXPECT_EQ(metrics->micro_f1.value, 1);
  EXPECT_EQ(metrics->macro_f1.value, 1);
  EXPECT_EQ(metrics->labels[0].auroc, .5);
}

TEST(MultiMetrics, IntervalsHoldTheValueAndCertaintyHasNone) {
  MultiScored scored{2, {}, {}};
  for (int i = 0; i < 60; ++i) {
    scored.probabilities.insert(scored.probabilities.end(), {i % 3 == 0 ? .8 : .3, .9});
    scored.fits.insert(scored.fits.end(), {static_cast<uint8_t>(i % 4 == 0), 1});
  }
  const auto metrics = Measure(scored, GivenLabels(scored, std::vector<double>{.5, .5}));
  ASSERT_TRUE(metrics.ok());
  for (const Figure& figure :
       {metrics->micro_f1, metrics->macro_f1, metrics->brier, metrics->log_loss, metrics->subset_accuracy}) {
    EXPECT_LT(figure.low, figure.value);
    EXPECT_GT(figure.high, figure.value);
  }
  EXPECT_EQ(metrics->labels[1].counts.f1, 1);
}

TEST(MultiMetrics, RefuseWhatIsNoLabelledSet) {
  const auto fails = [](const MultiScored& scored) { return !Measure(scored, std::vector<uint8_t>(scored.fits.size())).ok(); };
  EXPECT_TRUE(fails({2, {}, {}}));
  EXPECT_TRUE(fails({2, {.5, .5, .5}, {1, 0, 1}}));
  EXPECT_TRUE(fails({2, {.5, .5}, {1}}));
  EXPECT_TRUE(fails({1, {1.5}, {1}}));
  EXPECT_TRUE(fails({1, {std::nan("")}, {1}}));
  EXPECT_FALSE(Measure(kThree, std::vector<uint8_t>(3)).ok());
}

}  // namespace
}  // namespace lfm::classify
