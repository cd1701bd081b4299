// The ledger: a row for every answer, in SQLite, on disk before the answer's last byte leaves.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace lfm::server {

struct LedgerRow {
  int64_t time_us = 0;  // of the answer's end, since 1970
  std::string request_id, key, label, route, model, finish_reason;
  int64_t status = 0;
  int64_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0, reasoning_tokens = 0;
  int64_t cost_pico_dollars = 0;
  double queue_s = 0, prefill_s = 0, decode_s = 0, ttft_s = 0, total_s = 0;
};

// Sums of rows that share a key, day (UTC) or model.
struct LedgerSum {
  std::string name;        // key id, "2026-11-29", model
  std::string label = {};  // by key
  int64_t n_requests = 0, prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0, reasoning_tokens = 0;
  int64_t cost_pico_dollars = 0;
};

struct LedgerFilter {
  int64_t since_us = 0;
  std::optional<std::string> key = {};  // only of this key
  int64_t limit = -1;                   // the newest rows only
};

enum class LedgerGroup { kKey, kDay, kModel };

// Reads. Several processes may, while another writes. Not thread-safe.
class LedgerReader {
 public:
  static Result<LedgerReader> Open(const std::string& path);
  LedgerReader(LedgerReader&&) noexcept;
  LedgerReader& operator=(LedgerReader&&) noexcept;
  ~LedgerReader();

  // Oldest first.
  Status ForEach(const LedgerFilter& filter, const std::function<void(const LedgerRow&)>& take);
  Result<std::vector<LedgerSum>> Sums(const LedgerFilter& filter, LedgerGroup by);

 private:
  struct Database;
  explicit LedgerReader(std::unique_ptr<Database> database);
  std::unique_ptr<Database> database_;
};

// Writes: rows that come while one commit is on its way to the disk share the next, so that many answers a second cost
// few of them. Thread-safe.
class Ledger {
 public:
  // Creates the file where it is not there, readable by its owner only.
  static Result<std::unique_ptr<Ledger>> Open(const std::string& path);
  ~Ledger();  // writes what is queued

  // `stored` is called from the writer's thread once the row is safe, also after a failure, which is counted: an answer
  // is worth more to its client than to the ledger.
  void Append(LedgerRow row, std::function<void()> stored);
  uint64_t n_errors() const { return n_errors_.load(); }
  const std::string& path() const { return path_; }

 private:
  struct Database;
  struct Entry {
    LedgerRow row;
    std::function<void()> stored;
  };
  Ledger(std::string path, std::unique_ptr<Database> database);
  void Loop();

  std::string path_;
  std::unique_ptr<Database> database_;
  std::atomic<uint64_t> n_errors_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Entry> queue_;
  bool stop_ = false;
  std::thread thread_;
};

Json LedgerRowJson(const LedgerRow& row);
Json LedgerSumJson(const LedgerSum& sum, LedgerGroup by);
// "2026-11-29", "2026-11-29T12:00:00Z", "7d", "12h", "30m", or seconds since 1970, as microseconds.
Result<int64_t> ParseSince(const std::string& text, int64_t now_us);
std::string TimeText(int64_t time_us);  // "2026-11-29T12:00:00.123456Z"

}  // namespace lfm::server
