// Finds added tokens (<|im_start|>, ...) in raw text before anything else, as Hugging Face's AddedVocabulary
// does.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "text/tokenizer_spec.h"

namespace lfm::text {

// A stretch of text: an added token, or (id < 0) ordinary text.
struct TextPart {
  std::string_view text;
  int32_t id = -1;
};

// Immutable after construction, thread-safe.
class AddedTokenMatcher {
 public:
  static constexpr size_t kMaxBytes = 512;  // of one token's text; bounds the time spent on a position

  AddedTokenMatcher() = default;
  // Contents must be distinct, not empty and not longer than kMaxBytes.
  explicit AddedTokenMatcher(std::vector<AddedToken> tokens);

  // Cuts the text at added tokens: at the first place where one begins, the longest one counts. Tokens that
  // are not `normalized` are searched first, the others in the text between. Special tokens count where
  // `spans` allows them, and elsewhere by `otherwise`; none counts that crosses the end of a span. Replaces
  // `parts`.
  void Split(std::string_view text, ParseSpecial otherwise, std::span<const ParseSpan> spans, std::vector<TextPart>& parts) const;

 private:
  // A tree of the contents' bytes. Children are chained; the root has a table.
  struct Node {
    int32_t token = -1;  // index into tokens_ of what ends here
    int32_t first_child = -1, sibling = -1;
    unsigned char byte = 0;
  };
  struct Tree {
    std::vector<Node> nodes;
    std::array<int32_t, 256> roots;
    Tree() { roots.fill(-1); }
    void Add(std::string_view content, int32_t token);
  };
  // Where special tokens count in the whole text.
  struct Rule {
    std::string_view whole;
    ParseSpecial otherwise;
    std::span<const ParseSpan> spans;
  };
  // What begins at one place: the longest token that counts; or, where it stays text, its length.
  struct Match {
    int32_t token = -1;
    size_t stays_text = 0;
  };
  enum class Verdict { kCounts, kStaysText, kCrosses };
  Match Longest(const Tree& tree, std::string_view text, size_t begin, const Rule& rule) const;
  static Verdict Judge(const AddedToken& token, const Rule& rule, size_t begin, size_t end);
  void SplitBy(const Tree& tree, std::string_view text, const Rule& rule, std::vector<TextPart>& parts) const;

  std::vector<AddedToken> tokens_;
  Tree raw_, normalized_;
};

}  // namespace lfm::text
