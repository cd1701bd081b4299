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

Result<Fingerprint> FingerprintOf(const formats::Checkpoint& checkpoint, const Classifier& classifier) {
  const ClassifierOptions& options = classifier.options();
  LFM_TRY(const std::string prompt, classifier.PromptText(""));
  std::string way = StrCat(classifier.labels().Hash(), " ", static_cast<int>(options.method), " ", options.permutations, " ",
                           options.permutations > 1 ? options.seed : 0, " ", options.multi_label, " ", prompt);
  const uint64_t model = checkpoint.packed.bytes.empty() ? formats::SourceKey(checkpoint) : checkpoint.packed.source_key;
  return Fingerprint{Hexadecimal(model), Hexadecimal(Hash64(std::as_bytes(std::span(way))))};
}

}  // namespace lfm::classify
