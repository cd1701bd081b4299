// Streams a model's tensors into a file, row by row on all threads, in bounded memory.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "base/result.h"
#include "base/threads.h"
#include "formats/checkpoint.h"
#include "quant/model_tensors.h"

namespace lfm::quant {

// Takes the next bytes of the tensor that is being written.
using ByteSink = std::function<Status(std::span<const std::byte>)>;

// Encodes all rows of a tensor as `type` and hands them to `sink` in order. Bytes that are stored as `type` already
// are copied. `importance` is empty, [k], or [experts][k]. The source's pages are released on the way.
// Errors: a value that is not finite, or that `type` cannot hold, with the tensor's name and row.
Status WriteTensor(const formats::Checkpoint& checkpoint, const ModelTensor& tensor, TensorType type,
                   std::span<const float> importance, Threads& threads, const ByteSink& sink);

}  // namespace lfm::quant
