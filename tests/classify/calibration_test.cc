// The fit against scipy's, its promises on rows left out, thresholds, priors, and the file.
#include "classify/calibration.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "classify/fixture.h"
#include "engine/random.h"

namespace lfm::classify {
namespace {

// Rows of a classifier that is far too sure: true odds to the third power.
Scored TooSure(int64_t n_rows, uint64_t seed) {
  constexpr int64_t kLabels = 4;
  Scored scored;
  scored.n_labels = kLabels;
  uint64_t at = 0;
  for (int64_t i = 0; i < n_rows; ++i) {
    std::vector<double> p(kLabels);
    for (double& value : p) value = std::exp(4 * engine::UniformDraw(seed, at++));
    const double sum = std::accumulate(p.begin(), p.end(), 0.0);
    double draw = engine::UniformDraw(seed, at++) * sum;
    int32_t truth = 0;
    while (truth + 1 < kLabels && draw >= p[static_cast<size_t>(truth)]) draw -= p[static_cast<size_t>(truth++)];
    double cubes = 0;
    for (const double value : p) cubes += value * value * value;
    for (const double value : p) scored.probabilities.push_back(value * value * value / cubes);
    scored.truth.push_back(truth);
  }
  return scored;
}

Calibration Example() {
  Calibration calibration;
  calibration.temperature = 1.25;
  calibration.biases = {0.5, -0.1, 0.1 + 0.2};
  calibration.thresholds = {{0.9, 0.61, 0.95}, {0.95, 0.7, 0.8}};
  calibration.made_for = {"00ff", "12ab"};
  return calibration;
}
const std::vector<std::string> kExampleNames = {"a", "b \"quoted\"", "c"};

TEST(Calibration, FitIsTheMinimumThatScipyFinds) {
  for (const Json& fixture : MetricsFixture()) {
    const Scored scored = ScoredOf(fixture);
    for (const Json& expected : fixture["fits"].items()) {
      const Calibration fitted = FitAt(scored, expected["shrinkage"].AsDouble());
      EXPECT_NEAR(fitted.temperature, expected["temperature"].AsDouble(), 1e-5) << fixture["name"].AsString();
      for (size_t j = 0; j < fitted.biases.size(); ++j) {
        EXPECT_NEAR(fitted.biases[j], expected["biases"].items()[j].AsDouble(), 1e-5) << fixture["name"].AsString();
      }
    }
  }
}

TEST(Calibration, FindsTheTemperatureOfATooSureModel) {
  const auto fit = FitCalibration(TooSure(1000, 5));
  ASSERT_TRUE(fit.ok()) << fit.error().message;
  EXPECT_TRUE(fit->helps);
  EXPECT_NEAR(fit->calibration.temperature, 3, 0.3);
  for (const double bias : fit->calibration.biases) EXPECT_NEAR(bias, 0, 0.3);
  EXPECT_GT(fit->before.ece.value, 0.15);
  EXPECT_LT(fit->after.ece.value, 0.05);
  Scored other = TooSure(2000, 6);
  fit->calibration.Apply(other);
  const auto measured = Measure(other, {.n_resamples = 0});
  ASSERT_TRUE(measured.ok());
  EXPECT_LT(measured->ece.value, 0.05);
}

TEST(Calibration, IsShrunkTowardsTheUnfitted) {
  const Scored few = TooSure(12, 9);
  const Calibration strong = FitAt(few, 1e6), weak = FitAt(few, 0.1), none = FitAt(few, std::numeric_limits<double>::infinity());
  for (size_t j = 0; j < 4; ++j) {
    EXPECT_NEAR(strong.biases[j], 0, 1e-4);
    EXPECT_EQ(none.biases[j], 0);
  }
  EXPECT_GT(std::abs(weak.biases[0]) + std::abs(weak.biases[1]), 1e-2);
  // All right and sure: the temperature falls, but the prior holds it.
  Scored right{2, {}, {}};
  for (int i = 0; i < 20; ++i) {
    right.probabilities.insert(right.probabilities.end(), {0.9, 0.1});
    right.truth.push_back(0);
  }
  EXPECT_GT(FitAt(right, std::numeric_limits<double>::infinity()).temperature, 0.1);
}

TEST(Calibration, IsTheSameEachTime) {
  const auto a = FitCalibration(TooSure(150, 3)), b = FitCalibration(TooSure(150, 3));
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(a->calibration.temperature, b->calibration.temperature);
  EXPECT_EQ(a->calibration.biases, b->calibration.biases);
}

TEST(Calibration, ApplyKeepsADistributionAlsoWithZeros) {
  Calibration calibration;
  calibration.temperature = 0.5;
  calibration.biases = {1, 0, -1};
  std::vector<double> p = {0, 1, 0};
  calibration.Apply(p);
  EXPECT_NEAR(p[0] + p[1] + p[2], 1, 1e-15);
  EXPECT_NEAR(p[1], 1, 1e-15);
  std::vector<double> q = {0.5, 0.25, 0.25};
  Calibration unfitted;
  unfitted.biases = {0, 0, 0};
  unfitted.Apply(q);
  EXPECT_NEAR(q[0], 0.5, 1e-15);
  EXPECT_NEAR(q[2], 0.25, 1e-15);
}

TEST(Calibration, NeedsRowsAndCanBeStopped) {
  EXPECT_FALSE(FitCalibration(TooSure(kFewestFitRows - 1, 1)).ok());
  FitOptions options;
  options.progress = [](int done, int) { return done < 3; };
  const auto stopped = FitCalibration(TooSure(50, 1), options);
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
}

TEST(Threshold, CountsOneErrorMoreThanWasSeen) {
  Scored scored{2, {}, {}};
  for (int i = 0; i < 19; ++i) {
    scored.probabilities.insert(scored.probabilities.end(), {0.9 - 0.01 * i, 0.1 + 0.01 * i});
    scored.truth.push_back(0);
  }
  const auto found = FindThreshold(scored, 0.95);  // 1 of 20 is the 5 % just allowed
  ASSERT_TRUE(found.has_value());
  EXPECT_NEAR(found->confidence, 0.72, 1e-12);
  EXPECT_EQ(found->coverage, 1);
  EXPECT_FALSE(FindThreshold(scored, 0.96).has_value());
  scored.truth[10] = 1;
  EXPECT_FALSE(FindThreshold(scored, 0.95).has_value());
  const auto below = FindThreshold(scored, 0.9);  // the first ten; at nineteen two errors of twenty fit again
  ASSERT_TRUE(below.has_value());
  EXPECT_EQ(below->coverage, 1);
}

TEST(Threshold, OfCosts) {
  EXPECT_EQ(*ThresholdOfCosts(10, 1), 0.9);
  EXPECT_EQ(*ThresholdOfCosts(1, 5), 0);
  EXPECT_FALSE(ThresholdOfCosts(0, 1).ok());
  EXPECT_FALSE(ThresholdOfCosts(1, -1).ok());
  EXPECT_FALSE(ThresholdOfCosts(std::nan(""), 1).ok());
}

TEST(Prior, BatchTakesTheMeanLogProbabilityAway) {
  const std::vector<double> p = {0.8, 0.2, 0.5, 0.5};
  const auto biases = BatchBiases(p, 2);
  const double a = -(std::log(0.8) + std::log(0.5)) / 2, b = -(std::log(0.2) + std::log(0.5)) / 2;
  EXPECT_NEAR(biases[0], (a - b) / 2, 1e-15);
  EXPECT_NEAR(biases[1], (b - a) / 2, 1e-15);
}

TEST(Prior, ContextualMakesTheEmptyTextUndecided) {
  const std::vector<double> p = {0.7, 0.2, 0.1};
  Calibration prior;
  prior.biases = ContextualBiases(p, 3);
  std::vector<double> q = p;
  prior.Apply(q);
  for (const double value : q) EXPECT_NEAR(value, 1.0 / 3, 1e-15);
}

TEST(CalibrationFile, ComesBackToTheBit) {
  const Calibration one = Example();
  const auto back = ReadCalibration(CalibrationJson(one, kExampleNames).Dump(2), one.made_for, kExampleNames);
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(back->temperature, one.temperature);
  EXPECT_EQ(back->biases, one.biases);
  EXPECT_EQ(back->made_for, one.made_for);
  ASSERT_EQ(back->thresholds.size(), 2u);
  EXPECT_EQ(*back->ThresholdFor(0.95), 0.7);
  EXPECT_NE(back->ThresholdFor(0.99).error().message.find("0.9, 0.95"), std::string::npos);
}

TEST(CalibrationFile, LoadsOnlyForTheSameLabelsPromptAndModel) {
  const std::string text = CalibrationJson(Example(), kExampleNames).Dump();
  const auto says = [&](const Fingerprint& here, const std::vector<std::string>& names) {
    const auto read = ReadCalibration(text, here, names);
    return read.ok() ? "" : read.error().message;
  };
  EXPECT_NE(says({"00fe", "12ab"}, kExampleNames).find("another model"), std::string::npos);
  EXPECT_NE(says({"00ff", "12ac"}, kExampleNames).find("another prompt"), std::string::npos);
  EXPECT_NE(says({"00ff", "12ab"}, {"a", "b", "c"}).find("label 2"), std::string::npos);
  EXPECT_NE(says({"00ff", "12ab"}, {"a", "b \"quoted\""}).find("3 labels, here are 2"), std::string::npos);
}

TEST(CalibrationFile, NamesTheMemberThatIsWrong) {
  const auto says = [&](const std::string& member, Json value) {
    Json json = CalibrationJson(Example(), kExampleNames);
    json.Set(member, std::move(value));
    const auto read = CalibrationFromJson(json);
    return read.ok() ? "" : read.error().message;
  };
  EXPECT_NE(says("format", "other").find("no calibration"), std::string::npos);
  EXPECT_NE(says("version", 3).find("version 3"), std::string::npos);
  EXPECT_NE(says("version", 2).find("labels with parents or for --multi-label"), std::string::npos);
  for (const double bad : {0.0, -1.0, 1e9}) EXPECT_NE(says("temperature", bad).find("\"temperature\""), std::string::npos);
  EXPECT_NE(says("temperature", "1").find("\"temperature\""), std::string::npos);
  EXPECT_NE(says("temperature", Json::MakeNumber("NaN")).find("\"temperature\""), std::string::npos);
  EXPECT_NE(says("labels", Json::MakeArray()).find("\"labels\""), std::string::npos);
  EXPECT_NE(says("labels", Json::MakeArray({Json::MakeObject({{"name", "a"}, {"bias", 1e6}})})).find("\"bias\""),
            std::string::npos);
  EXPECT_NE(says("model", 5).find("\"model\""), std::string::npos);
  EXPECT_NE(says("thresholds", 5).find("\"thresholds\""), std::string::npos);
  EXPECT_NE(says("thresholds", Json::MakeArray({Json::MakeObject({{"precision", 2}})})).find("\"precision\""), std::string::npos);
}

}  // namespace
}  // namespace lfm::classify
