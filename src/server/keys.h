// API keys: who may ask, how much. Only their SHA-256 is kept in memory, and comparing takes the same time for every key.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "server/http.h"

namespace lfm::server {

using Sha256 = std::array<unsigned char, 32>;
Sha256 HashKey(std::string_view key);

struct KeyLimits {  // 0: none
  int64_t requests_per_minute = 0;
  int64_t tokens_per_minute = 0;
  int64_t budget_pico_dollars = 0;  // of all time, as far as the ledger knows
};

struct KeyEntry {
  Sha256 hash{};
  std::shared_ptr<const Caller> caller;
  KeyLimits limits;
};

// One key a line: "KEY [label=NAME] [rpm=N] [tpm=N] [budget=DOLLARS]", KEY the key itself or "sha256:" and its 64
// hexadecimal digits. '#' begins a comment. Errors name the line, never the key.
Result<std::vector<KeyEntry>> ParseKeys(std::string_view text);

// "1.25" -> 1,250,000,000,000 pico-dollars; at most 12 digits behind the point.
std::optional<int64_t> ParseDollars(std::string_view text);

// All keys of a server. Thread-safe.
class KeyRing {
 public:
  // `fixed`: keys of the command line and the environment, which a reload keeps; `path`: the key file, or "".
  static Result<std::shared_ptr<KeyRing>> Load(std::vector<KeyEntry> fixed, const std::string& path);

  // Reads the file anew. On an error the old keys stay. Counters of keys that remain go on.
  Status Reload();
  bool empty() const;  // then everybody is welcome

  // The caller of a key; null when there is none. Without keys: the anonymous caller for anything.
  std::shared_ptr<const Caller> Find(std::optional<std::string_view> key) const;
  // Takes one request out of the caller's minute, or says with 429 when to come again.
  std::optional<ApiError> Admit(const Caller& caller, Clock::time_point now = Clock::now());
  // Notes what a request used.
  void Charge(const Caller& caller, int64_t tokens, int64_t pico_dollars, Clock::time_point now = Clock::now());

 private:
  // Allowances that refill evenly: a bucket of one minute's worth. Tokens may overdraw, for their number is known afterwards.
  struct Account {
    KeyLimits limits;
    double requests = 0, tokens = 0;
    Clock::time_point refilled;
    int64_t spent_pico_dollars = 0;
  };
  using Keys = std::vector<KeyEntry>;
  Status Install(Keys from_file);
  void Refill(Account& account, Clock::time_point now) const;

  Keys fixed_;
  std::string path_;
  std::shared_ptr<const Caller> anonymous_ = std::make_shared<const Caller>();
  mutable std::mutex mutex_;
  std::shared_ptr<const Keys> keys_;
  std::unordered_map<std::string, Account> accounts_;
};

}  // namespace lfm::server
