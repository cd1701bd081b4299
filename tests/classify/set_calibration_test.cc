// Calibrations of sets with parents and of yes/no questions: each question by itself, left-out rows, thresholds, priors, files.
#include "classify/set_calibration.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/random.h"

namespace lfm::classify {
namespace {

LabelSet SetWithParents() {
  auto set =
      LabelSet::Create({{"a", "", {}, ""}, {"b", "", {}, ""}, {"a1", "", {}, "a"}, {"a2", "", {}, "a"}, {"b1", "", {}, "b"}});
  EXPECT_TRUE(set.ok());
  return std::move(set).value();
}
const std::vector<std::string> kSetNames = {"a", "b", "a1", "a2", "b1"};

// A yes/no or two-label probability that is far too sure: the odds to the third power.
double Cubed(double p) { return p * p * p / (p * p * p + (1 - p) * (1 - p) * (1 - p)); }

// At the top the model is right about its odds; between a1 and a2 it is too sure.
Scored TooSureBelow(int n_rows) {
  Scored scored{5, {}, {}};
  uint64_t at = 0;
  for (int i = 0; i < n_rows; ++i) {
    const double a = .2 + .6 * engine::UniformDraw(3, at++), a1 = .1 + .8 * engine::UniformDraw(3, at++);
    const double said = Cubed(a1);
    scored.probabilities.insert(scored.probabilities.end(), {a, 1 - a, a * said, a * (1 - said), 1 - a});
    const bool in_a = engine::UniformDraw(3, at++) < a, in_a1 = engine::UniformDraw(3, at++) < a1;
    scored.truth.push_back(in_a ? in_a1 ? 2 : 3 : 4);
  }
  return scored;
}

// Of the first label the model is too sure; the second one's probability tells nothing; the third fits nowhere.
MultiScored TooSureAnswers(int n_rows) {
  MultiScored scored{3, {}, {}};
  uint64_t at = 0;
  for (int i = 0; i < n_rows; ++i) {
    const double p = .02 + .96 * engine::UniformDraw(8, at++);
    scored.probabilities.insert(scored.probabilities.end(), {Cubed(p), engine::UniformDraw(8, at++), .3});
    scored.fits.push_back(engine::UniformDraw(8, at++) < p ? 1 : 0);
    scored.fits.push_back(engine::UniformDraw(8, at++) < .2 ? 1 : 0);
    scored.fits.push_back(0);
  }
  return scored;
}

SetCalibration ExampleOfParents() {
  SetCalibration calibration;
  calibration.parts.resize(3);
  calibration.parts[0] = {1.5, {.25, -.25}, {}, {}};
  calibration.parts[1] = {.8, {.1, -.1}, {}, {}};
  calibration.parts[2].biases = {0};
  calibration.thresholds = {{{.9, .6, .95}}, {}};
  calibration.made_for = {"00ff", "12ab"};
  return calibration;
}

FitOptions FewResamples() {
  FitOptions options;
  options.n_resamples = 10;
  return options;
}

TEST(SetCalibration, EachGroupHasItsOwnTemperature) {
  const LabelTree tree(SetWithParents());
  const auto fit = FitTree(tree, TooSureBelow(1000), FewResamples());
  ASSERT_TRUE(fit.ok()) << fit.error().message;
  ASSERT_EQ(fit->calibration.parts.size(), 3u);
  EXPECT_NEAR(fit->calibration.parts[0].temperature, 1, .3);
  EXPECT_NEAR(fit->calibration.parts[1].temperature, 3, .8);
  EXPECT_FALSE(fit->parts[2].fitted);  // one label alone
  EXPECT_TRUE(fit->calibration.parts[2].IsIdentity());
  ASSERT_EQ(fit->after.size(), 2u);
  EXPECT_LT(fit->after[1].log_loss.value, fit->before[1].log_loss.value - .05);
  EXPECT_LT(fit->after[1].ece.value, .08);
  // On other rows, and still a distribution on every level.
  Scored other = TooSureBelow(30);
  for (int64_t i = 0; i < other.n_rows(); ++i) {
    const std::span<double> row = std::span(other.probabilities).subspan(static_cast<size_t>(i) * 5, 5);
    fit->calibration.Apply(tree, row);
    EXPECT_NEAR(row[0] + row[1], 1, 1e-12);
    EXPECT_NEAR(row[2] + row[3], row[0], 1e-12);
    EXPECT_NEAR(row[4], row[1], 1e-12);
  }
}

TEST(SetCalibration, ThresholdsAreOfTheLevelsAndOfTheLabels) {
  const LabelTree tree(SetWithParents());
  FitOptions options = FewResamples();
  options.precisions = {.7, .9999};
  const auto fit = FitTree(tree, TooSureBelow(1000), options);
  ASSERT_TRUE(fit.ok());
  const auto found = fit->calibration.ThresholdsFor(.7);
  ASSERT_TRUE(found.ok()) << found.error().message;
  ASSERT_EQ(found->size(), 2u);
  EXPECT_GT((*found)[1], .5);
  EXPECT_FALSE(fit->calibration.ThresholdsFor(.9999).ok());
  EXPECT_NE(fit->calibration.ThresholdsFor(.5).error().message.find("there are those for 0.7"), std::string::npos);
}

TEST(SetCalibration, RowsOfAnInnerLabelCountAboveItAlone) {
  const LabelTree tree(SetWithParents());
  Scored scored = TooSureBelow(200);
  int64_t n_in_a = 0;
  for (int32_t& truth : scored.truth) {
    if (truth == 4) continue;
    if (++n_in_a > 5) truth = 0;  // known to be in "a" and no more
  }
  const auto fit = FitTree(tree, scored);
  ASSERT_TRUE(fit.ok());
  EXPECT_EQ(fit->parts[0].n_rows, 200);
  EXPECT_EQ(fit->parts[1].n_rows, 5);
  EXPECT_FALSE(fit->parts[1].fitted);  // too few
  EXPECT_EQ(fit->before[0].n_rows, 200);
  EXPECT_EQ(fit->before[1].n_rows, 200 - n_in_a + 5);
}

TEST(SetCalibration, EachAnswerHasItsOwnAndWhatTellsNothingIsNotGiven) {
  const auto fit = FitMulti(TooSureAnswers(1500), FewResamples());
  ASSERT_TRUE(fit.ok()) << fit.error().message;
  EXPECT_NEAR(fit->calibration.parts[0].temperature, 3, .5);
  EXPECT_TRUE(fit->parts[0].fitted && fit->parts[1].fitted);
  EXPECT_FALSE(fit->parts[2].fitted);  // fits nowhere
  EXPECT_TRUE(fit->calibration.parts[2].IsIdentity());
  // The first label's F1 is best somewhat below a half; the second one's is best where every row has it.
  EXPECT_GT(fit->calibration.label_thresholds[0], .2);
  EXPECT_LE(fit->calibration.label_thresholds[0], .5);
  EXPECT_EQ(fit->calibration.label_thresholds[1], .5);
  EXPECT_EQ(fit->after.labels[1].counts.n_predicted, 0);
  EXPECT_LT(fit->after.log_loss.value, fit->before.log_loss.value - .1);
  EXPECT_LT(fit->after.labels[0].counts.n_predicted, 1500);
  std::vector<double> row = {1, 0, .3};
  fit->calibration.Apply(LabelTree(), row);
  for (const double p : row) EXPECT_TRUE(p >= 0 && p <= 1);
  EXPECT_EQ(row[2], .3);
}

TEST(SetCalibration, NeedsRowsAndCanBeStopped) {
  const LabelTree tree(SetWithParents());
  EXPECT_FALSE(FitTree(tree, TooSureBelow(9)).ok());
  EXPECT_FALSE(FitTree(tree, {5, {}, {}}).ok());
  EXPECT_FALSE(FitMulti(TooSureAnswers(9)).ok());
  FitOptions options;
  options.progress = [](int, int) { return false; };
  EXPECT_EQ(FitTree(tree, TooSureBelow(50), options).error().code, ErrorCode::kCancelled);
  EXPECT_EQ(FitMulti(TooSureAnswers(50), options).error().code, ErrorCode::kCancelled);
}

TEST(SetPrior, BatchMakesTheMeanLogProbabilitiesOfAGroupEqual) {
  const LabelTree tree(SetWithParents());
  const std::vector<double> rows = {.8, .2, .6, .2, .2, .5, .5, .1, .4, .5};
  const SetCalibration prior = BatchPrior(tree, SetKind::kParents, rows);
  // The top: as a flat set's. Below "a" the first row counts .8, the second .5.
  const auto top = BatchBiases(std::vector<double>{.8, .2, .5, .5}, 2);
  EXPECT_NEAR(prior.parts[0].biases[0], top[0], 1e-12);
  const double a1 = -(.8 * std::log(.75) + .5 * std::log(.2)) / 1.3, a2 = -(.8 * std::log(.25) + .5 * std::log(.8)) / 1.3;
  EXPECT_NEAR(prior.parts[1].biases[0], (a1 - a2) / 2, 1e-12);
  EXPECT_NEAR(prior.parts[1].biases[1], (a2 - a1) / 2, 1e-12);
  EXPECT_NEAR(prior.parts[2].biases[0], 0, 1e-12);
}

TEST(SetPrior, OfAnswers) {
  const LabelTree tree(*LabelSet::FromList("x,y"));
  const auto odds = [](double p) { return std::log(p / (1 - p)); };
  const std::vector<double> rows = {.9, .2, .6, .1};
  const SetCalibration batch = BatchPrior(tree, SetKind::kMultiLabel, rows);
  const double x = (odds(.9) + odds(.6)) / 2, y = (odds(.2) + odds(.1)) / 2;
  EXPECT_NEAR(batch.parts[0].biases[0], -(x - y) / 2, 1e-12);
  EXPECT_NEAR(batch.parts[1].biases[0], (x - y) / 2, 1e-12);
  const SetCalibration contextual = ContextualPrior(tree, SetKind::kMultiLabel, std::vector<double>{.7, .2});
  std::vector<double> row = {.7, .2};
  contextual.Apply(tree, row);
  EXPECT_NEAR(row[0], .5, 1e-12);
  EXPECT_NEAR(row[1], .5, 1e-12);
  const SetCalibration parents =
      ContextualPrior(LabelTree(SetWithParents()), SetKind::kParents, std::vector<double>{.8, .2, .6, .2, .2});
  std::vector<double> group = {.8, .2, .6, .2, .2};
  parents.Apply(LabelTree(SetWithParents()), group);
  EXPECT_NEAR(group[0], .5, 1e-12);
  EXPECT_NEAR(group[2], .25, 1e-12);
}

TEST(SetCalibrationFile, ComesBackToTheBit) {
  const LabelTree tree(SetWithParents());
  const SetCalibration one = ExampleOfParents();
  const auto back = ReadSetCalibration(SetCalibrationJson(one, tree, kSetNames).Dump(1), one.kind, one.made_for, tree, kSetNames);
  ASSERT_TRUE(back.ok()) << back.error().message;
  for (size_t g = 0; g < one.parts.size(); ++g) {
    EXPECT_EQ(back->parts[g].temperature, one.parts[g].temperature);
    EXPECT_EQ(back->parts[g].biases, one.parts[g].biases);
  }
  EXPECT_EQ(*back->ThresholdsFor(.9), (std::vector<double>{.6, std::numeric_limits<double>::infinity()}));
  SetCalibration multi;
  multi.kind = SetKind::kMultiLabel;
  multi.parts = {{2, {.5, 0}, {}, {}}, {1, {0, 0}, {}, {}}};
  multi.label_thresholds = {.4, .5};
  multi.thresholds.resize(2);
  multi.made_for = {"00ff", "12ab"};
  const std::vector<std::string> names = {"x", "y"};
  const auto again = ReadSetCalibration(SetCalibrationJson(multi, LabelTree(), names).Dump(), SetKind::kMultiLabel,
                                        multi.made_for, LabelTree(), names);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(again->parts[0].biases, multi.parts[0].biases);
  EXPECT_EQ(again->label_thresholds, multi.label_thresholds);
}

TEST(SetCalibrationFile, LoadsOnlyForWhatItWasFittedFor) {
  const LabelTree tree(SetWithParents());
  const SetCalibration one = ExampleOfParents();
  const auto says = [&](const Json& json, SetKind kind, const Fingerprint& here, const LabelTree& at,
                        const std::vector<std::string>& names) {
    const auto read = ReadSetCalibration(json.Dump(), kind, here, at, names);
    return read.ok() ? "" : read.error().message;
  };
  Json json = SetCalibrationJson(one, tree, kSetNames);
  EXPECT_EQ(says(json, one.kind, one.made_for, tree, kSetNames), "");
  EXPECT_NE(says(json, one.kind, {"00fe", "12ab"}, tree, kSetNames).find("another model"), std::string::npos);
  EXPECT_NE(says(json, one.kind, {"00ff", "12ac"}, tree, kSetNames).find("another prompt"), std::string::npos);
  EXPECT_NE(says(json, SetKind::kMultiLabel, one.made_for, tree, kSetNames).find("not fitted for --multi-label"),
            std::string::npos);
  EXPECT_NE(says(json, one.kind, one.made_for, tree, {"a", "b", "a1", "a3", "b1"}).find("label 4 is 'a3'"), std::string::npos);
  EXPECT_NE(says(json, one.kind, one.made_for, LabelTree(*LabelSet::FromList("a,b")), {"a", "b"}).find("3 groups"),
            std::string::npos);
  json.Set("levels", Json::MakeArray());
  EXPECT_NE(says(json, one.kind, one.made_for, tree, kSetNames).find("\"levels\""), std::string::npos);
  json.Set("groups", 5);
  EXPECT_NE(says(json, one.kind, one.made_for, tree, kSetNames).find("groups of labels"), std::string::npos);
  json.Set("version", 1);
  EXPECT_NE(says(json, one.kind, one.made_for, tree, kSetNames).find("of which one is right"), std::string::npos);
}

}  // namespace
}  // namespace lfm::classify
