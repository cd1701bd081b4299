// The importance matrix: how large the activations are that meet each column of each matrix, per expert.
// Kept in llama.cpp's GGUF form, so that either program can use the other's files.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "formats/checkpoint.h"

namespace lfm::quant {

struct ImatrixEntry {
  std::vector<float> sums;    // [experts][k] of squared activations
  std::vector<float> counts;  // [experts] tokens that were seen
  int64_t k() const { return counts.empty() ? 0 : static_cast<int64_t>(sums.size() / counts.size()); }
};

struct Imatrix {
  std::map<std::string, ImatrixEntry> entries;  // by the tensor's GGUF name
  std::vector<std::string> datasets;
  uint32_t n_chunks = 0, chunk_size = 0;

  // Mean squared activations [experts][k] for a tensor of this shape; empty where there is no entry. Experts that were
  // chosen rarely lean on the mean of all experts (as kPriorTokens tokens of it would); none is zero.
  // An entry of another shape is an error.
  Result<std::vector<float>> Importance(const std::string& tensor, int64_t n_experts, int64_t k) const;
};

// How many tokens of the mean of all experts each expert is given beside its own.
constexpr float kPriorTokens = 32;

// Reads a file of general.type "imatrix", or one of the older form without a magic number (.dat). Sums and counts that are
// negative or not finite are errors.
Result<Imatrix> ReadImatrix(const std::string& path);
// The older form: i32 n; n times { i32 length, name, i32 calls, i32 values, f32 each: mean square times calls }; then perhaps
// i32 chunks, and i32 length and the name of the text. Counts of experts are not in it: all count alike. Untrusted bytes.
Result<Imatrix> ParseOldImatrix(std::span<const std::byte> bytes);
// The same from an opened GGUF.
Result<Imatrix> ImatrixFromGguf(const formats::Checkpoint& file);
Status WriteImatrix(const Imatrix& imatrix, const std::string& path);

}  // namespace lfm::quant
