// Reads arbitrary text as what `lfm doctor --tune` kept: what is a tuning stays within bounds and is written back the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "report/tuning.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lfm::report;
  const auto tuning = ReadTuning({reinterpret_cast<const char*>(data), size});
  if (!tuning.ok()) return 0;
  Apply(*tuning);
  for (const TunedType& one : tuning->types) {
    if (lfm::kernels::GetPrefetch(tuning->key.isa, one.type) != one.prefetch) std::abort();
  }
  const auto again = ReadTuning(TuningText(*tuning));
  if (!again.ok() || again->types != tuning->types) std::abort();
  return 0;
}
