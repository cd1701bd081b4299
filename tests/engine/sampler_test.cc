// The sampler against Hugging Face's logits processors (golden probabilities), and what they leave open.
#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <numeric>

#include "base/file.h"
#include "base/json.h"
#include "engine/random.h"
#include "engine/stop_matcher.h"
#include "support/golden.h"

namespace lfm::engine {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

SamplingParams Neutral() {
  SamplingParams p;
  p.temperature = 1, p.min_p = 0, p.repetition_penalty = 1;
  return p;
}

float FloatOf(const Json& value) {
  if (value.is_string()) return value.AsString() == "inf" ? kInf : value.AsString() == "-inf" ? -kInf : kNan;
  return static_cast<float>(value.AsDouble());
}

SamplingParams ParamsOf(const Json& settings) {
  SamplingParams p = Neutral();
  const auto number = [&](const char* name, float otherwise) {
    return static_cast<float>(settings[name].AsDouble(static_cast<double>(otherwise)));
  };
  p.temperature = settings["do_sample"].AsBool() ? number("temperature", 1) : 0;
  p.top_k = static_cast<int>(settings["top_k"].AsInt());
  p.top_p = number("top_p", 1);
  p.min_p = number("min_p", 0);
  p.typical_p = number("typical_p", 1);
  p.repetition_penalty = number("repetition_penalty", 1);
  return p;
}

// Where several tokens tie, which of them top-p keeps is chance in the reference.
bool HasTies(const std::string& tag) { return tag == "all_equal" || tag == "few_values" || tag.starts_with("tie_"); }

TEST(Sampler, GoldenProbabilities) {
  int n_compared = 0;
  double worst = 0;
  for (const std::string& path : test::GoldenPaths("sampling.json")) {
    SCOPED_TRACE(path);
    const auto text = ReadWholeFile(path);
    ASSERT_TRUE(text.ok());
    const auto golden = ParseJson(*text);
    ASSERT_TRUE(golden.ok());
    const Json::Array& rows = (*golden)["rows"].items();
    for (const Json& test_case : (*golden)["cases"].items()) {
      const SamplingParams params = ParamsOf(test_case["settings"]);
      ASSERT_TRUE(Validate(params).ok());
      for (size_t i = 0; i < rows.size(); ++i) {
        std::vector<float> logits;
        for (const Json& v : rows[i]["logits"].items()) logits.push_back(FloatOf(v));
        std::vector<int32_t> context;
        for (const Json& id : rows[i]["context"].items()) context.push_back(static_cast<int32_t>(id.AsInt()));
        Sampler sampler(params, static_cast<int>(logits.size()));
        sampler.AcceptPrompt(context);
        std::vector<double> got = sampler.Probabilities(logits);
        EXPECT_NEAR(std::accumulate(got.begin(), got.end(), 0.0), 1, 1e-9);
        const Json& row = test_case["probabilities"].items()[i];
        if (row.is_null()) continue;  // a logit of +inf: see PlusInfinity
        std::vector<double> expected;
        for (const Json& v : row.items()) expected.push_back(v.AsDouble());
        if (HasTies(rows[i]["tag"].AsString())) std::sort(got.begin(), got.end()), std::sort(expected.begin(), expected.end());
        for (size_t k = 0; k < got.size(); ++k) {
          worst = std::max(worst, std::abs(got[k] - expected[k]));
          EXPECT_NEAR(got[k], expected[k], 1e-6) << test_case["settings"].Dump() << " row " << i << " token " << k;
        }
        ++n_compared;
      }
    }
  }
  EXPECT_GT(n_compared, 400);
  std::printf("%d rows, worst difference %.1e\n", n_compared, worst);
}

std::vector<double> ProbabilitiesOf(const SamplingParams& params, std::vector<float> logits) {
  return Sampler(params, static_cast<int>(logits.size())).Probabilities(logits);
}

TEST(Sampler, OddLogits) {
  using P = std::vector<double>;
  EXPECT_EQ(ProbabilitiesOf(Neutral(), {1, kInf, 2, kInf}), (P{0, 0.5, 0, 0.5}));
  EXPECT_EQ(ProbabilitiesOf(Neutral(), {kNan, 0, -kInf, 0}), (P{0, 0.5, 0, 0.5}));
  EXPECT_EQ(ProbabilitiesOf(Neutral(), {-kInf, kNan}), (P{0, 0})) << "nothing is left";
  SamplingParams greedy = Neutral();
  greedy.temperature = 0;
  EXPECT_EQ(ProbabilitiesOf(greedy, {kNan, 1, 2, 2}), (P{0, 0, 1, 0}));
  EXPECT_EQ(ProbabilitiesOf(greedy, {1, kInf, kInf}), (P{0, 1, 0}));
  EXPECT_EQ(ProbabilitiesOf(greedy, {-kInf, -kInf}), (P{0, 0}));
  SamplingParams cold = Neutral();
  cold.temperature = 1e-38F;
  EXPECT_EQ(ProbabilitiesOf(cold, {1, 3, 2, 3}), (P{0, 0.5, 0, 0.5}));
  SamplingParams many = Neutral();
  many.top_k = 3, many.top_p = 0.5F, many.min_p = 0.1F, many.typical_p = 0.5F;
  EXPECT_EQ(ProbabilitiesOf(many, {-kInf, -kInf, 4, -kInf}), (P{0, 0, 1, 0}));
}

TEST(Sampler, PenaltiesOfGeneratedTokens) {
  SamplingParams p = Neutral();
  p.temperature = 0, p.presence_penalty = 1, p.frequency_penalty = 0.5F;
  Sampler sampler(p, 3);
  const std::vector<int32_t> prompt{0, 0, 0};
  sampler.AcceptPrompt(prompt);
  const auto sample = [&] {
    std::vector<float> logits{3, 1.4F, 0};
    return sampler.Sample(logits);
  };
  EXPECT_EQ(sample(), 0) << "the prompt does not count";
  sampler.Accept(0);  // 3 - 1.5
  EXPECT_EQ(sample(), 0);
  sampler.Accept(0);  // 3 - 2
  EXPECT_EQ(sample(), 1);
  sampler.Accept(-1), sampler.Accept(3);  // no tokens: no effect
  EXPECT_EQ(sample(), 1);
}

TEST(Sampler, RepetitionPenaltyAtTemperatureZeroOncePerToken) {
  SamplingParams p = Neutral();
  p.temperature = 0, p.repetition_penalty = 2;
  Sampler sampler(p, 3);
  const std::vector<int32_t> prompt{0, 0, 0, 7, -2};
  sampler.AcceptPrompt(prompt);
  std::vector<float> logits{4, 1.9F, -1};
  EXPECT_EQ(sampler.Sample(logits), 0) << "4 / 2, not 4 / 8";
  EXPECT_EQ(logits, (std::vector<float>{2, 1.9F, -1}));
  sampler.Accept(2), sampler.Accept(1);
  logits = {4, 3.9F, -1};
  EXPECT_EQ(sampler.Sample(logits), 0);
  EXPECT_EQ(logits, (std::vector<float>{2, 1.95F, -2}));
}

TEST(Sampler, LogitBias) {
  SamplingParams p = Neutral();
  p.temperature = 0;
  p.logit_bias = {{0, -kInf}, {2, 5}, {9, 1}};
  std::vector<float> logits{10, 1, 0};
  EXPECT_EQ(Sampler(p, 3).Sample(logits), 2);
}

TEST(Sampler, DrawsFollowTheProbabilities) {
  SamplingParams p = Neutral();
  p.seed = 42;
  Sampler sampler(p, 3);
  const std::vector<float> logits{std::log(0.2F), std::log(0.5F), std::log(0.3F)};
  int n[3] = {};
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) {
    std::vector<float> copy = logits;
    const int32_t id = sampler.Sample(copy).value();
    copy = logits;
    EXPECT_EQ(sampler.Sample(copy), id) << "until Accept, the same draw";
    ++n[id];
    sampler.Accept(id);
  }
  EXPECT_NEAR(n[0], 0.2 * kDraws, 300);
  EXPECT_NEAR(n[1], 0.5 * kDraws, 300);
}

// Guards "the same text on every machine": these ids must never change.
TEST(Sampler, SeededChoicesArePinned) {
  SamplingParams p = Neutral();
  p.seed = 1234567890123456789U, p.temperature = 0.7F, p.top_k = 200, p.top_p = 0.97F, p.repetition_penalty = 1.1F;
  Sampler sampler(p, 1000);
  std::vector<int32_t> ids;
  for (uint64_t step = 0; step < 12; ++step) {
    std::vector<float> logits;
    for (uint64_t i = 0; i < 1000; ++i) logits.push_back(static_cast<float>(UniformDraw(step, i) * 8));
    ids.push_back(sampler.Sample(logits).value());
    sampler.Accept(ids.back());
  }
  EXPECT_EQ(ids, (std::vector<int32_t>{863, 867, 192, 765, 472, 499, 870, 618, 729, 564, 296, 116}));
}

TEST(Sampler, LargeVocabularyTakesTheSameTokensByEveryPath) {
  // top_k above and below the heap's limit, chunks of top-p: compared with a plain sort.
  constexpr int kVocab = 20000;
  std::vector<float> logits;
  for (uint64_t i = 0; i < kVocab; ++i) logits.push_back(static_cast<float>(std::floor(UniformDraw(9, i) * 4000)) / 400);
  for (const int k : {1, 7, 1000, 1024, 1025, 5000, 19999, 20000, 30000}) {
    std::vector<float> sorted = logits;
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    SamplingParams p = Neutral();
    p.top_k = k;
    const std::vector<double> got = ProbabilitiesOf(p, logits);
    const float kth = sorted[std::min<size_t>(static_cast<size_t>(k), kVocab) - 1];
    for (size_t i = 0; i < kVocab; ++i) EXPECT_EQ(got[i] > 0, logits[i] >= kth) << k;
  }
  const std::vector<double> all = ProbabilitiesOf(Neutral(), logits);
  for (const float top_p : {0.001F, 0.3F, 0.9F, 0.9999F}) {
    SamplingParams p = Neutral();
    p.top_p = top_p;
    const std::vector<double> got = ProbabilitiesOf(p, logits);
    double kept = 0, least = 1, most_dropped = 0;
    for (size_t i = 0; i < kVocab; ++i) {
      if (got[i] > 0) kept += all[i], least = std::min(least, all[i]);
      if (got[i] == 0) most_dropped = std::max(most_dropped, all[i]);
    }
    EXPECT_GE(kept, double{top_p} - 1e-9);
    EXPECT_LT(kept - least, double{top_p} + 1e-9) << "one less would not do";
    EXPECT_LE(most_dropped, least);
  }
}

TEST(Sampler, ValidationNamesTheField) {
  const auto message = [](auto change) {
    SamplingParams p;
    change(p);
    const Status status = Validate(p, 100);
    return status.ok() ? std::string() : status.error().message;
  };
  EXPECT_EQ(message([](auto&) {}), "");
  EXPECT_EQ(message([](auto& p) { p.temperature = -1; }), "temperature is -1; it must be 0 or more, and finite");
  EXPECT_NE(message([](auto& p) { p.temperature = kNan; }), "");
  EXPECT_NE(message([](auto& p) { p.temperature = kInf; }), "");
  EXPECT_NE(message([](auto& p) { p.top_k = -1; }).find("top_k"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.top_p = 1.1F; }).find("top_p"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.min_p = kNan; }).find("min_p"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.typical_p = 0; }).find("typical_p"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.repetition_penalty = 0; }).find("repetition_penalty"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.presence_penalty = kInf; }).find("presence_penalty"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.frequency_penalty = kNan; }).find("frequency_penalty"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.logit_bias = {{100, 1.0F}}; }).find("token 100"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.logit_bias = {{1, kNan}}; }).find("token 1"), std::string::npos);
}

// Known answers of the authors' Random123 library.
TEST(Random, PhiloxKnownAnswers) {
  using Four = std::array<uint32_t, 4>;
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}), (Four{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Four{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Four{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
  for (uint64_t i = 0; i < 1000; ++i) {
    EXPECT_GE(UniformDraw(7, i), 0);
    EXPECT_LT(UniformDraw(7, i), 1);
  }
}

TEST(Logprobs, AreOfTheRawDistribution) {
  const std::vector<float> logits{std::log(0.2F), std::log(0.5F), -kInf, std::log(0.2F), std::log(0.1F), kNan};
  const auto top = TopLogprobs(logits, 3);
  ASSERT_EQ(top.size(), 3U);
  EXPECT_EQ(top[0].id, 1);
  EXPECT_EQ(top[1].id, 0) << "the lower of equal ones first";
  EXPECT_EQ(top[2].id, 3);
  EXPECT_NEAR(top[0].logprob, std::log(0.5F), 1e-6);
  EXPECT_NEAR(LogprobOf(logits, 4), std::log(0.1F), 1e-6);
  EXPECT_EQ(LogprobOf(logits, 2), -kInf);
  EXPECT_EQ(TopLogprobs(logits, 100).size(), 6U);
  EXPECT_TRUE(TopLogprobs(logits, 0).empty());
}

// ---- stop strings
// ----------------------------------------------------------------------------------------------------

StopMatcher Matcher(std::vector<std::string> stops) {
  auto matcher = StopMatcher::Create(std::move(stops));
  EXPECT_TRUE(matcher.ok());
  return std::move(matcher).value();
}

TEST(StopMatcher, FindsAcrossPushes) {
  StopMatcher m = Matcher({"</end>", "stop"});
  EXPECT_EQ(m.Push("a <"), "a ");
  EXPECT_EQ(m.Push("/en"), "");
  EXPECT_EQ(m.Push("x sto"), "</enx ");
  EXPECT_EQ(m.Push("sto"), "sto") << "a new beginning replaces the old one";
  EXPECT_FALSE(m.stopped());
  EXPECT_EQ(m.Push("p more"), "");
  EXPECT_TRUE(m.stopped());
  EXPECT_EQ(m.found(), "stop");
  EXPECT_EQ(m.Push("more") + m.Finish(), "");
}

TEST(StopMatcher, GivesBackWhatWasHeld) {
  StopMatcher m = Matcher({"aab"});
  EXPECT_EQ(m.Push("aaa"), "a") << "'aa' may still become the stop string";
  EXPECT_EQ(m.Finish(), "aa");
  EXPECT_EQ(StopMatcher().Push("anything"), "anything");
}

TEST(StopMatcher, TheLongerOfTwoThatEndTogether) {
  StopMatcher m = Matcher({"b", "aab"});
  EXPECT_EQ(m.Push("xa"), "x");
  EXPECT_EQ(m.Push("ab"), "");
  EXPECT_EQ(m.found(), "aab");
}

TEST(StopMatcher, AgreesWithAPlainSearch) {
  const std::vector<std::string> stops{"abab", "bb", "caca", "abaabc"};
  for (uint64_t trial = 0; trial < 2000; ++trial) {
    std::string text;
    for (uint64_t i = 0; i < 24; ++i) text.push_back("abc"[static_cast<size_t>(UniformDraw(trial, i) * 3)]);
    // The first end of any stop string; of those the longest.
    size_t end = std::string::npos, begin = text.size();
    for (size_t e = 1; e <= text.size() && end == std::string::npos; ++e) {
      for (const std::string& stop : stops) {
        if (e >= stop.size() && text.compare(e - stop.size(), stop.size(), stop) == 0)
          end = e, begin = std::min(begin, e - stop.size());
      }
    }
    StopMatcher m = Matcher(stops);
    std::string got;
    for (size_t i = 0; i < text.size();) {
      const size_t n = 1 + static_cast<size_t>(UniformDraw(trial, 100 + i) * 4);
      got += m.Push(std::string_view(text).substr(i, n));
      i += n;
    }
    got += m.Finish();
    EXPECT_EQ(got, text.substr(0, begin));
    EXPECT_EQ(m.stopped(), end != std::string::npos);
  }
}

TEST(StopMatcher, Limits) {
  EXPECT_FALSE(StopMatcher::Create({""}).ok());
  EXPECT_FALSE(StopMatcher::Create({std::string(5000, 'x')}).ok());
  EXPECT_FALSE(StopMatcher::Create(std::vector<std::string>(65, "x")).ok());
  EXPECT_TRUE(StopMatcher::Create({}).ok());
}

}  // namespace
}  // namespace lfm::engine
