// A download from lock to final name.
#include "hub/download.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/path_name.h"
#include "base/strings.h"
#include "base/write_target.h"
#include "hub/fetch.h"
#include "hub/posix.h"

namespace lfm::hub {
namespace {

constexpr uint64_t kSpareDiskBytes = uint64_t{1} << 20;
constexpr int kMaxRestarts = 3;

class Job {
 public:
  Job(DownloadSource& source, const DownloadTarget& target, const DownloadOptions& options)
      : source_(source), target_(target), options_(options) {}

  Result<Downloaded> Run() {
    for (int i_restart = 0;; ++i_restart) {
      LFM_RETURN_IF_ERROR(Open());
      Fetcher fetcher(source_, target_, options_, state_, fd_.get());
      Fetcher::Verdict verdict = state_.Complete() ? Fetcher::Verdict::kComplete : fetcher.Run();
      if (verdict == Fetcher::Verdict::kRangesIgnored) {
        Tell(StrCat("the server ignores ranges: ", source_.what, " comes in one piece and cannot be resumed"));
        verdict = fetcher.RunWhole();
      }
      result_.received += fetcher.received();
      if (verdict == Fetcher::Verdict::kFailed) {
        KeepOrRemove(fetcher);
        return fetcher.error();
      }
      if (verdict == Fetcher::Verdict::kComplete) {
        fetcher.Save();
        LFM_TRY(const bool good, Check());
        if (good) return Finish();
        RemovePartial(target_.partial_path, target_.state_path());
        if (!resumed_ || i_restart >= kMaxRestarts) return WrongHash();
        Tell(StrCat(source_.what, ": the data of an earlier run are damaged; starting again"));
        continue;
      }
      RemovePartial(target_.partial_path, target_.state_path());
      if (!source_.refresh || i_restart >= kMaxRestarts) return fetcher.error();
      Tell(StrCat(source_.what, " changed on the server; starting again"));
      LFM_TRY(source_.identity, source_.refresh());
    }
  }

 private:
  void Tell(const std::string& message) const {
    if (options_.on_message) options_.on_message(message);
  }

  // Opens the partial file, as an earlier run left it if that still serves, and makes sure of the disk space.
  Status Open() {
    const auto stored = LoadPartial(target_.partial_path, target_.state_path(), source_.identity);
    resumed_ = stored.has_value() && stored->TotalDone() > 0;
    if (!stored) RemovePartial(target_.partial_path, target_.state_path());
    state_ = stored ? *stored : PartialState::Fresh(source_.identity, options_.part_bytes);
    LFM_TRY(fd_, OpenOwnFile(target_.partial_path, 0666));
    const Status reserved = Reserve();
    if (!reserved.ok() && !resumed_) RemovePartial(target_.partial_path, target_.state_path());
    return reserved;
  }

  // A file system that can reserve space does so now; an error later would come after gigabytes.
  Status Reserve() {
    const uint64_t size = source_.identity.size;
    struct stat info {};
    if (fstat(fd_.get(), &info) != 0) return SystemError("look at", target_.partial_path);
    const uint64_t allocated = std::min(size, static_cast<uint64_t>(info.st_blocks) * 512);
    LFM_TRY(const uint64_t free, FreeDiskBytes(FolderOfPath(target_.partial_path)));
    if (free < size - allocated + kSpareDiskBytes) {
      return Error{ErrorCode::kIo, StrCat(source_.what, " needs ", HumanBytes(size - allocated), " more on disk, but ",
                                          FolderOfPath(target_.partial_path), " has ", HumanBytes(free),
                                          " free; free some space, or set HF_HUB_CACHE to another disk")};
    }
    if (ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) return SystemError("enlarge", target_.partial_path);
#ifdef __linux__
    if (size > 0 && fallocate(fd_.get(), 0, 0, static_cast<off_t>(size)) != 0 && IsFull(errno)) {
      return SystemError("reserve the space of", target_.partial_path);
    }
#endif
    return Ok();
  }

  void KeepOrRemove(Fetcher& fetcher) {
    if (state_.TotalDone() > 0) {
      fetcher.Save();
      if (FileSize(target_.state_path())) return;
    }
    RemovePartial(target_.partial_path, target_.state_path());
  }

  // Whether the content has the expected hash. Keeps the hash for the result.
  Result<bool> Check() {
    DownloadProgress progress{DownloadProgress::Phase::kCheck, 0, source_.identity.size};
    uint64_t told = 0;
    const auto on_bytes = [&](uint64_t n) {
      progress.done += n;
      if (!options_.on_progress || (progress.done - told < (uint64_t{32} << 20) && progress.done != progress.total)) return;
      told = progress.done;
      options_.on_progress(progress);
    };
    LFM_TRY(result_.hash, HashFile(target_.partial_path, source_.hash_kind, options_.cancel, on_bytes));
    return source_.hash.empty() || source_.hash == result_.hash;
  }

  Error WrongHash() const {
    return {ErrorCode::kCorrupt, StrCat(source_.what, " arrived damaged: its hash is ", result_.hash, ", not ", source_.hash,
                                        "; the data were removed; run the same command again")};
  }

  Result<Downloaded> Finish() {
    LFM_RETURN_IF_ERROR(FlushFile(fd_.get(), target_.partial_path));
    struct stat there {};
    if (lstat(target_.final_path.c_str(), &there) == 0 && !S_ISREG(there.st_mode)) {
      return Error{ErrorCode::kIo, StrCat("cannot write ", target_.final_path, ": a link, device or pipe that lfm did not make ",
                                          "is there; move it away, then run the same command again")};
    }
    if (rename(target_.partial_path.c_str(), target_.final_path.c_str()) != 0) {
      return SystemError("rename to its final name", target_.partial_path);
    }
    SyncFolder(FolderOfPath(target_.final_path));
    RemovePartial(target_.partial_path, target_.state_path());
    result_.size = source_.identity.size;
    result_.identity = source_.identity;
    return result_;
  }

  DownloadSource& source_;
  const DownloadTarget& target_;
  const DownloadOptions& options_;
  PartialState state_;
  Fd fd_;
  bool resumed_ = false;
  Downloaded result_;
};

}  // namespace

Result<Downloaded> Download(DownloadSource source, const DownloadTarget& target, const DownloadOptions& options) {
  for (const std::string& path : {target.final_path, target.partial_path, target.lock_path}) {
    LFM_RETURN_IF_ERROR(MakeFolders(FolderOfPath(path)));
  }
  const auto on_wait = [&] {
    if (options.on_message) options.on_message(StrCat("another program is fetching ", source.what, "; waiting for it"));
  };
  LFM_TRY(const FileLock lock, FileLock::Acquire(target.lock_path, options.cancel, on_wait));
  if (FileSize(target.final_path) == source.identity.size) {
    RemovePartial(target.partial_path, target.state_path());
    Downloaded there;
    there.size = source.identity.size;
    there.was_there = true;
    there.identity = source.identity;
    return there;
  }
  return Job(source, target, options).Run();
}

Result<RemoteIdentity> ProbeAddress(HttpClient& client, const std::string& url, const std::string& token, const std::string& what,
                                    const RetryPolicy& policy, const std::atomic<bool>* cancel) {
  HttpRequest request;
  request.method = "HEAD";
  request.url = url;
  request.token = token;
  request.cancel = cancel;
  request.total_timeout_s = 60;
  RemoteIdentity identity;
  auto response = PerformWithRetries(client, request, what, policy);
  std::string length = response.ok() ? response.value().head().Find("content-length").value_or("") : "";
  if (length.empty()) {
    // Signed addresses and some servers refuse HEAD or leave the length out: one byte tells as much.
    if (!response.ok() && response.error().code == ErrorCode::kCancelled) return response.error();
    request.method = "GET";
    request.range = {0, 0};
    request.on_head = [&](const HttpResponse& head) -> Status {
      if (head.status() == 206) return Ok();
      return Error{ErrorCode::kUnsupported, StrCat("the server tells no size of ", what)};
    };
    response = PerformWithRetries(client, request, what, policy);
    if (!response.ok()) return response.error();
    LFM_TRY(const ContentRange range, ParseContentRange(response.value().head().Find("content-range").value_or("")));
    length = std::to_string(range.total);
  }
  const HttpHead& head = response.value().head();
  char* end = nullptr;
  errno = 0;
  identity.size = std::strtoull(length.c_str(), &end, 10);
  if (*end != '\0' || errno != 0 || identity.size > (uint64_t{1} << 44)) {
    return Error{ErrorCode::kCorrupt, StrCat("the server's Content-Length ", Quote(length), " for ", what, " is no size")};
  }
  identity.etag = head.Find("etag").value_or("").substr(0, 256);
  identity.modified = head.Find("last-modified").value_or("").substr(0, 256);
  return identity;
}

}  // namespace lfm::hub
