#include "engine/prefix_cache.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"
#include "base/hash.h"

namespace lfm::engine {
namespace {

uint64_t KeyOf(uint64_t parent, std::span<const int32_t> ids) { return Hash64(std::as_bytes(ids), parent); }

}  // namespace

PrefixCache::Node* PrefixCache::Child(uint64_t parent, std::span<const int32_t> ids) const {
  const auto [begin, end] = index_.equal_range(KeyOf(parent, ids));
  for (auto it = begin; it != end; ++it) {
    Node* node = it->second;
    const uint64_t of = node->parent ? node->parent->serial : node->root->second.serial;
    if (of == parent && std::equal(ids.begin(), ids.end(), node->ids.begin())) return node;
  }
  return nullptr;
}

void PrefixCache::Touch(Node& node) {
  const double worth = age_ + 1 + static_cast<double>(node.depth * kPageTokens) / doubling_;
  if (node.n_children == 0) {
    leaves_.erase({node.worth, node.serial});
    leaves_.emplace(Leaf{worth, node.serial}, &node);
  }
  node.worth = worth;
}

std::vector<PrefixCache::PageRef> PrefixCache::Find(const std::string& tenant, std::span<const int32_t> ids, int64_t n_skip,
                                                    int64_t max_tokens) {
  std::vector<PageRef> found;
  const auto root = roots_.find(tenant);
  if (root == roots_.end()) return found;
  uint64_t parent = root->second.serial;
  const auto n = static_cast<size_t>(std::clamp<int64_t>(max_tokens, 0, static_cast<int64_t>(ids.size())));
  for (size_t at = 0; at + kPageTokens <= n; at += kPageTokens) {
    Node* node = Child(parent, ids.subspan(at, kPageTokens));
    if (!node) break;
    Touch(*node);
    if (at >= static_cast<size_t>(n_skip)) found.push_back(node->page);
    parent = node->serial;
  }
  return found;
}

PrefixCache::Node* PrefixCache::Add(Roots::iterator root, Node* parent, std::span<const int32_t> ids, const PageRef& page) {
  auto node = std::make_unique<Node>();
  node->root = root;
  node->parent = parent;
  node->serial = ++n_serials_;
  node->key = KeyOf(parent ? parent->serial : root->second.serial, ids);
  node->depth = parent ? parent->depth + 1 : 0;
  node->ids.assign(ids.begin(), ids.end());
  node->page = page;
  root->second.n_nodes += 1;
  if (parent && parent->n_children++ == 0) leaves_.erase({parent->worth, parent->serial});
  Node* added = node.get();
  index_.emplace(added->key, added);
  nodes_.emplace_hint(nodes_.end(), added->serial, std::move(node));
  Touch(*added);
  return added;
}

PrefixCache::Roots::iterator PrefixCache::RootOf(const std::string& tenant) {
  const auto [root, is_new] = roots_.try_emplace(tenant);
  if (is_new) root->second.serial = ++n_serials_;
  return root;
}

uint64_t PrefixCache::InsertBehind(const std::string& tenant, uint64_t parent, std::span<const int32_t> ids,
                                   const PageRef& page) {
  LFM_CHECK(ids.size() == kPageTokens);
  const auto behind = nodes_.find(parent);
  if (parent != 0 && (behind == nodes_.end() || behind->second->root->first != tenant)) return 0;
  const auto root = RootOf(tenant);
  if (const Node* there = Child(parent == 0 ? root->second.serial : parent, ids)) return there->serial;
  return Add(root, parent == 0 ? nullptr : behind->second.get(), ids, page)->serial;
}

void PrefixCache::Insert(const std::string& tenant, std::span<const int32_t> ids, std::span<const PageRef> pages) {
  LFM_CHECK(ids.size() >= pages.size() * kPageTokens);
  if (pages.empty()) return;
  const auto root = RootOf(tenant);
  Node* parent = nullptr;
  for (size_t i = 0; i < pages.size(); ++i) {
    const auto part = ids.subspan(i * kPageTokens, kPageTokens);
    Node* node = Child(parent ? parent->serial : root->second.serial, part);
    parent = node ? node : Add(root, parent, part, pages[i]);
  }
}

void PrefixCache::Remove(Node& node) {
  LFM_CHECK(node.n_children == 0);
  leaves_.erase({node.worth, node.serial});
  const auto [begin, end] = index_.equal_range(node.key);
  index_.erase(std::find_if(begin, end, [&](const auto& entry) { return entry.second == &node; }));
  if (Node* parent = node.parent; parent && --parent->n_children == 0) {
    leaves_.emplace(Leaf{parent->worth, parent->serial}, parent);
  }
  if (--node.root->second.n_nodes == 0) roots_.erase(node.root);
  nodes_.erase(node.serial);
}

int64_t PrefixCache::Evict(int64_t n) {
  int64_t n_freed = 0;
  for (auto leaf = leaves_.begin(); leaf != leaves_.end() && n_freed < n;) {
    Node& node = *leaf->second;
    if (node.page.use_count() > 1) {
      ++leaf;
      continue;
    }
    age_ = std::max(age_, node.worth);
    Remove(node);
    ++n_freed;
    leaf = leaves_.begin();  // its parent may be the next one; few leaves are in use, so few are passed again
  }
  n_evicted_ += n_freed;
  return n_freed;
}

void PrefixCache::Clear() {
  leaves_.clear();
  index_.clear();
  nodes_.clear();
  roots_.clear();
}

void PrefixCache::Visit(const Visitor& visitor) const {
  std::unordered_map<const Node*, int64_t> places;
  for (const auto& [serial, node] : nodes_) {
    visitor(node->root->first, node->parent ? places.at(node->parent) : -1, node->ids, node->page);
    places.emplace(node.get(), static_cast<int64_t>(places.size()));
  }
}

}  // namespace lfm::engine
