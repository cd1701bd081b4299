// Regular expressions on the names of tensors, as --tensor-type takes them: matched in time linear in the name and in the
// expression, whatever both are, and without recursion on the name.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lfm::quant {

// The common syntax: . [a-z] [^...] [[:digit:]] \d \w \s \b, ( ) (?: ) |, * + ? {m,n}, ^ and $. Back references and
// look-around are refused. Bytes, case counts. Immutable after parsing; thread-safe.
class NamePattern {
 public:
  // Errors say where. Limits: 1,000 bytes, groups nested 32 deep, 20,000 steps when repetitions are written out.
  static Result<NamePattern> Parse(std::string_view text);

  // Whether it matches anywhere in the name.
  bool Matches(std::string_view name) const;

 private:
  friend class NamePatternParser;
  struct Step {
    enum class Kind { kSet, kSplit, kBegin, kEnd, kWordEdge, kNoWordEdge, kMatch } kind = Kind::kMatch;
    uint32_t next = 0, other = 0;  // other: of a split
    uint32_t set = 0;              // index into sets_
  };
  std::vector<Step> steps_;
  std::vector<std::bitset<256>> sets_;
  uint32_t first_ = 0;
};

}  // namespace lfm::quant
