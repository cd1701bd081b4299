// Objects: which keys may come, and whether the object can still be finished.
#include <algorithm>

#include "base/strings.h"
#include "grammar/json_core.h"

namespace lfm::grammar {
namespace {

constexpr size_t kMaxCachedKeys = 50000;

uint64_t HashRules(uint64_t hash, const std::vector<KeyRule>& rules) {
  for (const KeyRule& rule : rules) hash = Mix(hash, uint64_t{rule.keys} << 32 | rule.value);
  return Mix(hash, rules.size());
}

}  // namespace

uint32_t JsonCore::ObjectIndex(const ObjectShape& shape) {
  uint64_t hash = HashRules(HashRules(Mix(shape.min, shape.max), shape.rules), shape.exists);
  for (const int32_t name : shape.required) hash = Mix(hash, static_cast<uint64_t>(name));
  for (const int32_t name : shape.order) hash = Mix(hash, static_cast<uint64_t>(name));
  for (auto [it, end] = object_index_.equal_range(hash); it != end; ++it) {
    const ObjectShape& other = objects_[it->second]->shape;
    if (other.rules == shape.rules && other.exists == shape.exists && other.required == shape.required &&
        other.depends == shape.depends && other.min == shape.min && other.max == shape.max && other.order == shape.order) {
      return it->second;
    }
  }
  auto info = std::make_unique<ObjectInfo>();
  info->shape = shape;
  info->names = schemas_.NamesOf(shape);
  info->n_ordered = shape.order.size();
  const size_t n = info->names.size();
  info->values.resize(n), info->possible.assign(n, -1), info->required.resize(n), info->sorted.resize(n);
  for (size_t i = 0; i < n; ++i) info->sorted[i] = static_cast<uint32_t>(i);
  std::sort(info->sorted.begin(), info->sorted.end(), [&](uint32_t a, uint32_t b) { return info->names[a] < info->names[b]; });
  // Rules for one name are found by name; only the others are asked for every name.
  std::vector<std::vector<Expr>> parts(n);
  for (const KeyRule& rule : shape.rules) {
    if (rule.name >= 0) {
      parts[static_cast<size_t>(PositionOf(*info, rule.name))].push_back(rule.value);
    } else {
      for (size_t i = 0; i < n; ++i) {
        if (schemas_.RuleCovers(rule, info->names[i])) parts[i].push_back(rule.value);
      }
    }
  }
  for (size_t i = 0; i < n; ++i) info->values[i] = schemas_.And(std::move(parts[i]));
  for (const int32_t name : shape.required) {
    info->needed.push_back(static_cast<uint32_t>(PositionOf(*info, name)));
    info->required[info->needed.back()] = true;
  }
  info->classes = schemas_.ClassesOf(shape, info->names);
  std::erase_if(info->classes, [&](const Schemas::KeyClass& one) { return !schemas_.Satisfiable(one.value); });
  objects_.push_back(std::move(info));
  object_index_.emplace(hash, static_cast<uint32_t>(objects_.size() - 1));
  return static_cast<uint32_t>(objects_.size() - 1);
}

int64_t JsonCore::PositionOf(const ObjectInfo& info, int32_t name) const {
  const auto it = std::lower_bound(info.sorted.begin(), info.sorted.end(), name,
                                   [&](uint32_t position, int32_t wanted) { return info.names[position] < wanted; });
  return it != info.sorted.end() && info.names[*it] == name ? static_cast<int64_t>(*it) : -1;
}

bool JsonCore::Possible(ObjectInfo& info, size_t position) {
  int8_t& known = info.possible[position];
  if (known < 0) known = static_cast<int8_t>(schemas_.Satisfiable(info.values[position]));
  return known == 1;
}

bool JsonCore::IsSeen(const Level& level, int32_t name) const {
  return level.keys && std::binary_search(level.keys->names.begin(), level.keys->names.end(), name);
}

bool JsonCore::MayCome(const Level& level, const Thread& thread, ObjectInfo& info, size_t position) {
  return (any_order_ || position >= thread.position || position >= info.n_ordered) && !IsSeen(level, info.names[position]) &&
         Possible(info, position);
}

// In the schema's order, keys that it does not name come when all required ones are there: before, a key that is blocked
// by the order could go on only as the beginning of an unnamed one.
bool JsonCore::ClassesMayCome(const Level& level, const Thread& thread, const ObjectInfo& info) const {
  if (any_order_) return true;
  for (size_t i = thread.position; i < info.n_ordered; ++i) {
    if (info.required[i] && !IsSeen(level, info.names[i])) return false;
  }
  return true;
}

bool JsonCore::ClassMayCome(const Level& level, const Schemas::KeyClass& one) {
  if (!pool.Finite(one.keys)) return true;
  Re re = one.keys;
  if (level.keys) {
    for (const std::string& other : level.keys->others) re = pool.And(re, pool.Not(pool.Literal(other)));
  }
  return pool.Live(re);
}

// The number of keys still to come: those needed by name, and those that what must exist is laid on. Of the latter as few
// as a greedy choice finds; absent where some rule finds none.
std::optional<uint64_t> JsonCore::CountHolders(const Level& level, const Thread& thread, const std::vector<int32_t>& needs,
                                               int64_t chosen) {
  struct Holder {
    size_t index;  // of a name or of a class
    bool named;
    Expr value;
  };
  ObjectInfo& info = *objects_[thread.shape];
  const std::vector<KeyRule>& exists = info.shape.exists;
  std::vector<Holder> holders;
  for (const int32_t name : needs) {
    const auto position = static_cast<size_t>(PositionOf(info, name));
    holders.push_back({position, true, info.values[position]});
  }
  const auto covers = [&](size_t i, const Holder& holder) -> bool {
    return holder.named ? schemas_.RuleCovers(exists[i], info.names[holder.index]) : info.classes[holder.index].fulfils[i];
  };
  const auto lay = [&](size_t i, Holder& holder) {
    if (!covers(i, holder)) return false;
    const Expr both = schemas_.And(holder.value, exists[i].value);
    if (!schemas_.Satisfiable(both)) return false;
    holder.value = both;
    return true;
  };
  const auto taken = [&](size_t index, bool named) {
    return std::any_of(holders.begin(), holders.end(), [&](const Holder& h) { return h.index == index && h.named == named; });
  };
  for (size_t i = 0; i < exists.size(); ++i) {
    if (thread.counters[i] != 0) continue;
    if (std::any_of(holders.begin(), holders.end(), [&](Holder& holder) { return lay(i, holder); })) continue;
    std::optional<Holder> best;  // that most of the later rules speak of
    size_t most = 0;
    const auto consider = [&](Holder holder) {
      if (!lay(i, holder)) return;
      size_t n = 1;
      for (size_t j = i + 1; j < exists.size(); ++j) n += static_cast<size_t>(thread.counters[j] == 0 && covers(j, holder));
      if (n > most) best = holder, most = n;
    };
    for (size_t k = 0; k < info.names.size(); ++k) {
      const bool here = static_cast<int64_t>(k) == chosen || IsSeen(level, info.names[k]) || taken(k, true);
      if (!here && MayCome(level, thread, info, k)) consider({k, true, info.values[k]});
    }
    for (size_t k = 0; k < info.classes.size(); ++k) {
      if (pool.Finite(info.classes[k].keys) && taken(k, false)) continue;
      if (ClassMayCome(level, info.classes[k])) consider({k, false, info.classes[k].value});
    }
    if (!best) return std::nullopt;
    holders.push_back(*best);
  }
  return holders.size();
}

// Whether the object can be finished by `thread` once the key at position `chosen` (-1: none, -2: an unnamed one), which
// `level` does not hold yet, has come. Careful rather than complete: keys that must exist are laid on the needed ones and
// on each other as they come.
bool JsonCore::Completable(const Level& level, const Thread& thread, int64_t chosen) {
  ObjectInfo& info = *objects_[thread.shape];
  const ObjectShape& shape = info.shape;
  pool.Spend(4 + info.needed.size() + shape.depends.size());
  const uint64_t count = level.count + static_cast<uint64_t>(chosen != -1);
  if (count > shape.max) return false;
  const auto has = [&](int32_t name) {
    return IsSeen(level, name) || (chosen >= 0 && info.names[static_cast<size_t>(chosen)] == name);
  };
  std::vector<int32_t> needs;
  for (const uint32_t position : info.needed) {
    const int32_t name = info.names[position];
    if (has(name)) continue;
    if (!MayCome(level, thread, info, position)) return false;
    needs.push_back(name);
  }
  if (count + needs.size() > shape.max) return false;
  const auto add_needs = [&](int32_t name) {
    for (const auto& [first, second] : shape.depends) {
      if (first == name && !has(second) && std::find(needs.begin(), needs.end(), second) == needs.end()) needs.push_back(second);
    }
  };
  const size_t n_named = needs.size();
  if (!shape.depends.empty()) {
    if (chosen >= 0) add_needs(info.names[static_cast<size_t>(chosen)]);
    if (level.keys) {
      for (const int32_t name : level.keys->names) add_needs(name);
    }
    for (size_t i = 0; i < needs.size(); ++i) add_needs(needs[i]);
  }
  for (size_t i = n_named; i < needs.size(); ++i) {
    if (!MayCome(level, thread, info, static_cast<size_t>(PositionOf(info, needs[i])))) return false;
  }
  if (!shape.exists.empty() || needs.size() > n_named) {
    const auto wanted = CountHolders(level, thread, needs, chosen);
    if (!wanted || count + *wanted > shape.max) return false;
  }
  if (count + needs.size() >= shape.min) return true;
  // More keys are needed; any that may come will do.
  uint64_t left = 0;
  for (size_t k = 0; k < info.names.size() && count + left < shape.min; ++k) {
    left += static_cast<uint64_t>(!has(info.names[k]) && MayCome(level, thread, info, k));
  }
  for (const auto& one : info.classes) {
    if (count + left >= shape.min) break;
    const uint64_t keys = pool.CountUpTo(one.keys, shape.min + 64);
    const uint64_t used = level.keys ? level.keys->others.size() : 0;
    left += keys > used ? keys - used : 0;
  }
  return count + left >= shape.min;
}

bool JsonCore::CanCloseObject(const Level& level, const Thread& thread) {
  const ObjectShape& shape = objects_[thread.shape]->shape;
  if (level.count < shape.min || level.count > shape.max) return false;
  for (const int32_t name : shape.required) {
    if (!IsSeen(level, name)) return false;
  }
  for (const auto& [name, needs] : shape.depends) {
    if (IsSeen(level, name) && !IsSeen(level, needs)) return false;
  }
  return std::all_of(thread.counters.begin(), thread.counters.end(), [](uint32_t fulfilled) { return fulfilled != 0; });
}

bool JsonCore::OpenObject(const JsonNode& node, Config& to) {
  std::vector<Thread> threads;
  Level empty;
  for (size_t i = 0; i < node.pending.size(); ++i) {
    for (const ObjectShape& shape : schemas_.TypeOf(node.pending[i].value).objects) {
      Thread thread;
      thread.shape = ObjectIndex(shape);
      thread.counters.assign(shape.exists.size(), 0);
      thread.parents = {static_cast<uint32_t>(i)};
      if (schemas_.error()) return false;
      if (Completable(empty, thread, -1)) AddThread(threads, std::move(thread));
    }
  }
  auto level = Open(true, node, threads);
  if (!level) return false;
  to = Make(Phase::kObjectStart, std::move(level), std::move(threads), {}, compact_ ? Lexer::kStruct : Lexer::kSpace);
  return true;
}

// The keys that may come next.
Re JsonCore::KeyLanguage(const Level& level, const Thread& thread) {
  Hash key = level.hash;
  key.Add(thread.shape), key.Add(thread.position);
  for (const uint32_t counter : thread.counters) key.Add(counter);
  const auto it = key_cache_.find(key);
  if (it != key_cache_.end()) return it->second;
  ObjectInfo& info = *objects_[thread.shape];
  std::vector<Re> parts;
  if (level.count < info.shape.max) {
    bool passable = true;  // a required name may not be passed by; names outside of `properties` have no order
    for (size_t k = any_order_ ? 0 : thread.position; k < info.names.size(); ++k) {
      const bool ordered = !any_order_ && k < info.n_ordered;
      if ((ordered && !passable) || IsSeen(level, info.names[k])) continue;
      Thread next = thread;
      if (ordered) next.position = static_cast<uint32_t>(k) + 1, passable = !info.required[k];
      // A value that fulfils what must exist may come with any key that it covers, so ask with the best case.
      bool completable = Possible(info, k) && Completable(level, next, static_cast<int64_t>(k));
      Expr value = info.values[k];
      for (size_t i = 0; !completable && i < info.shape.exists.size() && Possible(info, k); ++i) {
        if (thread.counters[i] != 0 || !schemas_.RuleCovers(info.shape.exists[i], info.names[k])) continue;
        const Expr both = schemas_.And(value, info.shape.exists[i].value);
        if (!schemas_.Satisfiable(both)) continue;
        next.counters[i] = 1, value = both;
        completable = Completable(level, next, static_cast<int64_t>(k));
      }
      if (completable) parts.push_back(schemas_.NameLanguage(info.names[k]));
    }
    if (ClassesMayCome(level, thread, info)) {
      std::vector<Re> seen;
      if (level.keys) {
        for (const std::string& other : level.keys->others) seen.push_back(pool.Literal(other));
        for (const int32_t name : level.keys->names) {
          if (PositionOf(info, name) < 0) seen.push_back(schemas_.NameLanguage(name));
        }
      }
      const Re not_seen = pool.Not(pool.Or(std::move(seen)));
      for (const auto& one : info.classes) {
        Thread next = thread;
        bool completable = Completable(level, next, -2);
        Expr value = one.value;
        for (size_t i = 0; !completable && i < info.shape.exists.size(); ++i) {
          if (!one.fulfils[i] || thread.counters[i] != 0) continue;
          const Expr both = schemas_.And(value, info.shape.exists[i].value);
          if (!schemas_.Satisfiable(both)) continue;
          next.counters[i] = 1, value = both;
          completable = Completable(level, next, -2);
        }
        if (completable) parts.push_back(pool.And(one.keys, not_seen));
      }
    }
  }
  Re re = pool.Or(std::move(parts));
  if (!pool.Live(re)) re = RegexPool::kNone;
  if (key_cache_.size() > kMaxCachedKeys) key_cache_.clear();
  key_cache_.emplace(key, re);
  return re;
}

bool JsonCore::StartKey(const JsonNode& node, uint8_t quote, Config& to) {
  if (quote == '\'' && double_quotes_) return false;
  std::vector<Re> parts;
  std::vector<Thread> threads;
  for (const Thread& thread : node.threads) {
    const Re re = KeyLanguage(*node.level, thread);
    if (re != RegexPool::kNone) parts.push_back(re), threads.push_back(thread);
  }
  const uint32_t lex = lexer.StateFor(QuoteKind(quote), std::move(parts), Lexer::Text::kKey);
  if (lex == Lexer::kDead) return false;
  to = Make(Phase::kKey, node.level, std::move(threads), {}, lex);
  return true;
}

// Values that may not come again and keys that the schema does not name differ only in what they keep later ones from, for
// keys by which class of them they are in for each thread.
uint64_t JsonCore::TextKind(const Node& base, uint32_t lex, std::string_view text) {
  const auto& node = static_cast<const JsonNode&>(base);
  if (node.phase == Phase::kString || node.phase == Phase::kBare) return 0;
  if (node.phase != Phase::kKey) return kOwnKind;
  const std::string key = Lexer::Decode(lexer.KindOf(lex), text);
  if (const auto name = schemas_.FindName(key)) return static_cast<uint64_t>(*name) + 1;
  uint64_t kind = 0;
  for (const Thread& thread : node.threads) {
    const auto& classes = objects_[thread.shape]->classes;
    if (classes.size() < 2) continue;
    size_t which = 0;
    while (which < classes.size() && !pool.Matches(classes[which].keys, key)) ++which;
    kind = Mix(kind, which);
  }
  return kind == kOwnKind ? 0 : kind;
}

bool JsonCore::OneKind(const Node& base, uint32_t, std::string_view) {
  const auto& node = static_cast<const JsonNode&>(base);
  if (node.phase == Phase::kString || node.phase == Phase::kBare) return true;
  return node.phase == Phase::kKey && std::all_of(node.threads.begin(), node.threads.end(), [&](const Thread& thread) {
           return objects_[thread.shape]->classes.size() < 2;
         });
}

// A character of the private use area, unless the schema speaks of it.
std::string JsonCore::StandIn(const Node& base, uint32_t lex) {
  const auto& node = static_cast<const JsonNode&>(base);
  constexpr std::string_view kStrange = "\xEE\x80\x80\xEE\x80\x81";
  if (node.phase != Phase::kKey || schemas_.FindName(kStrange)) return {};
  for (const Thread& thread : node.threads) {
    for (const auto& one : objects_[thread.shape]->classes) {
      if (!pool.Matches(one.keys, kStrange)) return {};
    }
  }
  const std::string_view end = lexer.AfterQuoteAndBlank(lex) ? "' " : lexer.AfterQuote(lex) ? "'" : "";
  return StrCat(kStrange, end);
}

// The value after a key: with or without fulfilling each rule that asks for such a value somewhere.
void JsonCore::OfferValues(const Level& before, const Thread& thread, const ObjectInfo& info, Thread next, Expr base,
                           const std::vector<size_t>& rules, int64_t chosen, std::vector<Pending>& out) {
  std::vector<Pending> offers{{std::move(next), base}};
  for (const size_t rule : rules) {
    if (thread.counters[rule] != 0) continue;
    const size_t n = offers.size();
    for (size_t i = 0; i < n; ++i) {
      Pending fulfilled = offers[i];
      fulfilled.next.counters[rule] = 1;
      fulfilled.value = schemas_.And(fulfilled.value, info.shape.exists[rule].value);
      offers.push_back(std::move(fulfilled));
    }
    if (offers.size() > kMaxOffers) return schemas_.FailLimit("too many conditions on properties at once");
  }
  for (Pending& offer : offers) {
    if (schemas_.Satisfiable(offer.value) && Completable(before, offer.next, chosen)) AddPending(out, std::move(offer));
  }
}

bool JsonCore::EndKey(const JsonNode& node, uint32_t lex, std::string_view text, Config& to) {
  const auto& parts = lexer.Parts(lex);
  const std::string key = Lexer::Decode(lexer.KindOf(lex), text);
  const auto name = schemas_.FindName(key);
  std::vector<Pending> pending;
  for (size_t t = 0; t < node.threads.size(); ++t) {
    if (parts[t] == RegexPool::kNone || !pool.Nullable(parts[t])) continue;
    const Thread& thread = node.threads[t];
    const ObjectInfo& info = *objects_[thread.shape];
    const int64_t position = name ? PositionOf(info, *name) : -1;
    Thread next = thread;
    std::vector<size_t> rules;
    if (position >= 0) {
      if (!any_order_ && static_cast<size_t>(position) < info.n_ordered) next.position = static_cast<uint32_t>(position) + 1;
      for (size_t i = 0; i < info.shape.exists.size(); ++i) {
        if (schemas_.RuleCovers(info.shape.exists[i], *name)) rules.push_back(i);
      }
      OfferValues(*node.level, thread, info, std::move(next), info.values[static_cast<size_t>(position)], rules, position,
                  pending);
      continue;
    }
    for (const auto& one : info.classes) {
      if (!pool.Matches(one.keys, key)) continue;
      for (size_t i = 0; i < one.fulfils.size(); ++i) {
        if (one.fulfils[i]) rules.push_back(i);
      }
      OfferValues(*node.level, thread, info, std::move(next), one.value, rules, -2, pending);
      break;
    }
  }
  if (pending.empty() || schemas_.error()) return false;
  auto keys = node.level->keys ? std::make_shared<SeenKeys>(*node.level->keys) : std::make_shared<SeenKeys>();
  if (name) {
    keys->names.insert(std::lower_bound(keys->names.begin(), keys->names.end(), *name), *name);
  } else {
    keys->others.insert(std::lower_bound(keys->others.begin(), keys->others.end(), key), key);
  }
  auto level = std::make_shared<Level>(*node.level);
  level->keys = std::move(keys);
  ++level->count;
  Rehash(*level);
  to = Make(Phase::kColon, std::move(level), {}, std::move(pending), Lexer::kStruct);
  return true;
}

}  // namespace lfm::grammar
