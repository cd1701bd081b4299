#include "formats/file_kind.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstring>

#include "base/path_name.h"
#include "base/strings.h"

namespace lfm::formats {
namespace {

constexpr std::string_view kGetGguf = "; get the model's .gguf file or its safetensors folder instead";

std::string_view Beginning(std::span<const std::byte> bytes, size_t n) {
  return {reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), n)};
}

std::string_view SkipSpace(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t\r\n");
  return start == std::string_view::npos ? std::string_view{} : text.substr(start);
}

bool StartsWithIgnoringCase(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() && std::equal(lower.begin(), lower.end(), text.begin(), [](char a, char b) {
           return a == static_cast<char>(std::tolower(static_cast<unsigned char>(b)));
         });
}

bool LooksLikeText(std::string_view beginning) {
  return std::all_of(beginning.begin(), beginning.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 || byte == '\n' || byte == '\r' || byte == '\t';
  });
}

bool LooksLikeSafetensors(std::span<const std::byte> bytes) {
  if (bytes.size() < 10) return false;
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  return bytes[8] == std::byte{'{'} && length >= 2 && length < (uint64_t{1} << 32);
}

}  // namespace

FileKind IdentifyFile(std::span<const std::byte> bytes) {
  const std::string_view start = Beginning(bytes, 512);
  const auto begins = [&](std::string_view magic) { return start.starts_with(magic); };
  if (start.empty()) return FileKind::kEmpty;
  if (begins("GGUF")) return FileKind::kGguf;
  if (LooksLikeSafetensors(bytes)) return FileKind::kSafetensors;
  if (begins("version https://git-lfs")) return FileKind::kLfsPointer;
  if (begins("PK\x03\x04")) return FileKind::kZip;
  if (start.size() >= 2 && start[0] == '\x80' && start[1] >= 2 && start[1] <= 5) return FileKind::kPickle;
  if (begins("lmgg") || begins("fmgg") || begins("tjgg") || begins("algg")) return FileKind::kOldGgml;
  if (begins("\x1f\x8b") || begins("\x28\xb5\x2f\xfd") ||
      begins("\xfd"
             "7zXZ") ||
      begins("BZh") || begins("7z\xbc\xaf")) {
    return FileKind::kArchive;
  }
  if (start.size() >= 262 && start.substr(257, 5) == "ustar") return FileKind::kArchive;
  if (start.size() >= 8 && (start.substr(4, 4) == "TFL3" || begins("LITERTLM"))) return FileKind::kTflite;
  if (begins("\x89HDF")) return FileKind::kHdf5;
  const std::string_view text = SkipSpace(start);
  if (StartsWithIgnoringCase(text, "<!doctype html") || StartsWithIgnoringCase(text, "<html")) return FileKind::kHtml;
  if (std::all_of(start.begin(), start.end(), [](char c) { return c == 0; })) return FileKind::kZeros;
  if (!LooksLikeText(start)) return FileKind::kUnknown;
  return text.starts_with("{") || text.starts_with("[") ? FileKind::kJson : FileKind::kText;
}

std::string DescribeForeignFile(std::span<const std::byte> bytes, std::string_view path) {
  const std::string name = NameOfPath(std::string(path));
  const bool is_ollama_blob = name.starts_with("sha256-") || name.starts_with("sha256:");
  const std::string_view first_line = Beginning(bytes, 200).substr(0, Beginning(bytes, 200).find('\n'));
  switch (IdentifyFile(bytes)) {
    case FileKind::kEmpty: return "is empty: the download failed; download it again";
    case FileKind::kLfsPointer:
      return "is a Git LFS pointer, a text that stands for the model; run 'git lfs pull' in its folder, or "
             "download "
             "the file itself";
    case FileKind::kHtml:
      return "is an HTML page, probably an error or login page saved in place of the model; download it "
             "again";
    case FileKind::kPickle: return StrCat("is a Python pickle (a PyTorch checkpoint), which lfm never opens", kGetGguf);
    case FileKind::kZip:
      return StrCat("is a zip archive (a PyTorch checkpoint, or a packed download), which lfm does not open", kGetGguf);
    case FileKind::kOldGgml: return StrCat("is a GGML file from before GGUF (2023), which lfm does not read", kGetGguf);
    case FileKind::kArchive: return "is a compressed archive; unpack it first";
    case FileKind::kTflite: return StrCat("is a LiteRT (TensorFlow Lite) model, which lfm does not read", kGetGguf);
    case FileKind::kHdf5: return StrCat("is an HDF5 file, which lfm does not read", kGetGguf);
    case FileKind::kZeros: return "begins with zero bytes only: the download was never finished; download it again";
    case FileKind::kJson:
    case FileKind::kText:
      if (is_ollama_blob) {
        return "is an ollama blob, but not the model: it holds a manifest, template or licence; name the "
               "largest blob "
               "of the model";
      }
      return StrCat("is no model but text that begins with ", Quote(first_line), "; name a .gguf file or a safetensors folder");
    case FileKind::kGguf:
    case FileKind::kSafetensors:
    case FileKind::kUnknown: break;
  }
  return StrCat("is neither GGUF nor safetensors (it begins with ", Quote(Beginning(bytes, 8)),
                "); name a .gguf file or a safetensors folder");
}

}  // namespace lfm::formats
