// Token for token against Hugging Face's tokenizers (golden vectors), and what the vectors do not reach:
// flags of added tokens, broken files, GGUF arrays, time.
#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "base/strings.h"
#include "support/golden.h"
#include "support/tokenizers.h"
#include "base/byte_alphabet.h"
#include "text/gguf_kept.h"
#include "text/splitter.h"
#include "text/stream_decoder.h"
#include "text/unicode.h"

namespace lfm::text {
namespace {

using test::LoadTokenizer;
using test::ReadJsonFile;

// Every tokenizer folder of every root: equal names in two roots may be different tokenizers.
std::vector<std::string> TokenizerFolders() {
  std::vector<std::string> folders;
  for (const std::string& root : test::GoldenPaths("tokenizer")) {
    for (const auto& entry : std::filesystem::directory_iterator(root)) {
      if (std::filesystem::exists(entry.path() / "tokenizer.json")) folders.push_back(entry.path().string());
    }
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

std::vector<Json> ReadRows(const std::string& path) {
  std::vector<Json> rows;
  if (!std::filesystem::exists(path)) return rows;
  for (const std::string& line : test::ReadLines(path)) {
    auto row = ParseJson(line);
    EXPECT_TRUE(row.ok()) << path;
    if (row.ok()) rows.push_back(std::move(row).value());
  }
  return rows;
}

std::vector<int32_t> IdsOf(const Json& array) {
  std::vector<int32_t> ids;
  for (const Json& id : array.items()) ids.push_back(static_cast<int32_t>(id.AsInt()));
  return ids;
}

std::string FromBase64(std::string_view text) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  unsigned bits = 0;
  int n_bits = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<unsigned>(kDigits.find(c));
    n_bits += 6;
    if (n_bits >= 8) out.push_back(static_cast<char>(static_cast<unsigned char>(bits >> (n_bits -= 8) & 0xFF)));
  }
  return out;
}

Tokenizer Demo(const std::string& name = "lfm2-4096") {
  auto tokenizer = LoadTokenizer(LFM_TEST_DATA "/tokenizer/" + name);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.error().message;
  return std::move(tokenizer).value();
}

TEST(Tokenizer, GoldenVectors) {
  int n_rows = 0, n_unicode = 0;
  for (const std::string& folder : TokenizerFolders()) {
    SCOPED_TRACE(folder);
    auto tokenizer = LoadTokenizer(folder);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().message;
    for (const Json& row : ReadRows(folder + "/vectors.jsonl")) {
      ++n_rows;
      const std::string& text = row["text"].AsString();
      const std::vector<int32_t> ids = tokenizer->Encode(text, row["add_special"].AsBool());
      const std::vector<int32_t> expected = IdsOf(row["ids"]);
      const std::string& tag = row["tag"].AsString();
      // Code points on which Unicode versions disagree are counted apart.
      if (ids != expected && (tag == "unicode_new" || tag == "random_unicode")) {
        ++n_unicode;
      } else {
        EXPECT_EQ(ids, expected) << row.Dump();
      }
      EXPECT_EQ(tokenizer->Decode(expected), row["decoded"].AsString());
      std::string shown;
      for (const int32_t id : expected) {
        if (!tokenizer->IsSpecial(id)) shown += tokenizer->Bytes(id);
      }
      EXPECT_EQ(shown, row["decoded_skip_special"].AsString());
    }
  }
  EXPECT_GT(n_rows, 3000);
  std::printf("%d rows, %d differ by Unicode version only\n", n_rows, n_unicode);
}

TEST(Tokenizer, GoldenDetokenization) {
  int n_rows = 0;
  for (const std::string& folder : TokenizerFolders()) {
    SCOPED_TRACE(folder);
    auto tokenizer = LoadTokenizer(folder);
    ASSERT_TRUE(tokenizer.ok());
    for (const Json& row : ReadRows(folder + "/detokenize.jsonl")) {
      ++n_rows;
      const std::vector<int32_t> ids = IdsOf(row["ids"]);
      std::string all, streamed;
      StreamDecoder decoder(*tokenizer, StreamDecoder::Special::kAll);
      for (size_t i = 0; i < ids.size(); ++i) {
        EXPECT_EQ(tokenizer->Bytes(ids[i]), FromBase64(row["pieces"].items()[i].AsString()));
        all += tokenizer->Bytes(ids[i]);
        const std::string text = decoder.Push(ids[i]);
        EXPECT_EQ(ToValidUtf8(text), text);
        streamed += text;
      }
      streamed += decoder.Finish();
      EXPECT_EQ(all, FromBase64(row["bytes"].AsString()));
      EXPECT_EQ(streamed, ToValidUtf8(all)) << row.Dump();
    }
  }
  EXPECT_GT(n_rows, 600);
}

// The arrays that llama.cpp's converter writes for a tokenizer.json.
struct GgufArrays {
  std::vector<std::string> tokens, merges;
  std::vector<std::string_view> token_views, merge_views;
  std::vector<int64_t> types;
  GgufVocabulary View() {
    token_views.assign(tokens.begin(), tokens.end());
    merge_views.assign(merges.begin(), merges.end());
    GgufVocabulary v;
    v.model = "gpt2", v.pre = "lfm2", v.tokens = token_views, v.types = types, v.merges = merge_views;
    return v;
  }
};

GgufArrays ArraysOf(const Json& file) {
  GgufArrays arrays;
  size_t n = 0;
  const auto put = [&](const std::string& text, int64_t id, int64_t type) {
    n = std::max(n, static_cast<size_t>(id) + 1);
    arrays.tokens.resize(n), arrays.types.resize(n, 5);
    arrays.tokens[static_cast<size_t>(id)] = text;
    arrays.types[static_cast<size_t>(id)] = type;
  };
  for (const auto& [text, id] : file["model"]["vocab"].members()) put(text, id.AsInt(), 1);
  for (const Json& added : file["added_tokens"].items()) {
    put(added["content"].AsString(), added["id"].AsInt(), added["special"].AsBool() ? 3 : 4);
  }
  for (const Json& merge : file["model"]["merges"].items()) {
    arrays.merges.push_back(merge.items()[0].AsString() + " " + merge.items()[1].AsString());
  }
  return arrays;
}

TEST(Tokenizer, GgufArraysGiveTheSameTokens) {
  for (const char* name : {"lfm2-4096", "lfm25-2048"}) {
    const std::string folder = std::string(LFM_TEST_DATA "/tokenizer/") + name;
    const Tokenizer expected = Demo(name);
    GgufArrays arrays = ArraysOf(ReadJsonFile(folder + "/tokenizer.json"));
    arrays.tokens.push_back("[PAD]"), arrays.types.push_back(5);
    GgufVocabulary vocabulary = arrays.View();
    vocabulary.bos = *expected.bos(), vocabulary.eos = *expected.eos(), vocabulary.pad = *expected.pad();
    auto spec = SpecFromGguf(vocabulary);
    ASSERT_TRUE(spec.ok()) << spec.error().message;
    auto tokenizer = Tokenizer::Create(std::move(spec).value());
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().message;
    for (const Json& row : ReadRows(folder + "/vectors.jsonl")) {
      const std::string& text = row["text"].AsString();
      EXPECT_EQ(tokenizer->Encode(text, row["add_special"].AsBool()), expected.Encode(text, row["add_special"].AsBool()));
    }
    for (int32_t id = 0; id < expected.n_tokens(); ++id) {
      EXPECT_EQ(tokenizer->Bytes(id), expected.Bytes(id));
      EXPECT_EQ(tokenizer->IsSpecial(id), expected.IsSpecial(id));
    }
    EXPECT_EQ(tokenizer->Bytes(expected.n_tokens()), "");
    EXPECT_TRUE(std::ranges::equal(tokenizer->end_of_generation(), expected.end_of_generation()));
  }
}

TEST(Tokenizer, NestedSequencesOfPreTokenizersAreFlat) {
  Json file = ReadJsonFile(LFM_TEST_DATA "/tokenizer/lfm2-4096/tokenizer.json");
  const auto expected = SpecFromTokenizerJson(file, Json()).value().split;
  Json pre = file["pre_tokenizer"];
  for (int i = 0; i < 5; ++i) {
    pre = Json::MakeObject({{"type", "Sequence"}, {"pretokenizers", Json::MakeArray({std::move(pre)})}});
  }
  file.Set("pre_tokenizer", pre);
  const auto spec = SpecFromTokenizerJson(file, Json());
  ASSERT_TRUE(spec.ok()) << spec.error().message;
  EXPECT_EQ(spec->split, expected);
  // Nothing splits twice.
  file.Set("pre_tokenizer", Json::MakeObject({{"type", "Sequence"}, {"pretokenizers", Json::MakeArray({pre, pre})}}));
  EXPECT_FALSE(SpecFromTokenizerJson(file, Json()).ok());
}

// AutoTokenizer is the reference: some classes take the vocabulary alone from tokenizer.json.
TEST(Tokenizer, ClassesWithRulesOfTheirOwnAreRefused) {
  const Json file = test::ReadJsonFile(LFM_TEST_DATA "/tokenizer/lfm2-4096/tokenizer.json");
  for (const char* name : {"Qwen2TokenizerFast", "GPTNeoXTokenizerFast", "GPT2Tokenizer", "WhisperTokenizer"}) {
    const auto spec = SpecFromTokenizerJson(file, Json::MakeObject({{"tokenizer_class", name}}));
    ASSERT_FALSE(spec.ok()) << name;
    EXPECT_NE(spec.error().message.find(name), std::string::npos) << spec.error().message;
  }
  for (const char* name :
       {"PreTrainedTokenizerFast", "TokenizersBackend", "LlamaTokenizerFast", "Tokenizer", "Qwen2", "Fast", ""}) {
    EXPECT_TRUE(SpecFromTokenizerJson(file, Json::MakeObject({{"tokenizer_class", name}})).ok()) << name;
  }
}

TEST(Tokenizer, KnowsItsTokens) {
  const Tokenizer t = Demo();
  EXPECT_EQ(t.n_tokens(), 4096);
  EXPECT_EQ(t.bos(), 1);
  EXPECT_EQ(t.eos(), 7);
  EXPECT_EQ(t.pad(), 0);
  EXPECT_TRUE(t.adds_bos());
  EXPECT_EQ(std::vector<int32_t>(t.end_of_generation().begin(), t.end_of_generation().end()), (std::vector<int32_t>{2, 7}));
  EXPECT_TRUE(t.IsEndOfGeneration(7) && t.IsEndOfGeneration(2) && !t.IsEndOfGeneration(1));
  EXPECT_EQ(t.Find("<|im_end|>"), 7);
  EXPECT_EQ(t.Find("python"), 4095);
  EXPECT_EQ(t.Find(" the"), t.Encode(" the", false).front());
  EXPECT_FALSE(t.Find("no such token").has_value());
  EXPECT_TRUE(t.IsShown(10) && t.IsShown(11)) << "tool call marks are shown";
  EXPECT_FALSE(t.IsShown(7) || t.IsShown(1) || t.IsShown(-1) || t.IsShown(4096));
  EXPECT_TRUE(t.IsShown(4095));
  for (const int32_t id : {-1, 4096, 1 << 30}) EXPECT_EQ(t.Bytes(id), "");
  ASSERT_GE(t.special_names().size(), 3U);
  EXPECT_EQ(t.special_names()[0], (std::pair<std::string, std::string>{"bos_token", "<|startoftext|>"}));
}

TEST(Tokenizer, SpecialTextCanStayText) {
  const Tokenizer t = Demo();
  EXPECT_EQ(t.Encode("<|im_end|>", false, true), (std::vector<int32_t>{7}));
  const std::vector<int32_t> ids = t.Encode("a<|im_end|>python", false, false);
  EXPECT_EQ(t.Decode(ids), "a<|im_end|>python");
  EXPECT_EQ(std::count_if(ids.begin(), ids.end(), [&](int32_t id) { return t.IsSpecial(id); }), 0);
  EXPECT_EQ(ids.back(), 4095) << "plain added tokens are found always";
}

TEST(Tokenizer, InvalidUtf8IsKept) {
  const Tokenizer t = Demo();
  for (const std::string bytes : {"\xff\xfe", "a\x80 b", "\xe6\x9d", "\xed\xa0\x80", "\xf0\x9f\x98x", "\xc3"}) {
    EXPECT_EQ(t.Decode(t.Encode(bytes, false)), bytes);
  }
}

// ---- a small tokenizer, to vary
// --------------------------------------------------------------------------------------

Json Object(std::string_view text) {
  auto json = ParseJson(text);
  EXPECT_TRUE(json.ok()) << text;
  return std::move(json).value();
}

// All bytes, "ab" and "abc"; `added` is the text of the array added_tokens.
Json SmallFile(std::string_view added = "[]") {
  Json file = Object(R"json({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
    "model": {"type": "BPE", "vocab": {}, "merges": ["a b", ["ab", "c"]]}})json");
  Json vocab = Json::MakeObject();
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(static_cast<unsigned char>(byte));
    vocab.Set(AlphabetOfBytes(std::string_view(&c, 1)), byte);
  }
  vocab.Set("ab", 256).Set("abc", 257);
  Json model = file["model"];
  model.Set("vocab", vocab);
  file.Set("model", model);
  file.Set("added_tokens", Object(added));
  return file;
}

Result<Tokenizer> SmallTokenizer(const Json& file) {
  auto spec = SpecFromTokenizerJson(file, Json());
  if (!spec.ok()) return spec.error();
  return Tokenizer::Create(std::move(spec).value());
}

TEST(Tokenizer, FlagsOfAddedTokens) {
  auto made = SmallTokenizer(SmallFile(R"([
    {"id": 258, "content": "<l>", "lstrip": true, "special": true}, {"id": 259, "content": "<r>", "rstrip": true, "special": true},
    {"id": 260, "content": "word", "single_word": true, "normalized": true}, {"id": 261, "content": "<l><r>x", "special": true},
    {"id": 262, "content": "rd<", "normalized": true}])"));
  ASSERT_TRUE(made.ok()) << made.error().message;
  const Tokenizer& t = *made;
  using Ids = std::vector<int32_t>;
  EXPECT_EQ(t.Encode("a \n<l> b", false), (Ids{'a', 258, ' ', 'b'}));
  EXPECT_EQ(t.Encode("a <r>\u2003\t b", false), (Ids{'a', ' ', 259, 'b'}));
  EXPECT_EQ(t.Encode("<r>  <l>", false), (Ids{259, 258}));
  EXPECT_EQ(t.Encode("<l><r>x", false), (Ids{261})) << "the longest of those that begin first";
  EXPECT_EQ(t.Encode("<l><r>y", false), (Ids{258, 259, 'y'}));
  EXPECT_EQ(t.Encode("word-word", false), (Ids{260, '-', 260}));
  EXPECT_EQ(t.Encode("words", false), (Ids{'w', 'o', 'r', 'd', 's'}));
  EXPECT_EQ(t.Encode("word<l>", false), (Ids{260, 258})) << "'rd<' is searched in what the others leave";
  EXPECT_EQ(t.Encode("word<", false), (Ids{260, '<'}));
  EXPECT_EQ(t.Encode("\u00E9word", false), (Ids{0xC3, 0xA9, 'w', 'o', 'r', 'd'}));
}

// What the reference does where the white space that one token takes holds another one.
TEST(Tokenizer, SpansKeepSpecialTokensText) {
  auto made = SmallTokenizer(SmallFile(R"([
    {"id": 258, "content": "<s>", "special": true}, {"id": 259, "content": "<s>x", "special": true},
    {"id": 260, "content": "<think>", "special": true}, {"id": 261, "content": "<u>"}])"));
  ASSERT_TRUE(made.ok()) << made.error().message;
  const Tokenizer& t = *made;
  const auto shown = [&](std::string_view text, const std::vector<ParseSpan>& spans) {
    const auto ids = t.EncodeMixed(text, spans);
    EXPECT_EQ(t.Decode(ids), text);
    std::string out;
    for (const int32_t id : ids) out += id >= 258 ? "[" + std::string(t.Bytes(id)) + "]" : std::string(t.Bytes(id));
    return out;
  };
  using enum ParseSpecial;
  EXPECT_EQ(shown("<s><s>x<think><u>", {}), "[<s>][<s>x][<think>][<u>]");
  EXPECT_EQ(shown("<s><s>x<think><u>", {{0, 17, kNone}}), "<s><s>x<think>[<u>]");
  EXPECT_EQ(shown("<s><s>x<think><u>", {{0, 17, kAnswer}}), "<s><s>x[<think>][<u>]");
  EXPECT_EQ(shown("<s><think><s>", {{3, 10, kNone}}), "[<s>]<think>[<s>]");
  // None that crosses the end of a span: a shorter one beside it counts.
  EXPECT_EQ(shown("<s>x", {{3, 4, kNone}}), "[<s>]x");
  EXPECT_EQ(shown("<s>", {{2, 3, kNone}}), "<s>");
  EXPECT_EQ(shown("<s><s>", {{0, 1, kNone}}), "<s>[<s>]");
  EXPECT_EQ(shown("<think>", {{0, 3, kAnswer}, {3, 7, kAnswer}}), "<think>");
  // A span of the whole is what parse_special = false gives.
  const std::string_view text = "a<s>x <s><think> b<s";
  EXPECT_EQ(t.EncodeMixed(text, std::vector<ParseSpan>{{0, text.size(), kNone}}), t.Encode(text, false, false));
}

TEST(Tokenizer, TokensOfWhiteSpaceAfterRstrip) {
  auto made = SmallTokenizer(SmallFile(R"([{"id": 258, "content": "<r>", "rstrip": true}, {"id": 259, "content": " x"},
    {"id": 260, "content": "\u3000", "lstrip": true}, {"id": 261, "content": "\t", "rstrip": true, "special": true}])"));
  ASSERT_TRUE(made.ok()) << made.error().message;
  using Ids = std::vector<int32_t>;
  EXPECT_EQ(made->Encode("<r> x", false), (Ids{258, 259}));
  EXPECT_EQ(made->Encode("<r>\u3000", false), (Ids{258}));
  EXPECT_EQ(made->Encode("\t\t\t", false), (Ids{261, 261, 261}));
  EXPECT_EQ(made->Encode(std::string(300000, '\t'), false).size(), 300000U) << "in linear time";
}

TEST(Tokenizer, MergesInOrderOfRank) {
  auto t = SmallTokenizer(SmallFile());
  ASSERT_TRUE(t.ok()) << t.error().message;
  EXPECT_EQ(t->Encode("abcab", false), (std::vector<int32_t>{257, 256}));
  EXPECT_EQ(t->Encode("bcabca", false), (std::vector<int32_t>{'b', 'c', 257, 'a'}));
  const std::string many = [] {
    std::string s;
    for (int i = 0; i < 1000; ++i) s += "abcab";
    return s;
  }();
  const std::vector<int32_t> ids = t->Encode(many, false);
  ASSERT_EQ(ids.size(), 2000U);
  for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(ids[i], i % 2 == 0 ? 257 : 256);
}

TEST(Tokenizer, HolesAreTokensWithoutBytes) {
  auto t = SmallTokenizer(SmallFile(R"([{"id": 300, "content": "<x>", "special": true}])"));
  ASSERT_TRUE(t.ok());
  EXPECT_EQ(t->n_tokens(), 301);
  EXPECT_EQ(t->Bytes(270), "");
  EXPECT_EQ(t->KindOf(270), TokenKind::kUnused);
  EXPECT_EQ(t->Encode("<x>", false), (std::vector<int32_t>{300}));
}

// Each broken file, and words that its message must hold.
TEST(Tokenizer, BrokenFilesAreNamed) {
  const auto expect_error = [](const Json& file, std::string_view words) {
    auto t = SmallTokenizer(file);
    ASSERT_FALSE(t.ok()) << words;
    EXPECT_NE(t.error().message.find(words), std::string::npos) << t.error().message;
  };
  const auto with_model = [](const char* name, Json value) {
    Json file = SmallFile();
    Json model = file["model"];
    model.Set(name, std::move(value));
    file.Set("model", std::move(model));
    return file;
  };
  const auto with = [](const char* name, std::string_view value) {
    Json file = SmallFile();
    file.Set(name, Object(value));
    return file;
  };
  expect_error(Json(), "not an object");
  expect_error(with_model("type", "Unigram"), "'Unigram'");
  expect_error(with_model("type", "WordPiece"), "'WordPiece'");
  expect_error(with_model("byte_fallback", true), "byte_fallback");
  expect_error(with_model("dropout", 0.1), "dropout");
  expect_error(with_model("end_of_word_suffix", "</w>"), "end_of_word_suffix");
  expect_error(with_model("unk_token", "<unk>"), "'<unk>'");
  expect_error(with_model("merges", Object(R"(["a b", "ab d"])")), "'abd' is not in the vocabulary");
  expect_error(with_model("merges", Object(R"(["a  b"])")), "'a  b'");
  expect_error(with_model("merges", Object(R"([["a"]])")), "merges[0]");
  expect_error(with_model("merges", Json()), "model.merges is missing");
  expect_error(with_model("vocab", Object(R"({"a": 0, "b": 0})")), "id 0 to 'a' and to 'b'");
  expect_error(with_model("vocab", Object(R"({"a": 0, "a": 1})")), "'a' twice");
  expect_error(with_model("vocab", Object(R"({"a": -1})")), "id -1");
  expect_error(with_model("vocab", Object(R"({"a": 4000000000})")), "id 4000000000");
  expect_error(with_model("vocab", Object(R"({"a": 1000000})")), "id 1000000");
  expect_error(with_model("vocab", Object(R"({"a": "1"})")), "no number");
  expect_error(with("normalizer", R"({"type": "NFC"})"), "'NFC'");
  expect_error(with("decoder", R"({"type": "WordPiece"})"), "'WordPiece'");
  expect_error(with("pre_tokenizer", R"({"type": "Metaspace"})"), "'Metaspace'");
  expect_error(with("pre_tokenizer", "null"), "pre_tokenizer null");
  expect_error(with("pre_tokenizer",
                    R"({"type": "Sequence", "pretokenizers": [{"type": "Split", "behavior": "Isolated", "invert": false,
      "pattern": {"Regex": "\\d+|[a-z]"}}, {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]})"),
               R"(\d+|[a-z])");
  expect_error(with("post_processor", R"({"type": "BertProcessing"})"), "'BertProcessing'");
  expect_error(SmallFile(R"([{"id": 65, "content": "<x>"}])"), "id 65");
  expect_error(SmallFile(R"([{"id": 300, "content": "a"}])"), "model.vocab gives it 97");
  expect_error(SmallFile(R"([{"id": 258, "content": "<x>"}, {"id": 259, "content": "<x>"}])"), "'<x>'");
  expect_error(SmallFile(R"([{"id": 258}])"), "added_tokens[0]");
  expect_error(SmallFile("[{\"id\": 258, \"content\": \"" + std::string(600, 'x') + "\"}]"), "512 bytes");
}

TEST(Tokenizer, BrokenGgufIsNamed) {
  const std::vector<std::string_view> tokens{"a", "b", "ab"}, merges{"a b"}, bad_merges{"a c"};
  const std::vector<int64_t> types{1, 1, 1}, bad_types{1, 1, 9};
  const GgufVocabulary good{"gpt2", "lfm2", tokens, types, merges, {}, {}, {}, {}, {}, {}, {}};
  ASSERT_TRUE(SpecFromGguf(good).ok()) << SpecFromGguf(good).error().message;
  const auto expect_error = [&](auto change, std::string_view words) {
    GgufVocabulary v = good;
    change(v);
    auto spec = SpecFromGguf(v);
    ASSERT_FALSE(spec.ok()) << words;
    EXPECT_NE(spec.error().message.find(words), std::string::npos) << spec.error().message;
  };
  expect_error([](auto& v) { v.model = "llama"; }, "'llama'");
  expect_error([](auto& v) { v.pre = "tekken"; }, "'tekken'");
  expect_error([](auto& v) { v.tokens = {}; }, "tokens");
  expect_error([&](auto& v) { v.types = std::span(types).first(2); }, "2 entries for 3");
  expect_error([&](auto& v) { v.types = bad_types; }, "token_type[2] is 9");
  expect_error([&](auto& v) { v.merges = bad_merges; }, "'c' is not in the vocabulary");
  expect_error([](auto& v) { v.bos = 3; }, "bos_token_id is 3");
  expect_error([](auto& v) { v.eos = -1; }, "eos_token_id is -1");
  TokenizerSpec spec = SpecFromGguf(good).value();
  GgufKept kept;
  kept.ends = {0, 3};
  EXPECT_NE(AddKept(kept, spec).error().message.find("eos_token_ids is 3"), std::string::npos);
  kept.ends.clear(), kept.after = {7};
  EXPECT_NE(AddKept(kept, spec).error().message.find("after is 7"), std::string::npos);
}

TEST(Splitter, PiecesOfTheRules) {
  const auto split = [](SplitRule rule, std::string_view text) {
    std::vector<std::string> pieces;
    for (size_t i = 0; i < text.size();) {
      const size_t end = EndOfPiece(rule, text, i);
      pieces.emplace_back(text.substr(i, end - i));
      i = end;
    }
    return pieces;
  };
  using Pieces = std::vector<std::string>;
  EXPECT_EQ(split(SplitRule::kLlama3, "I'LL 12345  go\r\n\n x!?\n\ny  "),
            (Pieces{"I", "'LL", " ", "123", "45", " ", " go", "\r\n\n", " x", "!?\n\n", "y", "  "}));
  EXPECT_EQ(split(SplitRule::kLlama3, "it'\u017Fe \t\n \t z"), (Pieces{"it", "'\u017F", "e", " \t\n", " \t", " z"}));
  EXPECT_EQ(split(SplitRule::kQwen2, "a 12"), (Pieces{"a", " ", "1", "2"}));
  EXPECT_EQ(split(SplitRule::kGpt2, "I'll I'LL 12345  go\n\nx!?\n 'd"),
            (Pieces{"I", "'ll", " I", "'", "LL", " 12345", " ", " go", "\n", "\n", "x", "!?", "\n", " '", "d"}));
}

TEST(Unicode, ClassesOfUnicode16) {
  EXPECT_EQ(ClassOf(U'\u00AA'), CharClass::kLetter);
  EXPECT_EQ(ClassOf(0x00BD), CharClass::kNumber);
  EXPECT_EQ(ClassOf(0x0300), CharClass::kOther) << "marks are neither";
  EXPECT_EQ(ClassOf(0x2EBF0), CharClass::kLetter) << "since Unicode 15.1";
  EXPECT_EQ(ClassOf(0x1CCF5), CharClass::kNumber) << "since Unicode 16";
  EXPECT_EQ(ClassOf(0x0378), CharClass::kOther);
  EXPECT_EQ(ClassOf(0x10FFFF), CharClass::kOther);
  int n_spaces = 0, n_letters = 0, n_numbers = 0;
  for (char32_t c = 0; c < 0x110000; ++c) {
    n_spaces += IsWhiteSpace(c);
    n_letters += ClassOf(c) == CharClass::kLetter;
    n_numbers += ClassOf(c) == CharClass::kNumber;
  }
  EXPECT_EQ(n_spaces, 25);
  EXPECT_GE(n_letters, 141028);
  EXPECT_GE(n_numbers, 1911);
}

TEST(StreamDecoder, EqualsReplacementOfTheWhole) {
  // Every cut of hostile byte strings into two pushes and into single bytes.
  const std::string strings[] = {"\xe2\x82\xac\xe2\x82",
                                 "\xf0\x9f\x98\x80\xf0\x9f",
                                 "a\xc3(b",
                                 "\xed\xa0\x80",
                                 "\xf4\x90\x80\x80",
                                 "\xe0\x80\x80",
                                 "\xf0\x80\x80\x80",
                                 "\xc0\xaf\xfe",
                                 "\xe6\x9d\xe6\x9d\xb1",
                                 "\xf0\xe2\x82\xac",
                                 "\x80\x80\xbf",
                                 "\xf1\x80\x80"};
  for (const std::string& bytes : strings) {
    const std::string expected = ToValidUtf8(bytes);
    for (size_t cut = 0; cut <= bytes.size(); ++cut) {
      Utf8Stream stream;
      std::string text = stream.Push(bytes.substr(0, cut));
      EXPECT_EQ(ToValidUtf8(text), text);
      text += stream.Push(bytes.substr(cut));
      EXPECT_EQ(text + stream.Finish(), expected);
    }
    Utf8Stream stream;
    std::string text;
    for (const char c : bytes) text += stream.Push(std::string_view(&c, 1));
    EXPECT_EQ(text + stream.Finish(), expected);
  }
}

TEST(StreamDecoder, HoldsBackOnlyWhatMayBecomeACharacter) {
  Utf8Stream stream;
  EXPECT_EQ(stream.Push("a\xe6\x9d"), "a");
  EXPECT_EQ(stream.Push("\xb1z"), "\u6771z");
  EXPECT_EQ(stream.Push("\xed\xa0"), "\uFFFD\uFFFD") << "no surrogate can follow";
  EXPECT_EQ(stream.Push("\xff"), "\uFFFD");
  EXPECT_EQ(stream.Finish(), "");
}

TEST(StreamDecoder, DropsSpecialTokensInsideACharacter) {
  const Tokenizer t = Demo();
  const std::vector<int32_t> character = t.Encode("\u6771", false);
  const int32_t call = *t.Find("<|tool_call_start|>"), end = *t.Find("<|im_end|>");
  StreamDecoder shown(t), all(t, StreamDecoder::Special::kAll);
  EXPECT_EQ(shown.Push(call) + shown.Push(end) + shown.Push(99999), "<|tool_call_start|>");
  EXPECT_EQ(all.Push(call) + all.Push(end) + all.Push(99999), "<|tool_call_start|><|im_end|>");
}

// Long inputs must not take quadratic time: each of these takes a few milliseconds, minutes if it were.
TEST(Tokenizer, TimeIsLinear) {
  const Tokenizer t = Demo();
  const auto start = std::chrono::steady_clock::now();
  const auto repeat = [](std::string_view s, size_t n_bytes) {
    std::string out;
    while (out.size() < n_bytes) out += s;
    return out;
  };
  constexpr size_t kBytes = LFM_SANITIZED ? 1 << 17 : 1 << 20;
  for (const std::string_view unit :
       {"a", " ", "\n", "1", "=", "\u00E9", "<|", "<|im_start", "pytho", " \n", "'s", "\xff", "\u3000", "ab"}) {
    const std::string text = repeat(unit, kBytes);
    EXPECT_EQ(t.Decode(t.Encode(text, false)), text);
  }
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  EXPECT_LT(seconds, 60) << "14 times " << kBytes << " bytes";
}

}  // namespace
}  // namespace lfm::text
