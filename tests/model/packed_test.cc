// The packed file: the same logits as its source, whole by itself, and refused when damaged.
#include <gtest/gtest.h>

#include <cstdio>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"
#include "formats/packed_file.h"
#include "model/weights.h"
#include "model_fixture.h"
#include "support/golden.h"

namespace lfm::test {
namespace {

using model::Compute;

std::string PackedPath() {
  return (std::filesystem::temp_directory_path() / ("lfm_packed_test_" + std::to_string(getpid()) + ".lfm")).string();
}

void Pack(const std::string& source, const std::string& path) {
  auto checkpoint = formats::OpenCheckpoint(source);
  ASSERT_TRUE(checkpoint.ok());
  auto config = model::ReadConfig(*checkpoint);
  ASSERT_TRUE(config.ok());
  Threads threads(2);
  const Status packed = model::PackModel(*checkpoint, *config, threads, path);
  ASSERT_TRUE(packed.ok()) << packed.error().message;
}

TEST(Packed, SameLogitsAndTextsAsItsSource) {
  const std::string path = PackedPath();
  std::vector<std::string> sources = GoldenEntries("gguf", ".gguf");
  for (const std::string& folder : GoldenEntries("models")) sources.push_back(folder);
  for (const std::string& source : sources) {
    Pack(source, path);
    const std::vector<int32_t> ids = {1, 17, 1033, 250, 77, 1999, 4};
    const auto a = Rig::Load(source, Compute::kAuto), b = Rig::Load(path, Compute::kAuto);
    ASSERT_TRUE(a && b);
    EXPECT_EQ(a->Logits(ids), b->Logits(ids)) << source;
    const auto original = formats::OpenCheckpoint(source), packed = formats::OpenCheckpoint(path);
    ASSERT_TRUE(original.ok() && packed.ok());
    EXPECT_EQ(packed->packed.source_key, formats::SourceKey(*original));
    EXPECT_EQ(packed->tokenizer, original->tokenizer);
    EXPECT_EQ(packed->chat_template, original->chat_template);
    EXPECT_EQ(packed->metadata.entries().size(), original->metadata.entries().size());
    EXPECT_EQ(packed->n_bytes, original->n_bytes);
  }
  std::remove(path.c_str());
}

TEST(Packed, CancelledWhileItHashesLeavesNothing) {
  const std::string path = PackedPath(), source = GoldenEntries("gguf", ".gguf").front();
  const auto checkpoint = formats::OpenCheckpoint(source);
  ASSERT_TRUE(checkpoint.ok());
  const auto config = model::ReadConfig(*checkpoint);
  ASSERT_TRUE(config.ok());
  Threads threads(2);
  int n_whole = 0;  // all weights are packed once; when it is asked again, they are being hashed
  const auto until_hashed = [&](uint64_t done, uint64_t total) { return done < total || ++n_whole < 2; };
  const Status cancelled = model::PackModel(*checkpoint, *config, threads, path, until_hashed);
  ASSERT_FALSE(cancelled.ok());
  EXPECT_EQ(cancelled.error().code, ErrorCode::kCancelled);
  EXPECT_FALSE(std::filesystem::exists(path));

  Pack(source, path);
  const auto packed = formats::OpenCheckpoint(path);
  ASSERT_TRUE(packed.ok());
  EXPECT_TRUE(formats::CheckPackedWeights(*packed, threads).ok());
  EXPECT_EQ(formats::CheckPackedWeights(*packed, threads, [] { return false; }).error().code, ErrorCode::kCancelled);
  std::remove(path.c_str());
}

TEST(Packed, DamageIsRefused) {
  const std::string path = PackedPath();
  Pack(GoldenEntries("gguf", ".gguf").front(), path);
  const std::string whole = *ReadWholeFile(path);
  const auto open = [&](const std::string& bytes) {
    std::FILE* file = std::fopen(path.c_str(), "wb");
    std::fwrite(bytes.data(), 1, bytes.size(), file);
    std::fclose(file);
    return formats::OpenCheckpoint(path);
  };
  for (const size_t size : {size_t{8}, size_t{31}, size_t{100}, whole.size() / 2, whole.size() - 1}) {
    const auto opened = open(whole.substr(0, size));
    ASSERT_FALSE(opened.ok()) << size;
    EXPECT_NE(opened.error().message.find(path), std::string::npos);
  }
  for (const size_t at : {size_t{9}, size_t{12}, size_t{17}, size_t{25}, size_t{40}, size_t{500}, size_t{5000}}) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    EXPECT_FALSE(open(damaged).ok()) << at;
  }
  EXPECT_TRUE(open(whole).ok());
  std::remove(path.c_str());
}

// A single bit anywhere, in the weights too, is noticed before anything is computed.
TEST(Packed, EveryFlippedBitIsNoticed) {
  const std::string path = PackedPath();
  Pack(GoldenEntries("gguf", ".gguf").front(), path);
  const std::string whole = *ReadWholeFile(path);
  Threads threads(2);
  const auto load = [&](const std::string& bytes) -> Status {
    std::FILE* file = std::fopen(path.c_str(), "wb");
    std::fwrite(bytes.data(), 1, bytes.size(), file);
    std::fclose(file);
    LFM_TRY(const formats::Checkpoint checkpoint, formats::OpenCheckpoint(path));
    LFM_TRY(const model::Config config, model::ReadConfig(checkpoint));
    LFM_TRY(const model::Weights weights, model::LoadWeights(checkpoint, config, threads));
    return weights.packed_bytes > 0 ? Ok() : Error{ErrorCode::kCorrupt, "no weights"};
  };
  ASSERT_TRUE(load(whole).ok());
  for (size_t i = 0; i < 150; ++i) {
    const size_t at = i < 8 ? whole.size() - 1 - i : 1 + (whole.size() - 2) / 150 * i;
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (i % 8)));
    const Status status = load(damaged);
    ASSERT_FALSE(status.ok()) << "byte " << at << " of " << whole.size();
    EXPECT_TRUE(at < 8 || status.error().message.find("pack the model again") != std::string::npos) << status.error().message;
  }
  std::remove(path.c_str());
}

}  // namespace
}  // namespace lfm::test
