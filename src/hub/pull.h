// `lfm pull` as a library: from a name to files in the cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hub/cache.h"
#include "hub/download.h"
#include "hub/environment.h"
#include "hub/names.h"
#include "hub/repo.h"

namespace lfm::hub {

struct PullProgress {
  DownloadProgress::Phase phase = DownloadProgress::Phase::kFetch;
  std::string file;
  size_t i_file = 0, n_files = 0;
  uint64_t file_done = 0, file_total = 0;  // bytes in this phase
  uint64_t done = 0, total = 0;            // bytes of all files of the pull, fetched or there
};

struct PullOptions {
  Environment environment;
  DownloadOptions download;                              // its on_progress is replaced by the one below
  bool verify = false;                                   // hash files that are there already, and fetch damaged ones again
  uint64_t free_memory = 0;                              // for the choice of a type; 0: FreeMemory()
  std::function<void(const PullProgress&)> on_progress;  // on the calling thread
  // Asked with a folder's path when all but its weights is there, and before they are fetched: an error ends the pull. So
  // whoever runs models says first whether this one can run.
  std::function<Status(const std::string& folder)> check_folder;
  // Asked with the first bytes of a GGUF file of n_file bytes before the rest is fetched: false wants more of them, as far as
  // there are any, and an error ends the pull. `name` stands for the file in messages.
  std::function<Result<bool>(std::string_view name, std::span<const std::byte> beginning, uint64_t n_file)> check_beginning;
};

// What a pull is going to do.
struct PullPlan {
  ModelName name;
  std::string full_name;        // with the type that was chosen
  std::string reason;           // why this type; "" when nothing was chosen
  std::string commit;           // of a repository
  std::vector<RepoFile> files;  // all that belong to the model; for an address the one file
  uint64_t total_bytes = 0;
  uint64_t missing_bytes = 0;  // of files that are not there; a partial one counts in full
  std::string path;            // what -m will open: the (first) GGUF file, or the folder
  bool is_folder = false;      // config.json and safetensors
  bool is_here = false;        // nothing has to be fetched
  // Of an address:
  RemoteIdentity identity;
};

struct Pulled {
  std::string name, path;
  uint64_t total_bytes = 0;
  uint64_t received_bytes = 0;  // over the network
};

// Asks the hub (or looks into the cache when offline) what `text` means. Fetches no file.
Result<PullPlan> PlanPull(std::string_view text, const PullOptions& options);
// Carries a plan out. After an error the same call goes on where it ended.
Result<Pulled> RunPull(const PullPlan& plan, const PullOptions& options);
// The files of a listing that make the model which `name` asks for. Public for tests.
struct Selection {
  std::vector<RepoFile> files;  // weights last
  std::string type;             // of GGUF files
  std::string reason;
  bool folder = false;
};
Result<Selection> SelectFiles(const RepoListing& listing, const ModelName& name, uint64_t free_memory);

}  // namespace lfm::hub
