// LFM_CHECK: programmer errors, always on where it costs O(1). Never reachable from a file, a prompt or a request.
#pragma once

#include <stdexcept>

namespace lfm {

// A defect of lfm that was caught. Thrown, so that a host of the library lives on: the C ABI turns it into LFM_INTERNAL.
class CheckFailure : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void FailCheck(const char* file, int line, const char* condition);

}  // namespace lfm

#define LFM_CHECK(condition)                            \
  do {                                                  \
    if (!(condition)) [[unlikely]]                      \
      ::lfm::FailCheck(__FILE__, __LINE__, #condition); \
  } while (false)
