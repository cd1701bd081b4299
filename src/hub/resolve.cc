// From a -m argument to a path.
#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "base/strings.h"
#include "hub/cache.h"
#include "hub/choose.h"
#include "hub/posix.h"

namespace lfm::hub {
namespace {

// The models of the snapshot that a revision means: its ref's, or for "main" without one the only snapshot's.
std::vector<CachedModel> OfRevision(std::vector<CachedModel> models, const RepoFolders& folders, const std::string& revision) {
  auto commit = ReadRef(folders, revision);
  if (!commit && revision == "main" && !models.empty()) {
    const auto other = [&](const CachedModel& model) { return model.commit != models[0].commit; };
    if (std::none_of(models.begin(), models.end(), other)) commit = models[0].commit;
  }
  std::vector<CachedModel> kept;
  for (CachedModel& model : models) {
    if (commit && model.commit == *commit) kept.push_back(std::move(model));
  }
  return kept;
}

bool Matches(const CachedModel& model, const ModelName& name) {
  if (!name.file.empty()) {
    return std::any_of(model.files.begin(), model.files.end(), [&](const CachedFile& file) { return file.name == name.file; });
  }
  return name.type.empty() || model.type == name.type;
}

std::string TypesOf(const std::vector<CachedModel>& models) {
  std::string types;
  for (const CachedModel& model : models) {
    const std::string what = model.format == CachedModel::Format::kFolder ? "safetensors" : model.type;
    types += StrCat(types.empty() ? "" : ", ", what.empty() ? model.files[0].name : what);
  }
  return types;
}

Result<ResolvedModel> ResolveRepo(const ModelName& name, const Environment& environment, uint64_t free_memory) {
  const std::string pull = StrCat("run: lfm pull ", name.ToString());
  const std::vector<CachedModel> here =
      OfRevision(ListRepoModels(environment, name.repo), FoldersOf(environment, name.repo), name.revision);
  std::vector<CachedModel> matching, whole;
  for (const CachedModel& model : here) {
    if (Matches(model, name)) matching.push_back(model);
  }
  if (matching.empty()) {
    const std::string others = here.empty() ? "" : StrCat(" (there is: ", TypesOf(here), ")");
    return Error{ErrorCode::kNotFound, StrCat(name.ToString(), " is not on this machine", others, "; ", pull)};
  }
  for (const CachedModel& model : matching) {
    if (model.missing.empty()) whole.push_back(model);
  }
  if (whole.empty()) {
    return Error{ErrorCode::kNotFound,
                 StrCat(name.ToString(), " is only partly on this machine (missing: ", matching[0].missing, "); ", pull)};
  }
  if (whole.size() == 1) return ResolvedModel{whole[0].path, whole[0].name, ""};
  std::vector<TypeOption> options;
  for (const CachedModel& model : whole) options.push_back({model.type, model.bytes});
  LFM_TRY(const TypeChoice choice, ChooseType(options, free_memory));
  const CachedModel& chosen = whole[choice.index];
  return ResolvedModel{chosen.path, chosen.name, choice.reason};
}

Result<ResolvedModel> ResolveAddress(const ModelName& name, const Environment& environment) {
  const AddressedFile place = PlaceOf(environment, name.url);
  const auto text = ReadWholeFile(place.meta_path, 1 << 16);
  const auto json = text.ok() ? ParseJson(text.value()) : Result<Json>(text.error());
  const bool there = json.ok() && FileExists(place.path) && json.value()["url"].AsString() == name.url &&
                     (name.sha256.empty() || json.value()["sha256"].AsString() == name.sha256);
  if (there) return ResolvedModel{place.path, name.url, ""};
  return Error{ErrorCode::kNotFound, StrCat(name.url, " is not on this machine; run: lfm pull ", name.ToString())};
}

}  // namespace

Result<ResolvedModel> ResolveModel(const std::string& text, const Environment& environment, uint64_t free_memory) {
  if (text.find('\0') == std::string::npos && FileExists(text)) return ResolvedModel{text, text, ""};
  LFM_TRY(const ModelName name, ParseModelName(text, environment.endpoint));
  if (name.kind == ModelName::Kind::kRepo) return ResolveRepo(name, environment, free_memory);
  if (name.kind == ModelName::Kind::kUrl) return ResolveAddress(name, environment);
  std::error_code ignored;  // a link that leads nowhere is best explained by who opens it
  if (FileExists(name.path) || std::filesystem::is_symlink(name.path, ignored)) return ResolvedModel{name.path, name.path, ""};
  return Error{ErrorCode::kNotFound, StrCat("there is no file or folder ", Quote(name.path, 300),
                                            "; check the path, or name a model such as LiquidAI/LFM2-8B-A1B-GGUF")};
}

}  // namespace lfm::hub
