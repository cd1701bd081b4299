// Models and files for the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "engine/loaded_model.h"
#include "engine/text_model.h"
#include "formats/checkpoint.h"
#include "formats/safetensors_writer.h"
#include "quant/convert.h"
#include "quant/encode.h"
#include "quant/model_tensors.h"
#include "quant/quantize.h"
#include "support/golden.h"
#include "support/temp_folder.h"

namespace lfm::test {

inline formats::Checkpoint Open(const std::string& path) {
  auto checkpoint = formats::OpenCheckpoint(path);
  EXPECT_TRUE(checkpoint.ok()) << path << ": " << (checkpoint.ok() ? "" : checkpoint.error().message);
  return checkpoint.ok() ? std::move(checkpoint).value() : formats::Checkpoint();
}

inline std::vector<quant::ModelTensor> TensorsOf(const formats::Checkpoint& checkpoint) {
  auto config = model::ReadConfig(checkpoint);
  EXPECT_TRUE(config.ok()) << (config.ok() ? "" : config.error().message);
  if (!config.ok()) return {};
  auto tensors = quant::ListModelTensors(checkpoint, *config);
  EXPECT_TRUE(tensors.ok()) << (tensors.ok() ? "" : tensors.error().message);
  return tensors.ok() ? std::move(tensors).value() : std::vector<quant::ModelTensor>();
}

inline std::vector<float> Values(const quant::ModelTensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.n_elements()));
  for (int64_t i = 0; i < tensor.n_rows; ++i) quant::ReadRow(tensor, i, values.data() + i * tensor.k);
  return values;
}

// A copy of a folder whose files may be changed.
inline void CopyFolder(const std::string& from, const std::string& to) {
  std::filesystem::create_directories(to);
  for (const auto& entry : std::filesystem::directory_iterator(from)) {
    if (!entry.is_regular_file()) continue;
    std::ofstream(to + "/" + entry.path().filename().string(), std::ios::binary) << ReadBinary(entry.path().string());
  }
}

inline void Overwrite(const std::string& path, uint64_t offset, std::span<const std::byte> bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(offset));
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

// Makes a value of a tensor NaN in a copied folder.
inline void Poison(const std::string& folder, const std::string& tensor_name, int64_t element) {
  const formats::Checkpoint checkpoint = Open(folder);
  const formats::Tensor* tensor = checkpoint.Find(tensor_name);
  ASSERT_TRUE(tensor);
  const uint16_t nan = 0x7fc1;
  Overwrite(checkpoint.files[tensor->i_file].path(), tensor->offset + 2 * static_cast<uint64_t>(element),
            std::as_bytes(std::span(&nan, 1)));
}

inline std::vector<std::string> FilesOf(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace lfm::test
