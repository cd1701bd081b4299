// Exactness: logits, residual stream and greedy continuations against the references made with transformers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "base/json.h"
#include "base/strings.h"
#include "model_fixture.h"
#include "support/golden.h"

namespace lfm::test {
namespace {

using model::Compute;

Json ReadJson(const std::string& path) {
  auto text = ReadWholeFile(path);
  EXPECT_TRUE(text.ok()) << path;
  auto json = ParseJson(*text);
  EXPECT_TRUE(json.ok()) << path;
  return *json;
}

std::vector<int32_t> Ids(const Json& array) {
  std::vector<int32_t> ids;
  for (const Json& id : array.items()) ids.push_back(static_cast<int32_t>(id.AsInt()));
  return ids;
}

double MaxDifference(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double most = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (!(difference <= most)) most = difference;
  }
  return most;
}

// Mean Kullback-Leibler divergence of q's softmax from p's, row by row.
double MeanKl(std::span<const float> p, std::span<const float> q, size_t vocab) {
  double sum = 0;
  const size_t n = p.size() / vocab;
  for (size_t i = 0; i < n; ++i) {
    const auto normaliser = [&](std::span<const float> row) {
      const double most = *std::max_element(row.begin(), row.end());
      double total = 0;
      for (const float x : row) total += std::exp(static_cast<double>(x) - most);
      return most + std::log(total);
    };
    const auto a = p.subspan(i * vocab, vocab), b = q.subspan(i * vocab, vocab);
    const double za = normaliser(a), zb = normaliser(b);
    for (size_t j = 0; j < vocab; ++j) {
      const double log_a = static_cast<double>(a[j]) - za, log_b = static_cast<double>(b[j]) - zb;
      sum += std::exp(log_a) * (log_a - log_b);
    }
  }
  return sum / static_cast<double>(n);
}

TEST(Forward, LogitsOfHuggingFaceFolders) {
  const auto folders = GoldenEntries("models");
  ASSERT_FALSE(folders.empty());
  for (const std::string& folder : folders) {
    const auto rig = Rig::Load(folder, Compute::kF32);
    ASSERT_TRUE(rig);
    const Json prompts = ReadJson(folder + "/reference/prompts.json");
    const Json accuracy = ReadJson(folder + "/reference/accuracy.json");
    for (const auto& [name, prompt] : prompts.members()) {
      const auto vocab = static_cast<size_t>(rig->vocab());
      const std::vector<float> logits = rig->Logits(Ids(prompt["ids"]));
      std::vector<float> kept;
      for (const Json& position : prompt["positions"].items()) {
        const auto at = static_cast<std::ptrdiff_t>(static_cast<size_t>(position.AsInt()) * vocab);
        kept.insert(kept.end(), logits.begin() + at, logits.begin() + at + static_cast<std::ptrdiff_t>(vocab));
      }
      const double natural = accuracy["float32_against_float64"][name]["logits"]["max_abs"].AsDouble();
      const double limit = std::max(10 * natural, 1e-4);
      const double most = MaxDifference(kept, ReadNpy(folder + "/reference/logits_" + name + ".npy").values);
      EXPECT_LE(most, limit) << folder << " " << name;
      RecordProperty(folder.substr(folder.find_last_of('/') + 1) + "_" + name, StrCat(most));
    }
  }
}

TEST(Forward, ResidualStream) {
  for (const std::string& folder : GoldenEntries("models")) {
    const auto rig = Rig::Load(folder, Compute::kF32);
    ASSERT_TRUE(rig);
    const std::vector<int32_t> ids = Ids(ReadJson(folder + "/reference/prompts.json")["p17"]["ids"]);
    const Npy expected = ReadNpy(folder + "/reference/layers_p17.npy");
    std::vector<float> stream(expected.values.size());
    rig->workspace->capture = stream.data();
    rig->Logits(ids);
    rig->workspace->capture = nullptr;
    const Json accuracy = ReadJson(folder + "/reference/accuracy.json");
    const double natural = accuracy["float32_against_float64"]["p17"]["stream_max_abs"].AsDouble();
    EXPECT_LE(MaxDifference(stream, expected.values), std::max(10 * natural, 1e-4)) << folder;
  }
}

TEST(Forward, GgufFilesInF32) {
  const auto indexes = GoldenPaths("gguf/index.json");
  ASSERT_FALSE(indexes.empty());
  for (const std::string& path : GoldenEntries("gguf", ".gguf")) {
    const auto rig = Rig::Load(path, Compute::kF32);
    ASSERT_TRUE(rig);
    const std::string name = path.substr(path.find_last_of('/') + 1);
    const Json index = ReadJson(path.substr(0, path.find_last_of('/')) + "/index.json");
    const Npy expected = ReadNpy(path.substr(0, path.size() - 5) + ".npy");
    EXPECT_LE(MaxDifference(rig->Logits(Ids(index[name]["ids"])), expected.values), 3e-4) << name;
  }
}

// The mean KL of llama.cpp's int8 activations against the same references, from the golden data's own measurements.
const std::pair<const char*, double> kLlamaCpp[] = {
    {"mini-lfm2-BF16", 5.03e-04},       {"mini-lfm2-IQ4_NL", 7.81e-03},        {"mini-lfm2-IQ4_XS", 1.84e-02},
    {"mini-lfm2-Q2_K", 1.75e-02},       {"mini-lfm2-Q3_K_M", 1.82e-02},        {"mini-lfm2-Q4_1", 8.23e-03},
    {"mini-lfm2-Q4_K_S", 2.05e-02},     {"mini-lfm2-Q5_0", 7.31e-03},          {"mini-lfm2-Q5_1", 8.14e-03},
    {"mini-lfm2-moe-BF16", 8.72e-04},   {"mini-lfm2-moe-MXFP4_MOE", 9.85e-03}, {"mini-lfm2-moe-Q4_0", 9.94e-03},
    {"mini-lfm2-moe-Q4_K_M", 2.07e-01}, {"mini-lfm2-moe-Q5_K_M", 1.01e-01},    {"mini-lfm2-moe-Q6_K", 2.24e-02},
    {"mini-lfm2-moe-Q8_0", 1.11e-02}};

TEST(Forward, QuantisedActivationsStayCloserThanLlamaCpp) {
  double log_ratio = 0, dense_k_log_ratio = 0;
  int n = 0, n_dense_k = 0;
  for (const std::string& path : GoldenEntries("gguf", ".gguf")) {
    const std::string file = path.substr(path.find_last_of('/') + 1);
    const std::string stem = file.substr(0, file.size() - 5);
    const auto reference =
        std::find_if(std::begin(kLlamaCpp), std::end(kLlamaCpp), [&](const auto& row) { return stem == row.first; });
    if (reference == std::end(kLlamaCpp)) continue;
    const auto rig = Rig::Load(path, Compute::kAuto);
    ASSERT_TRUE(rig);
    const Json index = ReadJson(path.substr(0, path.find_last_of('/')) + "/index.json");
    const Npy expected = ReadNpy(path.substr(0, path.size() - 5) + ".npy");
    const double kl = MeanKl(expected.values, rig->Logits(Ids(index[file]["ids"])), static_cast<size_t>(rig->vocab()));
    const double ratio = kl / reference->second;
    std::printf("  %-26s mean KL %.3e  ours / llama.cpp %.3f\n", stem.c_str(), kl, ratio);
    if (stem.ends_with("BF16")) {
      EXPECT_LE(ratio, 1.0) << stem;
      continue;
    }
    log_ratio += std::log(ratio);
    ++n;
    const bool dense = stem.find("moe") == std::string::npos;
    if (dense && (stem.find("_K") != std::string::npos || stem.ends_with("IQ4_XS"))) {
      dense_k_log_ratio += std::log(ratio);
      ++n_dense_k;
    }
  }
  ASSERT_GT(n, 0);
  std::printf("  geometric mean over %d quantised files: %.3f\n", n, std::exp(log_ratio / n));
  if (n >= 10) {
    EXPECT_LE(std::exp(log_ratio / n), 0.85);
  }
  if (n_dense_k > 0) {
    std::printf("  geometric mean over %d dense K files: %.3f\n", n_dense_k, std::exp(dense_k_log_ratio / n_dense_k));
    EXPECT_LE(std::exp(dense_k_log_ratio / n_dense_k), 0.6);
  }
}

}  // namespace
}  // namespace lfm::test
