// What paths are called.
#pragma once

#include <string>

namespace lfm {

// The last part of a path, by which people know the file or folder: "models/x/" is "x", and "." the name of the folder that we are
// in. The path itself where it has no name ("/").
std::string NameOfPath(const std::string& path);

// The folder that a path's last part stands in: "a" is in ".", "/a" in "/", "a/b" in "a".
std::string FolderOfPath(const std::string& path);

}  // namespace lfm
