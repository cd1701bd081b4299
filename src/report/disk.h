// How fast a file is read from where it lies, past the memory that Linux keeps files in.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace lfm::report {

enum class DiskMethod {
  kDirect,   // O_DIRECT: past the page cache
  kDropped,  // the file's pages were dropped from the cache first
  kCached,   // neither was possible: this is the speed of memory
};
std::string_view DiskMethodName(DiskMethod method);  // "direct", "dropped from the cache", "from the cache"

struct DiskSpeed {
  double bytes_per_s = 0;
  uint64_t n_bytes = 0;  // that were read
  DiskMethod method = DiskMethod::kDirect;
};

// Reads blocks of 4 MiB with four threads, up to 1 GiB or about a second. An error where the file cannot be read or is
// empty.
Result<DiskSpeed> MeasureDiskSpeed(const std::string& path);

}  // namespace lfm::report
