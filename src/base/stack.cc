#include "base/stack.h"

#include <pthread.h>

#include <algorithm>

namespace lfm {
namespace {

struct Stack {
  uintptr_t low = 0;
  size_t size = 0;
};

Stack CallingThreadsStack() {
  Stack stack;
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return stack;
  void* low = nullptr;
  size_t size = 0;
  if (pthread_attr_getstack(&attributes, &low, &size) == 0) {
    stack = {reinterpret_cast<uintptr_t>(low), size};
  }
  pthread_attr_destroy(&attributes);
  return stack;
}

const Stack& ThisStack() {
  thread_local const Stack stack = CallingThreadsStack();
  return stack;
}

}  // namespace

size_t StackSize() { return ThisStack().size == 0 ? SIZE_MAX : ThisStack().size; }

uintptr_t StackFloor(size_t reserve) {
  const Stack& stack = ThisStack();
  if (stack.size == 0) return 0;
  return stack.low + std::min(reserve, stack.size / 3);
}

}  // namespace lfm
