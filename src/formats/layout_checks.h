// What both formats check alike: a tensor's size in bytes, and that the tensors of a file lie inside it,
// apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/tensor_type.h"
#include "formats/checkpoint.h"

namespace lfm::formats {

// Bytes of a tensor of this type and shape (slowest first), or why there is none: a dimension below 1, a row
// that is no multiple of the type's block, or more than 2^62 bytes. An empty shape is one element.
Result<uint64_t> CheckedTensorBytes(TensorType type, std::span<const int64_t> shape);

// Gives each tensor its place: on entry `offset` counts from data_offset, on return from the start of the
// file, and `bytes` is set where `file` holds all n_file bytes. sizes[i] is the size of tensors[i]. Errors: the file is shorter
// than its tensors (says how many bytes are expected and present), or two tensors overlap.
Status PlaceInFile(std::span<const std::byte> file, uint64_t n_file, uint64_t data_offset, std::span<const uint64_t> sizes,
                   std::span<Tensor> tensors);

}  // namespace lfm::formats
