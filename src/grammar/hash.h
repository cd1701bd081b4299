// Mixing of words into a hash, for the tables of this folder.
#pragma once

#include <cstdint>

namespace lfm::grammar {

// Two words into one; every bit of both counts.
inline uint64_t Mix(uint64_t a, uint64_t b) {
  uint64_t x = a * 0x9E3779B97F4A7C15u + 0x632BE59BD9B4E019u;
  x ^= b + 0xD6E8FEB86659FD93u + (x << 6) + (x >> 2);
  x ^= x >> 32, x *= 0xD6E8FEB86659FD93u, x ^= x >> 29, x *= 0xBF58476D1CE4E5B9u, x ^= x >> 32;
  return x;
}

// 128 bits: equal hashes are taken for equal contents.
struct Hash {
  uint64_t a = 0x243F6A8885A308D3u, b = 0x13198A2E03707344u;
  void Add(uint64_t word) { a = Mix(a, word), b = Mix(b ^ 0xA4093822299F31D0u, word * 0x9E3779B97F4A7C15u + 1); }
  void Add(const Hash& other) { Add(other.a), Add(other.b); }
  bool operator==(const Hash&) const = default;
};
struct HashOf {
  size_t operator()(const Hash& hash) const { return hash.a; }
};

}  // namespace lfm::grammar
