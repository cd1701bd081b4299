// The model cache on disk: the layout of huggingface_hub, so that files which either fetched serve both, and
// a folder of our own for files from plain addresses.
//
//   CACHE/models--ORG--NAME/blobs/ETAG                       the content
//   CACHE/models--ORG--NAME/snapshots/COMMIT/FILE            relative links into blobs
//   CACHE/models--ORG--NAME/refs/REVISION                    the commit, as text
//   CACHE/.locks/models--ORG--NAME/ETAG.lock                 held while a blob is fetched
//   FILES/HOST/HASH/NAME and NAME.lfm.json                   a file from an address, and what is known of it
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hub/environment.h"
#include "hub/names.h"

namespace lfm::hub {

// Where a repository of the hub lies.
struct RepoFolders {
  std::string root, blobs, refs, snapshots, locks;
};
RepoFolders FoldersOf(const Environment& environment, std::string_view repo);

// The commit that refs/REVISION holds, or REVISION itself when it is a commit; nothing when it is not there.
std::optional<std::string> ReadRef(const RepoFolders& folders, const std::string& revision);
Status WriteRef(const RepoFolders& folders, const std::string& revision, const std::string& commit);
// Makes snapshots/COMMIT/FILE a relative link to blobs/ETAG (or moves the blob there where links do not
// exist).
Status LinkIntoSnapshot(const RepoFolders& folders, const std::string& commit, const std::string& file, const std::string& etag);
// Marks the cache as one that backups may leave out.
void WriteCacheTag(const std::string& cache);

// A file from a plain address.
struct AddressedFile {
  std::string path, meta_path, lock_path;
};
AddressedFile PlaceOf(const Environment& environment, const std::string& url);

struct CachedFile {
  std::string name;  // relative to its snapshot, or the file's name
  std::string path;
  uint64_t size = 0;
  std::string etag;  // names the content's hash where it is 40 or 64 hex digits; "" when not known
};

// Something in the cache that `-m` can open.
struct CachedModel {
  // One GGUF file (or its shards), or a folder with config and safetensors.
  enum class Format { kGguf, kFolder };
  Format format = Format::kGguf;
  std::string name;  // what -m takes: "org/name:TYPE", "org/name", an address
  std::string path;  // the file (the first shard) or folder
  std::string repo, commit;
  std::vector<std::string> refs;  // that lead to the commit
  std::string type;               // "Q4_K_M"; "" when not known or a folder
  std::string model_type;         // of a folder's config.json
  std::vector<CachedFile> files;
  uint64_t bytes = 0;
  std::string missing;  // what is missing of it; "" when whole
};

// Everything in the cache, sorted by name. What is no model (or not readable) is left out. Never follows
// links out of a repository's folder but for blobs.
std::vector<CachedModel> ListModels(const Environment& environment);
// The same of one repository.
std::vector<CachedModel> ListRepoModels(const Environment& environment, const std::string& repo);

// Hashes a model's files.
struct FileCheck {
  enum class Verdict { kGood, kDamaged, kUnknown };  // kUnknown: nothing says what the hash should be
  std::string file;
  Verdict verdict = Verdict::kUnknown;
  std::string message;  // for people; "" when good
};
Result<std::vector<FileCheck>> CheckModel(const CachedModel& model, const std::atomic<bool>* cancel,
                                          const std::function<void(uint64_t)>& on_bytes = {});

// What `-m TEXT` means: an existing path is itself; a name is looked up in the cache.
struct ResolvedModel {
  std::string path;
  std::string name;
  std::string reason;  // why this type, when there were several; else ""
};
// kNotFound with "run: lfm pull NAME" when a well-formed name is not in the cache.
Result<ResolvedModel> ResolveModel(const std::string& text, const Environment& environment, uint64_t free_memory);

// What `lfm rm TEXT` would remove, or removed.
struct Removal {
  std::vector<std::string> names;  // of models
  uint64_t bytes = 0;              // that become free
};
// Removes a model's files: its links, and the blobs that no other link needs. Without a type or file: the
// whole repository. dry_run only reports. An error when it is not there, or being fetched right now.
Result<Removal> RemoveModel(const std::string& text, const Environment& environment, bool dry_run);

}  // namespace lfm::hub
