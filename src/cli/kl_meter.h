// How far a file's predictions on a text are from its original's: what `lfm quantize --target-kl --file` steers by.
#pragma once

#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "base/threads.h"
#include "formats/checkpoint.h"
#include "quant/passages.h"

namespace lfm::cli {

// Keeps the original's predictions in a temporary file, which the destructor removes.
class KlMeter {
 public:
  // Reads at most the first 8 windows of 256 tokens of the text with the original, in f32. The file of predictions
  // lies beside `beside`, under a name of its own.
  static Result<KlMeter> Create(const formats::Checkpoint& original, const std::string& text_file, const std::string& beside,
                                Threads& threads);

  // Mean KL divergence in nats of the model at `path`, with activations as users run it.
  Result<double> Measure(const std::string& path, Threads& threads) const;

 private:
  explicit KlMeter(const std::string& base) : base_(base), partial_(base + ".partial") {}
  UnfinishedFile base_, partial_;
  std::vector<quant::Passage> passages_;
};

}  // namespace lfm::cli
