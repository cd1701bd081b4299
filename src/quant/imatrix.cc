#include "quant/imatrix.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/strings.h"
#include "formats/gguf_writer.h"

namespace lfm::quant {
namespace {

constexpr std::string_view kSums = ".in_sum2", kCounts = ".counts";

Result<std::vector<float>> ReadFloats(const formats::Checkpoint& file, const formats::Tensor& tensor) {
  if (tensor.type != TensorType::kF32) {
    return Error{ErrorCode::kCorrupt, StrCat(file.path, ": tensor ", tensor.name, " is not F32")};
  }
  std::vector<float> values(static_cast<size_t>(tensor.n_elements()));
  std::memcpy(values.data(), tensor.bytes.data(), values.size() * sizeof(float));
  for (const float value : values) {
    if (std::isfinite(value) && value >= 0) continue;
    return Error{ErrorCode::kCorrupt, StrCat(file.path, ": tensor ", tensor.name, " holds ", value,
                                             ", which no sum of squares can be; make the file again")};
  }
  return values;
}

}  // namespace

Result<Imatrix> ImatrixFromGguf(const formats::Checkpoint& file) {
  LFM_TRY(const std::string_view type, file.metadata.String("general.type", ""));
  if (type != "imatrix") {
    return Error{ErrorCode::kInvalidArgument, StrCat(file.path, " is no importance matrix (general.type is ", Quote(type),
                                                     "); make one with lfm imatrix")};
  }
  Imatrix imatrix;
  LFM_TRY(const auto datasets, file.metadata.Strings("imatrix.datasets"));
  imatrix.datasets.assign(datasets.begin(), datasets.end());
  LFM_TRY(const int64_t n_chunks, file.metadata.Int("imatrix.chunk_count", 0));
  LFM_TRY(const int64_t chunk_size, file.metadata.Int("imatrix.chunk_size", 0));
  imatrix.n_chunks = static_cast<uint32_t>(std::clamp<int64_t>(n_chunks, 0, UINT32_MAX));
  imatrix.chunk_size = static_cast<uint32_t>(std::clamp<int64_t>(chunk_size, 0, UINT32_MAX));
  for (const formats::Tensor& tensor : file.tensors) {
    if (!tensor.name.ends_with(kSums)) continue;
    const std::string name = tensor.name.substr(0, tensor.name.size() - kSums.size());
    const formats::Tensor* counts = file.Find(name + std::string(kCounts));
    if (!counts) {
      return Error{ErrorCode::kCorrupt, StrCat(file.path, ": tensor ", name, kCounts, " is missing")};
    }
    ImatrixEntry entry;
    LFM_TRY(entry.sums, ReadFloats(file, tensor));
    LFM_TRY(entry.counts, ReadFloats(file, *counts));
    if (entry.counts.empty() || entry.sums.size() % entry.counts.size() != 0) {
      return Error{ErrorCode::kCorrupt, StrCat(file.path, ": tensor ", tensor.name, " has ", entry.sums.size(),
                                               " sums for ", entry.counts.size(), " counts")};
    }
    imatrix.entries.emplace(name, std::move(entry));
  }
  if (imatrix.entries.empty()) return Error{ErrorCode::kCorrupt, file.path + " holds no sums; make it again"};
  return imatrix;
}

Result<Imatrix> ReadImatrix(const std::string& path) {
  auto file = formats::OpenCheckpoint(path);
  if (!file.ok()) return file.error().Within("importance matrix");
  if (file->naming != formats::Naming::kGguf) {
    return Error{ErrorCode::kInvalidArgument, path + " is a folder; an importance matrix is a .gguf file"};
  }
  return ImatrixFromGguf(*file);
}

Status WriteImatrix(const Imatrix& imatrix, const std::string& path) {
  formats::GgufWriter writer;
  writer.SetString("general.type", "imatrix");
  writer.SetStrings("imatrix.datasets", std::span<const std::string>(imatrix.datasets));
  writer.SetU32("imatrix.chunk_count", imatrix.n_chunks);
  writer.SetU32("imatrix.chunk_size", imatrix.chunk_size);
  for (const auto& [name, entry] : imatrix.entries) {
    const auto n = static_cast<int64_t>(entry.counts.size());
    LFM_RETURN_IF_ERROR(writer.AddTensor({name + std::string(kSums), TensorType::kF32, {n, entry.k()}}));
    LFM_RETURN_IF_ERROR(writer.AddTensor({name + std::string(kCounts), TensorType::kF32, {n, 1}}));
  }
  LFM_RETURN_IF_ERROR(writer.Begin(path));
  for (const auto& [name, entry] : imatrix.entries) {
    LFM_RETURN_IF_ERROR(writer.Append(std::as_bytes(std::span(entry.sums))));
    LFM_RETURN_IF_ERROR(writer.Append(std::as_bytes(std::span(entry.counts))));
  }
  return writer.Finish();
}

Result<std::vector<float>> Imatrix::Importance(const std::string& tensor, int64_t n_experts, int64_t k) const {
  const auto found = entries.find(tensor);
  if (found == entries.end()) return std::vector<float>();
  const ImatrixEntry& entry = found->second;
  if (static_cast<int64_t>(entry.counts.size()) != n_experts || entry.k() != k) {
    return Error{ErrorCode::kInvalidArgument,
                 StrCat("the importance matrix has ", entry.counts.size(), " x ", entry.k(), " sums for ", tensor,
                        ", the model has ", n_experts, " x ", k, ": it was made from another model")};
  }
  // The mean of all experts, each token counted once for each expert that it went to.
  const auto width = static_cast<size_t>(k);
  std::vector<double> mean(width);
  double n_tokens = 0;
  for (const float count : entry.counts) n_tokens += static_cast<double>(count);
  if (n_tokens == 0) return std::vector<float>();
  for (size_t i = 0; i < entry.sums.size(); ++i) mean[i % width] += static_cast<double>(entry.sums[i]) / n_tokens;
  std::vector<float> importance(entry.sums.size());
  for (size_t e = 0; e < entry.counts.size(); ++e) {
    // A single matrix needs no prior.
    const double prior = n_experts > 1 ? static_cast<double>(kPriorTokens) : 0;
    const double n = static_cast<double>(entry.counts[e]) + prior;
    for (size_t i = 0; i < width; ++i) {
      const double sum = static_cast<double>(entry.sums[e * width + i]) + prior * mean[i];
      importance[e * width + i] = static_cast<float>(sum / n);
    }
  }
  // The scale means nothing: a mean of one keeps the sums of the search in range.
  double total = 0;
  for (const float value : importance) total += static_cast<double>(value);
  const double scale = total > 0 ? static_cast<double>(importance.size()) / total : 0;
  for (float& value : importance) value = static_cast<float>(std::min(static_cast<double>(value) * scale, 1e6));
  return importance;
}

}  // namespace lfm::quant
