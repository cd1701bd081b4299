// Outputs of a long job that grow batch by batch and survive the job's sudden end: begun again, it goes on where they stop.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace lfm::cli {

// The files of one job. Each grows as NAME.lfm-part and gets its name by Finish(); FIRST.lfm-resume beside the first one says
// how far all of them are. What is no regular file (a pipe, a device, "-" for standard output) is written to directly, and
// where the first one is such, nothing is kept. Not thread-safe.
class KeptOutputs {
 public:
  // `settings`: of everything that the content depends on; what was kept for others is begun anew. An error where another
  // process is at work on the same output. `paths`: the first is the main one.
  static Result<KeptOutputs> Open(const std::vector<std::string>& paths, const std::string& settings);
  KeptOutputs(KeptOutputs&&) noexcept;
  KeptOutputs& operator=(KeptOutputs&&) = delete;
  ~KeptOutputs();  // without Finish() what was kept stays, for the next run

  // What the last Keep() of an interrupted run said; null where there was none.
  const Json& kept() const { return kept_; }
  Status Append(size_t file, std::string_view bytes);
  // From now on a new run goes on from here, with this note.
  Status Keep(const Json& note);
  // Forgets what was kept, for a run that begins anew.
  Status Restart();
  Status Finish();

 private:
  struct File {
    std::string path, part;  // part: "" where it is written to directly
    int fd = -1;
    uint64_t size = 0;
  };
  KeptOutputs() = default;
  Status OpenFile(const std::string& path);
  Status ReadKept();

  std::vector<File> files_;
  std::string settings_, note_path_;  // note_path_: "" where nothing is kept
  Json kept_;
};

}  // namespace lfm::cli
