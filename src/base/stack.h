// How much stack the calling thread really has left: threads of 512 KiB exist, and input decides how deep a recursion goes.
#pragma once

#include <pthread.h>

#include <cstddef>
#include <cstdint>

namespace lfm {

// The address that a recursion may come down to: `reserve` bytes above the end of the calling thread's stack, but never
// more than a third of the stack kept back. 0 where the system does not tell, so that nothing is ever below it.
uintptr_t StackFloor(size_t reserve);

// Bytes of the calling thread's whole stack; SIZE_MAX where the system does not tell.
size_t StackSize();

// What the deepest work of this library, kernels with tiles above all, and a little of a recursion's room take.
inline constexpr size_t kEnoughStack = size_t{1} << 20;

// pthread_create() with a stack of the default size, but at least kEnoughStack: under `ulimit -s 64` the default is 64 KiB,
// which a kernel's tiles overrun. Returns 0, or the error's number.
int StartOnEnoughStack(pthread_t* thread, void* (*body)(void*), void* argument);

// Whether the caller's frame is below a floor of its own thread. One comparison.
inline bool IsBelow(uintptr_t floor) { return reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) < floor; }

// Whether so little of the calling thread's stack is left that a recursion must end: for recursions in many places, each
// with a bound of its own that a large stack holds.
inline bool IsStackSpent() { return IsBelow(StackFloor(size_t{80} << 10)); }

}  // namespace lfm
