// Perplexity against the reference logits of the golden models; comparison with a base; interrupted runs.
#include "quant/perplexity.h"

#include <cmath>

#include "base/json.h"
#include "quant_fixture.h"

namespace lfm::test {
namespace {

using quant::Passage;

struct Rig {
  Threads threads{2};
  std::shared_ptr<engine::LoadedModel> loaded;

  explicit Rig(const std::string& path) {
    engine::LoadOptions load;
    load.compute = model::Compute::kF32;
    auto result = engine::LoadedModel::Load(path, threads, load);
    EXPECT_TRUE(result.ok());
    if (result.ok()) loaded = *result;
  }
  Result<quant::PerplexityReport> Measure(std::span<const Passage> passages, const quant::PerplexityOptions& options = {}) {
    return quant::MeasurePerplexity(loaded->network(), loaded->pages(), passages, threads, options);
  }
};

Passage PassageOf(const std::string& folder, const char* prompt) {
  const auto prompts = ParseJson(ReadBinary(folder + "/reference/prompts.json"));
  Passage passage;
  for (const Json& id : (*prompts)[prompt]["ids"].items()) passage.tokens.push_back(static_cast<int32_t>(id.AsInt()));
  passage.counts.assign(passage.tokens.size(), 1);
  passage.counts[0] = 0;
  return passage;
}

std::vector<Passage> Windows(int n) {
  std::vector<int32_t> tokens(static_cast<size_t>(n));
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int32_t>(i * i % 1999);
  return quant::CutWindows(tokens, 64, 1);
}

TEST(Perplexity, WindowsAreThoseOfLlamaCpp) {
  std::vector<int32_t> tokens(23);
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int32_t>(i);
  const auto windows = quant::CutWindows(tokens, 8, 99);
  ASSERT_EQ(windows.size(), 2U);
  EXPECT_EQ(windows[1].tokens, (std::vector<int32_t>{99, 9, 10, 11, 12, 13, 14, 15}));
  EXPECT_EQ(windows[1].counts, (std::vector<uint8_t>{0, 0, 0, 0, 0, 1, 1, 1}));  // n_ctx - first - 1
  EXPECT_TRUE(quant::CutWindows(tokens, 24, -1).empty());
}

TEST(Perplexity, AgreesWithTheReferenceLogits) {
  for (const std::string& folder : GoldenEntries("models")) {
    SCOPED_TRACE(folder);
    const Passage passage = PassageOf(folder, "p64");
    const Npy logits = ReadNpy(folder + "/reference/logits_p64.npy");
    const auto n_vocab = static_cast<size_t>(logits.shape[1]);
    double nll = 0;
    for (size_t i = 0; i + 1 < passage.tokens.size(); ++i) {
      std::vector<float> row(logits.values.begin() + static_cast<int64_t>(i * n_vocab),
                             logits.values.begin() + static_cast<int64_t>((i + 1) * n_vocab));
      quant::LogSoftmax(row);
      nll -= static_cast<double>(row[static_cast<size_t>(passage.tokens[i + 1])]);
    }
    Rig rig(folder);
    const auto report = rig.Measure({&passage, 1});
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_EQ(report->n_tokens, static_cast<int64_t>(passage.tokens.size()) - 1);
    EXPECT_NEAR(report->nll.value, nll / static_cast<double>(passage.tokens.size() - 1), 2e-4);
    EXPECT_NEAR(report->perplexity.value, std::exp(report->nll.value), 1e-9 * report->perplexity.value);
    EXPECT_GT(report->perplexity.interval, 0);
  }
}

TEST(Perplexity, AModelIsNotFarFromItself) {
  const TempFolder temp;
  const auto windows = Windows(200);
  Rig rig(GoldenPaths("models/tiny-lfm25-moe").at(0));
  quant::PerplexityOptions options;
  options.save_base = temp / "base";
  const auto saved = rig.Measure(windows, options);
  ASSERT_TRUE(saved.ok()) << saved.error().message;
  EXPECT_EQ(FilesOf(temp.path()), std::vector<std::string>{"base"});
  options = {};
  options.base = temp / "base";
  const auto same = rig.Measure(windows, options);
  ASSERT_TRUE(same.ok()) << same.error().message;
  EXPECT_LT(same->kl.value, 1e-5);  // the base file rounds log probabilities to 16 bits: errors of up to 2e-3 each
  EXPECT_EQ(same->same_top.value, 1);
  EXPECT_NEAR(same->base_perplexity.value, saved->perplexity.value, 1e-4 * saved->perplexity.value);

  const auto other = rig.Measure(Windows(300), options);
  ASSERT_FALSE(other.ok());
  EXPECT_NE(other.error().message.find("another text"), std::string::npos) << other.error().message;
  std::filesystem::resize_file(temp / "base", 5000);
  EXPECT_FALSE(rig.Measure(windows, options).ok());
}

TEST(Perplexity, QuantisedWeightsAreFurther) {
  const TempFolder temp;
  const std::string folder = GoldenPaths("models/tiny-lfm2").at(0);
  Rig rig(folder);
  const auto windows = Windows(400);
  quant::PerplexityOptions options;
  options.save_base = temp / "base";
  ASSERT_TRUE(rig.Measure(windows, options).ok());
  double last = 0;
  for (const char* type : {"q8_0", "q6_k", "q4_k_m", "q2_k"}) {
    const formats::Checkpoint source = Open(folder);
    quant::QuantizeOptions quantize;
    quantize.type = type;
    ASSERT_TRUE(quant::Quantize(source, temp / "q.gguf", rig.threads, quantize).ok());
    Rig small(temp / "q.gguf");
    options = {};
    options.base = temp / "base";
    const auto report = small.Measure(windows, options);
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_GT(report->kl.value, last) << type;
    EXPECT_GE(report->kl_99, report->kl_median);
    EXPECT_GE(report->kl_max, report->kl_99);
    last = report->kl.value;
  }
}

TEST(Perplexity, InterruptedRunsGoOn) {
  const TempFolder temp;
  const auto windows = Windows(400);
  Rig rig(GoldenPaths("models/tiny-lfm2").at(0));
  const auto whole = rig.Measure(windows);
  quant::PerplexityOptions options;
  options.save_base = temp / "base";
  options.progress = [](uint64_t done, uint64_t) { return done < 192; };
  const auto cut = rig.Measure(windows, options);
  ASSERT_FALSE(cut.ok());
  EXPECT_EQ(cut.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(FilesOf(temp.path()), std::vector<std::string>{"base.partial"});
  int n_seen = 0;
  options.progress = [&](uint64_t, uint64_t) { return ++n_seen > 0; };
  const auto resumed = rig.Measure(windows, options);
  ASSERT_TRUE(resumed.ok()) << resumed.error().message;
  EXPECT_EQ(resumed->perplexity.value, whole->perplexity.value);
  EXPECT_EQ(FilesOf(temp.path()), std::vector<std::string>{"base"});
}

TEST(Perplexity, RefusesEmptyAndForeignPassages) {
  Rig rig(GoldenPaths("models/tiny-lfm2").at(0));
  EXPECT_FALSE(rig.Measure({}).ok());
  const Passage none{{1, 2, 3}, {0, 0, 0}}, foreign{{1, 5000, 3}, {0, 1, 1}};
  EXPECT_FALSE(rig.Measure({&none, 1}).ok());
  EXPECT_FALSE(rig.Measure({&foreign, 1}).ok());
}

}  // namespace
}  // namespace lfm::test
