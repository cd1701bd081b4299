// GGUF: tensors of an accepted header lie inside the file and apart, metadata can be looked up, and errors
// are one line of printable text.
#include <algorithm>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "formats/file_kind.h"
#include "formats/gguf_reader.h"

using namespace lfm::formats;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  LFM_CHECK(!DescribeForeignFile(bytes, "model.gguf").empty());
  const auto header = ParseGguf(bytes);
  if (!header.ok()) {
    for (const char c : header.error().message) LFM_CHECK(static_cast<unsigned char>(c) >= 0x20);
    return 0;
  }
  for (size_t i = 0; i < header->metadata.entries().size(); ++i) {
    const auto& [key, value] = header->metadata.entries()[i];
    LFM_CHECK(header->metadata.Find(key) == &value);
    LFM_CHECK(header->metadata.StoredForm(i).size() > 4);
    (void)header->metadata.Int(key, 0);
    (void)header->metadata.Float(key, 0);
    (void)header->metadata.Ints(key);
    (void)header->metadata.Strings(key);
  }
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (const Tensor& tensor : header->tensors) {
    LFM_CHECK(tensor.offset >= header->data_offset && tensor.offset <= size);
    LFM_CHECK(tensor.bytes.size() <= size - tensor.offset);
    const lfm::TensorTypeInfo& info = lfm::InfoOf(tensor.type);
    LFM_CHECK(tensor.bytes.size() == static_cast<size_t>(tensor.n_elements()) / info.block_size * info.block_bytes);
    ranges.emplace_back(tensor.offset, tensor.offset + tensor.bytes.size());
  }
  std::sort(ranges.begin(), ranges.end());
  for (size_t i = 1; i < ranges.size(); ++i) LFM_CHECK(ranges[i - 1].second <= ranges[i].first);
  return 0;
}
