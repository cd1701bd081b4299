#include "formats/layout_checks.h"

#include <algorithm>
#include <numeric>

#include "base/strings.h"

namespace lfm::formats {

Result<uint64_t> CheckedTensorBytes(TensorType type, std::span<const int64_t> shape) {
  constexpr uint64_t kMaxBytes = uint64_t{1} << 62;
  const TensorTypeInfo& info = InfoOf(type);
  uint64_t n_elements = 1;
  for (const int64_t n : shape) {
    if (n < 1) return Error{ErrorCode::kCorrupt, StrCat("has a dimension of ", n)};
    if (static_cast<uint64_t>(n) > kMaxBytes / n_elements) {
      return Error{ErrorCode::kCorrupt, "has more elements than any file can hold"};
    }
    n_elements *= static_cast<uint64_t>(n);
  }
  const uint64_t row = shape.empty() ? 1 : static_cast<uint64_t>(shape.back());
  if (row % info.block_size != 0) {
    return Error{ErrorCode::kCorrupt,
                 StrCat("has rows of ", row, " elements, but ", info.name, " comes in blocks of ", info.block_size)};
  }
  const uint64_t n_blocks = n_elements / info.block_size;
  if (n_blocks > kMaxBytes / info.block_bytes) {
    return Error{ErrorCode::kCorrupt, "has more elements than any file can hold"};
  }
  return n_blocks * info.block_bytes;
}

Status PlaceInFile(std::span<const std::byte> file, uint64_t n_file, uint64_t data_offset, std::span<const uint64_t> sizes,
                   std::span<Tensor> tensors) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return std::pair(tensors[a].offset, a) < std::pair(tensors[b].offset, b); });
  uint64_t end = 0;  // of the tensors so far, from data_offset
  for (size_t i = 0; i < order.size(); ++i) {
    const Tensor& tensor = tensors[order[i]];
    if (tensor.offset < end) {
      return Error{ErrorCode::kCorrupt, StrCat("tensors ", Quote(tensors[order[i - 1]].name), " and ", Quote(tensor.name),
                                               " overlap at byte ", data_offset + tensor.offset, "; download the file again")};
    }
    constexpr uint64_t kMax = uint64_t{1} << 62;  // sizes are below, so that no sum here can wrap
    if (tensor.offset > kMax) {
      return Error{ErrorCode::kCorrupt, StrCat("tensor ", Quote(tensor.name), " claims to begin at byte ", tensor.offset,
                                               " of the data; download the file again")};
    }
    end = tensor.offset + sizes[order[i]];
  }
  if (!tensors.empty() && (data_offset > n_file || end > n_file - data_offset)) {
    const uint64_t expected = data_offset + end;
    return Error{ErrorCode::kCorrupt, StrCat("is cut short: ", expected, " bytes expected, ", n_file, " present (",
                                             HumanBytes(expected - n_file), " missing); download it again")};
  }
  for (size_t i = 0; i < tensors.size(); ++i) {
    tensors[i].offset += data_offset;
    if (file.size() < n_file) continue;
    tensors[i].bytes = file.subspan(static_cast<size_t>(tensors[i].offset), static_cast<size_t>(sizes[i]));
  }
  return Ok();
}

}  // namespace lfm::formats
