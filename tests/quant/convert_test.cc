// Conversion there and back: the same tensors bit for bit, the same text; and what cannot be converted leaves nothing.
#include <sys/resource.h>

#include <csignal>

#include "base/json.h"
#include "quant_fixture.h"

namespace lfm::test {
namespace {

using formats::Checkpoint;

Status Convert(const std::string& in, const std::string& out, std::optional<TensorType> type = {}) {
  auto source = formats::OpenCheckpoint(in);
  if (!source.ok()) return source.error();
  Threads threads(2);
  quant::ConvertOptions options;
  options.type = type;
  const auto result = quant::Convert(*source, out, threads, options);
  return result.ok() ? Ok() : Status(result.error());
}

void ExpectSameTensors(const Checkpoint& a, const Checkpoint& b, bool same_types) {
  const auto left = TensorsOf(a), right = TensorsOf(b);
  ASSERT_EQ(left.size(), right.size());
  for (size_t i = 0; i < left.size(); ++i) {
    ASSERT_EQ(left[i].name, right[i].name);
    EXPECT_EQ(Values(left[i]), Values(right[i])) << left[i].name;
    if (same_types) {
      EXPECT_EQ(left[i].source_type(), right[i].source_type()) << left[i].name;
    }
  }
}

void ExpectSameText(const Checkpoint& a, const Checkpoint& b, const std::string& vectors) {
  const auto left = engine::ReadTextModel(a), right = engine::ReadTextModel(b);
  ASSERT_TRUE(left.ok()) << left.error().message;
  ASSERT_TRUE(right.ok()) << right.error().message;
  EXPECT_EQ(left->chat_template, right->chat_template);
  EXPECT_EQ(left->sampling.temperature, right->sampling.temperature);
  EXPECT_EQ(left->sampling.min_p, right->sampling.min_p);
  for (const auto id : {&text::Tokenizer::bos, &text::Tokenizer::eos, &text::Tokenizer::pad}) {
    EXPECT_EQ((left->tokenizer.*id)(), (right->tokenizer.*id)());
  }
  int n = 0;
  for (const std::string& line : ReadLines(vectors)) {
    const auto row = ParseJson(line);
    ASSERT_TRUE(row.ok());
    const std::string& text = (*row)["text"].AsString();
    for (const bool special : {false, true}) {
      ASSERT_EQ(left->tokenizer.Encode(text, special), right->tokenizer.Encode(text, special)) << line;
    }
    ++n;
  }
  EXPECT_GT(n, 1000);
  for (int32_t id = 0; id < left->tokenizer.n_tokens(); ++id) {
    ASSERT_EQ(left->tokenizer.Bytes(id), right->tokenizer.Bytes(id)) << id;
    ASSERT_EQ(left->tokenizer.IsSpecial(id), right->tokenizer.IsSpecial(id)) << id;
  }
}

std::string VectorsOf(const std::string& folder) {
  const bool is_25 = folder.find("lfm25") != std::string::npos;
  return GoldenPaths(is_25 ? "tokenizer/lfm25-2048/vectors.jsonl" : "tokenizer/lfm2-4096/vectors.jsonl").at(0);
}

TEST(Convert, ThereAndBack) {
  for (const std::string& folder : GoldenEntries("models")) {
    SCOPED_TRACE(folder);
    const TempFolder temp;
    ASSERT_TRUE(Convert(folder, temp / "a.gguf").ok());
    ASSERT_TRUE(Convert(temp / "a.gguf", temp / "back").ok());
    const Checkpoint source = Open(folder), gguf = Open(temp / "a.gguf"), back = Open(temp / "back");
    ExpectSameTensors(source, gguf, false);
    ExpectSameTensors(source, back, true);
    ExpectSameText(source, gguf, VectorsOf(folder));
    ExpectSameText(source, back, VectorsOf(folder));
    const auto a = model::ReadConfig(source), b = model::ReadConfig(back);
    EXPECT_EQ(a->n_heads, b->n_heads);
    EXPECT_EQ(a->n_kv_heads, b->n_kv_heads);
    EXPECT_EQ(a->n_experts_used, b->n_experts_used);
    EXPECT_EQ(a->norm_eps, b->norm_eps);
    EXPECT_EQ(a->rope_theta, b->rope_theta);
    EXPECT_EQ(a->context_length, b->context_length);
    EXPECT_EQ(FilesOf(temp.path()), (std::vector<std::string>{"a.gguf", "back"}));
  }
}

TEST(Convert, WiderTypesKeepEveryBit) {
  const std::string folder = GoldenEntries("models").at(0);
  const TempFolder temp;
  ASSERT_TRUE(Convert(folder, temp / "f32.gguf", TensorType::kF32).ok());
  ExpectSameTensors(Open(folder), Open(temp / "f32.gguf"), false);
  ASSERT_TRUE(Convert(temp / "f32.gguf", temp / "f32").ok());
  ExpectSameTensors(Open(folder), Open(temp / "f32"), false);
  ASSERT_TRUE(Convert(temp / "f32", temp / "bf16.gguf", TensorType::kBF16).ok());
  ExpectSameTensors(Open(folder), Open(temp / "bf16.gguf"), false);
}

TEST(Convert, QuantisedFilesBecomeFolders) {
  for (const std::string& file : GoldenEntries("gguf", ".gguf")) {
    SCOPED_TRACE(file);
    const TempFolder temp;
    ASSERT_TRUE(Convert(file, temp / "folder", TensorType::kF32).ok());
    ExpectSameTensors(Open(file), Open(temp / "folder"), false);
  }
}

TEST(Convert, KeepsSwitchesThatLlamaCppLacks) {
  const TempFolder temp;
  CopyFolder(GoldenPaths("models/tiny-lfm25-moe").at(0), temp / "in");
  auto config = ParseJson(ReadBinary(temp / "in/config.json"));
  config->Set("norm_topk_prob", false);
  config->Set("routed_scaling_factor", Json::MakeNumber("2.5"));
  temp.Write("in/config.json", config->Dump());
  ASSERT_TRUE(Convert(temp / "in", temp / "out.gguf").ok());
  ASSERT_TRUE(Convert(temp / "out.gguf", temp / "back").ok());
  for (const char* name : {"out.gguf", "back"}) {
    const auto read = model::ReadConfig(Open(temp / name));
    EXPECT_FALSE(read->norm_topk_prob);
    EXPECT_EQ(read->routed_scaling_factor, 2.5f);
  }
}

// The message of a conversion that must fail and leave nothing.
std::string FailureOf(const TempFolder& temp, const std::string& in, const std::string& out) {
  const auto before = FilesOf(temp.path());
  const Status status = Convert(in, temp / out);
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(FilesOf(temp.path()), before);
  return status.ok() ? "" : status.error().message;
}

TEST(Convert, NamesWhatIsWrong) {
  const std::string folder = GoldenPaths("models/tiny-lfm25-moe").at(0);
  const TempFolder temp;
  const auto has = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  CopyFolder(folder, temp / "nan");
  Poison(temp / "nan", "model.layers.3.feed_forward.experts.5.w2.weight", 160 * 7 + 3);
  has(FailureOf(temp, temp / "nan", "x.gguf"), "model.layers.3.feed_forward.experts.5.w2.weight, row 7");

  CopyFolder(folder, temp / "shard");
  std::filesystem::remove(temp / "shard/model-00002-of-00004.safetensors");
  has(FailureOf(temp, temp / "shard", "x.gguf"), "model-00002-of-00004.safetensors");

  CopyFolder(folder, temp / "cut");
  std::filesystem::resize_file(temp / "cut/model-00003-of-00004.safetensors", 1000000);
  has(FailureOf(temp, temp / "cut", "x.gguf"), "model-00003-of-00004.safetensors");

  CopyFolder(folder, temp / "foreign");
  auto config = ParseJson(ReadBinary(temp / "foreign/config.json"));
  config->Set("model_type", "llama");
  temp.Write("foreign/config.json", config->Dump());
  has(FailureOf(temp, temp / "foreign", "x.gguf"), "llama");

  CopyFolder(folder, temp / "tokens");
  auto tokenizer = ParseJson(ReadBinary(temp / "tokens/tokenizer.json"));
  for (auto& [name, value] : tokenizer->members()) {
    if (name != "model") continue;
    for (auto& [part, vocabulary] : value.members()) {
      if (part == "vocab") vocabulary.members()[300].second = 5000;
    }
  }
  temp.Write("tokens/tokenizer.json", tokenizer->Dump());
  has(FailureOf(temp, temp / "tokens", "x.gguf"), "id 5000");

  std::filesystem::create_directory(temp / "full");
  temp.Write("full/mine.txt", "x");
  ASSERT_TRUE(Convert(folder, temp / "ok.gguf").ok());
  has(FailureOf(temp, temp / "ok.gguf", "full"), "exists already");
}

TEST(Convert, HolesInTheVocabularyBecomeUnusedTokens) {
  const TempFolder temp;
  CopyFolder(GoldenPaths("models/tiny-lfm2").at(0), temp / "in");
  auto tokenizer = ParseJson(ReadBinary(temp / "in/tokenizer.json"));
  for (auto& [name, value] : tokenizer->members()) {
    if (name == "added_tokens") value.items().erase(value.items().begin() + 20);
    if (name != "model") continue;
    for (auto& [part, vocabulary] : value.members()) {
      if (part == "vocab") std::erase_if(vocabulary.members(), [](const auto& entry) { return entry.second.AsInt() == 22; });
    }
  }
  temp.Write("in/tokenizer.json", tokenizer->Dump());
  ASSERT_TRUE(Convert(temp / "in", temp / "out.gguf").ok());
  ASSERT_TRUE(Convert(temp / "out.gguf", temp / "back").ok());
  for (const char* name : {"out.gguf", "back"}) {
    const auto text = engine::ReadTextModel(Open(temp / name));
    ASSERT_TRUE(text.ok());
    EXPECT_EQ(text->tokenizer.KindOf(22), text::TokenKind::kUnused);
  }
}

TEST(Convert, KeepsNamedTemplatesAndVariables) {
  const TempFolder temp;
  CopyFolder(GoldenPaths("models/tiny-lfm2").at(0), temp / "in");
  std::filesystem::remove(temp / "in/chat_template.jinja");
  auto config = ParseJson(ReadBinary(temp / "in/tokenizer_config.json"));
  config->Set("chat_template", ParseJson(R"([{"name": "default", "template": "D{{ image_token }}"},
                                             {"name": "tool_use", "template": "T"}, {"name": "../x", "template": "X"}])")
                                   .value());
  config->Set("image_token", "<|reserved_6|>");
  temp.Write("in/tokenizer_config.json", config->Dump());
  ASSERT_TRUE(Convert(temp / "in", temp / "out.gguf").ok());
  ASSERT_TRUE(Convert(temp / "out.gguf", temp / "back").ok());
  for (const char* name : {"in", "out.gguf", "back"}) {
    const auto text = engine::ReadTextModel(Open(temp / name));
    ASSERT_TRUE(text.ok()) << text.error().message;
    EXPECT_EQ(text->chat_template, "D{{ image_token }}") << name;
    ASSERT_EQ(text->named_chats.size(), 2U) << name;
    EXPECT_EQ(text->named_chats[1].name, "../x");
    EXPECT_TRUE(text->ChatFor("", true).ok());
    EXPECT_EQ(text->ChatFor("", true)->source, "T");
    EXPECT_FALSE(text->ChatFor("rag", false).ok());
    EXPECT_EQ(text->chat->special_tokens["image_token"].AsString(), "<|reserved_6|>") << name;
  }
}

// What GGUF's own keys cannot say: flags of added tokens, what stands around a text, several ends, greedy choice.
TEST(Convert, KeepsTheWholeTokenizer) {
  const TempFolder temp;
  CopyFolder(GoldenPaths("models/tiny-lfm2").at(0), temp / "in");
  auto tokenizer = ParseJson(ReadBinary(temp / "in/tokenizer.json"));
  for (auto& [name, value] : tokenizer->members()) {
    for (Json& token : name == "added_tokens" ? value.items() : Json::Array{}) {
      if (token["content"].AsString() == "python") token.Set("lstrip", true), token.Set("single_word", true);
      if (token["content"].AsString() == "<|im_end|>") token.Set("rstrip", true), token.Set("normalized", true);
    }
    if (name != "post_processor") continue;
    for (auto& [part, list] : value.members()) {
      if (part == "single") list.Append(Json(list.items()[0]));
    }
  }
  temp.Write("in/tokenizer.json", tokenizer->Dump());
  auto config = ParseJson(ReadBinary(temp / "in/tokenizer_config.json"));
  for (auto& [name, value] : config->members()) {
    if (name == "added_tokens_decoder") value = Json::MakeObject({});
  }
  config->Set("sep_token", "<|reserved_6|>");
  config->Set("unk_token", "<|not in the embedding|>");
  temp.Write("in/tokenizer_config.json", config->Dump());
  temp.Write("in/generation_config.json", R"({"eos_token_id": [7, 300], "do_sample": false, "temperature": 0.5})");
  ASSERT_TRUE(Convert(temp / "in", temp / "out.gguf").ok());
  ASSERT_TRUE(Convert(temp / "out.gguf", temp / "back").ok());
  const auto in = engine::ReadTextModel(Open(temp / "in"));
  for (const char* name : {"out.gguf", "back"}) {
    const auto text = engine::ReadTextModel(Open(temp / name));
    ASSERT_TRUE(text.ok()) << text.error().message;
    for (const char* words : {"a  python b", "pythonic", "x<|im_end|>  y", "Hi"}) {
      EXPECT_EQ(text->tokenizer.Encode(words, true), in->tokenizer.Encode(words, true)) << name << ": " << words;
    }
    EXPECT_EQ(text->tokenizer.Encode("", true).size(), 2U);
    EXPECT_TRUE(std::ranges::equal(text->tokenizer.end_of_generation(), in->tokenizer.end_of_generation())) << name;
    EXPECT_EQ(text->sampling.temperature, 0);
    EXPECT_EQ(text->chat->special_tokens["sep_token"].AsString(), "<|reserved_6|>") << name;
  }
}

TEST(Convert, AFullDiskLeavesNothing) {
  const TempFolder temp;
  const std::string folder = GoldenPaths("models/tiny-lfm2").at(0);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  rlimit small = old;
  small.rlim_cur = 3 << 20;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status gguf = Convert(folder, temp / "a.gguf");
  const Status back = Convert(GoldenPaths("gguf/mini-lfm2-Q4_1.gguf").at(0), temp / "back", TensorType::kF32);
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(gguf.ok());
  EXPECT_EQ(gguf.error().code, ErrorCode::kIo) << gguf.error().message;
  ASSERT_FALSE(back.ok());
  EXPECT_EQ(back.error().code, ErrorCode::kIo) << back.error().message;
  EXPECT_TRUE(FilesOf(temp.path()).empty());
}

TEST(Convert, CancelledLeavesNothing) {
  const TempFolder temp;
  const Checkpoint source = Open(GoldenPaths("models/tiny-lfm2").at(0));
  Threads threads(1);
  quant::ConvertOptions options;
  options.progress = [](uint64_t done, uint64_t) { return done < 1000000; };
  const auto result = quant::Convert(source, temp / "a.gguf", threads, options);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(FilesOf(temp.path()).empty());
}

}  // namespace
}  // namespace lfm::test
