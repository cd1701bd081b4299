// Workers that fetch ranges. Each owns a connection and takes the next unfinished part; the thread that
// called Run reports progress and makes it durable meanwhile.
#include "hub/fetch.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <thread>
#include <vector>

#include "base/start_thread.h"
#include "base/strings.h"
#include "hub/posix.h"
#include "hub/repo.h"

namespace lfm::hub {
namespace {

constexpr uint64_t kProgressBytes = uint64_t{1} << 16;  // less than this between two failures is no progress

double Seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::optional<uint64_t> ParseNumber(std::string_view text) {
  uint64_t value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Result<ContentRange> ParseContentRange(std::string_view header) {
  const Error bad{ErrorCode::kCorrupt, StrCat("the server's Content-Range ", Quote(header), " is no 'bytes A-B/TOTAL'")};
  if (header.substr(0, 6) != "bytes ") return bad;
  header.remove_prefix(6);
  const size_t dash = header.find('-'), slash = header.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) return bad;
  const auto first = ParseNumber(header.substr(0, dash));
  const auto last = ParseNumber(header.substr(dash + 1, slash - dash - 1));
  const auto total = ParseNumber(header.substr(slash + 1));
  if (!first || !last || !total || *first > *last || *last >= *total) return bad;
  return ContentRange{*first, *last, *total};
}

Fetcher::Fetcher(const DownloadSource& source, const DownloadTarget& target, const DownloadOptions& options, PartialState& state,
                 int fd)
    : source_(source), target_(target), options_(options), state_(state), fd_(fd) {}

Fetcher::Verdict Fetcher::Run() {
  const uint64_t missing = state_.identity.size - state_.TotalDone();
  const bool parallel = state_.identity.size > options_.min_parallel_bytes && options_.n_connections > 1;
  const uint64_t useful = missing / std::max<uint64_t>(state_.part_bytes, 1) + 1;
  const int n = parallel ? static_cast<int>(std::min<uint64_t>(static_cast<uint64_t>(options_.n_connections), useful)) : 1;
  return Drive(n, &Fetcher::WorkParts);
}

Fetcher::Verdict Fetcher::RunWhole() {
  std::fill(state_.done.begin(), state_.done.end(), 0);
  return Drive(1, &Fetcher::WorkWhole);
}

Fetcher::Verdict Fetcher::Drive(int n_workers, void (Fetcher::*work)(int)) {
  verdict_ = Verdict::kComplete;
  stop_ = false;
  next_part_ = 0;
  n_running_ = n_workers;
  std::vector<std::thread> workers;
  for (int i = 0; i < n_workers; ++i) {
    auto worker = StartThread("the download", [this, work, i] {
      (this->*work)(i);
      const std::lock_guard lock(mutex_);
      if (--n_running_ == 0) ended_.notify_all();
    });
    if (!worker.ok()) {  // a limit on threads: fewer do it too, none do not
      if (workers.empty()) Stop(Verdict::kFailed, worker.error());
      const std::lock_guard lock(mutex_);
      n_running_ -= n_workers - i;
      break;
    }
    workers.push_back(std::move(worker).value());
  }
  double saved = Seconds();
  for (;;) {
    uint64_t done = 0;
    {
      std::unique_lock lock(mutex_);
      ended_.wait_for(lock, std::chrono::milliseconds(100), [this] { return n_running_ == 0; });
      done = state_.TotalDone();
      if (n_running_ == 0) break;
    }
    if (options_.on_progress) options_.on_progress({DownloadProgress::Phase::kFetch, done, state_.identity.size});
    if (Seconds() - saved >= options_.save_interval_s) {
      Save();
      saved = Seconds();
    }
  }
  for (std::thread& worker : workers) worker.join();
  if (options_.on_progress) {
    options_.on_progress({DownloadProgress::Phase::kFetch, state_.TotalDone(), state_.identity.size});
  }
  return verdict_;
}

void Fetcher::Save() {
  std::string text;
  {
    const std::lock_guard lock(mutex_);
    text = state_.Serialize();
  }
  fdatasync(fd_);
  // Without the state (a full disk) the next run begins anew: no reason to end this one.
  (void)WriteSmallFile(target_.state_path(), text);
}

void Fetcher::Stop(Verdict verdict, const Error& error) {
  const std::lock_guard lock(mutex_);
  if (verdict_ == Verdict::kComplete) {  // the first reason counts; siblings only report that they were stopped
    verdict_ = verdict;
    error_ = error;
  }
  stop_ = true;
}

bool Fetcher::TakePart(size_t& part) {
  const std::lock_guard lock(mutex_);
  while (next_part_ < state_.done.size() && state_.done[next_part_] == state_.PartSize(next_part_)) ++next_part_;
  if (next_part_ == state_.done.size() || stop_) return false;
  part = next_part_++;
  return true;
}

uint64_t Fetcher::PartDone(size_t part) {
  const std::lock_guard lock(mutex_);
  return state_.done[part];
}

void Fetcher::WorkParts(int i_worker) {
  HttpClient client(options_.http);
  for (size_t part = 0; TakePart(part);) {
    if (const Status status = FetchPart(client, part, i_worker); !status.ok()) return Stop(Verdict::kFailed, status.error());
  }
}

Status Fetcher::FetchPart(HttpClient& client, size_t part, int i_worker) {
  Backoff backoff(options_.retry, static_cast<uint64_t>(i_worker) + part * 64);
  const uint64_t end = state_.PartBegin(part) + state_.PartSize(part);
  for (;;) {
    const uint64_t before = PartDone(part);
    const uint64_t begin = state_.PartBegin(part) + before;
    if (begin == end) return Ok();
    LFM_RETURN_IF_ERROR(Attempt(client, begin, end, backoff));
  }
}

void Fetcher::WorkWhole(int i_worker) {
  HttpClient client(options_.http);
  // Each try begins anew, so the little progress of one is no reason for more of them.
  RetryPolicy policy = options_.retry;
  Backoff backoff(policy, static_cast<uint64_t>(i_worker));
  const uint64_t size = state_.identity.size;
  for (;;) {
    if (const Status status = Attempt(client, 0, size, backoff); !status.ok()) {
      return Stop(Verdict::kFailed, status.error());
    }
    const std::lock_guard lock(mutex_);
    if (state_.Complete()) return;
    std::fill(state_.done.begin(), state_.done.end(), 0);
  }
}

Status Fetcher::Attempt(HttpClient& client, uint64_t begin, uint64_t end, Backoff& backoff) {
  HttpRequest request;
  request.url = source_.url;
  request.token = source_.token;
  request.cancel = options_.cancel;
  request.stop = &stop_;
  const bool whole = begin == 0 && end == state_.identity.size;
  if (!whole) request.range = {begin, end - 1};
  uint64_t offset = begin;
  request.on_head = [&](const HttpResponse& response) { return CheckHead(response, begin, end); };
  request.on_body = [&](std::span<const std::byte> bytes) { return Write(offset, end, bytes); };
  const HttpOutcome outcome = client.Perform(request);
  const bool progress = offset - begin >= std::min(kProgressBytes, std::max<uint64_t>(1, state_.part_bytes / 8));
  if (progress && !whole) backoff.Progress();
  if (!outcome.status.ok()) {
    if (!outcome.retryable) return outcome.status;
    return backoff.Wait(outcome.status.error(), std::nullopt, options_.cancel, &stop_);
  }
  const HttpResponse& response = outcome.response;
  const int status = response.status();
  if (status >= 200 && status < 300) {
    if (offset == end) return Ok();
    const Error cut{ErrorCode::kIo, StrCat("the server ends ", source_.what, " too early, at byte ", offset, " of ",
                                           state_.identity.size, "; run the same command again to go on")};
    return backoff.Wait(cut, std::nullopt, options_.cancel, &stop_);
  }
  if (status == 416 || status == 412) return Changed(StrCat("the server answers HTTP ", status));
  const Error error = StatusError(response, source_.what, !source_.token.empty());
  // A signed address of a storage may have expired on the way: the hub makes a new one for the next try.
  const bool expired = response.hops.size() > 1 && (status == 401 || status == 403 || status == 404 || status == 410);
  if (!expired && !IsRetryableStatus(status)) return error;
  return backoff.Wait(error, RetryAfter(response.head()), options_.cancel, &stop_);
}

Error Fetcher::Changed(std::string_view why) {
  const Error error{ErrorCode::kCorrupt,
                    StrCat(source_.what, " changed on the server while it was fetched: ", why, "; run the same command again")};
  Stop(Verdict::kChanged, error);
  return error;
}

Status Fetcher::CheckIdentity(const HttpResponse& response) {
  const RemoteIdentity& expected = state_.identity;
  if (source_.pinned) {
    const std::string etag = NormalizeEtag(response.FindFirst("x-linked-etag").value_or(""));
    if (!etag.empty() && !expected.etag.empty() && etag != expected.etag) {
      return Changed(StrCat("its etag is ", Quote(etag), ", not ", Quote(expected.etag)));
    }
    return Ok();
  }
  if (const std::string etag = response.head().Find("etag").value_or(""); etag != expected.etag) {
    return Changed(StrCat("its etag is ", Quote(etag), ", not ", Quote(expected.etag)));
  }
  if (const std::string date = response.head().Find("last-modified").value_or(""); date != expected.modified) {
    return Changed(StrCat("its date is ", Quote(date), ", not ", Quote(expected.modified)));
  }
  return Ok();
}

Status Fetcher::CheckHead(const HttpResponse& response, uint64_t begin, uint64_t end) {
  const uint64_t size = state_.identity.size;
  const bool whole = begin == 0 && end == size;
  LFM_RETURN_IF_ERROR(CheckIdentity(response));
  if (const auto encoding = response.head().Find("content-encoding"); encoding && *encoding != "identity") {
    return Error{ErrorCode::kUnsupported, StrCat("the server sends ", source_.what, " compressed (", Quote(*encoding),
                                                 ") though it was asked not to; check the proxy")};
  }
  if (response.status() == 206) {
    LFM_TRY(const ContentRange range, ParseContentRange(response.head().Find("content-range").value_or("")));
    if (range.total != size) return Changed(StrCat("it has ", range.total, " bytes, not ", size));
    if (range.first == begin && range.last < end) return Ok();
    return Error{ErrorCode::kCorrupt, StrCat("the server sends bytes ", range.first, "-", range.last, " of ", source_.what,
                                             " where ", begin, "-", end - 1, " were asked for")};
  }
  if (!whole) {
    const Error ignored{ErrorCode::kUnsupported, "the server ignores ranges"};
    Stop(Verdict::kRangesIgnored, ignored);
    return ignored;
  }
  const auto length = ParseNumber(response.head().Find("content-length").value_or(""));
  if (length && *length != size) return Changed(StrCat("it has ", *length, " bytes, not ", size));
  return Ok();
}

Status Fetcher::Write(uint64_t& offset, uint64_t end, std::span<const std::byte> bytes) {
  if (bytes.size() > end - offset) {
    return Error{ErrorCode::kCorrupt, StrCat("the server sends more of ", source_.what, " than was asked for")};
  }
  received_ += bytes.size();
  while (!bytes.empty()) {
    const auto at = static_cast<off_t>(offset);
    const ssize_t n =
        options_.write ? options_.write(fd_, bytes.data(), bytes.size(), at) : pwrite(fd_, bytes.data(), bytes.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const int reason = n < 0 ? errno : ENOSPC;
      Error error = SystemError("write", target_.partial_path, reason);
      if (IsFull(reason)) error.message += "; then run the same command again to go on";
      return error;
    }
    MarkDone(offset, static_cast<uint64_t>(n));
    offset += static_cast<uint64_t>(n);
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return Ok();
}

void Fetcher::MarkDone(uint64_t offset, uint64_t n) {
  const std::lock_guard lock(mutex_);
  while (n > 0) {
    const size_t part = offset / state_.part_bytes;
    const uint64_t inside = offset - state_.PartBegin(part);
    const uint64_t here = std::min(n, state_.PartSize(part) - inside);
    state_.done[part] = inside + here;
    offset += here;
    n -= here;
  }
}

}  // namespace lfm::hub
