// What the writers write, the readers read back.
#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>

#include "formats/checkpoint.h"
#include "formats/gguf_reader.h"
#include "formats/gguf_writer.h"
#include "formats/safetensors_reader.h"
#include "formats/safetensors_writer.h"
#include "support/golden.h"
#include "support/temp_folder.h"

namespace lfm::formats {
namespace {

using test::TempFolder;

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

std::vector<std::byte> Counting(size_t n) {
  std::vector<std::byte> bytes(n);
  for (size_t i = 0; i < n; ++i) bytes[i] = static_cast<std::byte>(i * 7 + 1);
  return bytes;
}

TEST(GgufWriter, RoundTrip) {
  TempFolder folder;
  const std::string path = folder / "m.gguf";
  GgufWriter writer;
  writer.SetString("general.architecture", "lfm2");
  writer.SetU32("n", 1);
  writer.SetU32("n", 5);  // the last value counts
  writer.SetI32("negative", -2);
  writer.SetF32("f", 0.25f);
  writer.SetBool("yes", true);
  writer.SetBool("gone", true);
  writer.Remove("gone");
  writer.SetI32s("ints", std::vector<int32_t>{0, 8});
  writer.SetStrings("words", std::vector<std::string>{"a", "", "\xC4\xA0x"});
  ASSERT_TRUE(writer.AddTensor({"odd", TensorType::kF32, {3}}).ok());
  ASSERT_TRUE(writer.AddTensor({"q", TensorType::kQ8_0, {2, 3, 32}}).ok());
  ASSERT_TRUE(writer.AddTensor({"last", TensorType::kF16, {5}}).ok());
  uint64_t last_done = 0, last_total = 0;
  ASSERT_TRUE(writer
                  .Begin(path,
                         [&](uint64_t done, uint64_t total) {
                           last_done = done, last_total = total;
                           return true;
                         })
                  .ok());
  EXPECT_FALSE(std::filesystem::exists(path));
  const auto odd = Counting(12), q = Counting(204), last = Counting(10);
  ASSERT_TRUE(writer.Append(odd).ok());
  ASSERT_TRUE(writer.Append(std::span(q).first(100)).ok());
  ASSERT_TRUE(writer.Append(std::span(q).subspan(100)).ok());
  ASSERT_TRUE(writer.Append(last).ok());
  ASSERT_TRUE(writer.Finish().ok());
  EXPECT_EQ(last_done, last_total);
  EXPECT_EQ(last_total, std::filesystem::file_size(path));
  EXPECT_EQ(last_total, writer.FileBytes());

  const auto model = OpenCheckpoint(path);
  ASSERT_TRUE(model.ok()) << model.error().message;
  const Metadata& m = model->metadata;
  EXPECT_EQ(m.entries().size(), 7u);
  EXPECT_EQ(*m.Int("n", 0), 5);
  EXPECT_EQ(*m.Int("negative", 0), -2);
  EXPECT_EQ(*m.Float("f", 0), 0.25);
  EXPECT_TRUE(*m.Bool("yes", false));
  EXPECT_EQ(*m.Ints("ints"), (std::vector<int64_t>{0, 8}));
  EXPECT_EQ((*m.Strings("words"))[2], "\xC4\xA0x");
  EXPECT_EQ(model->Find("q")->shape, (std::vector<int64_t>{2, 3, 32}));
  const auto same = [](std::span<const std::byte> a, std::span<const std::byte> b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  };
  EXPECT_TRUE(same(model->Find("odd")->bytes, odd));
  EXPECT_TRUE(same(model->Find("q")->bytes, q));
  EXPECT_TRUE(same(model->Find("last")->bytes, last));
}

TEST(GgufWriter, CopiesAModelExactly) {
  TempFolder folder;
  const auto paths = test::GoldenEntries("gguf", ".gguf");
  ASSERT_FALSE(paths.empty());
  const auto source = OpenCheckpoint(paths[0]);
  ASSERT_TRUE(source.ok());
  GgufWriter writer;
  writer.CopyMetadata(source->metadata);
  for (const Tensor& tensor : source->tensors) {
    ASSERT_TRUE(writer.AddTensor({tensor.name, tensor.type, tensor.shape}).ok());
  }
  ASSERT_TRUE(writer.Begin(folder / "copy.gguf").ok());
  for (const Tensor& tensor : source->tensors) ASSERT_TRUE(writer.Append(tensor.bytes).ok());
  ASSERT_TRUE(writer.Finish().ok());
  EXPECT_TRUE(test::ReadBinary(paths[0]) == test::ReadBinary(folder / "copy.gguf")) << paths[0];
}

TEST(GgufWriter, RefusesAndCleansUp) {
  TempFolder folder;
  GgufWriter writer;
  EXPECT_FALSE(writer.AddTensor({"", TensorType::kF32, {1}}).ok());
  EXPECT_FALSE(writer.AddTensor({std::string(64, 'x'), TensorType::kF32, {1}}).ok());
  EXPECT_FALSE(writer.AddTensor({"a", TensorType::kF32, {}}).ok());
  EXPECT_FALSE(writer.AddTensor({"a", TensorType::kF32, {0}}).ok());
  EXPECT_FALSE(writer.AddTensor({"a", TensorType::kQ4_K, {2, 32}}).ok());
  ASSERT_TRUE(writer.AddTensor({"a", TensorType::kF32, {4}}).ok());
  EXPECT_FALSE(writer.AddTensor({"a", TensorType::kF32, {4}}).ok());
  EXPECT_FALSE(writer.Append(Counting(4)).ok());
  EXPECT_HAS(writer.Begin(folder / "no/such/folder.gguf").error().message, "No such file");

  ASSERT_TRUE(writer.Begin(folder / "m.gguf").ok());
  EXPECT_HAS(writer.Append(Counting(17)).error().message, "more bytes");
  ASSERT_TRUE(writer.Append(Counting(8)).ok());
  EXPECT_HAS(writer.Finish().error().message, "only 0 of 1");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));

  {
    GgufWriter cancelled = std::move(writer);
    ASSERT_TRUE(cancelled.Begin(folder / "m.gguf", [](uint64_t, uint64_t) { return false; }).ok());
    EXPECT_EQ(cancelled.Append(Counting(16)).error().code, ErrorCode::kCancelled);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));

  GgufWriter vast;
  ASSERT_TRUE(vast.AddTensor({"a", TensorType::kF32, {int64_t{1} << 55}}).ok());
  EXPECT_HAS(vast.Begin(folder / "m.gguf").error().message, "are free in");
}

TEST(SafetensorsWriter, RoundTrip) {
  TempFolder folder;
  SafetensorsWriter writer;
  ASSERT_TRUE(writer.AddTensor({"b", TensorType::kBF16, {2, 3}}).ok());
  ASSERT_TRUE(writer.AddTensor({"a", TensorType::kF32, {2}}).ok());
  EXPECT_FALSE(writer.AddTensor({"a", TensorType::kF32, {2}}).ok());
  EXPECT_FALSE(writer.AddTensor({"__metadata__", TensorType::kF32, {2}}).ok());
  EXPECT_HAS(writer.AddTensor({"q", TensorType::kQ8_0, {32}}).error().message, "Q8_0");
  EXPECT_EQ(writer.TensorBytes(), 20u);
  const std::string path = folder / "model.safetensors";
  ASSERT_TRUE(writer.Begin(path).ok());
  const auto b = Counting(12), a = Counting(8);
  ASSERT_TRUE(writer.Append(b).ok());
  ASSERT_TRUE(writer.Append(a).ok());
  ASSERT_TRUE(writer.Finish().ok());

  const std::string bytes = test::ReadBinary(path);
  EXPECT_HAS(bytes, R"("format": "pt")");
  const auto tensors = ParseSafetensors(test::AsBytes(bytes));
  ASSERT_TRUE(tensors.ok()) << tensors.error().message;
  ASSERT_EQ(tensors->size(), 2u);
  EXPECT_EQ((*tensors)[0].name, "b");
  EXPECT_EQ((*tensors)[0].offset % 8, 0u);
  EXPECT_TRUE(std::equal(a.begin(), a.end(), (*tensors)[1].bytes.begin(), (*tensors)[1].bytes.end()));
}

}  // namespace
}  // namespace lfm::formats
