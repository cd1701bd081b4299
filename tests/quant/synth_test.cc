// Synthetic models: the published sizes, a consistent vocabulary, and weights of the asked deviation.
#include "quant/synth.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <unordered_map>
#include <unordered_set>

#include "formats/checkpoint.h"
#include "formats/gguf_types.h"
#include "kernels/kernels.h"
#include "quant/synth_blocks.h"
#include "quant/synth_vocabulary.h"
#include "support/temp_folder.h"

namespace lfm::quant {
namespace {

using test::TempFolder;

TEST(Synth, SizesArePublishedOnes) {
  // formats::Tensor bytes of the published files; the header (mostly the vocabulary) comes on top.
  const struct {
    const char *like, *type;
    uint64_t bytes;
  } kPublished[] = {
      {"LFM2-8B-A1B", "q4_0", 4731500288},     {"LFM2-8B-A1B", "q4_k_m", 5042386688}, {"LFM2-8B-A1B", "q8_0", 8866035456},
      {"LFM2-8B-A1B", "q4_k_s", 4750374656},   {"LFM2-8B-A1B", "q5_k_m", 5917161216}, {"LFM2-8B-A1B", "q6_k", 6846609152},
      {"LFM2-8B-A1B", "f16", 16683169536},     {"LFM2-8B-A1B", "mxfp4", 4748277504},  {"lfm2.5-8b-a1b", "Q4_0", 4836439808},
      {"LFM2.5-8B-A1B", "q4_k_m", 5147326208}, {"LFM2.5-8B-A1B", "f16", 16939022080},
  };
  for (const auto& [like, type, bytes] : kPublished) {
    const auto n = SynthFileBytes({.like = like, .type = type});
    ASSERT_TRUE(n.ok()) << n.error().message;
    EXPECT_GE(*n, bytes) << like << " " << type;
    EXPECT_LE(*n, bytes + (6 << 20)) << like << " " << type;
  }
  for (const std::string_view like : SynthModels()) EXPECT_TRUE(SynthFileBytes({.like = std::string(like)}).ok()) << like;
  EXPECT_TRUE(SynthFileBytes({.like = "LFM2-350M", .type = "bf16"}).ok());
  EXPECT_NE(SynthFileBytes({.like = "LFM9"}).error().message.find("LFM2-24B-A2B"), std::string::npos);
  EXPECT_NE(SynthFileBytes({.type = "iq9_s"}).error().message.find("q4_k_m"), std::string::npos);
}

TEST(Synth, WritesAModelThatOpens) {
  TempFolder folder;
  const SynthOptions options{.like = "LFM2-350M", .type = "q4_k_m", .path = folder / "m.gguf"};
  uint64_t n_done = 0;
  const Status written = WriteSynthetic(options, [&](uint64_t done, uint64_t) {
    n_done = done;
    return true;
  });
  ASSERT_TRUE(written.ok()) << written.error().message;
  EXPECT_EQ(n_done, *SynthFileBytes(options));
  EXPECT_EQ(n_done, std::filesystem::file_size(options.path));
  const auto model = formats::OpenCheckpoint(options.path);
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_EQ(model->tensors.size(), 148u);
  int64_t n_parameters = 0;
  for (const formats::Tensor& tensor : model->tensors) n_parameters += tensor.n_elements();
  EXPECT_EQ(n_parameters, 354483968);
  EXPECT_EQ(*model->metadata.String("general.name", ""), "LFM2-350M (random weights)");
  EXPECT_TRUE(*model->metadata.Bool("lfm.random_weights", false));
  EXPECT_EQ(model->metadata.Ints("lfm2.attention.head_count_kv")->at(2), 8);
  EXPECT_EQ(model->Find("token_embd.weight")->type, TensorType::kQ6_K);
  EXPECT_EQ(model->Find("blk.0.ffn_down.weight")->type, TensorType::kQ6_K);
  EXPECT_EQ(model->Find("blk.2.ffn_down.weight")->type, TensorType::kQ4_K);
  EXPECT_EQ(model->Find("blk.14.attn_v.weight")->type, TensorType::kQ6_K);
  EXPECT_EQ(model->Find("blk.0.shortconv.conv.weight")->type, TensorType::kF32);
}

TEST(Synth, CancelLeavesNothing) {
  TempFolder folder;
  const Status written =
      WriteSynthetic({.like = "LFM2-350M", .path = folder / "m.gguf"}, [](uint64_t, uint64_t) { return false; });
  EXPECT_EQ(written.error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

void ExpectConsistent(const SynthVocabulary& vocabulary) {
  std::unordered_map<std::string, size_t> ids;
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    EXPECT_TRUE(ids.emplace(vocabulary.tokens[id], id).second) << vocabulary.tokens[id];
  }
  ASSERT_EQ(vocabulary.types.size(), vocabulary.tokens.size());
  std::unordered_set<std::string> made, pairs;
  for (const std::string& merge : vocabulary.merges) {
    const size_t space = merge.find(' ');
    ASSERT_NE(space, std::string::npos);
    const std::string left = merge.substr(0, space), right = merge.substr(space + 1);
    EXPECT_TRUE(ids.contains(left)) << merge;
    EXPECT_TRUE(ids.contains(right)) << merge;
    ASSERT_TRUE(ids.contains(left + right)) << merge;
    EXPECT_EQ(vocabulary.types[ids[left + right]], static_cast<int32_t>(formats::GgufTokenType::kNormal));
    EXPECT_TRUE(pairs.insert(merge).second) << merge;
    made.insert(left + right);
  }
  EXPECT_EQ(vocabulary.types[vocabulary.bos], static_cast<int32_t>(formats::GgufTokenType::kControl));
  EXPECT_EQ(vocabulary.types[vocabulary.eos], static_cast<int32_t>(formats::GgufTokenType::kControl));
}

TEST(SynthVocabulary, HasTheFamilysTokensAtTheirIds) {
  const SynthVocabulary v = MakeSynthVocabulary65536();
  ASSERT_EQ(v.tokens.size(), 65536u);
  ExpectConsistent(v);
  const std::pair<size_t, const char*> kExpected[] = {{0, "<|pad|>"},
                                                      {1, "<|startoftext|>"},
                                                      {7, "<|im_end|>"},
                                                      {10, "<|tool_call_start|>"},
                                                      {16, "<|reserved_6|>"},
                                                      {500, "<|reserved_490|>"},
                                                      {510, "!"},
                                                      {542, "A"},
                                                      {708, "\xC4\x8A"},
                                                      {730, "\xC4\xA0"},
                                                      {6423, "user"},
                                                      {64011, "Mathias"},
                                                      {64014, "python"},
                                                      {64015, "assistant"},
                                                      {64399, "<|file_end|>"},
                                                      {65535, "[PAD65535]"}};
  for (const auto& [id, token] : kExpected) EXPECT_EQ(v.tokens[id], token) << id;
  EXPECT_GT(v.merges.size(), 63000u);
  const auto unused = static_cast<int32_t>(formats::GgufTokenType::kUnused);
  for (size_t id = 766; id < 64400; ++id) EXPECT_NE(v.types[id], unused) << id;
  EXPECT_EQ(v.types[64400], unused);
}

TEST(SynthVocabulary, LargeOne) {
  const SynthVocabulary v = MakeSynthVocabulary128000();
  ASSERT_EQ(v.tokens.size(), 128000u);
  ExpectConsistent(v);
  EXPECT_EQ(v.tokens[124894], "<|startoftext|>");
  EXPECT_EQ(v.tokens[124900], "<|im_end|>");
  EXPECT_EQ(v.tokens[124902], "</think>");
  EXPECT_EQ(v.tokens[124906], "<|tool_call_end|>");
}

float Half(const std::byte* at) {
  uint16_t bits;
  std::memcpy(&bits, at, 2);
  const int exponent = (bits >> 10) & 31, mantissa = bits & 1023;
  const float value = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -24)
                                    : std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
  return (bits & 0x8000) != 0 ? -value : value;
}

int Byte(const std::byte* at) { return static_cast<int>(*at); }

// The values of one block, by the format's definition.
std::vector<float> Decode(TensorType type, const std::byte* b) {
  std::vector<float> w;
  const auto k_scale = [](const std::byte* s, int j, bool min) {
    if (j < 4) return Byte(s + j + (min ? 4 : 0)) & 63;
    const int low = min ? Byte(s + j + 4) >> 4 : Byte(s + j + 4) & 15;
    return low | (Byte(s + j - (min ? 0 : 4)) >> 6) << 4;
  };
  switch (type) {
    case TensorType::kQ4_0:
      for (int i = 0; i < 16; ++i) {
        w.push_back(Half(b) * static_cast<float>((Byte(b + 2 + i) & 15) - 8));
        w.push_back(Half(b) * static_cast<float>((Byte(b + 2 + i) >> 4) - 8));
      }
      break;
    case TensorType::kQ8_0:
      for (int i = 0; i < 32; ++i) w.push_back(Half(b) * static_cast<float>(static_cast<int8_t>(b[2 + i])));
      break;
    case TensorType::kQ4_K:
      for (int i = 0; i < 256; ++i) {
        const int nibble = Byte(b + 16 + i / 64 * 32 + i % 32) >> (i % 64 < 32 ? 0 : 4) & 15;
        w.push_back(Half(b) * static_cast<float>(k_scale(b + 4, i / 32, false) * nibble) -
                    Half(b + 2) * static_cast<float>(k_scale(b + 4, i / 32, true)));
      }
      break;
    case TensorType::kQ5_K:
      for (int i = 0; i < 256; ++i) {
        const int nibble = Byte(b + 48 + i / 64 * 32 + i % 32) >> (i % 64 < 32 ? 0 : 4) & 15;
        const int high = Byte(b + 16 + i % 32) >> (i / 32) & 1;
        w.push_back(Half(b) * static_cast<float>(k_scale(b + 4, i / 32, false) * (nibble + 16 * high)) -
                    Half(b + 2) * static_cast<float>(k_scale(b + 4, i / 32, true)));
      }
      break;
    case TensorType::kQ6_K:
      for (int i = 0; i < 256; ++i) {
        const int in_half = i % 128;
        const int low = Byte(b + i / 128 * 64 + in_half % 64) >> (in_half < 64 ? 0 : 4) & 15;
        const int high = Byte(b + 128 + i / 128 * 32 + in_half % 32) >> (in_half / 32 * 2) & 3;
        w.push_back(Half(b + 208) * static_cast<float>(static_cast<int8_t>(b[192 + i / 16])) *
                    static_cast<float>((low | high << 4) - 32));
      }
      break;
    case TensorType::kMXFP4: {
      const float values[] = {0, 1, 2, 3, 4, 6, 8, 12};
      for (int i = 0; i < 32; ++i) {
        const int code = Byte(b + 1 + i / 2) >> (i % 2 * 4) & 15;
        w.push_back(std::ldexp(code < 8 ? values[code] : -values[code - 8], Byte(b) - 128));
      }
      break;
    }
    case TensorType::kF16: w.push_back(Half(b)); break;
    case TensorType::kBF16: {
      const uint32_t bits = static_cast<uint32_t>(Byte(b) | Byte(b + 1) << 8) << 16;
      w.resize(1);
      std::memcpy(w.data(), &bits, 4);
      break;
    }
    case TensorType::kF32:
      w.resize(1);
      std::memcpy(w.data(), b, 4);
      break;
    default: w.resize(256); kernels::Dequantize(type, b, 256, w.data());  // tested against gguf's
  }
  return w;
}

TEST(SynthBlocks, HaveTheAskedDeviation) {
  for (const TensorType type : {TensorType::kF32, TensorType::kF16, TensorType::kBF16, TensorType::kQ4_0, TensorType::kQ8_0,
                                TensorType::kQ4_K, TensorType::kQ5_K, TensorType::kQ6_K, TensorType::kMXFP4, TensorType::kIQ1_S,
                                TensorType::kIQ1_M, TensorType::kIQ2_XXS, TensorType::kIQ2_XS, TensorType::kIQ2_S,
                                TensorType::kIQ3_XXS, TensorType::kIQ3_S, TensorType::kTQ1_0, TensorType::kTQ2_0}) {
    ASSERT_TRUE(CanFillRandom(type));
    const TensorTypeInfo& info = InfoOf(type);
    for (const float deviation : {1 / 32.0f, 0.0221f, 0.0663f}) {
      std::vector<std::byte> bytes(size_t{info.block_bytes} * 65536 / info.block_size);
      CounterRandom random{7};
      FillRandom(type, deviation, random, bytes);
      double sum = 0, squares = 0, n = 0;
      for (size_t at = 0; at < bytes.size(); at += info.block_bytes) {
        for (const float value : Decode(type, bytes.data() + at)) {
          sum += static_cast<double>(value);
          squares += static_cast<double>(value) * static_cast<double>(value);
          ++n;
        }
      }
      EXPECT_EQ(n, 65536);
      const double wanted = static_cast<double>(deviation);
      const double slack = type == TensorType::kMXFP4 ? 0.42 : 0.06;  // MXFP4 has powers of two only
      EXPECT_NEAR(std::sqrt(squares / n) / wanted, 1, slack) << info.name << " " << deviation;
      EXPECT_NEAR(sum / n / wanted, 0, 0.03) << info.name << " " << deviation;
    }
  }
  EXPECT_FALSE(CanFillRandom(TensorType::kIQ4_XS));
}

TEST(SynthBlocks, SameSeedSameBytes) {
  std::vector<std::byte> a(180), b(180), c(180);
  CounterRandom one{5}, same{5}, other{6};
  FillRandom(TensorType::kQ4_0, 1, one, a);
  FillRandom(TensorType::kQ4_0, 1, same, b);
  FillRandom(TensorType::kQ4_0, 1, other, c);
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
}

}  // namespace
}  // namespace lfm::quant
