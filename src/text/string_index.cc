// Open addressing with linear probes; the hash reads eight bytes at a time.
#include "text/string_index.h"

#include <bit>
#include <cstring>

#include "base/check.h"

namespace lfm::text {
namespace {

uint64_t Mix(uint64_t h, uint64_t word) {
  h = (h ^ word) * 0x9E3779B97F4A7C15U;
  return h ^ h >> 29;
}

template <typename Word>
uint64_t Load(const char* p) {
  Word word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

uint32_t Hash(std::string_view key) {
  const char* p = key.data();
  size_t n = key.size();
  uint64_t h = Mix(0x2545F4914F6CDD1DU, n);
  for (; n >= 8; n -= 8, p += 8) h = Mix(h, Load<uint64_t>(p));
  if (n >= 4) {
    h = Mix(h, Load<uint32_t>(p) << 32 | Load<uint32_t>(p + n - 4));
  } else if (n > 0) {
    const auto byte = [&](size_t i) { return uint64_t{static_cast<unsigned char>(p[i])}; };
    h = Mix(h, byte(0) << 16 | byte(n / 2) << 8 | byte(n - 1));
  }
  return static_cast<uint32_t>((h * 0xD6E8FEB86659FD93U) >> 32);
}

}  // namespace

StringIndex::StringIndex(size_t n_keys, size_t n_ids)
    : slots_(std::bit_ceil(2 * n_keys + 2)), keys_(n_ids), mask_(slots_.size() - 1) {}

int32_t StringIndex::Insert(std::string_view key, int32_t id) {
  LFM_CHECK(id >= 0 && static_cast<size_t>(id) < keys_.size());
  const uint32_t hash = Hash(key);
  size_t i = hash & mask_;
  for (; slots_[i].id >= 0; i = (i + 1) & mask_) {
    if (slots_[i].hash == hash && keys_[static_cast<size_t>(slots_[i].id)] == key) return slots_[i].id;
  }
  slots_[i] = {hash, id};
  keys_[static_cast<size_t>(id)] = key;
  return -1;
}

int32_t StringIndex::Find(std::string_view key) const {
  const uint32_t hash = Hash(key);
  for (size_t i = hash & mask_; slots_[i].id >= 0; i = (i + 1) & mask_) {
    if (slots_[i].hash == hash && keys_[static_cast<size_t>(slots_[i].id)] == key) return slots_[i].id;
  }
  return -1;
}

}  // namespace lfm::text
