#include "server/keys.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/encoding.h"
#include "base/file.h"
#include "base/strings.h"

namespace lfm::server {
namespace {

constexpr size_t kMaxKeyFile = size_t{1} << 20;
constexpr size_t kMaxKeyBytes = 512;

std::string Hex(const Sha256& hash) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const unsigned char byte : hash) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

std::optional<Sha256> FromHex(std::string_view text) {
  Sha256 hash{};
  if (text.size() != 2 * hash.size()) return std::nullopt;
  for (size_t i = 0; i < hash.size(); ++i) {
    const char* begin = text.data() + 2 * i;
    const auto [end, error] = std::from_chars(begin, begin + 2, hash[i], 16);
    if (error != std::errc() || end != begin + 2) return std::nullopt;
  }
  return hash;
}

bool ParseCount(std::string_view text, int64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && out > 0;
}

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  for (;;) {
    const size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return words;
    line.remove_prefix(begin);
    const size_t end = line.find_first_of(" \t\r");
    words.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return words;
    line.remove_prefix(end);
  }
}

bool IsLabel(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127 && c != '"' && c != '\\'; });
}

Result<KeyEntry> ParseKey(std::string_view line) {
  const auto bad = [](std::string message) { return Error{ErrorCode::kInvalidArgument, std::move(message)}; };
  const auto words = Words(line);
  KeyEntry entry;
  if (words.front().starts_with("sha256:")) {
    const auto hash = FromHex(words.front().substr(7));
    if (!hash) return bad("sha256: needs 64 hexadecimal digits behind it");
    entry.hash = *hash;
  } else {
    if (words.front().size() > kMaxKeyBytes) return bad(StrCat("the key is longer than ", kMaxKeyBytes, " bytes"));
    entry.hash = HashKey(words.front());
  }
  Caller caller{.id = Hex(entry.hash).substr(0, 12), .label = ""};
  for (size_t i = 1; i < words.size(); ++i) {
    const size_t equals = words[i].find('=');
    const std::string_view name = words[i].substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? "" : words[i].substr(equals + 1);
    bool good = true;
    if (name == "label") {
      good = IsLabel(value);
      caller.label = value;
    } else if (name == "rpm") {
      good = ParseCount(value, entry.limits.requests_per_minute);
    } else if (name == "tpm") {
      good = ParseCount(value, entry.limits.tokens_per_minute);
    } else if (name == "budget") {
      const auto budget = ParseDollars(value);
      good = budget && *budget > 0;
      entry.limits.budget_pico_dollars = budget.value_or(0);
    } else {
      return bad(StrCat("word ", i + 1, " is none of label=, rpm=, tpm=, budget="));
    }
    if (!good) return bad(StrCat(std::string(name), "= has a value that it does not take"));
  }
  if (caller.label.empty()) caller.label = caller.id;
  entry.caller = std::make_shared<const Caller>(std::move(caller));
  return entry;
}

}  // namespace

Sha256 HashKey(std::string_view key) {
  Sha256 hash;
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), hash.data());
  return hash;
}

std::optional<int64_t> ParseDollars(std::string_view text) {
  const size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  std::string fraction(point == std::string_view::npos ? "" : text.substr(point + 1));
  if (whole.empty() || whole.size() > 6 || fraction.size() > 12 || (point != std::string_view::npos && fraction.empty())) {
    return std::nullopt;
  }
  fraction.resize(12, '0');
  int64_t value = 0;
  const std::string digits = std::string(whole) + fraction;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || whole.front() == '-') return std::nullopt;
  return value;
}

Result<std::vector<KeyEntry>> ParseKeys(std::string_view text) {
  std::vector<KeyEntry> keys;
  int n_line = 0;
  while (!text.empty()) {
    ++n_line;
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    line = line.substr(0, line.find('#'));
    if (Words(line).empty()) continue;
    auto entry = ParseKey(line);
    if (!entry.ok()) return entry.error().Within(StrCat("line ", n_line));
    keys.push_back(std::move(entry).value());
  }
  return keys;
}

Result<std::shared_ptr<KeyRing>> KeyRing::Load(std::vector<KeyEntry> fixed, const std::string& path) {
  auto ring = std::make_shared<KeyRing>();
  ring->fixed_ = std::move(fixed);
  ring->path_ = path;
  LFM_RETURN_IF_ERROR(ring->Reload());
  return ring;
}

Status KeyRing::Reload() {
  if (path_.empty()) return Install({});
  auto text = ReadWholeFile(path_, kMaxKeyFile);
  if (!text.ok()) return Error{ErrorCode::kIo, StrCat("the key file: ", text.error().message)};
  LFM_RETURN_IF_ERROR(CheckEncoding(*text, path_));
  auto keys = ParseKeys(WithoutMark(*text));
  // A file that was emptied by mistake must not open the server to everybody.
  if (keys.ok() && keys->empty()) keys = Error{ErrorCode::kInvalidArgument, "it holds no key"};
  if (!keys.ok()) return keys.error().Within(path_);
  return Install(std::move(keys).value());
}

Status KeyRing::Install(Keys from_file) {
  auto keys = std::make_shared<Keys>(fixed_);
  for (KeyEntry& key : from_file) keys->push_back(std::move(key));
  std::lock_guard lock(mutex_);
  for (const KeyEntry& key : *keys) {
    Account& account = accounts_[key.caller->id];
    const bool known = account.refilled != Clock::time_point();
    account.limits = key.limits;
    if (known) continue;
    account.refilled = Clock::now();
    account.requests = static_cast<double>(key.limits.requests_per_minute);
    account.tokens = static_cast<double>(key.limits.tokens_per_minute);
  }
  keys_ = std::move(keys);
  return Ok();
}

bool KeyRing::empty() const {
  std::lock_guard lock(mutex_);
  return keys_->empty();
}

std::shared_ptr<const Caller> KeyRing::Find(std::optional<std::string_view> key) const {
  std::shared_ptr<const Keys> keys;
  {
    std::lock_guard lock(mutex_);
    keys = keys_;
  }
  if (keys->empty()) return anonymous_;
  if (!key || key->size() > kMaxKeyBytes) return nullptr;
  const Sha256 hash = HashKey(*key);
  std::shared_ptr<const Caller> found;
  for (const KeyEntry& entry : *keys) {  // all of them, whatever matches
    if (CRYPTO_memcmp(entry.hash.data(), hash.data(), hash.size()) == 0) found = entry.caller;
  }
  return found;
}

void KeyRing::Refill(Account& account, Clock::time_point now) const {
  const double minutes = std::chrono::duration<double>(now - account.refilled).count() / 60;
  if (minutes <= 0) return;
  account.refilled = now;
  const auto refill = [minutes](double& level, int64_t limit) {
    const double full = static_cast<double>(limit);
    level = std::min(full, level + minutes * full);
  };
  refill(account.requests, account.limits.requests_per_minute);
  refill(account.tokens, account.limits.tokens_per_minute);
}

std::optional<ApiError> KeyRing::Admit(const Caller& caller, Clock::time_point now) {
  std::lock_guard lock(mutex_);
  const auto found = accounts_.find(caller.id);
  if (found == accounts_.end()) return std::nullopt;
  Account& account = found->second;
  const KeyLimits& limits = account.limits;
  if (limits.budget_pico_dollars > 0 && account.spent_pico_dollars >= limits.budget_pico_dollars) {
    return ApiError{.status = 429,
                    .message = "the budget of this key is spent",
                    .code = "insufficient_quota",
                    .headers = {{"x-should-retry", "false"}}};
  }
  Refill(account, now);
  const auto refuse = [](double lacking, int64_t per_minute, std::string what) {
    const int64_t seconds = static_cast<int64_t>(std::ceil(lacking * 60 / static_cast<double>(per_minute)));
    return ApiError{.status = 429,
                    .message = StrCat("this key may use ", per_minute, " ", what, " a minute; try again in ",
                                      std::max<int64_t>(1, seconds), " s"),
                    .code = "rate_limit_exceeded",
                    .headers = {{"Retry-After", std::to_string(std::max<int64_t>(1, seconds))}}};
  };
  if (limits.requests_per_minute > 0 && account.requests < 1) {
    return refuse(1 - account.requests, limits.requests_per_minute, "requests");
  }
  if (limits.tokens_per_minute > 0 && account.tokens <= 0) {
    return refuse(1 - account.tokens, limits.tokens_per_minute, "tokens");
  }
  if (limits.requests_per_minute > 0) account.requests -= 1;
  return std::nullopt;
}

void KeyRing::Charge(const Caller& caller, int64_t tokens, int64_t pico_dollars, Clock::time_point now) {
  std::lock_guard lock(mutex_);
  const auto found = accounts_.find(caller.id);
  if (found == accounts_.end()) return;
  Refill(found->second, now);
  if (found->second.limits.tokens_per_minute > 0) found->second.tokens -= static_cast<double>(tokens);
  found->second.spent_pico_dollars += pico_dollars;
}

}  // namespace lfm::server
