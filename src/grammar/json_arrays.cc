// Arrays: which items may come, and whether the array can still be finished.
#include <algorithm>

#include "grammar/json_core.h"

namespace lfm::grammar {

uint32_t JsonCore::ArrayIndex(const ArrayShape& shape) {
  uint64_t hash = Mix(shape.min, shape.max ^ static_cast<uint64_t>(shape.unique));
  for (const ItemRule& rule : shape.rules) hash = Mix(hash, rule.from << 32 ^ rule.to ^ uint64_t{rule.value} << 16);
  for (const ContainsRule& rule : shape.contains) hash = Mix(hash, rule.from << 32 ^ rule.min ^ uint64_t{rule.value} << 16);
  for (auto [it, end] = array_index_.equal_range(hash); it != end; ++it) {
    const ArrayShape& other = *arrays_[it->second];
    if (other.min == shape.min && other.max == shape.max && other.unique == shape.unique && other.rules == shape.rules &&
        other.contains == shape.contains) {
      return it->second;
    }
  }
  arrays_.push_back(std::make_unique<ArrayShape>(shape));
  array_index_.emplace(hash, static_cast<uint32_t>(arrays_.size() - 1));
  return static_cast<uint32_t>(arrays_.size() - 1);
}

// Walks the stretches of [from, to) in which all rules are the same.
template <typename Visit>
static void Stretches(const ArrayShape& shape, uint64_t from, uint64_t to, const Visit& visit) {
  while (from < to) {
    uint64_t next = to;
    const auto edge = [&](uint64_t at) {
      if (at > from) next = std::min(next, at);
    };
    for (const ItemRule& rule : shape.rules) edge(rule.from), edge(rule.to);
    for (const ContainsRule& rule : shape.contains) edge(rule.from), edge(rule.to);
    if (!visit(from, next)) return;
    from = next;
  }
}

// Careful rather than complete: two contains rules are taken to need an item each.
bool JsonCore::ItemsCompletable(const ArrayShape& shape, uint64_t n_items, const std::vector<uint32_t>& counters) {
  if (n_items > shape.max) return false;
  uint64_t wanted = 0, longest = shape.min;
  for (size_t i = 0; i < shape.contains.size(); ++i) {
    if (counters[i] < shape.contains[i].min) wanted += shape.contains[i].min - counters[i];
  }
  if (n_items >= shape.min && wanted == 0) return true;
  if (wanted > 0) longest = shape.max;
  uint64_t reach = n_items;
  std::vector<uint64_t> found(shape.contains.size());
  Stretches(shape, n_items, longest, [&](uint64_t from, uint64_t to) {
    Expr plain = schemas_.ItemAt(shape, from);
    if (!schemas_.Satisfiable(plain)) return false;
    for (size_t i = 0; i < shape.contains.size(); ++i) {
      const ContainsRule& rule = shape.contains[i];
      if (rule.from > from || from >= rule.to) continue;
      if (counters[i] >= rule.max) plain = schemas_.And(plain, schemas_.Not(rule.value));
      if (schemas_.Satisfiable(schemas_.And(schemas_.ItemAt(shape, from), rule.value))) found[i] += to - from;
    }
    if (!schemas_.Satisfiable(plain)) return false;
    reach = to;
    return true;
  });
  if (reach < shape.min || reach - n_items < wanted) return false;
  for (size_t i = 0; i < found.size(); ++i) {
    if (counters[i] + found[i] < shape.contains[i].min) return false;
  }
  if (!shape.unique || n_items >= shape.min) return true;
  // Enough different values must be left.
  const Expr item = schemas_.ItemAt(shape, n_items);
  const Type& type = schemas_.TypeOf(item);
  uint64_t left = pool.CountUpTo(type.string, shape.min + 1) + static_cast<uint64_t>(type.null) +
                  static_cast<uint64_t>(type.truth) + static_cast<uint64_t>(type.falsehood);
  const Re digits = pool.Star(pool.Range('0', '9'));
  const Re fraction = pool.Concat({pool.Byte('.'), digits, pool.Range('1', '9')});
  const Re numbers = pool.Concat({pool.Optional(pool.Byte('-')), digits, pool.Optional(fraction)});
  left += pool.CountUpTo(pool.And(type.number, numbers), shape.min + 1);
  return left >= shape.min;
}

bool JsonCore::OpenArray(const JsonNode& node, Config& to) {
  std::vector<Thread> threads;
  for (size_t i = 0; i < node.pending.size(); ++i) {
    for (const ArrayShape& shape : schemas_.TypeOf(node.pending[i].value).arrays) {
      Thread thread;
      thread.shape = ArrayIndex(shape);
      thread.counters.assign(shape.contains.size(), 0);
      thread.parents = {static_cast<uint32_t>(i)};
      if (ItemsCompletable(shape, 0, thread.counters)) AddThread(threads, std::move(thread));
    }
  }
  auto level = Open(false, node, threads);
  if (!level) return false;
  std::vector<Pending> pending;
  bool closable = false;
  for (const Thread& thread : threads) {
    OfferItems(*level, thread, pending);
    closable |= CanCloseArray(*level, thread);
  }
  if (pending.empty() && !closable) return false;
  // Items are offered with the count after them; closing asks with none.
  if (pending.empty()) {
    to = Make(Phase::kAfterValue, level, std::move(threads), {}, compact_ ? Lexer::kStruct : Lexer::kSpace);
    return true;
  }
  to = Make(Phase::kArrayStart, level, std::move(threads), std::move(pending), compact_ ? Lexer::kStruct : Lexer::kSpace);
  return true;
}

bool JsonCore::CanCloseArray(const Level& level, const Thread& thread) {
  const ArrayShape& shape = *arrays_[thread.shape];
  if (level.count < shape.min || level.count > shape.max) return false;
  for (size_t i = 0; i < shape.contains.size(); ++i) {
    if (thread.counters[i] < shape.contains[i].min) return false;
  }
  return true;
}

std::shared_ptr<const Level> JsonCore::WithItem(const Level& level) {
  auto next = std::make_shared<Level>(level);
  ++next->count;
  Rehash(*next);
  return next;
}

// The next item: counted or not by each contains rule that looks at it.
void JsonCore::OfferItems(const Level& level, const Thread& thread, std::vector<Pending>& out) {
  const ArrayShape& shape = *arrays_[thread.shape];
  if (level.count >= shape.max) return;
  std::vector<Pending> offers{{thread, schemas_.ItemAt(shape, level.count)}};
  for (size_t i = 0; i < shape.contains.size(); ++i) {
    const ContainsRule& rule = shape.contains[i];
    if (rule.from > level.count || level.count >= rule.to) continue;
    std::vector<Pending> more;
    for (const Pending& offer : offers) {
      const uint64_t so_far = offer.next.counters[i];
      if (rule.max == kNoMax) {
        if (so_far < rule.min) {
          Pending counted = offer;
          ++counted.next.counters[i], counted.value = schemas_.And(offer.value, rule.value);
          more.push_back(std::move(counted));
        }
        more.push_back(offer);
        continue;
      }
      if (so_far < rule.max) {
        Pending counted = offer;
        ++counted.next.counters[i], counted.value = schemas_.And(offer.value, rule.value);
        more.push_back(std::move(counted));
      }
      Pending other = offer;
      other.value = schemas_.And(offer.value, schemas_.Not(rule.value));
      more.push_back(std::move(other));
    }
    offers = std::move(more);
    if (offers.size() > kMaxOffers) return schemas_.FailLimit("too many contains rules at once");
  }
  for (Pending& offer : offers) {
    if (shape.unique && StringLanguage(&level, offer) == RegexPool::kNone && BareLanguage(&level, offer) == RegexPool::kNone)
      continue;
    if (schemas_.Satisfiable(offer.value) && ItemsCompletable(shape, level.count + 1, offer.next.counters)) {
      AddPending(out, std::move(offer));
    }
  }
}

}  // namespace lfm::grammar
