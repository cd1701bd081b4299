// The layout of the cache.
#include "hub/cache.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/file.h"
#include "base/path_name.h"
#include "base/strings.h"
#include "hub/posix.h"
#include "hub/repo.h"
#include "hub/url.h"

namespace lfm::hub {

RepoFolders FoldersOf(const Environment& environment, std::string_view repo) {
  std::string folder = "models--" + std::string(repo);
  if (const size_t slash = folder.find('/'); slash != std::string::npos) folder.replace(slash, 1, "--");
  const std::string root = environment.cache + "/" + folder;
  return {root, root + "/blobs", root + "/refs", root + "/snapshots", environment.cache + "/.locks/" + folder};
}

std::optional<std::string> ReadRef(const RepoFolders& folders, const std::string& revision) {
  if (!CheckRevision(revision).ok()) return std::nullopt;
  if (const auto text = ReadWholeFile(folders.refs + "/" + revision, 4096); text.ok()) {
    std::string commit = text.value();
    while (!commit.empty() && static_cast<unsigned char>(commit.back()) <= ' ') commit.pop_back();
    if (IsCommit(commit)) return commit;
  }
  if (IsCommit(revision)) return revision;
  return std::nullopt;
}

Status WriteRef(const RepoFolders& folders, const std::string& revision, const std::string& commit) {
  if (revision == commit) return Ok();
  LFM_RETURN_IF_ERROR(CheckRevision(revision));
  const std::string path = folders.refs + "/" + revision;
  if (const auto now = ReadWholeFile(path, 4096); now.ok() && now.value() == commit) return Ok();
  LFM_RETURN_IF_ERROR(MakeFolders(FolderOfPath(path)));
  LFM_RETURN_IF_ERROR(MakeFolders(folders.locks));
  // Two pulls of one repository end with the same ref; one at a time, as they share the temporary name.
  LFM_TRY(const FileLock lock, FileLock::Acquire(folders.locks + "/refs.lock", nullptr, {}));
  return WriteSmallFile(path, commit);
}

Status LinkIntoSnapshot(const RepoFolders& folders, const std::string& commit, const std::string& file, const std::string& etag) {
  LFM_RETURN_IF_ERROR(CheckRepoFile(file));
  const std::string link = folders.snapshots + "/" + commit + "/" + file;
  LFM_RETURN_IF_ERROR(MakeFolders(FolderOfPath(link)));
  std::string target = "../../";
  for (const char c : file) target += c == '/' ? "../" : "";
  const Status linked = ReplaceLink(target + "blobs/" + etag, link);
  if (linked.ok() || (errno != EPERM && errno != ENOTSUP && errno != ENOSYS)) return linked;
  if (rename((folders.blobs + "/" + etag).c_str(), link.c_str()) != 0) return SystemError("move a file to", link);
  return Ok();
}

void WriteCacheTag(const std::string& cache) {
  const std::string path = cache + "/CACHEDIR.TAG";
  if (FileExists(path)) return;
  // Without the tag nothing is lost but space in a backup.
  (void)WriteSmallFile(path,
                       "Signature: 8a477f597d28d172789f06886806bc55\n"
                       "# This folder holds downloaded models, which can be fetched again.\n");
}

AddressedFile PlaceOf(const Environment& environment, const std::string& url) {
  const auto parsed = ParseUrl(url);
  std::string host = parsed.ok() ? StrCat(parsed.value().host, "_", parsed.value().port) : "unknown";
  std::replace_if(
      host.begin(), host.end(), [](char c) { return c == '[' || c == ']' || c == ':'; }, '-');
  std::string name = parsed.ok() ? PercentDecode(parsed.value().path) : "";
  name.erase(0, name.rfind('/') + 1);
  if (!CheckRepoFile(name).ok() || name.size() > 200 || name[0] == '.') name = "model.gguf";
  uint64_t hash = 14695981039346656037ULL;  // FNV-1a; the address itself is in the file's .json and compared
  for (const char c : url) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
  const std::string folder = StrCat(environment.files, "/", host, "/", digits);
  return {folder + "/" + name, folder + "/" + name + ".lfm.json", folder + "/.lock"};
}

}  // namespace lfm::hub
