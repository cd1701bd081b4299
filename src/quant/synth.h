// Model files of the family's exact shapes with random weights: to measure a machine before a large download.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "formats/progress.h"

namespace lfm::quant {

struct SynthOptions {
  std::string like = "LFM2-8B-A1B";  // one of SynthModels(); case does not matter
  std::string type = "q4_0";         // one of SynthTypes(); case does not matter
  std::string path = {};             // of the GGUF file to write
  uint64_t seed = 1;                 // same options, same bytes
};

// The names that `like` and `type` take, in the order to list them.
std::span<const std::string_view> SynthModels();
std::span<const std::string_view> SynthTypes();

// Writes the file as a stream (memory: tens of MiB). Every weight is drawn from a counter-based generator,
// scaled so that activations keep a variance near 1; types are mixed as in the published files; the tokenizer
// has the family's special tokens and byte tokens at their ids and generated merges. The metadata says that
// the weights are random: general.name ends in "(random weights)" and lfm.random_weights is true. Errors: an
// unknown model or type (the message lists the known ones), or the file cannot be written.
Status WriteSynthetic(const SynthOptions& options, const formats::Progress& progress = {});

// Bytes of the file that WriteSynthetic would write.
Result<uint64_t> SynthFileBytes(const SynthOptions& options);

}  // namespace lfm::quant
