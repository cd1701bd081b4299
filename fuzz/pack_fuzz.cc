// Packing of arbitrary GGUF bytes: accepted or refused, never a crash; what is accepted comes back bit for bit, and the
// best kernels of the host agree with the scalar ones on it.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "kernels/kernels.h"
#include "kernels/layout.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lfm;
  using namespace lfm::kernels;
  if (size < 3) return 0;
  const int index = data[0] % kTypeCount;
  const TensorType type = kTypeOrder[index];
  const int n_valid = data[1] % 17;
  const int64_t k = InfoOf(type).block_size == 256 ? 256 * (1 + data[2] % 2) : 32 * (1 + data[2] % 10);
  const size_t row_bytes = RowBytes(type, static_cast<size_t>(k));
  std::vector<std::byte> rows(row_bytes * 16);
  for (size_t i = 0; i < rows.size(); i++) rows[i] = static_cast<std::byte>(size > 3 ? data[3 + i % (size - 3)] : 0);
  std::vector<std::byte> panels(2 * PanelBytes(type, k)), back(row_bytes);
  if (!PackPanel(type, rows.data(), row_bytes, n_valid, k, panels.data())) return 0;
  std::vector<float> values(static_cast<size_t>(k)), expected(values.size());
  for (int r = 0; r < n_valid; r++) {
    UnpackBlocks(type, panels.data(), r, k, back.data());
    LFM_CHECK(std::memcmp(back.data(), &rows[static_cast<size_t>(r) * row_bytes], row_bytes) == 0);
    UnpackRow(type, panels.data(), r, k, values.data());
    Dequantize(type, &rows[static_cast<size_t>(r) * row_bytes], k, expected.data());
    LFM_CHECK(std::memcmp(values.data(), expected.data(), values.size() * sizeof(float)) == 0);
  }
  std::memcpy(panels.data() + panels.size() / 2, panels.data(), panels.size() / 2);
  if (!InfoOf(type).quantized) return 0;
  static const Table* const scalar = *Select("scalar");
  static const Table* const best = *Select("");
  std::vector<Q8Block> x(static_cast<size_t>(2 * k / kBlock));
  for (size_t i = 0; i < values.size(); i++) values[i] = static_cast<float>(static_cast<int8_t>(data[i % size]));
  for (int t = 0; t < 2; t++) scalar->quantize_q8(values.data(), k, &x[static_cast<size_t>(t)], 2);
  float a[2 * kUnitRows], b[2 * kUnitRows];
  const std::byte* const panel1 = panels.data() + panels.size() / 2;
  scalar->matmul_q8[index](panels.data(), panel1, k / kBlock, x.data(), 2, a, kUnitRows);
  best->matmul_q8[index](panels.data(), panel1, k / kBlock, x.data(), 2, b, kUnitRows);
  for (int i = 0; i < 2 * kUnitRows; i++) LFM_CHECK(a[i] == b[i] || (a[i] != a[i] && b[i] != b[i]));
  return 0;
}
