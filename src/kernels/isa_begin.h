// First include of every ISA file: the only headers it may use. All its code is in an anonymous namespace, because the
// linker merges weak symbols of files compiled with different flags (docs/numerics.md; tests/kernels checks it).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/families.h"
#include "kernels/layout.h"
#include "kernels/prefetch.h"

// The scalar files define LFM_NO_FORCED_INLINE: unrolled loops over 16 lanes would only cost compile time there.
#if defined(LFM_NO_FORCED_INLINE)
#define LFM_INLINE inline
#define LFM_INLINE_LAMBDA
#else
#define LFM_INLINE inline __attribute__((always_inline))
#define LFM_INLINE_LAMBDA __attribute__((always_inline))
#endif
