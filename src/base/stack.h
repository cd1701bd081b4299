// How much stack the calling thread really has left: threads of 512 KiB exist, and input decides how deep a recursion goes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lfm {

// The address that a recursion may come down to: `reserve` bytes above the end of the calling thread's stack, but never
// more than a third of the stack kept back. 0 where the system does not tell, so that nothing is ever below it.
uintptr_t StackFloor(size_t reserve);

// Bytes of the calling thread's whole stack; SIZE_MAX where the system does not tell.
size_t StackSize();

// Whether the caller's frame is below a floor of its own thread. One comparison.
inline bool IsBelow(uintptr_t floor) { return reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) < floor; }

}  // namespace lfm
