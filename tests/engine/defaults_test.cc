// Default sampling, from whichever file names it.
#include <gtest/gtest.h>

#include "engine/text_model.h"

namespace lfm::engine {
namespace {

SamplingParams Of(const formats::Checkpoint& checkpoint) {
  auto params = DefaultSampling(checkpoint);
  EXPECT_TRUE(params.ok()) << (params.ok() ? "" : params.error().message);
  return params.ok() ? *params : SamplingParams{};
}

formats::Checkpoint Folder(const char* generation_config, const char* config = "{}") {
  formats::Checkpoint checkpoint;
  checkpoint.naming = formats::Naming::kHuggingFace;
  checkpoint.generation_config = *ParseJson(generation_config);
  checkpoint.config = *ParseJson(config);
  return checkpoint;
}

TEST(DefaultSampling, GenerationConfig) {
  SamplingParams params = Of(Folder(R"({"do_sample": true, "temperature": 0.7, "top_k": 20})"));
  EXPECT_EQ(params.temperature, 0.7F);
  EXPECT_EQ(params.top_k, 20);
  EXPECT_EQ(params.min_p, 0.0F);
  EXPECT_EQ(params.repetition_penalty, 1.0F);
  EXPECT_EQ(Of(Folder(R"({"do_sample": false})")).temperature, 0.0F);
  EXPECT_FALSE(DefaultSampling(Folder(R"({"temperature": -1})")).ok());
}

TEST(DefaultSampling, ModelCards) {
  SamplingParams lfm2 = Of(Folder(R"({"eos_token_id": 7})"));
  EXPECT_EQ(lfm2.temperature, 0.3F);
  EXPECT_EQ(lfm2.min_p, 0.15F);
  EXPECT_EQ(lfm2.repetition_penalty, 1.05F);
  SamplingParams lfm25 = Of(Folder("null", R"({"model_type": "lfm2_moe", "vocab_size": 128000})"));
  EXPECT_EQ(lfm25.temperature, 0.2F);
  EXPECT_EQ(lfm25.top_k, 80);
  EXPECT_EQ(lfm25.min_p, 0.0F);
  EXPECT_EQ(lfm25.repetition_penalty, 1.05F);
}

TEST(DefaultSampling, GgufMetadata) {
  formats::Checkpoint checkpoint;
  checkpoint.metadata.Add("general.architecture", std::string_view("lfm2moe"));
  EXPECT_EQ(Of(checkpoint).temperature, 0.3F);
  checkpoint.metadata.Add("lfm2moe.vocab_size", uint64_t{128000});
  EXPECT_EQ(Of(checkpoint).top_k, 80);
  checkpoint.metadata.Add("general.sampling.temp", 0.5);
  checkpoint.metadata.Add("general.sampling.top_k", int64_t{40});
  EXPECT_EQ(Of(checkpoint).temperature, 0.5F);
  EXPECT_EQ(Of(checkpoint).top_k, 40);
  EXPECT_EQ(Of(checkpoint).repetition_penalty, 1.0F);
  checkpoint.metadata.Add("general.sampling.temp", std::string_view("warm"));
  EXPECT_FALSE(DefaultSampling(checkpoint).ok());
}

}  // namespace
}  // namespace lfm::engine
