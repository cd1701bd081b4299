// Importance matrices from anywhere: reading and using one never crashes and never allocates beyond the file.
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "quant/imatrix.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string path = [] {
    char name[] = "/tmp/lfm-imatrix-fuzz-XXXXXX";
    const int fd = mkstemp(name);
    if (fd >= 0) close(fd);
    static const std::string kept = name;
    std::atexit([] { unlink(kept.c_str()); });
    return kept;
  }();
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (!file) return 0;
  std::fwrite(data, 1, size, file);
  std::fclose(file);
  const auto imatrix = lfm::quant::ReadImatrix(path);
  if (!imatrix.ok()) return 0;
  for (const auto& [name, entry] : imatrix->entries) {
    const auto importance = imatrix->Importance(name, static_cast<int64_t>(entry.counts.size()), entry.k());
    (void)importance.ok();
  }
  return 0;
}
