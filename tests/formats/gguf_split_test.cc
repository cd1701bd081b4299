// Models in several GGUF files.
#include <gtest/gtest.h>

#include "formats/checkpoint.h"
#include "formats/gguf_bytes.h"
#include "support/temp_folder.h"

namespace lfm::formats {
namespace {

using test::GgufBytes;
using test::TempFolder;
using namespace test::gguf_types;

std::string Part(uint16_t no, uint16_t count, const std::string& tensor, int32_t n_tensors) {
  GgufBytes file;
  file.Key("split.no", kU16, GgufBytes::Raw(no)).Key("split.count", kU16, GgufBytes::Raw(count));
  file.Key("split.tensors.count", kI32, GgufBytes::Raw(n_tensors));
  if (no == 0) file.Key("general.architecture", kString, GgufBytes::Text("lfm2"));
  if (!tensor.empty()) file.Tensor(tensor, {8}, 0, 0).Data(32);
  return file.Build();
}

std::string ErrorOf(const std::string& path) {
  const auto model = OpenCheckpoint(path);
  return model.ok() ? "" : model.error().message;
}

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST(GgufSplit, OpensAllPartsFromAny) {
  TempFolder folder;
  folder.Write("m-00001-of-00003.gguf", Part(0, 3, "", 2));  // a first part may hold metadata only
  folder.Write("m-00002-of-00003.gguf", Part(1, 3, "a", 2));
  folder.Write("m-00003-of-00003.gguf", Part(2, 3, "b", 2));
  for (const char* name : {"m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf"}) {
    const auto model = OpenCheckpoint(folder / name);
    ASSERT_TRUE(model.ok()) << model.error().message;
    EXPECT_EQ(model->files.size(), 3u);
    EXPECT_EQ(*model->metadata.String("general.architecture", ""), "lfm2");
    ASSERT_NE(model->Find("b"), nullptr);
    EXPECT_EQ(model->Find("a")->i_file, 1u);
    EXPECT_EQ(model->Find("b")->i_file, 2u);
    EXPECT_EQ(model->Find("b")->bytes.data(), model->files[2].bytes().data() + model->Find("b")->offset);
  }
}

TEST(GgufSplit, NamesWhatIsWrong) {
  TempFolder folder;
  const std::string first = folder.Write("m-00001-of-00002.gguf", Part(0, 2, "a", 2));
  EXPECT_HAS(ErrorOf(first), "m-00002-of-00002.gguf");
  EXPECT_HAS(ErrorOf(first), "all must lie beside");

  folder.Write("m-00002-of-00002.gguf", Part(1, 5, "b", 2));
  EXPECT_HAS(ErrorOf(first), "part 2 of 5");
  folder.Write("m-00002-of-00002.gguf", Part(0, 2, "b", 2));
  EXPECT_HAS(ErrorOf(first), "part 1 of 2");
  folder.Write("m-00002-of-00002.gguf", Part(1, 2, "a", 2));
  EXPECT_HAS(ErrorOf(first), "also in another part");
  folder.Write("m-00002-of-00002.gguf", Part(1, 2, "", 2));
  EXPECT_HAS(ErrorOf(first), "not the 2 of 'split.tensors.count'");
  folder.Write("m-00002-of-00002.gguf", "GGUF");
  EXPECT_HAS(ErrorOf(first), "m-00002-of-00002.gguf: at byte 4: the file ends");
  EXPECT_HAS(ErrorOf(folder.Write("renamed.gguf", Part(0, 2, "a", 2))), "-00001-of-00002.gguf");
  EXPECT_HAS(ErrorOf(folder.Write("m-00010-of-00002.gguf", Part(9, 2, "a", 2))), "make no sense");
  EXPECT_HAS(ErrorOf(folder.Write("many.gguf", Part(0, 65535, "a", 2))), "make no sense");
}

}  // namespace
}  // namespace lfm::formats
