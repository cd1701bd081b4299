// safetensors: tensors of an accepted file lie inside it.
#include <cstdint>
#include <span>

#include "base/check.h"
#include "formats/file_kind.h"
#include "formats/safetensors_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  LFM_CHECK(!lfm::formats::DescribeForeignFile(bytes, "model.safetensors").empty());
  const auto tensors = lfm::formats::ParseSafetensors(bytes);
  if (!tensors.ok()) {
    LFM_CHECK(tensors.error().message.find('\n') == std::string::npos);
    return 0;
  }
  for (const auto& tensor : *tensors) {
    LFM_CHECK(tensor.offset <= size && tensor.bytes.size() <= size - tensor.offset);
    LFM_CHECK(tensor.bytes.size() == static_cast<size_t>(tensor.n_elements()) * lfm::InfoOf(tensor.type).block_bytes);
  }
  return 0;
}
