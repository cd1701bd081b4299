#include "grammar/vocabulary.h"

#include <algorithm>

#include "grammar/code_points.h"

namespace lfm::grammar {
namespace {

constexpr size_t kMaxTokenBytes = 65535;  // a longer one is never allowed

// Whole characters that stand for themselves in a JSON string.
bool IsPlain(std::string_view bytes, uint32_t& n_codes) {
  n_codes = 0;
  for (size_t i = 0; i < bytes.size(); ++n_codes) {
    const int32_t code = ReadCode(bytes, i);
    if (code < 0x20 || code == '"' || code == '\\') return false;
  }
  return !bytes.empty();
}

}  // namespace

// Iterative: the open nodes are a stack.
Vocabulary::Trie Vocabulary::MakeTrie(std::span<const std::pair<std::string_view, int32_t>> sorted) {
  Trie trie;
  trie.nodes.emplace_back();
  std::vector<uint32_t> open{0};  // by depth
  std::string_view previous;
  for (const auto& [bytes, id] : sorted) {
    size_t same = 0;
    while (same < bytes.size() && same < previous.size() && bytes[same] == previous[same]) ++same;
    while (open.size() > same + 1) {
      trie.nodes[open.back()].end = static_cast<uint32_t>(trie.nodes.size());
      open.pop_back();
    }
    for (size_t i = same; i < bytes.size(); ++i) {
      open.push_back(static_cast<uint32_t>(trie.nodes.size()));
      trie.nodes.push_back({.byte = static_cast<uint8_t>(bytes[i]), .depth = static_cast<uint16_t>(i + 1)});
    }
    TrieNode& node = trie.nodes[open.back()];
    if (node.n_tokens == 0) node.first_token = static_cast<uint32_t>(trie.token_ids.size());
    ++node.n_tokens;
    trie.token_ids.push_back(id);
    trie.max_depth = std::max(trie.max_depth, static_cast<uint32_t>(bytes.size()));
    previous = bytes;
  }
  for (const uint32_t node : open) trie.nodes[node].end = static_cast<uint32_t>(trie.nodes.size());
  return trie;
}

std::string Vocabulary::SpecialBytes(int32_t id) { return "\xFF[" + std::to_string(id) + "]"; }

std::string_view Vocabulary::Bytes(int32_t id) const {
  if (id < 0 || id >= n_tokens()) return {};
  const auto i = static_cast<size_t>(id);
  return std::string_view(text_).substr(offsets_[i], offsets_[i + 1] - offsets_[i]);
}

const Vocabulary::Slice* Vocabulary::SliceFor(uint32_t max_codes) const {
  const Slice* widest = nullptr;
  for (const Slice& slice : slices_) {
    if (slice.max_codes <= max_codes) widest = &slice;
  }
  return widest;
}

bool Vocabulary::IsEnd(int32_t id) const { return std::find(end_ids_.begin(), end_ids_.end(), id) != end_ids_.end(); }

std::shared_ptr<const Vocabulary> Vocabulary::Create(const std::vector<Token>& tokens, std::vector<int32_t> end_ids) {
  auto out = std::make_shared<Vocabulary>();
  std::erase_if(end_ids, [&](int32_t id) { return id < 0 || id >= static_cast<int32_t>(tokens.size()); });
  out->end_ids_ = std::move(end_ids);
  out->offsets_.push_back(0);
  std::vector<int32_t> all;
  std::vector<uint32_t> n_plain(tokens.size());  // code points of plain content; 0: something else
  for (size_t i = 0; i < tokens.size(); ++i) {
    const auto id = static_cast<int32_t>(i);
    std::string bytes = tokens[i].special || out->IsEnd(id) ? SpecialBytes(id) : tokens[i].bytes;
    // The marker byte in an ordinary token is no text, and would pass for the beginning of a special one.
    if (!tokens[i].special && !out->IsEnd(id) && bytes.find('\xFF') != std::string::npos) bytes.clear();
    if (bytes.size() > kMaxTokenBytes) bytes.clear();
    out->text_ += bytes;
    out->offsets_.push_back(static_cast<uint32_t>(out->text_.size()));
    if (bytes.empty() || out->IsEnd(id)) continue;
    all.push_back(id);
    if (!IsPlain(bytes, n_plain[i])) n_plain[i] = 0;
  }
  const auto make = [&](const std::vector<int32_t>& ids) {
    std::vector<std::pair<std::string_view, int32_t>> sorted;
    sorted.reserve(ids.size());
    for (const int32_t id : ids) sorted.emplace_back(out->Bytes(id), id);
    std::sort(sorted.begin(), sorted.end());
    return MakeTrie(sorted);
  };
  out->all_ = make(all);
  const uint32_t longest = n_plain.empty() ? 0 : *std::max_element(n_plain.begin(), n_plain.end());
  for (const uint32_t max_codes : {4u, 8u, 16u, std::max(longest, 17u)}) {
    Slice slice{std::min(max_codes, longest), std::vector<uint32_t>(out->n_words()), {}};
    if (slice.max_codes == 0 || (!out->slices_.empty() && out->slices_.back().max_codes == slice.max_codes)) continue;
    std::vector<int32_t> rest;
    for (const int32_t id : all) {
      const auto i = static_cast<size_t>(id);
      if (n_plain[i] == 0 || n_plain[i] > slice.max_codes) {
        rest.push_back(id);
      } else {
        slice.plain[i / 32] |= 1u << (i % 32);
      }
    }
    slice.rest = make(rest);
    out->slices_.push_back(std::move(slice));
  }
  return out;
}

}  // namespace lfm::grammar
