#include "engine/packed_models.h"

#include <cstdio>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/path_name.h"
#include "base/strings.h"
#include "formats/packed_file.h"

namespace lfm::engine {
namespace {

// "models/x.gguf" and "models/x/" -> "models/x.gguf", "models/x".
std::string WithoutSlash(const std::string& path) { return path.substr(0, path.find_last_not_of('/') + 1); }

std::string PathOf(const formats::Checkpoint& source, uint64_t source_key, const std::string& folder) {
  char key[24];
  std::snprintf(key, sizeof key, "-%016llx", static_cast<unsigned long long>(source_key));
  return folder + "/" + NameOfPath(source.path) + key + ".lfm";
}

}  // namespace

std::string PackedPath(const formats::Checkpoint& source, const std::string& folder) {
  return PathOf(source, formats::SourceKey(source), folder);
}

formats::Checkpoint PreferPacked(formats::Checkpoint source, const std::string& folder, Threads& threads) {
  if (!source.packed.bytes.empty()) return source;
  const uint64_t key = formats::SourceKey(source);
  const std::string candidates[2] = {WithoutSlash(source.path) + ".lfm", folder.empty() ? "" : PathOf(source, key, folder)};
  for (const std::string& path : candidates) {
    if (path.empty() || !FileExists(path)) continue;
    auto packed = formats::OpenCheckpoint(path);
    if (!packed.ok()) {
      Log(LogLevel::kWarning, packed.error().message);
    } else if (packed->packed.bytes.empty() || packed->packed.source_key != key) {
      Log(LogLevel::kWarning, StrCat(path, " was packed from another model than ", source.path, " is now; it is not ",
                                     "used: pack the model again, or delete it"));
    } else if (const Status whole = formats::CheckPackedWeights(*packed, threads); !whole.ok()) {
      Log(LogLevel::kWarning, StrCat(whole.error().message, ". Until then ", source.path, " is used"));
    } else {
      packed->packed.checked = true;
      return std::move(*packed);
    }
  }
  return source;
}

}  // namespace lfm::engine
