#include "quant/imatrix.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/byte_reader.h"
#include "base/file.h"
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

// A plausible number of entries and length of the first name, where a GGUF file has its magic number.
bool LooksOld(std::span<const std::byte> bytes) {
  int32_t head[2] = {};
  if (bytes.size() < sizeof head + 1) return false;
  std::memcpy(head, bytes.data(), sizeof head);
  return std::memcmp(bytes.data(), "GGUF", 4) != 0 && head[0] > 0 && head[0] < (1 << 20) && head[1] > 0 && head[1] < (1 << 10);
}

}  // namespace

Result<Imatrix> ImatrixFromGguf(const formats::Checkpoint& file) {
  LFM_TRY(const std::string_view type, file.metadata.String("general.type", ""));
  if (type != "imatrix") {
    return Error{ErrorCode::kInvalidArgument,
                 StrCat(file.path, " is no importance matrix (general.type is ", Quote(type), "); make one with lfm imatrix")};
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
      return Error{ErrorCode::kCorrupt, StrCat(file.path, ": tensor ", tensor.name, " has ", entry.sums.size(), " sums for ",
                                               entry.counts.size(), " counts")};
    }
    imatrix.entries.emplace(name, std::move(entry));
  }
  if (imatrix.entries.empty()) return Error{ErrorCode::kCorrupt, file.path + " holds no sums; make it again"};
  return imatrix;
}

Result<Imatrix> ParseOldImatrix(std::span<const std::byte> bytes) {
  const auto corrupt = [](const std::string& what) {
    return Error{ErrorCode::kCorrupt, StrCat("is neither a GGUF file nor an old importance matrix: ", what)};
  };
  constexpr int32_t kMaxEntries = 1 << 20, kMaxName = 1 << 10;
  ByteReader reader(bytes);
  LFM_TRY(const int32_t n_entries, reader.Read<int32_t>("the number of entries"));
  if (n_entries < 1 || n_entries > kMaxEntries) return corrupt(StrCat("it claims ", n_entries, " entries"));
  Imatrix imatrix;
  for (int32_t i = 0; i < n_entries; ++i) {
    LFM_TRY(const int32_t length, reader.Read<int32_t>("a name's length"));
    if (length < 1 || length > kMaxName) return corrupt(StrCat("entry ", i, " claims a name of ", length, " bytes"));
    LFM_TRY(const auto name_bytes, reader.ReadBytes(static_cast<uint64_t>(length), "a name"));
    const std::string name(reinterpret_cast<const char*>(name_bytes.data()), name_bytes.size());
    LFM_TRY(const int32_t n_calls, reader.Read<int32_t>("a number of calls"));
    LFM_TRY(const int32_t n_values, reader.Read<int32_t>("a number of values"));
    if (n_calls < 0 || n_values < 1)
      return corrupt(StrCat("entry ", Quote(name), " has ", n_values, " values of ", n_calls, " calls"));
    LFM_TRY(const auto values, reader.ReadBytes(static_cast<uint64_t>(n_values) * sizeof(float), "values"));
    ImatrixEntry entry;
    entry.sums.resize(static_cast<size_t>(n_values));
    std::memcpy(entry.sums.data(), values.data(), values.size());
    for (const float value : entry.sums) {
      if (!std::isfinite(value) || value < 0) return corrupt(StrCat("entry ", Quote(name), " holds ", value));
    }
    entry.counts = {static_cast<float>(n_calls)};
    if (!imatrix.entries.emplace(name, std::move(entry)).second) return corrupt(StrCat("entry ", Quote(name), " is there twice"));
  }
  if (auto n_chunks = reader.Read<int32_t>("the number of chunks"); n_chunks.ok() && *n_chunks > 0) {
    imatrix.n_chunks = static_cast<uint32_t>(*n_chunks);
  }
  return imatrix;
}

Result<Imatrix> ReadImatrix(const std::string& path) {
  if (const auto bytes = MappedFile::Open(path); bytes.ok() && LooksOld(bytes->bytes())) {
    auto old = ParseOldImatrix(bytes->bytes());
    if (!old.ok()) return Error{old.error().code, StrCat("importance matrix: ", path, " ", old.error().message)};
    return old;
  }
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
  ImatrixEntry entry = found->second;
  if (n_experts > 1 && entry.counts.size() == 1 && static_cast<int64_t>(entry.sums.size()) == n_experts * k) {
    entry.counts.assign(static_cast<size_t>(n_experts), entry.counts[0]);  // the old form counts no experts
  }
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
