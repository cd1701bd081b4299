// Every GGUF file and model folder of the golden data opens, and its tensors lie where they should.
#include <gtest/gtest.h>

#include "formats/checkpoint.h"
#include "support/golden.h"

namespace lfm::formats {
namespace {

void ExpectSane(const Checkpoint& model) {
  EXPECT_GT(model.tensors.size(), 10u);
  EXPECT_GT(model.n_bytes, 0u);
  for (const Tensor& tensor : model.tensors) {
    ASSERT_LT(tensor.i_file, model.files.size());
    const auto file = model.files[tensor.i_file].bytes();
    EXPECT_EQ(tensor.bytes.data(), file.data() + tensor.offset);
    EXPECT_LE(tensor.offset + tensor.bytes.size(), file.size());
    const TensorTypeInfo& info = InfoOf(tensor.type);
    EXPECT_EQ(tensor.bytes.size(), static_cast<size_t>(tensor.n_elements()) / info.block_size * info.block_bytes);
    EXPECT_EQ(model.Find(tensor.name), &tensor);
  }
  EXPECT_EQ(model.Find("no such tensor"), nullptr);
}

TEST(Golden, GgufFilesOpen) {
  for (const std::string& path : test::GoldenEntries("gguf", ".gguf")) {
    SCOPED_TRACE(path);
    auto model = OpenCheckpoint(path);
    ASSERT_TRUE(model.ok()) << model.error().message;
    EXPECT_EQ(model->naming, Naming::kGguf);
    EXPECT_EQ(model->files.size(), 1u);
    ExpectSane(*model);
    const Tensor* embedding = model->Find("token_embd.weight");
    ASSERT_NE(embedding, nullptr);
    ASSERT_EQ(embedding->shape.size(), 2u);
    const auto tokens = model->metadata.Strings("tokenizer.ggml.tokens");
    ASSERT_TRUE(tokens.ok());
    EXPECT_EQ(tokens->size(), static_cast<size_t>(embedding->shape[0]));
    EXPECT_FALSE(model->metadata.String("general.architecture", "")->empty());
    const Checkpoint moved = std::move(model).value();
    ExpectSane(moved);
  }
}

TEST(Golden, FoldersOpen) {
  for (const std::string& path : test::GoldenEntries("models")) {
    SCOPED_TRACE(path);
    const auto model = OpenCheckpoint(path);
    ASSERT_TRUE(model.ok()) << model.error().message;
    EXPECT_EQ(model->naming, Naming::kHuggingFace);
    ExpectSane(*model);
    const Tensor* embedding = model->Find("model.embed_tokens.weight");
    ASSERT_NE(embedding, nullptr);
    EXPECT_EQ(embedding->shape[0], model->config["vocab_size"].AsInt());
    EXPECT_TRUE(model->tokenizer.is_object());
    EXPECT_FALSE(model->chat_template.empty());
  }
}

}  // namespace
}  // namespace lfm::formats
