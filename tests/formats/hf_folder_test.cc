// Hugging Face folders and safetensors, good and broken, and what is no model at all.
#include "formats/hf_folder.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "formats/safetensors_reader.h"
#include "support/temp_folder.h"

namespace lfm::formats {
namespace {

using test::AsBytes;
using test::TempFolder;

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

std::string Safetensors(const std::string& header, size_t n_data) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + std::string(n_data, '\x22');
}

std::string OneTensor(const std::string& name) {
  return Safetensors(
      R"({"__metadata__": {"format": "pt"}, ")" + name + R"(": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}})",
      12);
}

std::string ErrorAt(const std::string& path) {
  const auto model = OpenCheckpoint(path);
  return model.ok() ? "" : model.error().message;
}

TEST(Safetensors, ReadsTensorsInFileOrder) {
  const std::string bytes =
      Safetensors(R"({"b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}, "a": {"dtype": "F16", "shape": [1, 2], )"
                  R"("data_offsets": [0, 4]}, "scalar": {"dtype": "F32", "shape": [], "data_offsets": [12, 16]}})",
                  16);
  const auto tensors = ParseSafetensors(AsBytes(bytes));
  ASSERT_TRUE(tensors.ok()) << tensors.error().message;
  ASSERT_EQ(tensors->size(), 3u);
  EXPECT_EQ((*tensors)[0].name, "a");
  EXPECT_EQ((*tensors)[0].type, TensorType::kF16);
  EXPECT_EQ((*tensors)[1].offset, bytes.size() - 12);
  EXPECT_EQ((*tensors)[2].n_elements(), 1);
}

TEST(Safetensors, NamesWhatIsWrong) {
  const auto error_of = [](const std::string& entry) {
    const std::string bytes = Safetensors(R"({"w": )" + entry + "}", 16);
    const auto tensors = ParseSafetensors(AsBytes(bytes));
    return tensors.ok() ? std::string() : tensors.error().message;
  };
  EXPECT_EQ(error_of(R"({"dtype": "F32", "shape": [4], "data_offsets": [0, 16]})"), "");
  EXPECT_HAS(error_of(R"({"dtype": "I64", "shape": [2], "data_offsets": [0, 16]})"), "'w' is of dtype 'I64'");
  EXPECT_HAS(error_of(R"({"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]})"), "F8_E4M3");
  EXPECT_HAS(error_of(R"({"dtype": "F32", "shape": [4], "data_offsets": [0, 15]})"), "need 16");
  EXPECT_HAS(error_of(R"({"dtype": "F32", "shape": [4], "data_offsets": [16, 0]})"), "no range");
  EXPECT_HAS(error_of(R"({"dtype": "F32", "shape": [4], "data_offsets": [-4, 12]})"), "no range");
  EXPECT_HAS(error_of(R"({"dtype": "F32", "shape": [4], "data_offsets": [4, 20]})"), "cut short");
  EXPECT_HAS(error_of(R"({"dtype": "F32", "shape": [0, 4], "data_offsets": [0, 0]})"), "dimension of 0");
  EXPECT_HAS(error_of(R"({"dtype": "F32", "shape": [1.5], "data_offsets": [0, 4]})"), "dimension of -1");
  EXPECT_HAS(error_of(R"({"dtype": "F32", "shape": [4294967296, 4294967296], "data_offsets": [0, 16]})"), "more elements");
  EXPECT_HAS(error_of(R"({"dtype": "F32", "shape": [1,1,1,1,1,1,1,1,4], "data_offsets": [0, 16]})"), "9 dimensions");
  EXPECT_HAS(error_of(R"({"dtype": "F32", "shape": [4]})"), "lacks");
  EXPECT_HAS(error_of(R"([1])"), "lacks");
  EXPECT_HAS(error_of(R"({"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "w": {})"), "twice");
  EXPECT_HAS(error_of(R"({"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "v": {"dtype": "F32", "shape": [2], )"
                      R"("data_offsets": [4, 12]})"),
             "overlap");
  EXPECT_HAS(error_of("{"), "JSON error");
  EXPECT_HAS(error_of("[[[[[[[[[[1]]]]]]]]]]"), "nested deeper");
}

TEST(Safetensors, HeaderLengthIsChecked) {
  for (const uint64_t length : {uint64_t{1} << 20, uint64_t{1} << 40, ~uint64_t{0}}) {
    const std::string bytes = std::string(reinterpret_cast<const char*>(&length), 8) + "{}";
    const auto tensors = ParseSafetensors(AsBytes(bytes));
    ASSERT_FALSE(tensors.ok());
    EXPECT_EQ(tensors.error().code, ErrorCode::kCorrupt);
  }
  EXPECT_FALSE(ParseSafetensors(AsBytes("")).ok());
  EXPECT_FALSE(ParseSafetensors(AsBytes("\x02")).ok());
}

TEST(Safetensors, EveryCutAndFlipIsHandled) {
  const std::string whole = OneTensor("model.w");
  ASSERT_TRUE(ParseSafetensors(AsBytes(whole)).ok());
  for (size_t n = 0; n < whole.size(); ++n) {
    const std::string cut = whole.substr(0, n);
    EXPECT_FALSE(ParseSafetensors(AsBytes(cut)).ok()) << n;
  }
  for (size_t i = 0; i < whole.size() - 12; ++i) {
    for (const char value : {'\0', '\x01', '9', '"', '}', '\xFF'}) {
      std::string bytes = whole;
      bytes[i] = value;
      const auto tensors = ParseSafetensors(AsBytes(bytes));
      if (!tensors.ok()) continue;
      for (const Tensor& tensor : *tensors) EXPECT_LE(tensor.offset + tensor.bytes.size(), bytes.size());
    }
  }
}

TEST(HfFolder, ReadsAllItsFiles) {
  TempFolder folder;
  folder.Write("config.json", R"({"model_type": "lfm2"})");
  const std::string weights = folder.Write("model.safetensors", OneTensor("w"));
  folder.Write("tokenizer.json", R"({"model": {}})");
  folder.Write("tokenizer_config.json", R"({"chat_template": "from the config"})");
  folder.Write("generation_config.json", R"({"temperature": 0.3})");
  for (const std::string& path : {folder.path(), folder.path() + "/", weights, folder / "config.json"}) {
    const auto model = OpenCheckpoint(path);
    ASSERT_TRUE(model.ok()) << model.error().message;
    EXPECT_EQ(model->naming, Naming::kHuggingFace);
    EXPECT_EQ(model->config["model_type"].AsString(), "lfm2");
    EXPECT_EQ(model->generation_config["temperature"].AsDouble(), 0.3);
    EXPECT_EQ(model->chat_template, "from the config");
    EXPECT_NE(model->Find("w"), nullptr);
  }
  folder.Write("tokenizer_config.json",
               R"({"chat_template": [{"name": "rag", "template": "r"}, {"name": "default", "template": "d"}]})");
  EXPECT_EQ(OpenCheckpoint(folder.path())->chat_template, "d");
  folder.Write("chat_template.jinja", "from the file");
  EXPECT_EQ(OpenCheckpoint(folder.path())->chat_template, "from the file");
}

TEST(HfFolder, ReadsShards) {
  TempFolder folder;
  folder.Write("config.json", "{}");
  folder.Write("model-00001-of-00002.safetensors", OneTensor("a"));
  folder.Write("model-00002-of-00002.safetensors", OneTensor("b"));
  const auto index = [&](const std::string& map) {
    folder.Write("model.safetensors.index.json", R"({"metadata": {}, "weight_map": )" + map + "}");
    return ErrorAt(folder.path());
  };
  const std::string one = "model-00001-of-00002.safetensors", two = "model-00002-of-00002.safetensors";
  EXPECT_EQ(index(R"({"a": ")" + one + R"(", "b": ")" + two + R"("})"), "");
  const auto model = OpenCheckpoint(folder.path());
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(model->files.size(), 2u);
  EXPECT_EQ(model->Find("b")->i_file, 1u);

  EXPECT_HAS(index(R"({"a": ")" + one + R"(", "c": ")" + two + R"("})"), "holds 0 of the 1 tensors");
  EXPECT_HAS(index(R"({"a": "model-00003-of-00003.safetensors"})"), "which is not in the folder");
  EXPECT_HAS(index(R"({"a": "../../etc/passwd"})"), "no file name");
  EXPECT_HAS(index(R"({"a": "/etc/passwd"})"), "no file name");
  EXPECT_HAS(index(R"({"a": ""})"), "no file name");
  EXPECT_HAS(index(R"({"a": 5})"), "no file name");
  EXPECT_HAS(index(R"({})"), "weight_map");
  EXPECT_HAS(index(R"([])"), "weight_map");
  EXPECT_HAS(index("{"), "JSON error");
}

TEST(HfFolder, SaysWhatIsMissing) {
  TempFolder folder;
  EXPECT_HAS(ErrorAt(folder.path()), "no config.json");
  folder.Write("model.gguf", "GGUF");
  EXPECT_HAS(ErrorAt(folder.path()), "name the file: " + folder.path() + "/model.gguf");
  folder.Write("config.json", "{}");
  EXPECT_HAS(ErrorAt(folder.path()), "no model.safetensors");
  folder.Write("model-00001-of-00002.safetensors", OneTensor("a"));
  EXPECT_HAS(ErrorAt(folder.path()), "model.safetensors.index.json");
  folder.Write("pytorch_model.bin", "PK\x03\x04");
  EXPECT_HAS(ErrorAt(folder.path()), "pickle");
  folder.Write("model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n");
  EXPECT_HAS(ErrorAt(folder.path()), "git lfs pull");
  folder.Write("model.safetensors", "");
  EXPECT_HAS(ErrorAt(folder.path()), "empty");
  folder.Write("model.safetensors", OneTensor("w").substr(0, 100));
  EXPECT_HAS(ErrorAt(folder.path()), "download it again");
  folder.Write("config.json", "[]");
  EXPECT_HAS(ErrorAt(folder.path()), "config.json is no JSON object");
  folder.Write("config.json", "{\"a\": }");
  EXPECT_HAS(ErrorAt(folder.path()), "config.json: JSON error at byte 6");
  EXPECT_HAS(ErrorAt(folder / "none.gguf"), "No such file");
  EXPECT_HAS(ErrorAt(""), "empty");
}

TEST(FileKind, NamesWhatStandsInPlaceOfAModel) {
  TempFolder folder;
  const auto error_of = [&](std::string_view name, std::string_view content) { return ErrorAt(folder.Write(name, content)); };
  EXPECT_HAS(error_of("a.gguf", ""), "is empty");
  EXPECT_HAS(error_of("b.gguf", "version https://git-lfs.github.com/spec/v1\n"), "Git LFS pointer");
  EXPECT_HAS(error_of("c.gguf", "  <!DOCTYPE html><html>"), "HTML");
  EXPECT_HAS(error_of("d.pth", std::string_view("\x80\x02}q", 4)), "pickle");
  EXPECT_HAS(error_of("e.bin", "PK\x03\x04 zip"), "zip");
  EXPECT_HAS(error_of("f.bin", "lmggxxxx"), "before GGUF");
  EXPECT_HAS(error_of("g.gz", "\x1f\x8b\x08"), "unpack");
  EXPECT_HAS(error_of("h.gguf", std::string_view("\0\0\0\0\0\0\0\0\0\0\0\0", 12)), "zero bytes");
  EXPECT_HAS(error_of("i.gguf", "Entry not found"), "'Entry not found'");
  EXPECT_HAS(error_of("j.gguf", R"({"error": "no"})"), "begins with");
  EXPECT_HAS(error_of("sha256-0123", R"({"schemaVersion": 2})"), "ollama");
  EXPECT_HAS(error_of("k.gguf", "\x01\x02\x03\xff"), "neither GGUF nor safetensors");
  EXPECT_HAS(error_of("l.tflite", "\x1c\x01\x02\x03TFL3"), "LiteRT");
  TempFolder lonely;
  EXPECT_HAS(ErrorAt(lonely.Write("model.safetensors", OneTensor("w"))), "no config.json");
}

}  // namespace
}  // namespace lfm::formats
