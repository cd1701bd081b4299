// The default type.
#include "hub/choose.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <string_view>

#include "base/file.h"
#include "base/strings.h"

namespace lfm::hub {
namespace {

// Best first. 4-bit experts cost this family visibly more than others (same top token as BF16: Q6_K 92 %,
// Q4_K_M 86 %, Q3_K_M 76 %), so a larger file is preferred while it fits; nearly lossless types are for small
// models only, because decoding reads every byte.
constexpr std::array<std::string_view, 21> kPreference = {
    "Q6_K",       "Q6_K_L", "Q5_K_M", "Q5_K_L", "Q5_K_S", "Q5_0", "Q4_K_M",
    "UD-Q4_K_XL", "Q4_K_L", "IQ4_NL", "Q4_K_S", "IQ4_XS", "Q4_1", "Q4_0",
    "MXFP4_MOE",  "Q3_K_L", "Q3_K_M", "Q3_K_S", "Q2_K",   "BF16", "F16"};
constexpr uint64_t kSmallFile = uint64_t{2} << 30;

// Lower is better; types that nobody should get by default come last.
size_t Rank(const TypeOption& option) {
  if (option.type == "Q8_0") return option.bytes <= kSmallFile ? 0 : kPreference.size() + 1;
  const auto found = std::find(kPreference.begin(), kPreference.end(), option.type);
  return found == kPreference.end() ? kPreference.size() + 2
                                    : static_cast<size_t>(found - kPreference.begin()) + 1;
}

uint64_t NumberAfter(const std::string& text, std::string_view key) {
  const size_t at = text.find(key);
  return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + key.size(), nullptr, 10);
}

}  // namespace

Result<TypeChoice> ChooseType(std::span<const TypeOption> options, uint64_t free_memory) {
  if (options.empty()) return Error{ErrorCode::kNotFound, "there is no file to choose from"};
  TypeChoice choice;
  if (options.size() == 1) {
    choice.fits = free_memory == 0 || options[0].bytes + kReservedBytes <= free_memory;
    choice.reason = StrCat(options[0].type.empty() ? "the file" : options[0].type, " (",
                           HumanBytes(options[0].bytes), ") is the only one there");
    if (!choice.fits)
      choice.reason += StrCat("; it is larger than the ", HumanBytes(free_memory), " of free memory");
    return choice;
  }
  const auto fits = [&](const TypeOption& option) {
    return free_memory == 0 ? option.type == "Q4_K_M" : option.bytes + kReservedBytes <= free_memory;
  };
  size_t best = options.size(), smallest = 0;
  for (size_t i = 0; i < options.size(); ++i) {
    if (fits(options[i]) && (best == options.size() || Rank(options[i]) < Rank(options[best]))) best = i;
    if (options[i].bytes < options[smallest].bytes) smallest = i;
  }
  choice.fits = best != options.size();
  choice.index = choice.fits ? best : smallest;
  const TypeOption& chosen = options[choice.index];
  const std::string what = StrCat(chosen.type, " (", HumanBytes(chosen.bytes), ")");
  if (free_memory == 0) {
    choice.reason = StrCat(what, ": the free memory is not known, so the usual choice");
  } else if (choice.fits) {
    choice.reason =
        StrCat(what, ": the best type that fits into ", HumanBytes(free_memory), " of free memory");
  } else {
    choice.reason = StrCat(what, ": the smallest file, yet it does not fit into ", HumanBytes(free_memory),
                           " of free memory; parts of it will be read from disk again and again");
  }
  return choice;
}

uint64_t FreeMemory() {
  uint64_t free = std::numeric_limits<uint64_t>::max();
  if (const auto text = ReadWholeFile("/proc/meminfo", 1 << 16); text.ok()) {
    if (const uint64_t kib = NumberAfter(text.value(), "MemAvailable:")) free = kib * 1024;
  }
  const auto limit = ReadWholeFile("/sys/fs/cgroup/memory.max", 4096);
  const auto used = ReadWholeFile("/sys/fs/cgroup/memory.current", 4096);
  if (limit.ok() && used.ok() && limit.value().rfind("max", 0) != 0) {
    const uint64_t most = std::strtoull(limit.value().c_str(), nullptr, 10);
    const uint64_t now = std::strtoull(used.value().c_str(), nullptr, 10);
    free = std::min(free, most > now ? most - now : 0);
  }
  return free == std::numeric_limits<uint64_t>::max() ? 0 : free;
}

}  // namespace lfm::hub
