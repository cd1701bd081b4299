// Finding packed files: used where they belong to the model and are whole, and never otherwise.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "engine/packed_models.h"
#include "formats/checkpoint.h"
#include "model/config.h"
#include "model/weights.h"
#include "support/golden.h"
#include "support/temp_folder.h"

namespace lfm::test {
namespace {

class PackedModels : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::copy_file(GoldenEntries("gguf", ".gguf").front(), source_);
    const auto checkpoint = formats::OpenCheckpoint(source_);
    ASSERT_TRUE(checkpoint.ok());
    const auto config = model::ReadConfig(*checkpoint);
    ASSERT_TRUE(config.ok());
    ASSERT_TRUE(model::PackModel(*checkpoint, *config, threads_, packed_).ok());
  }

  formats::Checkpoint Prefer() {
    auto source = formats::OpenCheckpoint(source_);
    return engine::PreferPacked(std::move(*source), "", threads_);
  }

  // Overwrites a page that ends `before_end` bytes before the end of a file.
  static void Overwrite(const std::string& path, int64_t before_end) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-before_end, std::ios::end);
    file.write(std::string(4096, 'x').data(), 4096);
  }

  TempFolder folder_;
  const std::string source_ = folder_ / "model.gguf", packed_ = source_ + ".lfm";
  Threads threads_{2};
};

TEST_F(PackedModels, TheOneBesideTheModelIsUsed) {
  const formats::Checkpoint found = Prefer();
  EXPECT_EQ(found.path, packed_);
  EXPECT_TRUE(found.packed.checked);
}

// A damaged packed file costs time, never an answer.
TEST_F(PackedModels, OneWithADamagedPageOfWeightsIsNot) {
  Overwrite(packed_, 100'000);
  const formats::Checkpoint found = Prefer();
  EXPECT_EQ(found.path, source_);
  EXPECT_TRUE(found.packed.bytes.empty());
}

TEST_F(PackedModels, OneOfAnotherModelIsNot) {
  Overwrite(source_, 5000);
  EXPECT_EQ(Prefer().path, source_);
}

}  // namespace
}  // namespace lfm::test
