// The importance matrix: the file, the prior for rare experts, and what is collected.
#include <cmath>

#include <limits>

#include "quant/collect.h"
#include "quant_fixture.h"

namespace lfm::test {
namespace {

using formats::Checkpoint;
using quant::Imatrix;

TEST(Imatrix, FilesComeBack) {
  const TempFolder temp;
  Imatrix imatrix;
  imatrix.datasets = {"text.txt"};
  imatrix.n_chunks = 3;
  imatrix.chunk_size = 512;
  imatrix.entries["blk.0.ffn_up.weight"] = {{1, 2, 3, 4}, {7}};
  imatrix.entries["blk.1.ffn_up_exps.weight"] = {{1, 2, 3, 4, 0, 0}, {5, 2, 0}};
  ASSERT_TRUE(quant::WriteImatrix(imatrix, temp / "i.gguf").ok());
  const auto read = quant::ReadImatrix(temp / "i.gguf");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->datasets, imatrix.datasets);
  EXPECT_EQ(read->n_chunks, 3U);
  EXPECT_EQ(read->chunk_size, 512U);
  ASSERT_EQ(read->entries.size(), 2U);
  EXPECT_EQ(read->entries.at("blk.1.ffn_up_exps.weight").sums, imatrix.entries["blk.1.ffn_up_exps.weight"].sums);
  EXPECT_EQ(read->entries.at("blk.1.ffn_up_exps.weight").counts, imatrix.entries["blk.1.ffn_up_exps.weight"].counts);
}

TEST(Imatrix, OldFilesAreRead) {
  std::string bytes;
  const auto add = [&](auto value) { bytes.append(reinterpret_cast<const char*>(&value), sizeof value); };
  const auto entry = [&](std::string_view name, int32_t calls, std::vector<float> values) {
    add(static_cast<int32_t>(name.size()));
    bytes += name;
    add(calls), add(static_cast<int32_t>(values.size()));
    for (const float value : values) add(value);
  };
  add(int32_t{2});
  entry("blk.0.ffn_up.weight", 4, {4, 8});
  entry("blk.1.ffn_up_exps.weight", 2, {2, 4, 6, 8});
  add(int32_t{7});
  const auto parse = [](std::string_view text) {
    return quant::ParseOldImatrix(std::as_bytes(std::span(text.data(), text.size())));
  };
  const auto read = parse(bytes);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->n_chunks, 7U);
  const auto dense = read->Importance("blk.0.ffn_up.weight", 1, 2), experts = read->Importance("blk.1.ffn_up_exps.weight", 2, 2);
  ASSERT_TRUE(dense.ok() && experts.ok());
  EXPECT_FLOAT_EQ((*dense)[1] / (*dense)[0], 2);
  EXPECT_GT((*experts)[3], (*experts)[1]);
  const TempFolder temp;
  temp.Write("old.dat", bytes);
  EXPECT_TRUE(quant::ReadImatrix(temp / "old.dat").ok());
  for (size_t n = 0; n + 4 < bytes.size(); ++n) EXPECT_FALSE(parse(std::string_view(bytes).substr(0, n)).ok()) << n;
}

TEST(Imatrix, RareExpertsLeanOnTheOthers) {
  Imatrix imatrix;
  imatrix.entries["e"] = {{1000, 3000, 0, 0}, {1000, 0}};
  const auto importance = imatrix.Importance("e", 2, 2);
  ASSERT_TRUE(importance.ok());
  ASSERT_EQ(importance->size(), 4U);
  for (const float value : *importance) EXPECT_GT(value, 0);
  EXPECT_NEAR((*importance)[3] / (*importance)[2], 3, 1e-4);
  EXPECT_TRUE(imatrix.Importance("other", 2, 2)->empty());
  EXPECT_FALSE(imatrix.Importance("e", 1, 4).ok());
}

TEST(Imatrix, RefusesOtherFiles) {
  const TempFolder temp;
  const auto model = quant::ReadImatrix(GoldenPaths("gguf/mini-lfm2-Q4_1.gguf").at(0));
  ASSERT_FALSE(model.ok());
  EXPECT_NE(model.error().message.find("lfm imatrix"), std::string::npos) << model.error().message;
  Imatrix imatrix;
  imatrix.entries["x"] = {{1, std::numeric_limits<float>::quiet_NaN()}, {1}};
  ASSERT_TRUE(quant::WriteImatrix(imatrix, temp / "nan.gguf").ok());
  EXPECT_FALSE(quant::ReadImatrix(temp / "nan.gguf").ok());
  EXPECT_FALSE(quant::ReadImatrix(temp / "absent.gguf").ok());
}

// tests/data/imatrix holds what llama-imatrix wrote for text.txt in windows of 128 tokens, with weights and cache in f32.
TEST(Imatrix, SumsAreThoseOfLlamaCpp) {
  const std::string data = LFM_TEST_DATA "/imatrix/";
  Threads threads(2);
  engine::LoadOptions load;
  load.compute = model::Compute::kF32;
  const auto loaded = engine::LoadedModel::Load(GoldenPaths("models/tiny-lfm25-moe").at(0), threads, load);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  const text::Tokenizer& tokenizer = (*loaded)->text().tokenizer;
  quant::CollectOptions options;
  options.n_ctx = 128;
  options.bos = tokenizer.bos().value();
  const auto tokens = tokenizer.Encode(ReadBinary(data + "text.txt"), true, false);
  const auto ours = quant::CollectImatrix((*loaded)->network(), (*loaded)->pages(), tokens, threads, options);
  ASSERT_TRUE(ours.ok()) << ours.error().message;
  const auto theirs = quant::ReadImatrix(data + "tiny-lfm25-moe.gguf");
  ASSERT_TRUE(theirs.ok()) << theirs.error().message;
  EXPECT_EQ(ours->n_chunks, theirs->n_chunks);
  EXPECT_EQ(ours->chunk_size, theirs->chunk_size);
  size_t n_compared = 0;
  for (const auto& [tensor, expected] : theirs->entries) {
    SCOPED_TRACE(tensor);
    if (tensor.find("ffn_gate_inp") != std::string::npos) continue;  // the router: always F32, left out by us
    const auto found = ours->entries.find(tensor);
    ASSERT_NE(found, ours->entries.end());
    EXPECT_EQ(found->second.counts, expected.counts);  // of every expert
    ASSERT_EQ(found->second.sums.size(), expected.sums.size());
    double off = 0, all = 0;
    for (size_t i = 0; i < expected.sums.size(); ++i) {
      const auto sum = static_cast<double>(expected.sums[i]);
      off += std::pow(static_cast<double>(found->second.sums[i]) - sum, 2);
      all += sum * sum;
    }
    EXPECT_LE(std::sqrt(off / all), 1e-5);
    ++n_compared;
  }
  EXPECT_EQ(n_compared + 1, ours->entries.size());  // and the head, which llama.cpp does not collect where it is tied
}

TEST(Imatrix, CollectsEveryMatrixAndQuantisesWithIt) {
  for (const std::string& folder : GoldenEntries("models")) {
    SCOPED_TRACE(folder);
    Threads threads(2);
    engine::LoadOptions load;
    load.compute = model::Compute::kF32;
    const auto loaded = engine::LoadedModel::Load(folder, threads, load);
    ASSERT_TRUE(loaded.ok());
    std::vector<int32_t> tokens(96);
    for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int32_t>(i * 37 % 2000);
    quant::CollectOptions options;
    options.n_ctx = 32;
    const auto imatrix = quant::CollectImatrix((*loaded)->network(), (*loaded)->pages(), tokens, threads, options);
    ASSERT_TRUE(imatrix.ok()) << imatrix.error().message;
    EXPECT_EQ(imatrix->n_chunks, 3U);
    const Checkpoint source = Open(folder);
    const auto& config = (*loaded)->config();
    for (const quant::ModelTensor& tensor : TensorsOf(source)) {
      if (tensor.always_f32()) continue;
      const auto found = imatrix->entries.find(tensor.name);
      ASSERT_NE(found, imatrix->entries.end()) << tensor.name;
      float n = 0;
      for (const float count : found->second.counts) n += count;
      EXPECT_EQ(n, 96.0f * static_cast<float>(tensor.n_experts() > 1 ? config.n_experts_used : 1)) << tensor.name;
      EXPECT_EQ(found->second.k(), tensor.k);
    }
    const TempFolder temp;
    quant::QuantizeOptions quantize;
    quantize.type = "q4_k_m";
    quantize.imatrix = &*imatrix;
    const auto result = quant::Quantize(source, temp / "out.gguf", threads, quantize);
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_TRUE(result->without_importance.empty());
  }
}

}  // namespace
}  // namespace lfm::test
