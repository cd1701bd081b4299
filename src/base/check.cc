#include "base/check.h"

#include "base/strings.h"

namespace lfm {

void FailCheck(const char* file, int line, const char* condition) {
  throw CheckFailure(StrCat("internal error at ", file, ":", line, ": ", condition, "; please report it"));
}

}  // namespace lfm
