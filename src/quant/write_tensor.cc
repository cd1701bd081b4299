#include "quant/write_tensor.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <limits>
#include <vector>

#include "base/strings.h"
#include "quant/encode.h"

namespace lfm::quant {
namespace {

// Encoded at once: bounds memory, is enough for all threads, and ends well within a second of being cancelled.
constexpr int64_t kChunkElements = int64_t{1} << 21;
constexpr float kLargestHalf = 65504;

// Whether every value is finite: an integer test, so that the compiler can vectorise it.
bool AllFinite(const float* x, int64_t n) {
  uint32_t bad = 0;
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t bits = std::bit_cast<uint32_t>(x[i]) & 0x7f800000u;
    bad |= bits == 0x7f800000u ? 1u : 0u;
  }
  return bad == 0;
}

bool FitsHalf(const float* x, int64_t n) {
  float largest = 0;
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(x[i]));
  return largest <= kLargestHalf;
}

enum class Fault : int { kNone, kNotFinite, kTooLarge };

Fault EncodeOne(const ModelTensor& tensor, int64_t i_row, TensorType type, std::span<const float> importance, float* row,
                std::byte* out) {
  ReadRow(tensor, i_row, row);
  if (!AllFinite(row, tensor.k)) return Fault::kNotFinite;
  if (type == TensorType::kF16 && !FitsHalf(row, tensor.k)) return Fault::kTooLarge;
  const auto stored = StoredRows(tensor, type, i_row, 1);
  if (!stored.empty()) {
    std::memcpy(out, stored.data(), stored.size());
    return Fault::kNone;
  }
  const float* weights = nullptr;
  if (importance.size() == static_cast<size_t>(tensor.k)) {
    weights = importance.data();
  } else if (!importance.empty()) {
    weights = importance.data() + i_row / (tensor.n_rows / tensor.n_experts()) * tensor.k;
  }
  EncodeRow(type, row, weights, tensor.k, out);
  return Fault::kNone;
}

Error FaultError(const formats::Checkpoint& checkpoint, const ModelTensor& tensor, int64_t i_row, Fault fault) {
  const std::string where = StrCat(checkpoint.path, ": ", DescribeRow(tensor, i_row));
  if (fault == Fault::kTooLarge) {
    return {ErrorCode::kInvalidArgument, where + " holds a value beyond the range of f16 (65504); use bf16 or f32"};
  }
  return {ErrorCode::kCorrupt, where + " holds a value that is no finite number; the file is damaged: download it again"};
}

}  // namespace

Status WriteTensor(const formats::Checkpoint& checkpoint, const ModelTensor& tensor, TensorType type,
                   std::span<const float> importance, Threads& threads, const ByteSink& sink) {
  const size_t row_bytes = RowBytes(type, static_cast<size_t>(tensor.k));
  const int64_t chunk_rows = std::clamp<int64_t>(kChunkElements / tensor.k, 1, tensor.n_rows);
  const int64_t grain = std::max<int64_t>(1, std::min(chunk_rows / (4 * threads.size()), 65536 / tensor.k));
  std::vector<std::byte> chunk(static_cast<size_t>(chunk_rows) * row_bytes);
  std::vector<std::vector<float>> rows(static_cast<size_t>(threads.size()), std::vector<float>(static_cast<size_t>(tensor.k)));
  for (int64_t first = 0; first < tensor.n_rows; first += chunk_rows) {
    const int64_t n = std::min(chunk_rows, tensor.n_rows - first);
    // The lowest faulty row, so that the message does not depend on the threads.
    std::atomic<int64_t> bad_row{std::numeric_limits<int64_t>::max()};
    threads.For(n, grain, [&](int64_t begin, int64_t end, int i_thread) {
      float* row = rows[static_cast<size_t>(i_thread)].data();
      for (int64_t i = begin; i < end; ++i) {
        std::byte* out = chunk.data() + static_cast<size_t>(i) * row_bytes;
        if (EncodeOne(tensor, first + i, type, importance, row, out) == Fault::kNone) continue;
        int64_t lowest = bad_row;
        while (first + i < lowest && !bad_row.compare_exchange_weak(lowest, first + i)) {
        }
        return;
      }
    });
    if (bad_row < tensor.n_rows) {
      std::byte* out = chunk.data();
      return FaultError(checkpoint, tensor, bad_row, EncodeOne(tensor, bad_row, type, importance, rows[0].data(), out));
    }
    LFM_RETURN_IF_ERROR(sink(std::span(chunk).first(static_cast<size_t>(n) * row_bytes)));
    ReleaseRows(checkpoint, tensor, first, n);
  }
  return Ok();
}

}  // namespace lfm::quant
