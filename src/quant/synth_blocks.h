// Random weights, straight in their stored form.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/tensor_type.h"

namespace lfm::quant {

// SplitMix64 as a function of a counter: any part of a stream can be made on its own.
struct CounterRandom {
  uint64_t key = 0;
  uint64_t counter = 0;

  uint64_t Next() {
    uint64_t z = key + 0x9E3779B97F4A7C15u * ++counter;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
};

// Whether FillRandom knows the type.
bool CanFillRandom(TensorType type);

// Fills whole blocks of `type` with weights of mean 0 and the given standard deviation: quants are uniform,
// block scales vary by about a quarter around what the deviation asks for. F32, F16 and BF16 weights are near
// to normal. out.size() must be a multiple of the type's block bytes.
void FillRandom(TensorType type, float deviation, CounterRandom& random, std::span<std::byte> out);

// F32 only: mean + deviation * (near to normal).
void FillRandomF32(float mean, float deviation, CounterRandom& random, std::span<std::byte> out);

}  // namespace lfm::quant
