// Removing models: links first, then the blobs that nothing links to any more.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "base/path_name.h"
#include "base/strings.h"
#include "hub/cache.h"
#include "hub/posix.h"

namespace lfm::hub {
namespace fs = std::filesystem;
namespace {

Error NotHere(const std::string& text) {
  return {ErrorCode::kNotFound, StrCat(text, " is not in the cache; lfm list shows what is")};
}

// Bytes of a folder's regular files; links are not followed.
uint64_t BytesBelow(const std::string& folder) {
  uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    const auto status = it->symlink_status(ignored);
    if (status.type() != fs::file_type::regular) continue;
    const auto size = it->file_size(ignored);
    if (!ignored) bytes += size;
  }
  return bytes;
}

// Deletes a folder with all below it, without following links.
Status RemoveFolder(const std::string& folder) {
  if (const std::string mount = MountPointBelow(folder); !mount.empty()) {
    return Error{ErrorCode::kIo, StrCat("cannot remove ", folder, ": ", mount,
                                        " is a mount point, whose content would go with "
                                        "it; unmount it first")};
  }
  std::error_code error;
  fs::remove_all(folder, error);
  if (error) return SystemError("remove", folder, error.value());
  return Ok();
}

// An error when some blob of the repository is being fetched.
Status CheckIdle(const RepoFolders& folders, const std::string& text) {
  std::error_code error;
  for (fs::directory_iterator it(folders.locks, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() != ".lock") continue;
    const auto lock = FileLock::TryAcquire(it->path().string());
    if (lock.ok() && !lock.value()) {
      return Error{ErrorCode::kIo, StrCat(text, " is being fetched by another program; wait for it or stop it")};
    }
  }
  return Ok();
}

Status RemoveRepo(const RepoFolders& folders) {
  if (const std::string mount = MountPointBelow(folders.root); !mount.empty()) return RemoveFolder(folders.root);
  for (const std::string& folder : {folders.refs, folders.snapshots, folders.blobs, folders.root}) {
    LFM_RETURN_IF_ERROR(RemoveFolder(folder));
  }
  return Ok();
}

// The blobs that the links of all snapshots need, but for `except`.
std::set<std::string> NeededBlobs(const RepoFolders& folders, const std::set<std::string>& except) {
  std::set<std::string> needed;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folders.snapshots, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (!it->is_symlink(ignored) || except.count(it->path().string())) continue;
    needed.insert(fs::read_symlink(it->path(), ignored).filename().string());
  }
  return needed;
}

// Removes folders of snapshots that became empty, and the refs that lead to them.
void RemoveEmptySnapshots(const RepoFolders& folders, const std::set<std::string>& links,
                          const std::vector<CachedModel>& models) {
  for (const std::string& link : links) {
    for (std::string folder = FolderOfPath(link); folder.size() > folders.snapshots.size(); folder = FolderOfPath(folder)) {
      if (rmdir(folder.c_str()) != 0) break;
    }
  }
  for (const CachedModel& model : models) {
    if (FileExists(folders.snapshots + "/" + model.commit)) continue;
    for (const std::string& ref : model.refs) unlink((folders.refs + "/" + ref).c_str());
  }
}

Result<Removal> RemoveModels(const std::vector<CachedModel>& models, const RepoFolders& folders, bool dry_run) {
  Removal removal;
  std::set<std::string> links, blobs;
  for (const CachedModel& model : models) {
    removal.names.push_back(model.name);
    for (const CachedFile& file : model.files) {
      links.insert(file.path);
      struct stat info {};
      const bool is_link = lstat(file.path.c_str(), &info) == 0 && S_ISLNK(info.st_mode);
      if (is_link)
        blobs.insert(file.etag);
      else
        removal.bytes += file.size;
    }
  }
  for (const std::string& needed : NeededBlobs(folders, links)) blobs.erase(needed);
  for (const std::string& blob : blobs) removal.bytes += FileSize(folders.blobs + "/" + blob).value_or(0);
  if (dry_run) return removal;
  for (const std::string& link : links) {
    if (unlink(link.c_str()) != 0) return SystemError("remove", link);
  }
  for (const std::string& blob : blobs) {
    const std::string path = folders.blobs + "/" + blob;
    if (unlink(path.c_str()) != 0 && errno != ENOENT) return SystemError("remove", path);
  }
  RemoveEmptySnapshots(folders, links, models);
  return removal;
}

Result<Removal> RemoveFromRepo(const ModelName& name, const Environment& environment, bool dry_run) {
  const RepoFolders folders = FoldersOf(environment, name.repo);
  if (!IsDirectory(folders.root)) return NotHere(name.ToString());
  LFM_RETURN_IF_ERROR(CheckIdle(folders, name.ToString()));
  const std::vector<CachedModel> all = ListRepoModels(environment, name.repo);
  if (name.type.empty() && name.file.empty() && name.revision == "main") {
    Removal removal;
    for (const CachedModel& model : all) removal.names.push_back(model.name);
    if (removal.names.empty()) removal.names.push_back(name.repo);
    removal.bytes = BytesBelow(folders.root);
    if (!dry_run) LFM_RETURN_IF_ERROR(RemoveRepo(folders));
    return removal;
  }
  const auto commit = ReadRef(folders, name.revision);
  std::vector<CachedModel> chosen;
  for (const CachedModel& model : all) {
    const bool revision = name.revision == "main" || (commit && model.commit == *commit);
    const bool type = name.type.empty() || model.type == name.type;
    const bool file = name.file.empty() ||
                      std::any_of(model.files.begin(), model.files.end(), [&](const auto& f) { return f.name == name.file; });
    if (revision && type && file) chosen.push_back(model);
  }
  if (chosen.empty()) return NotHere(name.ToString());
  LFM_TRY(Removal removal, RemoveModels(chosen, folders, dry_run));
  std::error_code error;
  if (!dry_run && fs::is_empty(folders.snapshots, error) && !error) LFM_RETURN_IF_ERROR(RemoveRepo(folders));
  return removal;
}

Result<Removal> RemoveAddressed(const ModelName& name, const Environment& environment, bool dry_run) {
  const AddressedFile place = PlaceOf(environment, name.url);
  const std::string folder = FolderOfPath(place.path);
  if (!IsDirectory(folder)) return NotHere(name.url);
  LFM_TRY(const auto lock, FileLock::TryAcquire(place.lock_path));
  if (!lock) return Error{ErrorCode::kIo, StrCat(name.url, " is being fetched by another program")};
  const Removal removal{{name.url}, BytesBelow(folder)};
  if (!dry_run) LFM_RETURN_IF_ERROR(RemoveFolder(folder));
  return removal;
}

}  // namespace

Result<Removal> RemoveModel(const std::string& text, const Environment& environment, bool dry_run) {
  LFM_TRY(const ModelName name, ParseModelName(text, environment.endpoint));
  if (name.kind == ModelName::Kind::kRepo) return RemoveFromRepo(name, environment, dry_run);
  if (name.kind == ModelName::Kind::kUrl) return RemoveAddressed(name, environment, dry_run);
  return Error{ErrorCode::kInvalidArgument, StrCat(Quote(text, 200), " is a path; lfm rm removes only what lfm pull ",
                                                   "fetched, so delete it with your own tools")};
}

}  // namespace lfm::hub
