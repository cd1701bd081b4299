// A byte-level BPE vocabulary with the family's special tokens at their ids and generated merges.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lfm::quant {

struct SynthVocabulary {
  std::vector<std::string> tokens;  // in GPT-2's byte alphabet, as GGUF and tokenizer.json write them
  std::vector<int32_t> types;       // formats::GgufTokenType
  std::vector<std::string> merges;  // "left right", best first; left, right and their union are tokens
  uint32_t bos = 0, eos = 0, pad = 0;
};

// The layout of the 65,536 vocabulary (LFM2) or of the 128,000 one (LFM2.5-8B-A1B). The merges are not the
// real ones: two letters, common words, then three and four letters by letter frequency.
SynthVocabulary MakeSynthVocabulary65536();
SynthVocabulary MakeSynthVocabulary128000();

}  // namespace lfm::quant
