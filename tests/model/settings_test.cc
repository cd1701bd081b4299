// Settings and tensors beside those that the model computes with: run, refused by name, or harmless and listed.
#include "model/settings.h"

#include <gtest/gtest.h>

#include <tuple>

#include "model/folder_prefix.h"
#include "support/golden.h"
#include "support/temp_folder.h"

namespace lfm::model {
namespace {

using formats::Checkpoint;
using formats::MetadataValue;

const std::string kDense = LFM_TEST_DATA "/gguf/mini-lfm2-Q4_1.gguf";
const std::string kFolder = LFM_TEST_DATA "/models/tiny-lfm2";

// "" where the file still opens.
std::string ErrorWith(const std::string& key, const MetadataValue& value) {
  Checkpoint checkpoint = formats::OpenCheckpoint(kDense).value();
  checkpoint.metadata.Add(key, value);
  const auto config = ReadConfig(checkpoint);
  return config.ok() ? "" : config.error().message;
}

std::string ErrorWithSetting(const std::string& name, const Json& value) {
  Checkpoint checkpoint = formats::OpenTexts(kFolder).value();
  Config config;
  config.head_dim = 64, config.n_layers = 1, config.layers.resize(1), config.context_length = 1024;
  config.layers[0].mixer = Mixer::kAttention;
  checkpoint.config.Set(name, value);
  const Status status = CheckSettings(checkpoint, config);
  return status.ok() ? "" : status.error().message;
}

TEST(Settings, GgufKeysAreRunOrNamed) {
  using namespace std::string_view_literals;
  EXPECT_EQ(ErrorWith("general.note", "anything"sv), "");
  const std::pair<const char*, MetadataValue> harmless[] = {
      {"lfm2.attention.causal", true},           {"lfm2.pooling_type", uint64_t{0}},
      {"lfm2.rope.scaling.type", "none"sv},      {"lfm2.rope.scaling.factor", 1.0},
      {"lfm2.attn_logit_softcapping", 0.0},      {"lfm2.logit_scale", 1.0},
      {"lfm2.expert_shared_count", uint64_t{0}}, {"lfm2.attention.sliding_window", uint64_t{1} << 30}};
  for (const auto& [key, value] : harmless) EXPECT_EQ(ErrorWith(key, value), "") << key;
  const std::pair<const char*, MetadataValue> refused[] = {{"lfm2.attention.causal", false},
                                                           {"lfm2.pooling_type", uint64_t{1}},
                                                           {"lfm2.rope.scaling.type", "yarn"sv},
                                                           {"lfm2.rope.scaling.factor", 4.0},
                                                           {"lfm2.rope.scaling.attn_factor", 2.0},
                                                           {"lfm2.rope.dimension_count", uint64_t{4}},
                                                           {"lfm2.final_logit_softcapping", 30.0},
                                                           {"lfm2.logit_scale", 0.5},
                                                           {"lfm2.attention.sliding_window", uint64_t{16}},
                                                           {"lfm2.attention.scale", 0.5},
                                                           {"lfm2.embedding_length_out", uint64_t{7}},
                                                           {"lfm2.nobody_knows", 3.0},
                                                           {"lfm2.rope.scaling.type", uint64_t{2}},
                                                           {"lfm2.attention.layer_norm_epsilon", 0.5},
                                                           {"lfm2.attention.key_length", uint64_t{8}}};
  for (const auto& [key, value] : refused) EXPECT_NE(ErrorWith(key, value).find(key), std::string::npos) << key;
  EXPECT_NE(ErrorWith("general.type", "adapter"sv).find("LoRA"), std::string::npos);
}

TEST(Settings, FolderSettingsAreRunOrNamed) {
  EXPECT_EQ(ErrorWithSetting("hidden_act", "silu"), "");
  EXPECT_EQ(ErrorWithSetting("sliding_window", Json()), "");
  EXPECT_EQ(ErrorWithSetting("unsloth_version", "2026.1"), "");
  EXPECT_EQ(ErrorWithSetting("chunk_size_feed_forward", 0), "");
  EXPECT_EQ(ErrorWithSetting("block_out_init_scale", 0.5), "");
  EXPECT_EQ(ErrorWithSetting("residual_multiplier", 1.0), "");
  for (const auto& [name, value] : {std::pair<const char*, Json>("hidden_act", "gelu"),
                                    {"attention_bias", true},
                                    {"sliding_window", 16},
                                    {"final_logit_softcapping", 30.0},
                                    {"partial_rotary_factor", 0.5},
                                    {"head_dim", 32},
                                    {"quantization_config", Json::MakeObject({{"quant_method", "gptq"}})},
                                    {"is_causal", false},
                                    {"attention_multiplier", 0.5},
                                    {"logit_softcap", 3},
                                    {"clip_qkv", 8.0},
                                    {"no_rope_layers", Json::MakeArray({Json(1), Json(0)})},
                                    {"use_qk_norm", false},
                                    {"scoring_func", "softmax"},
                                    {"quantization", Json::MakeObject({{"bits", 4}})},
                                    {"architectures", "Lfm2ForSequenceClassification"},
                                    {"architectures", Json::MakeArray({Json("Lfm2BidirectionalForCausalLM")})},
                                    {"architectures", Json::MakeArray({Json("Lfm2ForSequenceClassification")})}}) {
    EXPECT_NE(ErrorWithSetting(name, value).find(name), std::string::npos) << name;
  }
}

TEST(Settings, UnreadTensorsAreListedOrNamed) {
  const auto with = [](const std::string& name, bool zero = false) {
    Checkpoint checkpoint = formats::OpenCheckpoint(kDense).value();
    formats::Tensor tensor = *checkpoint.Find("blk.0.attn_norm.weight");
    static const std::vector<std::byte> zeros(1 << 12);
    tensor.name = name;
    // Other bytes than the original's: a second name for the same bytes is harmless.
    tensor.bytes = zero ? std::span<const std::byte>(zeros).first(tensor.bytes.size()) : tensor.bytes.subspan(4);
    checkpoint.tensors.push_back(tensor);
    checkpoint.IndexTensors();
    return ReadConfig(checkpoint);
  };
  for (const char* name : {"rotary_emb.inv_freq", "v_head.summary.weight", "blk.99.nextn.weight"}) {
    const auto config = with(name);
    ASSERT_TRUE(config.ok()) << name << ": " << config.error().message;
    EXPECT_EQ(config->unused_tensors, std::vector<std::string>{name});
  }
  EXPECT_TRUE(with("blk.0.attn_q.bias", true).ok());
  EXPECT_TRUE(with("mtp.layers.0.attn_q.weight").ok());
  for (const char* name :
       {"output_scale", "token_embd_scale.weight", "output.scale", "hc_head.weight", "altup_proj.weight", "dense_2.weight",
        "blk.0.attn_q.bias", "blk.0.post_norm.weight", "rope_freqs.weight", "score.weight", "blk.0.attn_q.weight.lora_a"}) {
    const auto config = with(name);
    ASSERT_FALSE(config.ok()) << name;
    EXPECT_NE(config.error().message.find(name), std::string::npos) << config.error().message;
  }
}

TEST(Settings, TensorsOfOtherTypesAreListedOrNamed) {
  const auto with = [](const std::string& name, const std::string& type) {
    Checkpoint checkpoint = formats::OpenCheckpoint(kDense).value();
    checkpoint.foreign_tensors.push_back({name, type, {4}});
    return ReadConfig(checkpoint);
  };
  for (const auto& [name, type] : {std::pair("blk.1.attn_q.position_ids", "I64"), std::pair("blk.1.attn_q.mask", "BOOL"),
                                   std::pair("d2t", "I64"), std::pair("blk.1.attn_q.bias", "U8")}) {
    EXPECT_TRUE(with(name, type).ok()) << name;
  }
  for (const auto& [name, type] : {std::pair("rope_freqs.weight", "F64"), std::pair("blk.1.attn_q.bias", "F64"),
                                   std::pair("blk.1.attn_sinks.weight", "F8_E4M3"), std::pair("blk.1.attn_q.qweight", "I32"),
                                   std::pair("blk.1.ffn_gate_tid2eid.weight", "I32")}) {
    const auto config = with(name, type);
    ASSERT_FALSE(config.ok()) << name;
    EXPECT_NE(config.error().message.find(name), std::string::npos) << config.error().message;
  }
}

TEST(Settings, PrefixesOfAnyWrapper) {
  for (const std::string prefix : {"", "model.model.", "_orig_mod.module.model.", "text_model.", "transformer."}) {
    Checkpoint checkpoint = formats::OpenCheckpoint(kFolder).value();
    formats::Tensor tower = checkpoint.tensors[0];
    for (formats::Tensor& tensor : checkpoint.tensors) tensor.name = prefix + tensor.name.substr(tensor.name.find('.') + 1);
    tower.name = "a.tower.embed_tokens.weight";  // another embedding, without the family's layers
    checkpoint.tensors.insert(checkpoint.tensors.begin(), tower);
    checkpoint.IndexTensors();
    EXPECT_EQ(FolderPrefix(checkpoint), prefix);
    const auto config = ReadConfig(checkpoint);
    ASSERT_TRUE(config.ok()) << prefix << ": " << config.error().message;
    EXPECT_EQ(config->unused_tensors, std::vector<std::string>{tower.name});
  }
}

TEST(Settings, RotationsAndLayersAsTransformersReadsThem) {
  const auto with = [](std::initializer_list<std::pair<const char*, const char*>> settings) {
    Checkpoint checkpoint = formats::OpenCheckpoint(kFolder).value();
    for (const auto& [name, value] : settings) checkpoint.config.Set(name, ParseJson(value).value());
    return ReadConfig(checkpoint);
  };
  // rope_scaling counts before rope_parameters, and either before rope_theta.
  EXPECT_EQ(with({{"rope_theta", "5.0"}, {"rope_parameters", R"({"rope_theta": 7.0})"}})->rope_theta, 7);
  EXPECT_EQ(with({{"rope_parameters", R"({"rope_theta": 7.0})"}, {"rope_scaling", R"({"rope_theta": 9.0})"}})->rope_theta, 9);
  EXPECT_EQ(with({{"rope_parameters", R"({"rope_theta": 7.0})"}, {"rope_scaling", "{}"}})->rope_theta, 7);
  EXPECT_EQ(with({{"rope_theta", "5.0"}, {"rope_scaling", R"({"type": "default"})"}})->rope_theta, 5);
  for (const auto& [name, value, words] :
       {std::tuple("rope_scaling", R"({"rope_type": "yarn", "factor": 4.0})", "yarn"),
        std::tuple("rope_parameters", R"({"full_attention": {"rope_type": "default"}})", "full_attention"),
        std::tuple("rope_parameters", R"({"rope_type": 5})", "5"), std::tuple("rope_parameters", "[1]", "no object"),
        std::tuple("rope_parameters", R"({"rope_theta": "500"})", "a number"),
        std::tuple("rope_scaling", R"({"factor": 4.0})", "factor"),
        std::tuple("layer_types", R"(["conv", "sliding_attention"])", "sliding_attention"),
        std::tuple("layer_types", R"(["conv", "conv"])", "2 entries"),
        std::tuple("tie_embedding", "false", "lm_head.weight is missing")}) {
    const auto config = with({{"rope_parameters", R"({"rope_type": "default"})"}, {name, value}});
    ASSERT_FALSE(config.ok()) << name << value;
    EXPECT_NE(config.error().message.find(words), std::string::npos) << config.error().message;
  }
}

TEST(Settings, ListsOfOneNumberAreThatNumber) {
  for (const auto& [heads, ok] : {std::pair(std::vector<int64_t>{4, 4, 4}, true), std::pair(std::vector<int64_t>{0, 4, 0}, true),
                                  std::pair(std::vector<int64_t>{4, 2, 4}, false)}) {
    Checkpoint checkpoint = formats::OpenCheckpoint(kDense).value();
    formats::Metadata metadata;
    for (const auto& [key, value] : checkpoint.metadata.entries()) {
      metadata.Add(key, key == "lfm2.attention.head_count" ? MetadataValue(heads) : value);
    }
    checkpoint.metadata = std::move(metadata);
    EXPECT_EQ(ReadConfig(checkpoint).ok(), ok);
  }
}

TEST(Settings, OtherSpellingsOpen) {
  Checkpoint checkpoint = formats::OpenCheckpoint(kDense).value();
  for (formats::Tensor& tensor : checkpoint.tensors) {
    if (tensor.name == "token_embd_norm.weight") tensor.name = "output_norm.weight";
  }
  checkpoint.IndexTensors();
  const auto config = ReadConfig(checkpoint);
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_TRUE(config->unused_tensors.empty());
}

TEST(Settings, MissingIsNotZero) {
  Checkpoint checkpoint = formats::OpenCheckpoint(kDense).value();
  formats::Metadata without;
  for (const auto& [key, value] : checkpoint.metadata.entries()) {
    if (key != "lfm2.block_count") without.Add(key, value);
  }
  checkpoint.metadata = std::move(without);
  const auto config = ReadConfig(checkpoint);
  ASSERT_FALSE(config.ok());
  EXPECT_NE(config.error().message.find("lfm2.block_count is missing"), std::string::npos) << config.error().message;
}

}  // namespace
}  // namespace lfm::model
