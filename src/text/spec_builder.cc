// Shared steps of building a TokenizerSpec.
#include "text/spec_builder.h"

#include <algorithm>

#include "base/strings.h"
#include "base/byte_alphabet.h"

namespace lfm::text {

std::string DecodedBytes(std::string_view token_text) { return BytesOfAlphabet(token_text).value_or(std::string(token_text)); }

Status AddMerge(std::string_view left, std::string_view right, const StringIndex& vocabulary, TokenizerSpec& spec) {
  std::string whole(left);
  whole += right;
  const TokenizerSpec::Merge merge{vocabulary.Find(left), vocabulary.Find(right), vocabulary.Find(whole)};
  const std::string_view missing = merge.left < 0 ? left : merge.right < 0 ? right : whole;
  if (merge.left < 0 || merge.right < 0 || merge.result < 0) {
    return Error{ErrorCode::kCorrupt, StrCat("merge ", spec.merges.size(), " (", Quote(left), " + ", Quote(right),
                                             "): ", Quote(missing), " is not in the vocabulary")};
  }
  spec.merges.push_back(merge);
  return Ok();
}

Status AddMerge(std::string_view line, const StringIndex& vocabulary, TokenizerSpec& spec) {
  const size_t space = line.find(' ');
  if (space == 0 || space + 1 >= line.size() || space == line.npos || line.find(' ', space + 1) != line.npos) {
    return Error{ErrorCode::kCorrupt,
                 StrCat("merge ", spec.merges.size(), " is ", Quote(line), ", not two tokens with one space between")};
  }
  return AddMerge(line.substr(0, space), line.substr(space + 1), vocabulary, spec);
}

void AddUsualEnds(TokenizerSpec& spec) {
  auto& ends = spec.end_of_generation;
  if (spec.eos) ends.push_back(*spec.eos);
  for (const AddedToken& token : spec.added) {
    if (token.special && (token.content == "<|im_end|>" || token.content == "<|endoftext|>")) ends.push_back(token.id);
  }
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
}

}  // namespace lfm::text
