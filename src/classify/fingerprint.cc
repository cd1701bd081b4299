#include "classify/fingerprint.h"

#include "base/hash.h"
#include "base/strings.h"
#include "formats/packed_file.h"

namespace lfm::classify {
namespace {

std::string Hexadecimal(uint64_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += kDigits[value >> shift & 15];
  return text;
}

}  // namespace

std::string ModelFingerprint(const formats::Checkpoint& checkpoint) {
  return Hexadecimal(checkpoint.packed.bytes.empty() ? formats::SourceKey(checkpoint) : checkpoint.packed.source_key);
}

std::string PromptFingerprint(const LabelSet& labels, const ClassifierOptions& options, const std::string& prompt) {
  const std::string way = StrCat(labels.Hash(), " ", static_cast<int>(options.method), " ", options.permutations, " ",
                                 options.permutations > 1 ? options.seed : 0, " ", options.multi_label, " ", prompt);
  return Hexadecimal(Hash64(std::as_bytes(std::span(way))));
}

Result<Fingerprint> FingerprintOf(const formats::Checkpoint& checkpoint, const Classifier& classifier) {
  LFM_TRY(const std::string prompt, classifier.PromptText(""));
  return Fingerprint{ModelFingerprint(checkpoint), PromptFingerprint(classifier.labels(), classifier.options(), prompt)};
}

}  // namespace lfm::classify
