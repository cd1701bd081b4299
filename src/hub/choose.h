// Which of several files of a model to take when the user does not say: the best that fits into free memory.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace lfm::hub {

struct TypeOption {
  std::string type;    // "Q4_K_M"
  uint64_t bytes = 0;  // of the file, or of all its shards
};

struct TypeChoice {
  size_t index = 0;    // into the options
  bool fits = true;    // false: even the smallest does not fit
  std::string reason;  // one sentence for the user
};

// Chooses by what is known of the quality of each type on this family: Q8_0 for small files (nearly lossless
// and still fast), else Q6_K, Q5_K_M, Q4_K_M and so on, the first that fits into free_memory beside
// kReservedBytes for state and other programs. When none fits, the smallest of usable quality. At least one
// option is needed.
Result<TypeChoice> ChooseType(std::span<const TypeOption> options, uint64_t free_memory);

inline constexpr uint64_t kReservedBytes = uint64_t{1} << 30;

// Whether lfm runs files whose name says this type, as far as a name can say: not those of NVFP4, Q4_0_4_4 and the like.
// An unknown or empty name may run.
bool CanRunByName(std::string_view type);

// Memory that a new program may use without pushing others out (base/host.h). 0: unknown.
uint64_t FreeMemory();

}  // namespace lfm::hub
