// The shortest end of an answer, and the schema as it was understood.
#include <algorithm>

#include "base/stack.h"
#include "base/strings.h"
#include "grammar/json_core.h"

namespace lfm::grammar {
namespace {

constexpr int kMaxCompletionDepth = 100;

void KeepShorter(std::string& best, bool& found, const std::string& candidate) {
  if (!found || candidate.size() < best.size()) best = candidate;
  found = true;
}

}  // namespace

// The shortest value of a type: scalars exactly, objects and arrays with as little as they need.
bool JsonCore::ShortestValue(Expr expr, int depth, std::string& out) {
  if (const auto it = shortest_cache_.find(expr); it != shortest_cache_.end()) return out = it->second, true;
  if (depth > kMaxCompletionDepth || IsStackSpent() || schemas_.error()) return false;
  const Type& type = schemas_.TypeOf(expr);
  bool found = false;
  std::string text;
  const Pending pending{{}, expr};
  if (pool.Shortest(BareLanguage(nullptr, pending), text)) KeepShorter(out, found, text);
  if (pool.Shortest(StringLanguage(nullptr, pending), text)) {
    KeepShorter(out, found, StrCat("\"", Lexer::Encode(Lexer::Kind::kJsonString, text), "\""));
  }
  for (size_t i = 0; i < type.arrays.size() && !(found && out.size() <= 2); ++i) {
    Thread thread;
    thread.shape = ArrayIndex(type.arrays[i]);
    thread.counters.assign(type.arrays[i].contains.size(), 0);
    Level level;
    level.count_cap = kNoMax;
    if (ShortestItems(level, thread, depth + 1, text)) KeepShorter(out, found, "[" + text + "]");
  }
  for (size_t i = 0; i < type.objects.size() && !(found && out.size() <= 2); ++i) {
    Thread thread;
    thread.shape = ObjectIndex(type.objects[i]);
    thread.counters.assign(type.objects[i].exists.size(), 0);
    Level level;
    level.object = true, level.count_cap = kNoMax;
    if (ShortestMembers(level, thread, depth + 1, text)) KeepShorter(out, found, "{" + text + "}");
  }
  if (found) shortest_cache_.emplace(expr, out);
  return found;
}

// What is left of an array, without its bracket; begins with a comma if items stand before.
bool JsonCore::ShortestItems(const Level& start, const Thread& first, int depth, std::string& out) {
  out.clear();
  if (arrays_[first.shape]->min > start.count + shortest_limit_) return false;  // an item takes a byte at least
  Level level = start;
  Thread thread = first;
  while (!CanCloseArray(level, thread)) {
    std::vector<Pending> offers;
    OfferItems(level, thread, offers);
    std::string best;
    const Pending* chosen = nullptr;
    for (const Pending& offer : offers) {
      std::string text;
      if (!ShortestItem(level, offer, depth, text)) continue;
      const bool progress = offer.next.counters != thread.counters;
      const bool better =
          chosen == nullptr || (level.count >= arrays_[thread.shape]->min && progress) || text.size() < best.size();
      if (better) best = text, chosen = &offer;
    }
    if (chosen == nullptr || out.size() > shortest_limit_) return false;
    out += (level.count > 0 ? "," : "") + best;
    if (arrays_[thread.shape]->unique) RememberValue(level, best);
    thread = chosen->next;
    ++level.count;
    Rehash(level);
  }
  return true;
}

bool JsonCore::ShortestItem(const Level& level, const Pending& offer, int depth, std::string& out) {
  if (!arrays_[offer.next.shape]->unique) return ShortestValue(offer.value, depth, out);
  bool found = false;
  std::string text;
  if (pool.Shortest(BareLanguage(&level, offer), text)) KeepShorter(out, found, text);
  if (pool.Shortest(StringLanguage(&level, offer), text)) {
    KeepShorter(out, found, StrCat("\"", Lexer::Encode(Lexer::Kind::kJsonString, text), "\""));
  }
  return found;
}

void JsonCore::RememberValue(Level& level, std::string_view written) {
  auto values = level.values ? std::make_shared<SeenValues>(*level.values) : std::make_shared<SeenValues>();
  if (written[0] == '"') {
    return RememberString(level, Lexer::Decode(Lexer::Kind::kJsonString, written.substr(1, written.size() - 2)));
  } else if (written == "null" || written == "None") {
    values->null = true;
  } else if (written == "true" || written == "True") {
    values->truth = true;
  } else if (written == "false" || written == "False") {
    values->falsehood = true;
  } else {
    values->numbers.emplace_back(written);
    std::sort(values->numbers.begin(), values->numbers.end());
  }
  level.values = std::move(values);
  Rehash(level);
}

void JsonCore::RememberString(Level& level, std::string text) {
  auto values = level.values ? std::make_shared<SeenValues>(*level.values) : std::make_shared<SeenValues>();
  values->strings.push_back(std::move(text));
  std::sort(values->strings.begin(), values->strings.end());
  level.values = std::move(values);
  Rehash(level);
}

// What is left of an object, without its brace; `one_more`: at least one member.
bool JsonCore::ShortestMembers(const Level& start, const Thread& first, int depth, std::string& out, bool one_more) {
  out.clear();
  if (objects_[first.shape]->shape.min > start.count + shortest_limit_ / 4) return false;  // a member takes 4 bytes at least
  Level level = start;
  std::vector<Thread> threads{first};
  while ((one_more && out.empty()) || !CanCloseObject(level, threads[0])) {
    // The first name that is needed, else the shortest key that may come.
    const Thread& thread = threads[0];
    const ObjectInfo& info = *objects_[thread.shape];
    Re keys = KeyLanguage(level, thread);
    if (level.call) keys = pool.And(keys, argument_names_);
    std::string key;
    bool found = false;
    for (size_t k = 0; k < info.names.size() && !found; ++k) {
      const std::string& name = schemas_.Name(info.names[k]);
      bool exists = false;
      for (size_t i = 0; i < info.shape.exists.size(); ++i) {
        exists |= thread.counters[i] == 0 && schemas_.RuleCovers(info.shape.exists[i], info.names[k]);
      }
      const bool owed = std::any_of(info.shape.depends.begin(), info.shape.depends.end(),
                                    [&](const auto& need) { return need.second == info.names[k] && IsSeen(level, need.first); });
      if ((info.required[k] || exists || owed) && pool.Matches(keys, name)) key = name, found = true;
    }
    // Of other names one that fulfils what must exist, as much of it as one name can.
    for (size_t i = 0; i < info.shape.exists.size() && !found; ++i) {
      if (thread.counters[i] != 0) continue;
      const Re fulfilling = pool.And(keys, info.shape.exists[i].keys);
      if (pool.Live(fulfilling)) keys = fulfilling;
    }
    if (!found && !pool.Shortest(keys, key)) return false;
    JsonNode node;
    node.level = std::make_shared<Level>(level), node.threads = threads;
    const Lexer::Kind kind = level.call ? Lexer::Kind::kBare : Lexer::Kind::kJsonString;
    const uint32_t lex = lexer.StateFor(kind, {pool.Next(keys, key)}, Lexer::Text::kKey);
    Config to;
    const std::string written = level.call ? key : Lexer::Encode(kind, key);
    if (lex == Lexer::kDead || !EndKey(node, lex, written, to)) return false;
    const auto& after = static_cast<const JsonNode&>(*to.node);
    std::string value;
    const Pending* chosen = nullptr;
    // The offer that fulfils the most.
    for (const Pending& offer : after.pending) {
      std::string text;
      if (!ShortestValue(offer.value, depth, text)) continue;
      if (chosen == nullptr || offer.next.counters > chosen->next.counters) value = text, chosen = &offer;
    }
    if (chosen == nullptr || out.size() > shortest_limit_) return false;
    out += level.count > 0 ? "," : "";
    out += level.call ? StrCat(written, "=", value) : StrCat("\"", written, "\":", value);
    const Thread next = chosen->next;
    level = *after.level;
    threads = {next};
  }
  return true;
}

bool JsonCore::Complete(const Config& start, const std::string& start_text, size_t max, std::string& out) {
  out.clear();
  shortest_limit_ = std::min(max, kMaxShortest);
  Config at = start;
  std::string text = start_text, next;
  while (!Accepting(*at.node, at.lex, text)) {
    next.clear();
    if (!Towards(at, text, next) || next.empty() || out.size() + next.size() > max) return false;
    for (const char c : next) {
      if (!Step(at, text, static_cast<uint8_t>(c))) return false;
    }
    out += next;
    if (Failure()) return false;
  }
  return true;
}

// The next bytes of a short way to the end.
bool JsonCore::Towards(const Config& at, const std::string& text, std::string& next) {
  const auto& node = static_cast<const JsonNode&>(*at.node);
  switch (node.phase) {
    case Phase::kValue:
    case Phase::kArrayStart: {
      if (node.phase == Phase::kArrayStart && Takes(at, text, ']')) return next = "]", true;
      bool found = false;
      std::string candidate;
      for (const Pending& one : node.pending) {
        const bool unique = node.level && !node.level->object && arrays_[one.next.shape]->unique;
        if (unique ? ShortestItem(*node.level, one, 0, candidate) : ShortestValue(one.value, 0, candidate)) {
          KeepShorter(next, found, candidate);
        }
      }
      return found;
    }
    case Phase::kString:
    case Phase::kKey:
    case Phase::kBare: return CloseLexeme(node, at.lex, text, next);
    case Phase::kColon: return next = ":", true;
    case Phase::kObjectStart:
    case Phase::kNextKey:
    case Phase::kAfterValue: return CloseLevel(at, text, next);
    default: return false;
  }
}

bool JsonCore::Takes(const Config& at, const std::string& text, char byte) {
  Config to = at;
  std::string to_text = text;
  return Step(to, to_text, static_cast<uint8_t>(byte));
}

// The bracket, or what must come before it.
bool JsonCore::CloseLevel(const Config& at, const std::string& text, std::string& next) {
  const auto& node = static_cast<const JsonNode&>(*at.node);
  const bool object = node.level->object;
  const char close = node.level->call ? ')' : object ? '}' : ']';
  if (node.phase != Phase::kNextKey && Takes(at, text, close)) return next = close, true;
  if (node.phase == Phase::kAfterValue && lexer.IsSpaced(at.lex)) return false;
  bool found = false;
  std::string candidate;
  for (const Thread& thread : node.threads) {
    if (object ? ShortestMembers(*node.level, thread, 0, candidate, node.phase == Phase::kNextKey)
               : ShortestItems(*node.level, thread, 0, candidate)) {
      KeepShorter(next, found, candidate);
    }
  }
  if (node.phase == Phase::kNextKey && next.starts_with(',')) next.erase(0, 1);
  return found;
}

// A string with its quote, or what comes behind a bare scalar or a single quote: by that alone they end.
bool JsonCore::CloseLexeme(const JsonNode& node, uint32_t lex, const std::string& text, std::string& next) {
  const auto& parts = lexer.Parts(lex);
  const bool bare = lexer.KindOf(lex) == Lexer::Kind::kBare;
  const bool ended = std::any_of(parts.begin(), parts.end(), [&](Re re) { return pool.Nullable(re); });
  if (!ended || !(bare || lexer.AfterQuote(lex))) return ShortestLexeme(lex, next);
  if (node.phase == Phase::kKey) return next = bare ? "=" : ":", true;
  Config after;
  return EndScalar(node, lex, text, after) && Towards(after, {}, next);
}

// The rest of a string with its quote, or of a bare scalar; from inside an escape the escape first.
bool JsonCore::ShortestLexeme(uint32_t lex, std::string& out) {
  out.clear();
  while (!lexer.AtRest(lex)) {
    uint32_t next = Lexer::kDead;
    for (int byte = 0x20; byte < 0x7F && next <= Lexer::kCross; ++byte) {
      next = lexer.Next(lex, static_cast<uint8_t>(byte));
      if (next > Lexer::kCross) out += static_cast<char>(byte);
    }
    if (next <= Lexer::kCross) return false;
    lex = next;
  }
  std::string best, candidate;
  bool found = false;
  for (const Re part : lexer.Parts(lex)) {
    if (part != RegexPool::kNone && pool.Shortest(part, candidate)) KeepShorter(best, found, candidate);
  }
  if (!found) return false;
  const Lexer::Kind kind = lexer.KindOf(lex);
  switch (kind) {
    case Lexer::Kind::kJsonString:
    case Lexer::Kind::kDoubleQuoted: out += Lexer::Encode(kind, best) + "\""; break;
    case Lexer::Kind::kSingleQuoted: out += Lexer::Encode(kind, best) + "'"; break;
    default: out += best;
  }
  return true;
}

std::string JsonCore::Describe() { return schemas_.Describe(root_); }

}  // namespace lfm::grammar
