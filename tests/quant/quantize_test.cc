// Quantising: the types of the published mixes, sizes that plans keep, the same bytes for any number of threads.
#include <cmath>

#include <cmath>

#include "quant/mixes.h"
#include "quant_fixture.h"

namespace lfm::test {
namespace {

using formats::Checkpoint;
using quant::QuantizeOptions;

std::string Moe() { return GoldenPaths("models/tiny-lfm25-moe").at(0); }
std::string Dense() { return GoldenPaths("models/tiny-lfm2").at(0); }

Result<quant::QuantizeResult> QuantizeTo(const std::string& in, const std::string& out, const QuantizeOptions& options,
                                         int n_threads = 2) {
  auto source = formats::OpenCheckpoint(in);
  if (!source.ok()) return source.error();
  Threads threads(n_threads);
  return quant::Quantize(*source, out, threads, options);
}

QuantizeOptions Type(const char* name) {
  QuantizeOptions options;
  options.type = name;
  return options;
}

TEST(Quantize, MixesAreThoseOfPublishedFiles) {
  int n = 0;
  for (const std::string& file : GoldenEntries("gguf", ".gguf")) {
    std::string name = file.substr(file.find_last_of('-') + 1);
    name = name.substr(0, name.size() - 5);
    if (name == "MXFP4_MOE") name = "mxfp4";
    const auto mix = quant::FindMix(name);
    if (!mix.ok()) continue;
    SCOPED_TRACE(file);
    const Checkpoint checkpoint = Open(file);
    const auto tensors = TensorsOf(checkpoint);
    const auto config = model::ReadConfig(checkpoint);
    const auto types = quant::TypesOfMix(*mix, tensors, *config, false);
    for (size_t i = 0; i < tensors.size(); ++i) {
      EXPECT_EQ(InfoOf(types[i]).name, InfoOf(tensors[i].source_type()).name) << tensors[i].name;
    }
    EXPECT_EQ(checkpoint.metadata.Int("general.file_type", -1).value(), static_cast<int64_t>(mix->file_type));
    ++n;
  }
  EXPECT_GE(n, 3);
}

TEST(Quantize, EveryMixOpensAndLosesWhatItsTypeLoses) {
  for (const std::string& folder : {Dense(), Moe()}) {
    const Checkpoint source = Open(folder);
    const auto before = TensorsOf(source);
    for (const quant::Mix& mix : quant::Mixes()) {
      SCOPED_TRACE(std::string(mix.name));
      const TempFolder temp;
      const auto result = QuantizeTo(folder, temp / "out.gguf", Type(std::string(mix.name).c_str()));
      ASSERT_TRUE(result.ok()) << result.error().message;
      EXPECT_EQ(result->n_bytes, std::filesystem::file_size(temp / "out.gguf"));
      const Checkpoint out = Open(temp / "out.gguf");
      const auto after = TensorsOf(out);
      ASSERT_EQ(before.size(), after.size());
      for (size_t i = 0; i < before.size(); ++i) {
        const auto x = Values(before[i]), y = Values(after[i]);
        double lost = 0, all = 0;
        for (size_t j = 0; j < x.size(); ++j) {
          lost += std::pow(static_cast<double>(x[j]) - static_cast<double>(y[j]), 2);
          all += std::pow(static_cast<double>(x[j]), 2);
        }
        EXPECT_LE(lost, 0.0145 * all) << before[i].name;  // 0.12 squared
        if (before[i].always_f32()) {
          EXPECT_EQ(lost, 0) << before[i].name;
        }
      }
      EXPECT_TRUE(engine::ReadTextModel(out).ok());
    }
  }
}

TEST(Quantize, TheNumberOfThreadsChangesNoByte) {
  const TempFolder temp;
  ASSERT_TRUE(QuantizeTo(Moe(), temp / "1.gguf", Type("q4_k_m"), 1).ok());
  ASSERT_TRUE(QuantizeTo(Moe(), temp / "3.gguf", Type("q4_k_m"), 3).ok());
  EXPECT_EQ(ReadBinary(temp / "1.gguf"), ReadBinary(temp / "3.gguf"));
}

TEST(Quantize, OverridesByName) {
  const TempFolder temp;
  QuantizeOptions options = Type("q4_0");
  options.overrides = {{"ffn_down", TensorType::kQ8_0}, {"blk\\.1\\.", TensorType::kF16}};
  ASSERT_TRUE(QuantizeTo(Dense(), temp / "out.gguf", options).ok());
  const Checkpoint out = Open(temp / "out.gguf");
  EXPECT_EQ(out.Find("blk.1.ffn_down.weight")->type, TensorType::kQ8_0);  // the first that matches
  EXPECT_EQ(out.Find("blk.1.ffn_up.weight")->type, TensorType::kF16);
  EXPECT_EQ(out.Find("blk.1.ffn_norm.weight")->type, TensorType::kF32);
  EXPECT_EQ(out.Find("blk.0.ffn_up.weight")->type, TensorType::kQ4_0);
}

TEST(Quantize, PlansKeepTheirSize) {
  const TempFolder temp;
  uint64_t last = 0;
  double last_error = 1e9;
  for (const uint64_t size : {uint64_t{2500000}, uint64_t{3000000}, uint64_t{4000000}}) {
    QuantizeOptions options;
    options.goal.n_bytes = size;
    double error = 0;
    size_t n_rows = 0;
    options.on_plan = [&](const quant::Plan& plan, const auto&) {
      error = plan.error;
      n_rows = plan.rows.size();
    };
    const auto result = QuantizeTo(Dense(), temp / "out.gguf", options);
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_LE(std::filesystem::file_size(temp / "out.gguf"), size);
    EXPECT_GT(std::filesystem::file_size(temp / "out.gguf"), size * 9 / 10);
    EXPECT_GT(result->n_bytes, last);
    EXPECT_LT(error, last_error);
    EXPECT_GT(n_rows, 20U);
    last = result->n_bytes;
    last_error = error;
  }
  QuantizeOptions options;
  options.goal.kl = 0.05;
  ASSERT_TRUE(QuantizeTo(Dense(), temp / "kl.gguf", options).ok());
}

TEST(Quantize, RefusesWhatCannotBe) {
  const TempFolder temp;
  const auto fails = [&](const std::string& in, const QuantizeOptions& options, const std::string& part) {
    const auto result = QuantizeTo(in, temp / "out.gguf", options);
    ASSERT_FALSE(result.ok());
    EXPECT_NE(result.error().message.find(part), std::string::npos) << result.error().message;
    EXPECT_FALSE(std::filesystem::exists(temp / "out.gguf"));
  };
  fails(Dense(), Type("q9_z"), "q4_k_m");
  QuantizeOptions options = Type("q4_0");
  options.overrides = {{"(", TensorType::kQ8_0}};
  fails(Dense(), options, "fails at byte 1");
  options.overrides = {{"nothing", TensorType::kQ8_0}};
  fails(Dense(), options, "no tensor's name matches");
  options = {};
  options.goal.n_bytes = 100000;
  fails(Dense(), options, "smallest");
  CopyFolder(Dense(), temp / "nan");
  Poison(temp / "nan", "model.layers.2.self_attn.q_proj.weight", 256 * 9);
  fails(temp / "nan", Type("q6_k"), "model.layers.2.self_attn.q_proj.weight, row 9");
}

}  // namespace
}  // namespace lfm::test
