// Reference data for tests: the copy in tests/data, and whatever more LFM_GOLDEN or ../shared/data/golden holds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lfm::test {

// Roots in the layout of the golden folder (tokenizer/, models/, chat/, gguf/, sampling.json), the repository's own
// first; any part may be missing in any of them.
std::vector<std::string> GoldenRoots();

// Existing ROOT/relative of all roots, e.g. GoldenPaths("sampling.json").
std::vector<std::string> GoldenPaths(const std::string& relative);

// Sub-folders (or files ending in `suffix`) of ROOT/folder over all roots, sorted; of equal names the first root's wins.
std::vector<std::string> GoldenEntries(const std::string& folder, const std::string& suffix = "");

// The lines of a JSONL file, split at '\n' only.
std::vector<std::string> ReadLines(const std::string& path);

// A little-endian float32 .npy file in C order. Fails the running test when it is something else.
struct Npy {
  std::vector<int64_t> shape;
  std::vector<float> values;
};
Npy ReadNpy(const std::string& path);

}  // namespace lfm::test
