// LFM_CHECK: programmer errors, always on where it costs O(1). Never reachable from a file, a prompt or a request.
#pragma once

#include <cstdio>
#include <cstdlib>

#define LFM_CHECK(condition)                                                                        \
  do {                                                                                              \
    if (!(condition)) [[unlikely]] {                                                                \
      std::fprintf(stderr, "lfm: internal error at %s:%d: %s\n", __FILE__, __LINE__, #condition);   \
      std::abort();                                                                                 \
    }                                                                                               \
  } while (false)
