// What is in the cache, and whether it is whole.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "base/strings.h"
#include "hub/cache.h"
#include "hub/hash.h"
#include "hub/posix.h"
#include "hub/repo.h"

namespace lfm::hub {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMaxEntries = 20000;  // of one snapshot; more is no model
constexpr int kMaxDepth = 8;

// The names in a folder, sorted; empty when it cannot be read.
std::vector<std::string> NamesIn(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end && names.size() < kMaxEntries; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Collects regular files (through links) below a folder; links to folders are not entered.
void CollectFiles(const std::string& root, const std::string& prefix, int depth, std::vector<CachedFile>& files) {
  for (const std::string& name : NamesIn(root + "/" + prefix)) {
    if (files.size() > kMaxEntries) return;
    CachedFile file;
    file.name = prefix + name;
    file.path = root + "/" + file.name;
    struct stat info {};
    if (lstat(file.path.c_str(), &info) != 0) continue;
    if (S_ISDIR(info.st_mode)) {
      if (depth < kMaxDepth) CollectFiles(root, file.name + "/", depth + 1, files);
      continue;
    }
    const auto size = FileSize(file.path);
    if (!size) continue;
    file.size = *size;
    if (S_ISLNK(info.st_mode)) {
      std::error_code error;
      file.etag = fs::read_symlink(file.path, error).filename().string();
    }
    files.push_back(std::move(file));
  }
}

std::map<std::string, std::vector<std::string>> RefsByCommit(const RepoFolders& folders) {
  std::map<std::string, std::vector<std::string>> refs;
  std::vector<CachedFile> files;
  CollectFiles(folders.refs, "", 0, files);
  for (const CachedFile& file : files) {
    if (const auto commit = ReadRef(folders, file.name)) refs[*commit].push_back(file.name);
  }
  return refs;
}

// What of the safetensors shards that the index names is not there.
std::string MissingShards(const std::string& folder, const std::set<std::string>& names) {
  if (!names.count("model.safetensors.index.json")) {
    return names.count("model.safetensors") ? "" : "model.safetensors or its index";
  }
  const auto text = ReadWholeFile(folder + "/model.safetensors.index.json", size_t{64} << 20);
  if (!text.ok()) return "model.safetensors.index.json";
  const auto json = ParseJson(text.value());
  if (!json.ok()) return "a readable model.safetensors.index.json";
  for (const auto& [tensor, file] : json.value()["weight_map"].members()) {
    if (!names.count(file.AsString())) return file.AsString();
  }
  return "";
}

// The snapshot as a folder model, if it is one.
std::optional<CachedModel> FolderModel(const std::string& folder, const std::vector<CachedFile>& files) {
  std::set<std::string> names;
  CachedModel model;
  model.format = CachedModel::Format::kFolder;
  bool weights = false;
  for (const CachedFile& file : files) {
    names.insert(file.name);
    if (EndsInGguf(file.name)) continue;
    weights = weights || file.name.ends_with(".safetensors") || file.name.ends_with(".safetensors.index.json");
    model.files.push_back(file);
    model.bytes += file.size;
  }
  if (!names.count("config.json") || !weights) return std::nullopt;
  model.path = folder;
  model.missing = MissingShards(folder, names);
  if (const auto text = ReadWholeFile(folder + "/config.json", size_t{1} << 20); text.ok()) {
    if (const auto json = ParseJson(text.value()); json.ok()) model.model_type = json.value()["model_type"].AsString();
  }
  return model;
}

// The GGUF files of a snapshot, shards together.
std::vector<CachedModel> GgufModels(const std::vector<CachedFile>& files) {
  std::map<std::string, CachedModel> sets;
  std::map<std::string, int> counts;
  for (const CachedFile& file : files) {
    if (!EndsInGguf(file.name) || file.name.find("mmproj") != std::string::npos) continue;
    const Shard shard = ShardOfFileName(file.name);
    const std::string key = StrCat(shard.stem, "\n", shard.count);
    CachedModel& model = sets[key];
    counts[key] = shard.count;
    if (model.files.empty()) {
      model.type = TypeOfFileName(file.name);
      model.path = file.path;  // files are sorted, so this is the first shard
    }
    model.files.push_back(file);
    model.bytes += file.size;
  }
  std::vector<CachedModel> models;
  for (auto& [key, model] : sets) {
    const int n_missing = counts[key] - static_cast<int>(model.files.size());
    if (n_missing > 0) model.missing = StrCat(n_missing, " of ", counts[key], " shards");
    models.push_back(std::move(model));
  }
  return models;
}

// The folder below FILES: one file with its .lfm.json.
std::optional<CachedModel> AddressedModel(const std::string& folder) {
  for (const std::string& name : NamesIn(folder)) {
    if (!name.ends_with(".lfm.json")) continue;
    const auto text = ReadWholeFile(folder + "/" + name, 1 << 16);
    const auto json = text.ok() ? ParseJson(text.value()) : Result<Json>(text.error());
    CachedFile file;
    file.name = name.substr(0, name.size() - 9);
    file.path = folder + "/" + file.name;
    const auto size = FileSize(file.path);
    if (!json.ok() || !size) continue;
    file.size = *size;
    file.etag = json.value()["sha256"].AsString();
    CachedModel model;
    model.name = json.value()["url"].AsString();
    model.path = file.path;
    model.type = TypeOfFileName(file.name);
    model.bytes = file.size;
    if (json.value()["size"].AsInt(-1) != static_cast<int64_t>(file.size)) model.missing = "a part of the file";
    model.files.push_back(std::move(file));
    return model;
  }
  return std::nullopt;
}

}  // namespace

std::vector<CachedModel> ListRepoModels(const Environment& environment, const std::string& repo) {
  const RepoFolders folders = FoldersOf(environment, repo);
  const auto refs = RefsByCommit(folders);
  std::vector<CachedModel> models;
  for (const std::string& commit : NamesIn(folders.snapshots)) {
    const std::string snapshot = folders.snapshots + "/" + commit;
    if (!IsCommit(commit) || !IsDirectory(snapshot)) continue;
    std::vector<CachedFile> files;
    CollectFiles(snapshot, "", 0, files);
    std::vector<CachedModel> here = GgufModels(files);
    if (auto folder = FolderModel(snapshot, files)) here.push_back(std::move(*folder));
    const auto found = refs.find(commit);
    for (CachedModel& model : here) {
      model.repo = repo;
      model.commit = commit;
      if (found != refs.end()) model.refs = found->second;
      const bool is_main = std::find(model.refs.begin(), model.refs.end(), "main") != model.refs.end();
      const auto same_type = [&](const CachedModel& other) { return other.format == model.format && other.type == model.type; };
      const bool unique = std::count_if(here.begin(), here.end(), same_type) == 1;
      model.name = repo;
      if (model.format == CachedModel::Format::kGguf) {
        model.name += unique && !model.type.empty() ? ":" + model.type : "/" + model.files[0].name;
      }
      if (!is_main) model.name += "@" + (model.refs.empty() ? commit : model.refs[0]);
      models.push_back(std::move(model));
    }
  }
  return models;
}

std::vector<CachedModel> ListModels(const Environment& environment) {
  std::vector<CachedModel> models;
  for (const std::string& name : NamesIn(environment.cache)) {
    if (name.rfind("models--", 0) != 0) continue;
    std::string repo = name.substr(8);
    if (const size_t at = repo.find("--"); at != std::string::npos) repo.replace(at, 2, "/");
    if (!CheckRepoId(repo).ok()) continue;
    std::vector<CachedModel> here = ListRepoModels(environment, repo);
    std::move(here.begin(), here.end(), std::back_inserter(models));
  }
  for (const std::string& host : NamesIn(environment.files)) {
    for (const std::string& key : NamesIn(environment.files + "/" + host)) {
      if (auto model = AddressedModel(environment.files + "/" + host + "/" + key)) models.push_back(std::move(*model));
    }
  }
  std::sort(models.begin(), models.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return models;
}

Result<std::vector<FileCheck>> CheckModel(const CachedModel& model, const std::atomic<bool>* cancel,
                                          const std::function<void(uint64_t)>& on_bytes) {
  std::vector<FileCheck> checks;
  for (const CachedFile& file : model.files) {
    FileCheck check;
    check.file = file.name;
    const HashKind kind = HashKindOf(file.etag);
    if (kind == HashKind::kNone) {
      check.message = "nothing says what its hash should be";
      if (on_bytes) on_bytes(file.size);
    } else {
      LFM_TRY(const std::string hash, HashFile(file.path, kind, cancel, on_bytes));
      const bool good = hash == file.etag;
      check.verdict = good ? FileCheck::Verdict::kGood : FileCheck::Verdict::kDamaged;
      if (!good) {
        check.message = StrCat("its hash is ", hash, ", not ", file.etag, "; run: lfm pull --check ", model.name);
      }
    }
    checks.push_back(std::move(check));
  }
  return checks;
}

}  // namespace lfm::hub
