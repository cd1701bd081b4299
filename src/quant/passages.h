// What perplexity is measured on: sequences of tokens, and which of them count.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lfm::quant {

// Token i (from 1) is predicted from tokens [0, i) and counts where counts[i] is not 0.
struct Passage {
  std::vector<int32_t> tokens;
  std::vector<uint8_t> counts;  // of the same length; counts[0] is 0

  int64_t n_counted() const;
};

// llama.cpp's windows: [i n_ctx, (i + 1) n_ctx), the first token replaced by bos where bos >= 0; the second half counts.
// Tokens after the last full window are left out.
std::vector<Passage> CutWindows(std::span<const int32_t> tokens, int64_t n_ctx, int32_t bos);

// A number that tells passages apart: of all tokens and counts.
uint64_t Fingerprint(std::span<const Passage> passages);

}  // namespace lfm::quant
