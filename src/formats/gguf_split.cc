// A model of one or several GGUF files: NAME-00001-of-0000N.gguf and so on, as llama.cpp's gguf-split writes
// them.
#include <algorithm>
#include <cstdio>
#include <optional>
#include <unordered_set>

#include "base/path_name.h"
#include "base/strings.h"
#include "formats/gguf_reader.h"

namespace lfm::formats {
namespace {

constexpr int64_t kMaxParts = 9999;

Error InFile(const Error& error, const std::string& path) {
  const bool has_advice = error.code != ErrorCode::kCorrupt || error.message.find("download") != std::string::npos;
  return {error.code, StrCat(path, ": ", error.message, has_advice ? "" : "; the file is damaged: download it again")};
}

Result<GgufHeader> ParseFile(const MappedFile& file) {
  auto header = ParseGguf(file.bytes());
  if (header.ok()) return header;
  Error error = InFile(header.error(), file.path());
  const std::string name = NameOfPath(file.path());
  const bool is_piece = name.find(".part") != std::string::npos || name.find("-split-") != std::string::npos;
  if (is_piece && error.message.find("cut short") != std::string::npos) {
    error.message += "; or, where this is one piece of a file that was cut up, put the pieces together by cat first";
  }
  return error;
}

// Whether another GGUF file begins right behind this one's data: parts that were put together by cat.
bool IsJoined(const GgufHeader& header, const MappedFile& file) {
  uint64_t end = header.data_offset;  // a first part may hold metadata only
  for (const Tensor& tensor : header.tensors) end = std::max(end, tensor.offset + tensor.n_bytes());
  const uint64_t aligned = (end + header.alignment - 1) / header.alignment * header.alignment;
  return (end < file.bytes().size() && IsGguf(file.bytes().subspan(static_cast<size_t>(end)))) ||
         (aligned < file.bytes().size() && IsGguf(file.bytes().subspan(static_cast<size_t>(aligned))));
}

// NAME of NAME-00002-of-00005.gguf when the digits are these, else nothing.
std::optional<std::string> SplitPrefix(const std::string& path, int64_t i_part, int64_t n_parts) {
  char suffix[48];
  std::snprintf(suffix, sizeof suffix, "-%05d-of-%05d.gguf", static_cast<int>(i_part + 1), static_cast<int>(n_parts));
  if (!path.ends_with(suffix)) return std::nullopt;
  return path.substr(0, path.size() - std::string_view(suffix).size());
}

std::string PartPath(const std::string& prefix, int64_t i_part, int64_t n_parts) {
  char suffix[48];
  std::snprintf(suffix, sizeof suffix, "-%05d-of-%05d.gguf", static_cast<int>(i_part + 1), static_cast<int>(n_parts));
  return prefix + suffix;
}

// Checks that `part` says of itself what its name says.
Status CheckPart(const GgufHeader& part, const std::string& path, int64_t i_part, int64_t n_parts) {
  LFM_TRY(const int64_t no, part.metadata.Int("split.no", -1));
  LFM_TRY(const int64_t count, part.metadata.Int("split.count", -1));
  if (no == i_part && count == n_parts) return Ok();
  return Error{ErrorCode::kCorrupt, StrCat(path, " says that it is part ", no + 1, " of ", count, ", but its name says ",
                                           i_part + 1, " of ", n_parts, "; download the parts of one model again")};
}

void AddPart(GgufHeader&& part, MappedFile&& file, Checkpoint& model) {
  const auto i_file = static_cast<uint32_t>(model.files.size());
  for (ForeignTensor& tensor : part.foreign_tensors) model.foreign_tensors.push_back(std::move(tensor));
  for (Tensor& tensor : part.tensors) {
    tensor.i_file = i_file;
    model.tensors.push_back(std::move(tensor));
  }
  model.n_bytes += file.bytes().size();
  model.files.push_back(std::move(file));
}

// A tensor may stand in one part only.
Status CheckNamesDiffer(const Checkpoint& model) {
  std::unordered_set<std::string_view> names;
  for (const Tensor& tensor : model.tensors) {
    if (!names.insert(tensor.name).second) {
      return Error{ErrorCode::kCorrupt, StrCat(model.files[tensor.i_file].path(), ": tensor ", Quote(tensor.name),
                                               " is also in another part; download the parts of one model again")};
    }
  }
  return Ok();
}

// The part of this number, from its own file.
struct Part {
  GgufHeader header;
  MappedFile file;
};
Result<Part> OpenPart(const std::string& path, int64_t i_part, int64_t n_parts, const std::string& named) {
  auto file = MappedFile::Open(path);
  if (!file.ok()) {
    return Error{file.error().code,
                 StrCat(file.error().message, "; the model has ", n_parts, " parts, and all must lie beside ", named)};
  }
  LFM_TRY(GgufHeader header, ParseFile(*file));
  LFM_RETURN_IF_ERROR(CheckPart(header, path, i_part, n_parts));
  return Part{std::move(header), std::move(file).value()};
}

Status OpenParts(Part named, int64_t n_parts, Checkpoint& model) {
  const std::string path = named.file.path();
  LFM_TRY(const int64_t i_named, named.header.metadata.Int("split.no", 0));
  LFM_TRY(const int64_t n_tensors, named.header.metadata.Int("split.tensors.count", -1));
  if (n_parts > kMaxParts || i_named < 0 || i_named >= n_parts) {
    return Error{ErrorCode::kCorrupt, StrCat(path, ": metadata keys 'split.no' = ", i_named, " and 'split.count' = ", n_parts,
                                             " make no sense; download it again")};
  }
  const auto prefix = SplitPrefix(path, i_named, n_parts);
  if (!prefix) {
    return Error{ErrorCode::kInvalidArgument,
                 StrCat(path, " is part ", i_named + 1, " of ", n_parts, ", so its name must end in ",
                        PartPath("", i_named, n_parts), " and the other parts must lie beside it; rename it")};
  }
  std::optional<Part> opened(std::move(named));  // until its turn comes
  for (int64_t i = 0; i < n_parts; ++i) {
    std::optional<Part> part;
    if (i == i_named) {
      part.swap(opened);
    } else {
      LFM_TRY(part, OpenPart(PartPath(*prefix, i, n_parts), i, n_parts, path));
    }
    if (i == 0) model.metadata = std::move(part->header.metadata);
    AddPart(std::move(part->header), std::move(part->file), model);
  }
  if (n_tensors >= 0 && static_cast<uint64_t>(n_tensors) != model.tensors.size() + model.foreign_tensors.size()) {
    return Error{ErrorCode::kCorrupt, StrCat(path, ": the parts hold ", model.tensors.size(), " tensors, not the ", n_tensors,
                                             " of 'split.tensors.count'; download the parts again")};
  }
  return CheckNamesDiffer(model);
}

}  // namespace

Result<Checkpoint> OpenGguf(MappedFile file) {
  LFM_TRY(GgufHeader header, ParseFile(file));
  Checkpoint model;
  model.naming = Naming::kGguf;
  model.path = file.path();
  const auto n_parts = header.metadata.Int("split.count", 1);
  if (!n_parts.ok()) return InFile(n_parts.error(), model.path);
  if (*n_parts > 1 && IsJoined(header, file)) {
    return Error{ErrorCode::kCorrupt,
                 StrCat(model.path, " holds several parts of a model, put one behind the other by cat; a split ",
                        "GGUF model stays split: take the parts as they were downloaded, side by side, and ", "name the first")};
  }
  if (*n_parts > 1) {
    LFM_RETURN_IF_ERROR(OpenParts(Part{std::move(header), std::move(file)}, *n_parts, model));
  } else {
    model.metadata = std::move(header.metadata);
    AddPart(std::move(header), std::move(file), model);
  }
  model.IndexTensors();
  return model;
}

}  // namespace lfm::formats
