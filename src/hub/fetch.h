// The network half of a download: fills the parts of an open partial file. Internal to src/hub.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>

#include "hub/download.h"

namespace lfm::hub {

// Fills a PartialState over several connections. Run() blocks; the workers it starts end before it returns.
class Fetcher {
 public:
  enum class Verdict {
    kComplete,
    kFailed,         // error() says why
    kChanged,        // the remote content is no longer what `state` was begun with
    kRangesIgnored,  // the server answers ranges with the whole file
  };

  Fetcher(const DownloadSource& source, const DownloadTarget& target, const DownloadOptions& options, PartialState& state,
          int fd);

  Verdict Run();       // missing parts by ranges
  Verdict RunWhole();  // everything from the beginning in one answer
  // Makes the progress durable: data first, then the state that claims them.
  void Save();

  const Error& error() const { return error_; }
  uint64_t received() const { return received_; }

 private:
  Verdict Drive(int n_workers, void (Fetcher::*work)(int));
  void WorkParts(int i_worker);
  void WorkWhole(int i_worker);
  bool TakePart(size_t& part);
  Status FetchPart(HttpClient& client, size_t part, int i_worker);
  // One answer for bytes [begin, end) of the file. Ok when it was used to its end or another try makes sense,
  // which `backoff` has then waited for.
  Status Attempt(HttpClient& client, uint64_t begin, uint64_t end, Backoff& backoff);
  Status CheckHead(const HttpResponse& response, uint64_t begin, uint64_t end);
  Status CheckIdentity(const HttpResponse& response);
  Status Write(uint64_t& offset, uint64_t end, std::span<const std::byte> bytes);
  void MarkDone(uint64_t offset, uint64_t n);
  uint64_t PartDone(size_t part);
  void Stop(Verdict verdict, const Error& error);
  Error Changed(std::string_view why);

  const DownloadSource& source_;
  const DownloadTarget& target_;
  const DownloadOptions& options_;
  PartialState& state_;  // `done` guarded by mutex_ while workers run
  const int fd_;

  std::mutex mutex_;
  std::condition_variable ended_;
  int n_running_ = 0;
  size_t next_part_ = 0;
  Verdict verdict_ = Verdict::kComplete;
  Error error_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> received_{0};
};

}  // namespace lfm::hub
