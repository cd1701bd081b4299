// The predictions of one model on some passages, kept in a file, for others to be compared with (docs/quantize.md has
// the layout). A token's log-probability takes two bytes: steps between the best one of its row and the worst, or 30
// nats below the best. The exact one of the token that came is kept beside.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "quant/passages.h"

namespace lfm::quant {

// One counted position.
struct BaseRow {
  float logprob = 0;  // of the token that came
  float top = 0, step = 0;
  std::span<const std::byte> codes;  // [n_vocab] u16: log-probability = top - code * step

  // Writes all log-probabilities [n_vocab].
  void Decode(std::span<float> out) const;
};

// Writes PATH.partial, passage by passage, and renames it when all are there. A partial file of the same passages and
// vocabulary is taken up where it ended.
class BaseWriter {
 public:
  static Result<BaseWriter> Open(const std::string& path, std::span<const Passage> passages, int64_t n_vocab);
  BaseWriter(BaseWriter&& other) noexcept;
  BaseWriter& operator=(BaseWriter&&) = delete;
  ~BaseWriter();

  // Passages that the file holds already.
  int64_t n_done() const { return n_done_; }
  // What the rows of passage i (< n_done) say of the tokens that came.
  Result<std::vector<float>> Logprobs(int64_t i_passage) const;

  // The next row of the passage in work: log-probabilities [n_vocab] and the token that came.
  void Add(std::span<const float> logprobs, int32_t token);
  // Writes the rows of one passage.
  Status EndPassage();
  Status Finish();

 private:
  BaseWriter() = default;
  std::string path_, partial_;  // its final name, and that of now
  int fd_ = -1;
  int64_t n_vocab_ = 0, n_done_ = 0, n_passages_ = 0;
  std::vector<uint64_t> rows_before_;  // of each passage, and of all
  std::string buffer_;
};

// Reads such a file. Thread-safe after opening.
class BaseReader {
 public:
  // An error when the file was made from other passages or another vocabulary, or is cut.
  static Result<BaseReader> Open(const std::string& path, std::span<const Passage> passages, int64_t n_vocab);
  BaseRow Row(uint64_t i_row) const;

 private:
  MappedFile file_;
  size_t row_bytes_ = 0;
};

}  // namespace lfm::quant
