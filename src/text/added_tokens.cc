// The search for added tokens: leftmost, then longest; single_word, lstrip and rstrip as Hugging Face applies
// them.
#include "text/added_tokens.h"

#include <algorithm>

#include "text/unicode.h"

namespace lfm::text {
namespace {

// Where the white space before `end` begins, not before `limit`.
size_t SpaceBefore(std::string_view text, size_t end, size_t limit) {
  while (end > limit) {
    const Utf8Char c = DecodeLastUtf8(text.substr(limit, end - limit));
    if (!IsWhiteSpace(c.code)) break;
    end -= c.length;
  }
  return end;
}

size_t SpaceAfter(std::string_view text, size_t begin) {
  while (begin < text.size()) {
    const Utf8Char c = DecodeUtf8(text, begin);
    if (!IsWhiteSpace(c.code)) break;
    begin += c.length;
  }
  return begin;
}

bool TouchesWord(std::string_view text, size_t begin, size_t end) {
  return (begin > 0 && IsWordChar(DecodeLastUtf8(text.substr(0, begin)).code)) ||
         (end < text.size() && IsWordChar(DecodeUtf8(text, end).code));
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  for (size_t i = 0; i < tokens_.size(); ++i) {
    (tokens_[i].normalized ? normalized_ : raw_).Add(tokens_[i].content, static_cast<int32_t>(i));
  }
}

void AddedTokenMatcher::Tree::Add(std::string_view content, int32_t token) {
  int32_t* link = &roots[static_cast<unsigned char>(content[0])];
  for (size_t i = 0; i < content.size(); ++i) {
    const auto byte = static_cast<unsigned char>(content[i]);
    int32_t node = *link;
    while (node >= 0 && nodes[static_cast<size_t>(node)].byte != byte) node = nodes[static_cast<size_t>(node)].sibling;
    if (node < 0) {
      node = static_cast<int32_t>(nodes.size());
      const int32_t sibling = *link;
      *link = node;  // before push_back, which may move what it points into
      nodes.push_back({-1, -1, sibling, byte});
    }
    if (i + 1 == content.size()) nodes[static_cast<size_t>(node)].token = token;
    link = &nodes[static_cast<size_t>(node)].first_child;
  }
}

AddedTokenMatcher::Verdict AddedTokenMatcher::Judge(const AddedToken& token, const Rule& rule, size_t begin, size_t end) {
  if (!token.special) return Verdict::kCounts;
  const auto by = [&](ParseSpecial parse) {
    const bool counts = parse == ParseSpecial::kAll || (parse == ParseSpecial::kAnswer && token.of_answers);
    return counts ? Verdict::kCounts : Verdict::kStaysText;
  };
  const auto span =
      std::partition_point(rule.spans.begin(), rule.spans.end(), [&](const ParseSpan& s) { return s.end <= begin; });
  if (span == rule.spans.end() || span->begin >= end) return by(rule.otherwise);
  if (span->begin <= begin && end <= span->end) return by(span->parse);
  return Verdict::kCrosses;
}

AddedTokenMatcher::Match AddedTokenMatcher::Longest(const Tree& tree, std::string_view text, size_t begin,
                                                    const Rule& rule) const {
  Match best;
  const size_t offset = static_cast<size_t>(text.data() - rule.whole.data());
  int32_t node = tree.roots[static_cast<unsigned char>(text[begin])];
  for (size_t i = begin + 1; node >= 0; ++i) {
    const Node& here = tree.nodes[static_cast<size_t>(node)];
    if (here.token >= 0) {
      const Verdict verdict = Judge(tokens_[static_cast<size_t>(here.token)], rule, offset + begin, offset + i);
      if (verdict == Verdict::kCounts) best = {here.token, 0};
      if (verdict == Verdict::kStaysText) best = {-1, i - begin};
    }
    if (i == text.size()) break;
    node = here.first_child;
    const auto byte = static_cast<unsigned char>(text[i]);
    while (node >= 0 && tree.nodes[static_cast<size_t>(node)].byte != byte) node = tree.nodes[static_cast<size_t>(node)].sibling;
  }
  return best;
}

void AddedTokenMatcher::SplitBy(const Tree& tree, std::string_view text, const Rule& rule, std::vector<TextPart>& parts) const {
  size_t done = 0;                        // everything before is in `parts`
  size_t space_begin = 0, space_end = 0;  // the last run that rstrip took: not walked twice
  for (size_t i = 0; i < text.size();) {
    const Match found = tree.roots[static_cast<unsigned char>(text[i])] < 0 ? Match() : Longest(tree, text, i, rule);
    const int32_t match = found.token;
    if (match < 0) {
      // As in the reference, nothing begins inside a special token that stays text. One that crosses the end of a
      // span is none at all.
      i += std::max<size_t>(found.stays_text, 1);
      continue;
    }
    const AddedToken& token = tokens_[static_cast<size_t>(match)];
    size_t begin = i, end = i + token.content.size();
    i = end;
    if (token.single_word && TouchesWord(text, begin, end)) continue;
    if (token.lstrip) begin = std::max(SpaceBefore(text, begin, std::min(begin, done)), done);
    if (token.rstrip) {
      if (end < space_begin || end >= space_end) space_begin = end, space_end = SpaceAfter(text, end);
      end = space_end;
    }
    if (end <= begin) continue;  // the token before it has taken all of it
    // Without lstrip, a token that the one before it has taken as white space still counts, as in the
    // reference.
    if (done < begin) parts.push_back({text.substr(done, begin - done), -1});
    parts.push_back({text.substr(begin, end - begin), token.id});
    done = end;
  }
  if (done < text.size()) parts.push_back({text.substr(done), -1});
}

void AddedTokenMatcher::Split(std::string_view text, ParseSpecial otherwise, std::span<const ParseSpan> spans,
                              std::vector<TextPart>& parts) const {
  parts.clear();
  const Rule rule{text, otherwise, spans};
  if (normalized_.nodes.empty()) return SplitBy(raw_, text, rule, parts);
  std::vector<TextPart> raw_parts;
  SplitBy(raw_, text, rule, raw_parts);
  for (const TextPart& part : raw_parts) {
    if (part.id >= 0) {
      parts.push_back(part);
    } else {
      SplitBy(normalized_, part.text, rule, parts);
    }
  }
}

}  // namespace lfm::text
