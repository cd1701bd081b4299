// A flat hash table from strings to ids, for vocabularies: one probe and one comparison in the usual case.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace lfm::text {

// Borrows the keys' bytes. Thread-safe once filled.
class StringIndex {
 public:
  // Room for n keys with ids in [0, n_ids).
  StringIndex(size_t n_keys, size_t n_ids);
  StringIndex() : StringIndex(0, 0) {}

  // Adds a key, or returns the id that already has it (-1: added). At most n_keys may be added.
  int32_t Insert(std::string_view key, int32_t id);
  // The id of a key, or -1.
  int32_t Find(std::string_view key) const;

 private:
  struct Slot {
    uint32_t hash = 0;
    int32_t id = -1;
  };
  std::vector<Slot> slots_;             // a power of two, at most half full
  std::vector<std::string_view> keys_;  // by id
  size_t mask_;
};

}  // namespace lfm::text
