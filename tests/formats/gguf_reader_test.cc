// The GGUF header: every kind of value, and every way a field can be wrong.
#include "formats/gguf_reader.h"

#include <gtest/gtest.h>

#include "formats/gguf_bytes.h"
#include "support/golden.h"
#include "support/temp_folder.h"

namespace lfm::formats {
namespace {

using test::AsBytes;
using test::GgufBytes;
using test::TempFolder;
using namespace test::gguf_types;

template <typename T>
std::string Raw(T value) {
  return GgufBytes::Raw(value);
}
std::string ArrayHead(uint32_t type, uint64_t n) { return Raw(type) + Raw(n); }

// The error of a file, or "" when it is fine.
std::string ErrorOf(const GgufBytes& file) {
  const std::string bytes = file.Build();
  const auto header = ParseGguf(AsBytes(bytes));
  return header.ok() ? "" : header.error().message;
}

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST(GgufReader, ReadsEveryKindOfValue) {
  GgufBytes file;
  file.Key("u8", kU8, Raw(uint8_t{200})).Key("i8", kI8, Raw(int8_t{-3})).Key("u16", kU16, Raw(uint16_t{60000}));
  file.Key("i16", kI16, Raw(int16_t{-300})).Key("u32", kU32, Raw(uint32_t{4000000000u}));
  file.Key("i32", kI32, Raw(int32_t{-7})).Key("f32", kF32, Raw(0.5f)).Key("yes", kBool, Raw(uint8_t{1}));
  file.Key("text", kString, GgufBytes::Text("words")).Key("u64", kU64, Raw(uint64_t{1} << 60));
  file.Key("i64", kI64, Raw(-(int64_t{1} << 60))).Key("f64", kF64, Raw(1e-5));
  file.Key("ints", kArray, ArrayHead(kI32, 2) + Raw(int32_t{-1}) + Raw(int32_t{2}));
  file.Key("bytes", kArray, ArrayHead(kU8, 3) + "\x01\x02\xff");
  file.Key("floats", kArray, ArrayHead(kF32, 1) + Raw(2.5f));
  file.Key("flags", kArray, ArrayHead(kBool, 2) + std::string("\x01\x00", 2));
  file.Key("strings", kArray, ArrayHead(kString, 2) + GgufBytes::Text("a") + GgufBytes::Text(""));
  file.Key("empty", kArray, ArrayHead(kU64, 0));
  const std::string bytes = file.Build();
  const auto header = ParseGguf(AsBytes(bytes));
  ASSERT_TRUE(header.ok()) << header.error().message;
  const Metadata& m = header->metadata;
  EXPECT_EQ(*m.Int("u8", 0), 200);
  EXPECT_EQ(*m.Int("i8", 0), -3);
  EXPECT_EQ(*m.Int("u16", 0), 60000);
  EXPECT_EQ(*m.Int("i16", 0), -300);
  EXPECT_EQ(*m.Int("u32", 0), 4000000000);
  EXPECT_EQ(*m.Int("i32", 0), -7);
  EXPECT_EQ(*m.Float("f32", 0), 0.5);
  EXPECT_TRUE(*m.Bool("yes", false));
  EXPECT_EQ(*m.String("text", ""), "words");
  EXPECT_EQ(*m.Int("u64", 0), int64_t{1} << 60);
  EXPECT_EQ(*m.Int("i64", 0), -(int64_t{1} << 60));
  EXPECT_EQ(*m.Float("f64", 0), 1e-5);
  EXPECT_EQ(*m.Ints("ints"), (std::vector<int64_t>{-1, 2}));
  EXPECT_EQ(*m.Ints("bytes"), (std::vector<int64_t>{1, 2, 255}));
  EXPECT_EQ(*m.Ints("flags"), (std::vector<int64_t>{1, 0}));
  EXPECT_EQ(*m.Ints("u8"), std::vector<int64_t>{200});
  EXPECT_EQ(*m.Strings("strings"), (std::vector<std::string_view>{"a", ""}));
  EXPECT_TRUE(m.Ints("empty")->empty());
  EXPECT_EQ(std::get<std::vector<double>>(*m.Find("floats")), std::vector<double>{2.5});
  EXPECT_EQ(m.entries()[0].first, "u8");
  EXPECT_EQ(m.entries().size(), 18u);
}

TEST(GgufReader, TypedLookUpsNameTheKey) {
  GgufBytes file;
  file.Key("n", kU32, Raw(uint32_t{5})).Key("t", kString, GgufBytes::Text("x"));
  file.Key("big", kU64, Raw(~uint64_t{0}));
  const std::string bytes = file.Build();
  const auto header = ParseGguf(AsBytes(bytes));
  ASSERT_TRUE(header.ok());
  const Metadata& m = header->metadata;
  EXPECT_EQ(*m.Int("absent", 42), 42);
  EXPECT_EQ(*m.Float("n", 0), 5.0);
  EXPECT_HAS(m.Int("t", 0).error().message, "'t' is not an integer");
  EXPECT_HAS(m.Int("big", 0).error().message, "too large");
  EXPECT_HAS(m.String("n", "").error().message, "'n' is not a string");
  EXPECT_HAS(m.Bool("n", false).error().message, "not a truth value");
  EXPECT_HAS(m.Strings("n").error().message, "not a list of strings");
  EXPECT_HAS(m.Ints("t").error().message, "not a list of integers");
}

TEST(GgufReader, PlacesTensors) {
  GgufBytes file;
  file.Tensor("a", {32, 2}, 2, 64).Tensor("b", {4, 2, 2}, 0, 0).Data(128);
  const std::string bytes = file.Build();
  const auto header = ParseGguf(AsBytes(bytes));
  ASSERT_TRUE(header.ok()) << header.error().message;
  ASSERT_EQ(header->tensors.size(), 2u);
  EXPECT_EQ(header->tensors[0].shape, (std::vector<int64_t>{2, 32}));
  EXPECT_EQ(header->tensors[0].bytes.size(), 36u);
  EXPECT_EQ(header->tensors[0].offset, header->data_offset + 64);
  EXPECT_EQ(header->tensors[1].shape, (std::vector<int64_t>{2, 2, 4}));
  EXPECT_EQ(header->tensors[1].bytes.size(), 64u);
  EXPECT_EQ(header->data_offset % 32, 0u);
}

TEST(GgufReader, HonoursAlignment) {
  GgufBytes file;
  file.Key("general.alignment", kU32, Raw(uint32_t{64})).Tensor("a", {8}, 0, 0).Data(128);
  const std::string bytes = file.Build();
  const auto header = ParseGguf(AsBytes(bytes));
  ASSERT_TRUE(header.ok()) << header.error().message;
  EXPECT_EQ(header->data_offset % 64, 0u);
  for (const uint32_t bad : {0u, 3u, 48u, 1u << 30}) {
    GgufBytes wrong;
    wrong.Key("general.alignment", kU32, Raw(bad));
    EXPECT_HAS(ErrorOf(wrong), "general.alignment");
  }
  GgufBytes text;
  text.Key("general.alignment", kString, GgufBytes::Text("32"));
  EXPECT_HAS(ErrorOf(text), "general.alignment");
}

TEST(GgufReader, RefusesVersions) {
  GgufBytes file;
  file.version = 1;
  EXPECT_HAS(ErrorOf(file), "version 1");
  file.version = 0x03000000;
  EXPECT_HAS(ErrorOf(file), "big-endian");
  file.version = 4;
  EXPECT_HAS(ErrorOf(file), "update lfm");
  file.version = 2;
  EXPECT_EQ(ErrorOf(file), "");
  file.magic = "GGUX";
  EXPECT_HAS(ErrorOf(file), "no GGUF");
}

TEST(GgufReader, CountsCannotAskForMoreThanTheFileHolds) {
  for (const uint64_t huge : {uint64_t{100}, uint64_t{1} << 32, uint64_t{1} << 60, ~uint64_t{0}}) {
    GgufBytes keys;
    keys.n_keys = huge;
    EXPECT_HAS(ErrorOf(keys), "cannot fit");
    GgufBytes tensors;
    tensors.n_tensors = huge;
    EXPECT_HAS(ErrorOf(tensors), "cannot fit");
    for (const uint32_t type : {kU8, kU64, kString}) {
      GgufBytes array;
      array.Key("k", kArray, ArrayHead(type, huge));
      EXPECT_HAS(ErrorOf(array), "cannot fit");
    }
    GgufBytes text;
    text.Key("k", kString, Raw(huge));
    EXPECT_HAS(ErrorOf(text), "ends within");
  }
}

TEST(GgufReader, RefusesBadMetadata) {
  GgufBytes twice;
  twice.Key("k", kU8, "a").Key("k", kU8, "b");
  EXPECT_HAS(ErrorOf(twice), "'k' appears twice");
  GgufBytes unknown;
  unknown.Key("k", 13, "abcdefgh");
  EXPECT_HAS(ErrorOf(unknown), "unknown type 13");
  GgufBytes nested;
  nested.Key("k", kArray, ArrayHead(kArray, 1) + ArrayHead(kU8, 0));
  EXPECT_HAS(ErrorOf(nested), "arrays in an array");
  GgufBytes items;
  items.Key("k", kArray, ArrayHead(99, 1));
  EXPECT_HAS(ErrorOf(items), "unknown type 99");
  GgufBytes truth;
  truth.Key("k", kBool, "\x02");
  EXPECT_HAS(ErrorOf(truth), "not 0 or 1");
  GgufBytes empty;
  empty.Key("", kU8, "a").Key("key", kU8, "a");
  EXPECT_HAS(ErrorOf(empty), "empty");
  GgufBytes large;
  large.Key("k", kArray, ArrayHead(kU64, 1) + Raw(~uint64_t{0}));
  EXPECT_HAS(ErrorOf(large), "too large");
  GgufBytes control;
  control.Key("a\nb\x1b[31m", 77, "");
  EXPECT_HAS(ErrorOf(control), "'a\\x0ab\\x1b[31m'");  // nothing of a file reaches the terminal raw
}

TEST(GgufReader, RefusesBadTensors) {
  const auto error_of = [](const std::vector<uint64_t>& dims, uint32_t type, uint64_t offset) {
    GgufBytes file;
    file.Tensor("blk.0.w", dims, type, offset).Data(64);
    return ErrorOf(file);
  };
  EXPECT_HAS(error_of({}, 0, 0), "0 dimensions");
  EXPECT_HAS(error_of({1, 1, 1, 1, 1}, 0, 0), "5 dimensions");
  EXPECT_HAS(error_of({0, 4}, 0, 0), "dimension of 0");
  EXPECT_HAS(error_of({~uint64_t{0}}, 0, 0), "dimension of -1");
  EXPECT_HAS(error_of({uint64_t{1} << 40, uint64_t{1} << 40}, 0, 0), "more elements");
  EXPECT_HAS(error_of({uint64_t{1} << 61}, 0, 0), "more elements");
  EXPECT_HAS(error_of({33, 2}, 2, 0), "blocks of 32");
  EXPECT_HAS(error_of({32, 2}, 12, 0), "blocks of 256");
  EXPECT_HAS(error_of({4}, 0, 8), "not a multiple of the alignment");
  EXPECT_HAS(error_of({4}, 0, uint64_t{1} << 63), "claims to begin");
  EXPECT_HAS(error_of({256, 2}, 40, 0), "NVFP4");
  EXPECT_HAS(error_of({256, 2}, 40, 0), "'blk.0.w'");
  EXPECT_HAS(error_of({256, 2}, 40, 0), "Q4_K_M");
  EXPECT_HAS(error_of({4}, 99, 0), "unknown type 99");
  EXPECT_HAS(error_of({64}, 0, 0), "cut short: ");
  EXPECT_EQ(error_of({16}, 0, 0), "");

  GgufBytes twice;
  twice.Tensor("w", {4}, 0, 0).Tensor("w", {4}, 0, 32).Data(64);
  EXPECT_HAS(ErrorOf(twice), "'w' appears twice");
  GgufBytes overlap;
  overlap.Tensor("a", {16}, 0, 0).Tensor("b", {4}, 0, 32).Data(64);
  EXPECT_HAS(ErrorOf(overlap), "overlap");
  GgufBytes same;
  same.Tensor("a", {4}, 0, 0).Tensor("b", {4}, 0, 0).Data(64);
  EXPECT_HAS(ErrorOf(same), "overlap");
  GgufBytes nameless;
  nameless.Tensor("", {4}, 0, 0).Data(64);
  EXPECT_HAS(ErrorOf(nameless), "name is empty");
  GgufBytes long_name;
  long_name.Tensor(std::string(300, 'x'), {4}, 0, 0).Data(64);
  EXPECT_HAS(ErrorOf(long_name), "300 bytes");
}

TEST(GgufReader, SaysHowMuchOfACutFileIsThere) {
  GgufBytes file;
  file.Tensor("a", {1024}, 0, 0).Data(4096);
  const std::string whole = file.Build();
  TempFolder folder;
  const std::string path = folder.Write("m.gguf", std::string_view(whole).substr(0, whole.size() - 96));
  const auto model = OpenCheckpoint(path);
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, ErrorCode::kCorrupt);
  EXPECT_HAS(model.error().message, std::to_string(whole.size()) + " bytes expected");
  EXPECT_HAS(model.error().message, std::to_string(whole.size() - 96) + " present");
  EXPECT_HAS(model.error().message, "download it again");
  EXPECT_HAS(model.error().message, path);
}

// A file with every kind of field, small enough to try all its cuts and flips.
std::string Rich() {
  GgufBytes file;
  file.Key("general.architecture", kString, GgufBytes::Text("lfm2"));
  file.Key("general.alignment", kU32, Raw(uint32_t{32})).Key("split.count", kU16, Raw(uint16_t{1}));
  file.Key("ints", kArray, ArrayHead(kI32, 3) + std::string(12, '\0')).Key("f", kF32, Raw(1.0f));
  file.Key("strings", kArray, ArrayHead(kString, 2) + GgufBytes::Text("ab") + GgufBytes::Text("c"));
  file.Tensor("a.weight", {32, 2}, 2, 0).Tensor("b.weight", {3, 4}, 0, 64).Tensor("c.bias", {2}, 1, 128).Data(160);
  return file.Build();
}

// Errors are single lines without control characters, and good files have tensors inside their bytes.
void ExpectErrorOrSane(const std::string& bytes) {
  const auto header = ParseGguf(AsBytes(bytes));
  if (!header.ok()) {
    EXPECT_FALSE(header.error().message.empty());
    for (const char c : header.error().message) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
    return;
  }
  for (const Tensor& tensor : header->tensors) {
    EXPECT_LE(tensor.offset + tensor.bytes.size(), bytes.size());
    EXPECT_EQ(tensor.bytes.data(), reinterpret_cast<const std::byte*>(bytes.data()) + tensor.offset);
  }
}

TEST(GgufReader, EveryCutIsAnError) {
  const std::string whole = Rich();
  ASSERT_TRUE(ParseGguf(AsBytes(whole)).ok());
  const size_t end_of_last_tensor = whole.size() - 160 + 128 + 4;
  for (size_t n = 0; n < whole.size(); ++n) {
    const std::string cut = whole.substr(0, n);  // its own allocation, so that ASan sees a read past the end
    EXPECT_EQ(ParseGguf(AsBytes(cut)).ok(), n >= end_of_last_tensor) << n;
  }
}

TEST(GgufReader, EveryBeginningTellsWhatItHolds) {
  const std::string whole = Rich();
  const auto header = ParseGguf(AsBytes(whole));
  ASSERT_TRUE(header.ok());
  size_t n_keys = 0, n_whole = 0;
  for (size_t n = 4; n <= whole.size(); ++n) {
    const std::string part = whole.substr(0, n);
    const auto beginning = ParseGgufBeginning(AsBytes(part), whole.size(), "x.gguf");
    ASSERT_TRUE(beginning.ok()) << n << ": " << beginning.error().message;
    const Checkpoint& checkpoint = beginning->checkpoint;
    EXPECT_GE(checkpoint.metadata.entries().size(), n_keys) << n;
    n_keys = checkpoint.metadata.entries().size();
    if (!beginning->whole) continue;
    ++n_whole;
    EXPECT_EQ(checkpoint.tensors.size(), header->tensors.size());
    for (size_t i = 0; i < checkpoint.tensors.size(); ++i) {
      EXPECT_EQ(checkpoint.tensors[i].shape, header->tensors[i].shape);
      EXPECT_EQ(checkpoint.tensors[i].bytes.size(), n == whole.size() ? checkpoint.tensors[i].n_bytes() : 0u);
    }
  }
  EXPECT_EQ(n_keys, header->metadata.entries().size());
  EXPECT_GE(n_whole, 160u);  // all data bytes
  // What cannot fit into the whole file is wrong however much of it is here.
  EXPECT_FALSE(ParseGgufBeginning(AsBytes(whole.substr(0, 40)), 41, "x.gguf").ok());
  EXPECT_FALSE(ParseGgufBeginning(AsBytes("GGML and so on"), 100, "x.gguf").ok());
}

TEST(GgufReader, EveryFlippedByteIsAnErrorOrSane) {
  const std::string whole = Rich();
  for (size_t i = 0; i < whole.size() - 160; ++i) {
    for (const int value : {0x00, 0x01, 0x7F, 0x80, 0xFF}) {
      std::string bytes = whole;
      bytes[i] = static_cast<char>(value);
      ExpectErrorOrSane(bytes);
    }
    std::string bytes = whole;
    bytes.replace(i, std::min<size_t>(8, whole.size() - i), 8, '\xFF');
    ExpectErrorOrSane(bytes);
  }
}

TEST(GgufReader, FlippedBytesOfARealHeaderAreHandled) {
  const auto paths = test::GoldenEntries("gguf", ".gguf");
  ASSERT_FALSE(paths.empty());
  std::string whole = test::ReadBinary(paths[0]);
  const auto header = ParseGguf(AsBytes(whole));
  ASSERT_TRUE(header.ok()) << header.error().message;
  // The first keys and the tensor infos; the vocabulary between them is more of the same.
  const auto n = static_cast<size_t>(header->data_offset);
  const auto try_at = [&](size_t i) {
    const char old = whole[i];
    for (const int value : {0x00, 0xFF, old ^ 0x01}) {
      whole[i] = static_cast<char>(value);
      ExpectErrorOrSane(whole);
    }
    whole[i] = old;
  };
  for (size_t i = 0; i < 256; i += 5) try_at(i);
  for (size_t i = n - 512; i < n; i += 5) try_at(i);
}

}  // namespace
}  // namespace lfm::formats
