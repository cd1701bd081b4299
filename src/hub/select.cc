// Which files of a repository make the model that was asked for.
#include <algorithm>
#include <iterator>
#include <map>

#include "base/strings.h"
#include "hub/choose.h"
#include "hub/pull.h"

namespace lfm::hub {
namespace {

bool IsGguf(const std::string& path) {
  return EndsInGguf(path) && path.find("mmproj") == std::string::npos && path.find("imatrix") == std::string::npos;
}

// Files of a Hugging Face folder that a text model needs: configuration, tokenizer, template, safetensors.
bool IsFolderPart(const std::string& path) {
  if (path.find('/') != std::string::npos) return false;
  return path.ends_with(".safetensors") || path.ends_with(".json") || path.ends_with(".jinja") || path == "merges.txt" ||
         path == "vocab.txt" || path == "LICENSE";
}

// A GGUF file or the shards of one.
struct GgufSet {
  std::string type;
  std::vector<RepoFile> files;
  int count = 1;
  uint64_t bytes = 0;
};

std::vector<GgufSet> GgufSets(const RepoListing& listing) {
  std::map<std::string, GgufSet> sets;
  for (const RepoFile& file : listing.files) {
    if (!IsGguf(file.path)) continue;
    const Shard shard = ShardOfFileName(file.path);
    GgufSet& set = sets[StrCat(shard.stem, "\n", shard.count)];
    set.type = TypeOfFileName(file.path);
    set.count = shard.count;
    set.files.push_back(file);
    set.bytes += file.size;
  }
  std::vector<GgufSet> out;
  for (auto& [stem, set] : sets) {
    std::sort(set.files.begin(), set.files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
    out.push_back(std::move(set));
  }
  return out;
}

// Those that lfm runs.
std::string TypesOf(const std::vector<GgufSet>& sets) {
  std::string types;
  for (const GgufSet& set : sets) {
    if (!CanRunByName(set.type)) continue;
    types += StrCat(types.empty() ? "" : ", ", set.type.empty() ? set.files[0].path : set.type);
  }
  return types;
}

// What the names and the hub's answer say against running a model, before anything of it is fetched.
Status CheckFamily(const RepoListing& listing, const std::string& family) {
  if (family.empty() || family.starts_with("lfm2")) return Ok();
  return Error{ErrorCode::kUnsupported, StrCat(listing.repo, " is a model of the family ", Quote(family),
                                               ", which lfm does not run; nothing was fetched. Name one of LFM2, such as "
                                               "LiquidAI/LFM2-8B-A1B-GGUF")};
}

Status CheckType(const RepoListing& listing, const GgufSet& set, const std::vector<GgufSet>& all) {
  LFM_RETURN_IF_ERROR(CheckFamily(listing, listing.about.architecture));
  if (CanRunByName(set.type)) return Ok();
  const std::string others = TypesOf(all);
  return Error{
      ErrorCode::kUnsupported,
      StrCat(listing.repo, " in ", set.type, " cannot run: lfm has no kernels for that type; nothing was fetched. ",
             others.empty() ? std::string("Take another repository, with Q4_K_M or Q8_0") : StrCat("Take one of ", others))};
}

Result<Selection> FromSet(const GgufSet& set, const std::string& reason) {
  for (size_t i = 1; i < set.files.size(); ++i) {
    if (set.files[i].path != set.files[i - 1].path) continue;
    return Error{ErrorCode::kCorrupt,
                 StrCat("the hub's list of files names ", Quote(set.files[i].path), " twice; check HF_ENDPOINT")};
  }
  if (static_cast<int>(set.files.size()) != set.count) {
    return Error{ErrorCode::kCorrupt,
                 StrCat("the repository has only ", set.files.size(), " of ", set.count, " shards of ", set.files[0].path)};
  }
  Selection selection;
  selection.files = set.files;
  selection.type = set.type;
  selection.reason = reason;
  return selection;
}

Result<Selection> SelectFolder(const RepoListing& listing) {
  LFM_RETURN_IF_ERROR(CheckFamily(listing, listing.about.model_type));
  if (!listing.about.dtype.empty()) {
    return Error{ErrorCode::kUnsupported, StrCat(listing.repo, " holds its weights as ", Quote(listing.about.dtype),
                                                 ", which lfm does not read; nothing was fetched. Take the original in BF16, "
                                                 "or a repository of GGUF files")};
  }
  Selection selection;
  selection.folder = true;
  for (const RepoFile& file : listing.files) {
    if (IsFolderPart(file.path)) selection.files.push_back(file);
  }
  std::stable_sort(selection.files.begin(), selection.files.end(), [](const RepoFile& a, const RepoFile& b) {
    return a.path.ends_with(".safetensors") < b.path.ends_with(".safetensors");
  });
  return selection;
}

bool IsFolder(const RepoListing& listing) {
  bool config = false, weights = false;
  for (const RepoFile& file : listing.files) {
    config = config || file.path == "config.json";
    weights = weights || (IsFolderPart(file.path) && file.path.ends_with(".safetensors"));
  }
  return config && weights;
}

}  // namespace

Result<Selection> SelectFiles(const RepoListing& listing, const ModelName& name, uint64_t free_memory) {
  const std::vector<GgufSet> sets = GgufSets(listing);
  if (!name.file.empty()) {
    for (const GgufSet& set : sets) {
      for (const RepoFile& file : set.files) {
        if (file.path != name.file) continue;
        LFM_RETURN_IF_ERROR(CheckType(listing, set, sets));
        return FromSet(set, "");
      }
    }
    for (const RepoFile& file : listing.files) {
      if (file.path == name.file) return Selection{{file}, "", "", false};
    }
    return Error{ErrorCode::kNotFound, StrCat(listing.repo, " has no file ", Quote(name.file, 200),
                                              sets.empty() ? "" : "; its types are " + TypesOf(sets))};
  }
  if (!name.type.empty()) {
    for (const GgufSet& set : sets) {
      if (set.type != name.type) continue;
      LFM_RETURN_IF_ERROR(CheckType(listing, set, sets));
      return FromSet(set, "");
    }
    return Error{ErrorCode::kNotFound, StrCat(listing.repo, " has no ", name.type,
                                              sets.empty() ? "; it has no GGUF files" : "; its types are " + TypesOf(sets))};
  }
  if (IsFolder(listing)) return SelectFolder(listing);
  if (sets.empty()) {
    return Error{ErrorCode::kNotFound, StrCat(listing.repo,
                                              " holds neither GGUF files nor config.json with safetensors; "
                                              "name a repository of a model such as LiquidAI/LFM2-8B-A1B-GGUF")};
  }
  std::vector<GgufSet> able;
  std::copy_if(sets.begin(), sets.end(), std::back_inserter(able), [](const GgufSet& set) { return CanRunByName(set.type); });
  LFM_RETURN_IF_ERROR(CheckType(listing, able.empty() ? sets[0] : able[0], sets));
  std::vector<TypeOption> options;
  for (const GgufSet& set : able) options.push_back({set.type, set.bytes});
  LFM_TRY(const TypeChoice choice, ChooseType(options, free_memory));
  return FromSet(able[choice.index], choice.reason);
}

}  // namespace lfm::hub
