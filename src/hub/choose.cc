// The default type.
#include "hub/choose.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/host.h"
#include "base/strings.h"
#include "base/tensor_type.h"

namespace lfm::hub {
namespace {

// Best first. 4-bit experts cost this family visibly more than others (same top token as BF16: Q6_K 92 %,
// Q4_K_M 86 %, Q3_K_M 76 %), so a larger file is preferred while it fits; nearly lossless types are for small
// models only, because decoding reads every byte. Below 3 bits little is left of the model: what fits on a small machine.
constexpr std::array<std::string_view, 29> kPreference = {
    "Q6_K",   "Q6_K_L",  "Q5_K_M", "Q5_K_L", "Q5_K_S",    "Q5_0",   "Q4_K_M", "UD-Q4_K_XL", "Q4_K_L", "IQ4_NL",
    "Q4_K_S", "IQ4_XS",  "Q4_1",   "Q4_0",   "MXFP4_MOE", "Q3_K_L", "Q3_K_M", "Q3_K_S",     "IQ3_M",  "IQ3_S",
    "IQ3_XS", "IQ3_XXS", "Q2_K",   "BF16",   "F16",       "IQ2_M",  "IQ2_S",  "IQ2_XS",     "IQ2_XXS"};
constexpr uint64_t kSmallFile = uint64_t{2} << 30;

// Lower is better; types that nobody should get by default come last.
size_t Rank(const TypeOption& option) {
  if (option.type == "Q8_0") return option.bytes <= kSmallFile ? 0 : kPreference.size() + 1;
  const auto found = std::find(kPreference.begin(), kPreference.end(), option.type);
  return found == kPreference.end() ? kPreference.size() + 2 : static_cast<size_t>(found - kPreference.begin()) + 1;
}

}  // namespace

Result<TypeChoice> ChooseType(std::span<const TypeOption> options, uint64_t free_memory) {
  if (options.empty()) return Error{ErrorCode::kNotFound, "there is no file to choose from"};
  TypeChoice choice;
  if (options.size() == 1) {
    choice.fits = free_memory == 0 || options[0].bytes + kReservedBytes <= free_memory;
    choice.reason = StrCat(options[0].type.empty() ? "the file" : options[0].type, " (", HumanBytes(options[0].bytes),
                           ") is the only one there");
    if (!choice.fits) choice.reason += StrCat("; it is larger than the ", HumanBytes(free_memory), " of free memory");
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
    choice.reason = StrCat(what, ": the best type that fits into ", HumanBytes(free_memory), " of free memory");
  } else {
    choice.reason = StrCat(what, ": the smallest file, yet it does not fit into ", HumanBytes(free_memory),
                           " of free memory; parts of it will be read from disk again and again");
  }
  return choice;
}

bool CanRunByName(std::string_view type) {
  if (type.starts_with("UD-")) type.remove_prefix(3);  // mixes of another maker, named by their most common type
  if (TensorTypeFromName(type)) return true;
  constexpr uint32_t kMostIds = 256;
  for (uint32_t id = 0; id < kMostIds; ++id) {
    if (!TensorTypeFromId(id) && !type.empty() && TensorTypeIdName(id) == type) return false;
  }
  return true;
}

uint64_t FreeMemory() { return ReadMemory().available_bytes; }

}  // namespace lfm::hub
