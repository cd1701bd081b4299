// What was read once, kept for whoever begins with the same tokens: a tree over full pages.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/state.h"

namespace lfm::engine {

// Every node is a page: 64 tokens behind those of its parent. Children are found by a hash of their tokens and compared by
// the tokens themselves. Each tenant has a root of its own, so that nobody learns from the time of an answer what another
// has asked. Pages are shared: one that a sequence reads stays whole when it is evicted here.
//
// Evicted is the leaf whose loss costs least (GreedyDual: N. Young, "The k-server dual and loose competitiveness for
// paging", 1994): a page is worth what reading it again costs, which grows with its position, above the worth of what was
// evicted last; so what nobody asks for ages. Not thread-safe.
class PrefixCache {
 public:
  static constexpr size_t kPageTokens = kernels::kPagePositions;
  using PageRef = std::shared_ptr<model::Page>;

  // `doubling`: the position at which a token costs twice as much to read as the first one.
  explicit PrefixCache(double doubling) : doubling_(doubling) {}

  // The pages behind the first n_skip of `ids`' longest cached beginning, up to max_tokens (both counted in tokens,
  // n_skip a multiple of 64). What is found counts as used now.
  std::vector<PageRef> Find(const std::string& tenant, std::span<const int32_t> ids, int64_t n_skip, int64_t max_tokens);

  // Adds the pages of ids[0, 64 * pages.size()) that are not there yet; of those that are, the first one stays.
  void Insert(const std::string& tenant, std::span<const int32_t> ids, std::span<const PageRef> pages);

  // One page behind the one of number `parent` (0: the first of the tenant): its number, of the one that is there already
  // where there is one, or 0 where the tenant has no such parent.
  uint64_t InsertBehind(const std::string& tenant, uint64_t parent, std::span<const int32_t> ids, const PageRef& page);

  // Gives up to n pages back to their pool, the least worth first; how many it was. Pages that others use are no help.
  int64_t Evict(int64_t n);
  void Clear();

  int64_t n_pages() const { return static_cast<int64_t>(nodes_.size()); }
  int64_t n_evicted() const { return n_evicted_; }

  // Every page, parents first: its tenant, the place of its parent in this order (-1: none), its tokens.
  using Visitor =
      std::function<void(const std::string& tenant, int64_t parent, std::span<const int32_t> ids, const PageRef& page)>;
  void Visit(const Visitor& visitor) const;

 private:
  struct Root {
    uint64_t serial = 0;
    int64_t n_nodes = 0;
  };
  using Roots = std::map<std::string, Root>;
  struct Node {
    Roots::iterator root;
    Node* parent = nullptr;
    uint64_t serial = 0;  // a child's is larger than its parent's
    uint64_t key = 0;     // in index_: of its parent's serial and its tokens
    int64_t depth = 0;    // pages before it
    int64_t n_children = 0;
    double worth = 0;
    std::vector<int32_t> ids;  // [64]
    PageRef page;
  };
  using Leaf = std::pair<double, uint64_t>;  // worth, serial: an order without addresses

  Node* Child(uint64_t parent, std::span<const int32_t> ids) const;
  Roots::iterator RootOf(const std::string& tenant);
  Node* Add(Roots::iterator root, Node* parent, std::span<const int32_t> ids, const PageRef& page);
  void Touch(Node& node);
  void Remove(Node& node);

  const double doubling_;
  Roots roots_;
  std::map<uint64_t, std::unique_ptr<Node>> nodes_;  // by serial
  std::unordered_multimap<uint64_t, Node*> index_;
  std::map<Leaf, Node*> leaves_;
  double age_ = 0;  // the worth of what was evicted last
  uint64_t n_serials_ = 0;
  int64_t n_evicted_ = 0;
};

}  // namespace lfm::engine
