#include "quant/passages.h"

#include <algorithm>

namespace lfm::quant {

int64_t Passage::n_counted() const {
  return std::count_if(counts.begin(), counts.end(), [](uint8_t c) { return c != 0; });
}

std::vector<Passage> CutWindows(std::span<const int32_t> tokens, int64_t n_ctx, int32_t bos) {
  std::vector<Passage> passages;
  const auto n = static_cast<size_t>(n_ctx);
  for (size_t at = 0; n > 0 && at + n <= tokens.size(); at += n) {
    Passage passage;
    passage.tokens.assign(tokens.begin() + static_cast<int64_t>(at), tokens.begin() + static_cast<int64_t>(at + n));
    if (bos >= 0) passage.tokens[0] = bos;
    passage.counts.assign(n, 0);
    std::fill(passage.counts.begin() + static_cast<int64_t>(std::min(n / 2 + 1, n)), passage.counts.end(), uint8_t{1});
    passages.push_back(std::move(passage));
  }
  return passages;
}

uint64_t Fingerprint(std::span<const Passage> passages) {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a over the values
  const auto add = [&](uint64_t value) { hash = (hash ^ value) * 0x100000001b3; };
  for (const Passage& passage : passages) {
    add(passage.tokens.size());
    for (size_t i = 0; i < passage.tokens.size(); ++i) {
      add(static_cast<uint32_t>(passage.tokens[i]));
      add(passage.counts[i]);
    }
  }
  return hash;
}

}  // namespace lfm::quant
