#include "formats/safetensors_reader.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "base/byte_reader.h"
#include "base/json.h"
#include "base/strings.h"
#include "formats/layout_checks.h"

namespace lfm::formats {
namespace {

// A model of 24 billion parameters with its experts one by one needs about 1 MiB.
constexpr uint64_t kMaxHeaderBytes = uint64_t{32} << 20;
constexpr size_t kMaxDims = 8;

std::optional<TensorType> TypeOfDtype(std::string_view dtype) {
  if (dtype == "F32") return TensorType::kF32;
  if (dtype == "F16") return TensorType::kF16;
  if (dtype == "BF16") return TensorType::kBF16;
  return std::nullopt;
}

Error Bad(const std::string& name, const std::string& what) {
  return {ErrorCode::kCorrupt, StrCat("tensor ", Quote(name, 200), " ", what)};
}

// A tensor from its header entry {"dtype", "shape", "data_offsets"}; `offset` counts from the data's start.
Result<Tensor> ParseEntry(const std::string& name, const Json& entry, uint64_t& n_bytes) {
  Tensor tensor;
  tensor.name = name;
  const Json& dtype = entry["dtype"];
  const Json& shape = entry["shape"];
  const Json& offsets = entry["data_offsets"];
  if (!dtype.is_string() || !shape.is_array() || !offsets.is_array() || offsets.items().size() != 2) {
    return Bad(name, "lacks a proper \"dtype\", \"shape\" or \"data_offsets\"");
  }
  const auto type = TypeOfDtype(dtype.AsString());
  if (!type) {
    return Error{ErrorCode::kUnsupported,
                 StrCat("tensor ", Quote(name, 200), " is of dtype ", Quote(dtype.AsString()),
                        "; lfm reads F32, F16 and BF16: get the original weights, or a .gguf file for a smaller one")};
  }
  tensor.type = *type;
  if (shape.items().size() > kMaxDims) return Bad(name, StrCat("has ", shape.items().size(), " dimensions"));
  for (const Json& dim : shape.items()) tensor.shape.push_back(dim.is_integer() ? dim.AsInt(-1) : -1);
  const auto size = CheckedTensorBytes(tensor.type, tensor.shape);
  if (!size.ok()) return Bad(name, size.error().message);
  const int64_t begin = offsets.items()[0].AsInt(-1), end = offsets.items()[1].AsInt(-1);
  if (begin < 0 || end < begin) return Bad(name, "has data_offsets that are no range");
  n_bytes = static_cast<uint64_t>(end - begin);
  if (n_bytes != *size) {
    return Bad(name, StrCat("has data_offsets of ", n_bytes, " bytes, but its shape and dtype need ", *size));
  }
  tensor.offset = static_cast<uint64_t>(begin);
  return tensor;
}

}  // namespace

Result<std::vector<Tensor>> ParseSafetensors(std::span<const std::byte> bytes, std::vector<ForeignTensor>* foreign) {
  ByteReader reader(bytes);
  LFM_TRY(const uint64_t length, reader.Read<uint64_t>("the header's length"));
  if (length > kMaxHeaderBytes) {
    return Error{ErrorCode::kCorrupt, StrCat("claims a header of ", length, " bytes; at most ", kMaxHeaderBytes,
                                             " are allowed: this is no safetensors file, or a damaged one")};
  }
  LFM_TRY(const auto text, reader.ReadBytes(length, "the header"));
  const std::string_view header_text(reinterpret_cast<const char*>(text.data()), text.size());
  auto header = ParseJson(header_text, {.max_depth = 8, .max_bytes = kMaxHeaderBytes});
  if (!header.ok()) return header.error().Within("the header");
  if (!header->is_object()) return Error{ErrorCode::kCorrupt, "the header is no JSON object"};

  std::vector<Tensor> tensors;
  std::vector<uint64_t> sizes;
  std::unordered_set<std::string_view> names;
  tensors.reserve(header->members().size());
  for (const auto& [name, entry] : header->members()) {
    if (name == "__metadata__") continue;
    if (!names.insert(name).second) return Bad(name, "appears twice");
    const Json& dtype = entry["dtype"];
    if (foreign && dtype.is_string() && !TypeOfDtype(dtype.AsString())) {
      ForeignTensor other{name, dtype.AsString(), {}};
      for (const Json& dim : entry["shape"].items()) other.shape.push_back(dim.AsInt(-1));
      foreign->push_back(std::move(other));
      continue;
    }
    uint64_t n_bytes = 0;
    LFM_TRY(Tensor tensor, ParseEntry(name, entry, n_bytes));
    tensors.push_back(std::move(tensor));
    sizes.push_back(n_bytes);
  }
  LFM_RETURN_IF_ERROR(PlaceInFile(bytes, bytes.size(), 8 + length, sizes, tensors));
  // The header's order says nothing; the file's order is the one to read in.
  std::stable_sort(tensors.begin(), tensors.end(), [](const Tensor& a, const Tensor& b) { return a.offset < b.offset; });
  return tensors;
}

}  // namespace lfm::formats
