// One file from an address into a place on disk: in parallel ranges, resumed after any interruption, its hash
// checked before it gets its final name.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "hub/client.h"
#include "hub/hash.h"
#include "hub/partial.h"

namespace lfm::hub {

struct DownloadProgress {
  enum class Phase { kFetch, kCheck };
  Phase phase = Phase::kFetch;
  uint64_t done = 0, total = 0;  // bytes of this file in this phase, those of an earlier run included
};

struct DownloadSource {
  std::string url, token;
  std::string what;         // the file's name for messages
  RemoteIdentity identity;  // what is expected there
  // The etag is the hub's own for exactly this content (X-Linked-Etag), so the etag of the storage that the
  // hub redirects to is not compared.
  bool pinned = false;
  HashKind hash_kind = HashKind::kSha256;
  std::string hash;  // empty: not known; the content is hashed all the same
  // Asks again for the identity when the content was found to have changed. Empty: a change is an error.
  std::function<Result<RemoteIdentity>()> refresh;
};

// All on one file system. The lock serves processes; `partial` and `partial`.json hold unfinished data.
struct DownloadTarget {
  std::string final_path, partial_path, lock_path;
  std::string state_path() const { return partial_path + ".json"; }
};

struct DownloadOptions {
  HttpOptions http;
  RetryPolicy retry;
  int n_connections = 4;
  uint64_t part_bytes = uint64_t{64} << 20;
  uint64_t min_parallel_bytes = uint64_t{64} << 20;          // smaller files come over one connection
  double save_interval_s = 2;                                // how often progress is made durable
  const std::atomic<bool>* cancel = nullptr;                 // honoured within about a second
  std::function<void(const DownloadProgress&)> on_progress;  // on the calling thread, about ten times a second
  std::function<void(std::string_view)> on_message;          // one line for the user: waiting, starting again
  // pwrite, replaceable so that tests can fill the disk.
  std::function<ssize_t(int, const void*, size_t, off_t)> write;
};

struct Downloaded {
  uint64_t size = 0;
  uint64_t received = 0;    // bytes that came over the network in this call
  bool was_there = false;   // the final file had the right size: nothing was done, nothing was hashed
  std::string hash;         // of hash_kind; "" when was_there
  RemoteIdentity identity;  // as finally fetched
};

// Fetches source into target. On success the final file is whole and durable. On an error nothing has the
// final name that was not there before; what arrived is kept for the next call, unless it was wrong. Blocks;
// thread-safe.
Result<Downloaded> Download(DownloadSource source, const DownloadTarget& target, const DownloadOptions& options);

// Asks a plain address for its size and etag (HEAD, or a GET of one byte where HEAD is refused).
Result<RemoteIdentity> ProbeAddress(HttpClient& client, const std::string& url, const std::string& token, const std::string& what,
                                    const RetryPolicy& policy, const std::atomic<bool>* cancel);

// A Content-Range header "bytes A-B/TOTAL".
struct ContentRange {
  uint64_t first = 0, last = 0, total = 0;
};
Result<ContentRange> ParseContentRange(std::string_view header);

}  // namespace lfm::hub
