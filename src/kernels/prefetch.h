// How far ahead the products of one to four tokens ask for weights. That changes no result, only how long memory is waited
// for, and what is best differs from machine to machine: so it is chosen at run time, by default from constants found on some.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/tensor_type.h"
#include "kernels/layout.h"

namespace lfm::kernels {

// Bytes ahead of the block in use, in its panel, at which a line is asked for. Both: it comes in two steps, so that memory's
// long waits do not hold the few buffers of the first level.
struct Prefetch {
  int32_t to_second = 0;  // into the second-level cache; 0: not
  int32_t to_first = 0;   // into the first-level cache; 0: not

  friend bool operator==(const Prefetch&, const Prefetch&) = default;
};
constexpr int32_t kMostAhead = 1 << 16;  // farther is no use: the second-level cache holds little more

// Whose cores wait for memory in their own way, as far as that was measured. AMD's take as many lines at a time into the first
// level as into the second; Intel's far fewer.
enum class CpuMaker { kOther, kAmd };
CpuMaker GetCpuMaker();  // asks the processor once; thread-safe

// What holds where nothing was measured, for kernels of so many f32 lanes: the hardware loses count of the streams of types
// with several planes. For AVX2 (8) measured on Zen 3, where 4096 costs a tenth of Q8_0's speed and a twentieth of Q4_0's, and
// 512 about the same; two to four tokens look twice as far, which was 1.03 to 1.08 times as fast there (Q4_0 and Q4_K, from memory,
// two threads), as 4096 was. For AVX-512 (16) on Emerald Rapids, against one step 4096 ahead to the second level, two threads,
// medians: Q4_0 1.05 times as fast, Q4_K 1.07, Q8_0 1.02; three tokens of Q4_0 1.07. On Zen 5, where those give 67 of 86 GB/s,
// one step 8192 ahead to the first level: Q4_0 1.19 times as fast, Q4_K 1.23, Q6_K 1.26, Q8_0 1.14, BF16 1.05 (two threads, medians
// in turn, while memory gave 86 GB/s; at 45 GB/s all are alike). NEON's (4) as first chosen.
constexpr Prefetch UsualPrefetch(int n_lanes, TensorType type, CpuMaker maker) {
  if (n_lanes == 16 && maker == CpuMaker::kAmd) return {0, 8192};
  if (n_lanes == 16) return IsFloat(type) ? Prefetch{4096, 0} : Prefetch{12288, 1536};
  if (n_lanes == 8) return {0, type == TensorType::kQ8_0 ? 1024 : type == TensorType::kQ6_K ? 2304 : 1536};
  return {0, 4096};
}
Prefetch UsualPrefetch(int n_lanes, TensorType type);  // on this processor

// Types for which memory is the limit, so that there is something to choose. Others, which look weights up or take long to unpack
// them, keep the usual distances.
constexpr bool IsTunable(TensorType type) {
  switch (type) {
    case TensorType::kF32:
    case TensorType::kF16:
    case TensorType::kBF16:
    case TensorType::kQ4_0:
    case TensorType::kQ4_1:
    case TensorType::kQ5_0:
    case TensorType::kQ5_1:
    case TensorType::kQ8_0:
    case TensorType::kQ4_K:
    case TensorType::kQ5_K:
    case TensorType::kQ6_K:
    case TensorType::kIQ4_NL:
    case TensorType::kIQ4_XS:
    case TensorType::kMXFP4: return true;
    default: return false;
  }
}

// What the kernels of 4, 8 and 16 lanes do, by TypeIndex. Read and written with relaxed atomics.
constexpr int PrefetchRow(int n_lanes) { return n_lanes == 4 ? 0 : n_lanes == 8 ? 1 : 2; }
struct PrefetchChoices {
  Prefetch of[3][kTypeCount];
};
extern PrefetchChoices prefetch_choices;

// Lanes of an ISA's vectors (a name of IsaName): its products share their choices with the other ISAs of so many.
int LanesOf(std::string_view isa);

// What an ISA's products of one to four tokens do with weights of a type, in this process and from now on. A distance is put
// between 0 and kMostAhead; a type that is not tunable stays as it is. Thread-safe.
Prefetch GetPrefetch(std::string_view isa, TensorType type);
void SetPrefetch(std::string_view isa, TensorType type, Prefetch prefetch);

}  // namespace lfm::kernels
