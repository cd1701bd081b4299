// Tells what a file is that was given in place of a model, so that the error can say it.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace lfm::formats {

enum class FileKind {
  kEmpty,
  kGguf,
  kSafetensors,
  kJson,
  kLfsPointer,
  kHtml,
  kPickle,
  kZip,
  kOldGgml,
  kArchive,
  kTflite,
  kHdf5,
  kZeros,
  kText,
  kUnknown
};

// From the first bytes only. Thread-safe.
FileKind IdentifyFile(std::span<const std::byte> bytes);

// "is a Git LFS pointer, not ...; run 'git lfs pull'": what the file is, why lfm does not run it, and what to
// do.
std::string DescribeForeignFile(std::span<const std::byte> bytes, std::string_view path);

}  // namespace lfm::formats
