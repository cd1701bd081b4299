#include "base/path_name.h"

#include <filesystem>
#include <system_error>

namespace lfm {

std::string NameOfPath(const std::string& path) {
  std::filesystem::path own = std::filesystem::path(path).lexically_normal();
  if (!own.has_filename()) own = own.parent_path();
  if (own.filename() == "." || own.filename() == "..") {
    std::error_code error;
    own = std::filesystem::canonical(path, error);
  }
  const std::string name = own.filename().string();
  return name.empty() ? path : name;
}

std::string FolderOfPath(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

}  // namespace lfm
