#include "base/stack.h"

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

int StartOnEnoughStack(pthread_t* thread, void* (*body)(void*), void* argument) {
  pthread_attr_t attributes;
  if (const int error = pthread_attr_init(&attributes); error != 0) return error;
  size_t size = 0;
  int error = pthread_attr_getstacksize(&attributes, &size);
  if (error == 0 && size < kEnoughStack) error = pthread_attr_setstacksize(&attributes, kEnoughStack);
  if (error == 0) error = pthread_create(thread, &attributes, body, argument);
  pthread_attr_destroy(&attributes);
  return error;
}

}  // namespace lfm
