#include "grammar/json_core.h"

#include <algorithm>

#include "base/strings.h"
#include "grammar/numbers.h"

namespace lfm::grammar {
namespace {

constexpr size_t kMaxThreads = 2000;

void AddThreadHash(Hash& hash, const Thread& thread) {
  hash.Add(uint64_t{thread.shape} << 32 | thread.position);
  hash.Add(thread.counters.size() << 32 | thread.parents.size());
  for (const uint32_t counter : thread.counters) hash.Add(counter);
  for (const uint32_t parent : thread.parents) hash.Add(parent);
}
void AddTextHash(Hash& hash, std::string_view text) {
  hash.Add(text.size());
  uint64_t word = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    word = word << 8 | static_cast<uint8_t>(text[i]);
    if (i % 8 == 7) hash.Add(word), word = 0;
  }
  hash.Add(word);
}

}  // namespace

JsonCore::JsonCore(const Spec& spec, const Budgets& budgets)
    : Core(budgets), schemas_(pool), compact_(spec.whitespace == Whitespace::kCompact), any_order_(spec.order == Order::kAny) {
  any_number_ = AnyNumber(pool), short_ = ShortNumbers(pool), without_point_ = WithoutPoint(pool);
}

Status JsonCore::Load(const Json& schema, bool annotate_unsupported, Refusal* refusal) {
  StartClock();
  root_ = schemas_.Add(schema, annotate_unsupported);
  if (!schemas_.error()) schemas_.ReadAll(root_);
  if (!schemas_.error() && !schemas_.Satisfiable(root_) && !schemas_.error() && !pool.overflowed()) {
    const bool named = schema.is_object() && !schema.members().empty();
    schemas_.Fail(ErrorCode::kInvalidArgument, named ? schema.members().back().first : "false", "",
                  "no value satisfies the schema");
  }
  if (!schemas_.error() && pool.overflowed()) schemas_.FailLimit(Core::Failure()->message);
  return Finished(refusal);
}

void JsonCore::StartClock() { schemas_.expired = pool.stop; }

Status JsonCore::Finished(Refusal* refusal) {
  for (const SchemaError& one : schemas_.unenforced()) unenforced.push_back({one.keyword, one.pointer, one.message});
  schemas_.expired = nullptr;  // its clock ends with the compilation
  const auto failure = Failure();
  if (!failure) return Ok();
  if (refusal != nullptr) {
    *refusal = {"", "", failure->message};
    if (const auto& error = schemas_.error()) *refusal = {error->keyword, error->pointer, error->message};
  }
  return *failure;
}

std::optional<Error> JsonCore::Failure() const {
  if (const auto& error = schemas_.error()) {
    std::string message = error->message;
    if (!error->keyword.empty()) message = StrCat("\"", error->keyword, "\" at \"", error->pointer, "\": ", message);
    return Error{error->code, std::move(message)};
  }
  return Core::Failure();
}

void JsonCore::Rehash(Level& level) {
  level.count = std::min(level.count, level.count_cap);
  Hash hash;
  hash.Add(uint64_t{level.call} << 1 | uint64_t{level.object});
  if (level.below) hash.Add(level.below->hash);
  hash.Add(level.below_pending.size());
  for (const Pending& pending : level.below_pending) AddThreadHash(hash, pending.next), hash.Add(pending.value);
  hash.Add(level.count), hash.Add(level.depth);
  if (level.keys) {
    for (const int32_t name : level.keys->names) hash.Add(static_cast<uint64_t>(name));
    for (const std::string& other : level.keys->others) AddTextHash(hash, other);
  }
  if (level.values) {
    hash.Add(uint64_t{level.values->null} << 2 | uint64_t{level.values->truth} << 1 | uint64_t{level.values->falsehood});
    for (const std::string& text : level.values->strings) AddTextHash(hash, text);
    hash.Add(0x77);
    for (const std::string& text : level.values->numbers) AddTextHash(hash, text);
  }
  level.hash = hash;
}

Config JsonCore::Make(Phase phase, std::shared_ptr<const Level> level, std::vector<Thread> threads, std::vector<Pending> pending,
                      uint32_t lex, uint32_t place) {
  auto node = std::make_shared<JsonNode>();
  Hash hash;
  hash.Add(uint64_t{place} << 8 | static_cast<uint64_t>(phase));
  if (level) hash.Add(level->hash);
  for (const Thread& thread : threads) AddThreadHash(hash, thread);
  hash.Add(0x99);
  for (const Pending& one : pending) AddThreadHash(hash, one.next), hash.Add(one.value);
  node->hash = hash, node->place = place;
  node->phase = phase, node->level = std::move(level), node->threads = std::move(threads), node->pending = std::move(pending);
  return {std::move(node), lex, false};
}

void JsonCore::AddThread(std::vector<Thread>& threads, Thread thread) {
  for (Thread& other : threads) {
    if (other.shape != thread.shape || other.position != thread.position || other.counters != thread.counters) continue;
    other.parents.insert(other.parents.end(), thread.parents.begin(), thread.parents.end());
    std::sort(other.parents.begin(), other.parents.end());
    other.parents.erase(std::unique(other.parents.begin(), other.parents.end()), other.parents.end());
    return;
  }
  threads.push_back(std::move(thread));
}

void JsonCore::AddPending(std::vector<Pending>& list, Pending one) {
  if (std::find(list.begin(), list.end(), one) == list.end()) list.push_back(std::move(one));
}

Config JsonCore::Start() {
  if (schemas_.error() || !schemas_.Satisfiable(root_)) return {};
  return Make(Phase::kValue, nullptr, {}, {Pending{{}, root_}}, Lexer::kStruct);
}

bool JsonCore::Cross(const Node& base, uint32_t lex, uint8_t byte, std::string_view text, Config& to) {
  const auto& node = static_cast<const JsonNode&>(base);
  pool.Spend(1 + node.threads.size() + node.pending.size());
  if (schemas_.error() || pool.overflowed()) return false;
  const bool spaced = lexer.IsSpaced(lex);
  switch (node.phase) {
    case Phase::kValue: return StartValue(node, byte, to);
    case Phase::kArrayStart: {
      if (byte != ']') {
        JsonNode first = node;
        first.level = WithItem(*node.level);
        return StartValue(first, byte, to);
      }
      std::vector<Thread> closed;
      for (const Thread& thread : node.threads) {
        if (CanCloseArray(*node.level, thread)) closed.push_back(thread);
      }
      return Close(*node.level, closed, to);
    }
    case Phase::kString:
    case Phase::kBare: {
      const bool quoted = node.phase == Phase::kString && lexer.KindOf(lex) != Lexer::Kind::kSingleQuoted;
      if (quoted) return EndScalar(node, lex, text, to);
      Config after;
      return EndScalar(node, lex, text, after) && GoOn(after, lexer.AfterQuoteAndBlank(lex), byte, to);
    }
    case Phase::kObjectStart:
    case Phase::kNextKey:
      if (byte == '"' || (byte == '\'' && python_)) return StartKey(node, byte, to);
      break;
    case Phase::kKey: {
      if (lexer.KindOf(lex) != Lexer::Kind::kSingleQuoted) return EndKey(node, lex, text, to);
      Config after;
      return EndKey(node, lex, text, after) && GoOn(after, lexer.AfterQuoteAndBlank(lex), byte, to);
    }
    case Phase::kColon:
      if (byte != ':') return false;
      to = Make(Phase::kValue, node.level, {}, node.pending, compact_ ? Lexer::kStruct : Lexer::kSpace);
      return true;
    case Phase::kAfterValue:
      if (byte != ',' || spaced) break;
      if (node.level->object) {
        for (const Thread& thread : node.threads) {
          if (KeyLanguage(*node.level, thread) != RegexPool::kNone) {
            to = Make(Phase::kNextKey, node.level, node.threads, {}, compact_ ? Lexer::kStruct : Lexer::kSpace);
            return true;
          }
        }
        return false;
      } else {
        std::vector<Pending> pending;
        for (const Thread& thread : node.threads) OfferItems(*node.level, thread, pending);
        if (pending.empty() || pending.size() > kMaxThreads) return false;
        to = Make(Phase::kValue, WithItem(*node.level), {}, std::move(pending), compact_ ? Lexer::kStruct : Lexer::kSpace);
        return true;
      }
    default: return false;
  }
  if (node.phase == Phase::kNextKey || byte != (node.level->call ? ')' : node.level->object ? '}' : ']')) return false;
  std::vector<Thread> closed;
  for (const Thread& thread : node.threads) {
    if (node.level->object ? CanCloseObject(*node.level, thread) : CanCloseArray(*node.level, thread)) closed.push_back(thread);
  }
  return Close(*node.level, closed, to);
}

bool JsonCore::MayCross(const Node& base, uint32_t lex, uint8_t byte) const {
  const auto& node = static_cast<const JsonNode&>(base);
  const auto one_of = [&](std::string_view bytes) { return bytes.find(static_cast<char>(byte)) != std::string_view::npos; };
  switch (node.phase) {
    case Phase::kArrayStart:
      if (byte == ']') return true;
      [[fallthrough]];
    case Phase::kValue: return one_of(python_ ? "\"{[-0123456789tfnTFN'" : "\"{[-0123456789tfn");
    case Phase::kString:
    case Phase::kKey: return true;
    case Phase::kBare: return one_of(",}]) \n") || lexer.KindOf(lex) != Lexer::Kind::kBare;
    case Phase::kObjectStart: return one_of(node.level->call ? ")" : python_ ? "\"'}" : "\"}");
    case Phase::kNextKey: return one_of(python_ ? "\"'" : "\"");
    case Phase::kColon: return byte == ':';
    case Phase::kAfterValue: return one_of(node.level->call ? ",)" : node.level->object ? ",}" : ",]");
    default: return false;
  }
}

bool JsonCore::GoOn(const Config& after, bool blank, uint8_t byte, Config& to) {
  uint32_t lex = after.lex;
  // The blank was taken before it was known that the text had ended: where none may stand, what must follow still may.
  const uint32_t spaced = blank ? lexer.Next(lex, ' ') : lex;
  if (spaced > Lexer::kCross) lex = spaced;
  const uint32_t next = lexer.Next(lex, byte);
  if (next == Lexer::kDead) return false;
  if (next == Lexer::kCross) return Cross(*after.node, lex, byte, {}, to);
  to = after, to.lex = next;
  return true;
}

bool JsonCore::Accepting(const Node& base, uint32_t lex, std::string_view) {
  const auto& node = static_cast<const JsonNode&>(base);
  if (node.phase == Phase::kDone) return true;
  if (node.phase != Phase::kBare || node.level) return false;
  const auto& parts = lexer.Parts(lex);
  return std::any_of(parts.begin(), parts.end(), [&](Re re) { return pool.Nullable(re); });
}

bool JsonCore::StartValue(const JsonNode& node, uint8_t byte, Config& to) {
  if (byte == '"' || (byte == '\'' && python_)) return StartString(node, byte, to);
  if (byte == '{') return OpenObject(node, to);
  if (byte == '[') return OpenArray(node, to);
  return StartBare(node, byte, to);
}

const SeenValues* JsonCore::SeenIn(const Level* level, const Pending& pending) const {
  if (level == nullptr || level->object || !level->values || !arrays_[pending.next.shape]->unique) return nullptr;
  return level->values.get();
}

Re JsonCore::StringLanguage(const Level* level, const Pending& pending) {
  Re re = schemas_.TypeOf(pending.value).string;
  if (const SeenValues* seen = SeenIn(level, pending)) {
    std::vector<Re> words;
    for (const std::string& text : seen->strings) words.push_back(pool.Literal(text));
    if (!words.empty()) re = pool.And(re, pool.Not(pool.Or(std::move(words))));
  }
  return pool.Live(re) ? re : Re{RegexPool::kNone};
}

Re JsonCore::BareLanguage(const Level* level, const Pending& pending) {
  const SeenValues* seen = SeenIn(level, pending);
  const bool unique = level != nullptr && !level->object && arrays_[pending.next.shape]->unique;
  if (!unique) {
    const auto it = bare_cache_.find(pending.value);
    if (it != bare_cache_.end()) return it->second.first;
  }
  const Type& type = schemas_.TypeOf(pending.value);
  std::vector<Re> words;
  if (type.null && !(seen && seen->null)) words.push_back(pool.Literal("null"));
  if (type.truth && !(seen && seen->truth)) words.push_back(pool.Literal("true"));
  if (type.falsehood && !(seen && seen->falsehood)) words.push_back(pool.Literal("false"));
  if (python_) {
    if (type.null && !(seen && seen->null)) words.push_back(pool.Literal("None"));
    if (type.truth && !(seen && seen->truth)) words.push_back(pool.Literal("True"));
    if (type.falsehood && !(seen && seen->falsehood)) words.push_back(pool.Literal("False"));
  }
  Re number = type.any_number && !unique ? any_number_ : type.number;
  if (type.plain_integers) number = pool.And(number, without_point_);
  if (seen) {
    for (const std::string& text : seen->numbers) {
      if (const auto value = ParseDecimal(text)) number = pool.And(number, pool.Not(EqualTo(pool, *value)));
    }
  }
  const Re bounded = pool.And(number, short_);
  words.push_back(pool.Live(bounded) ? bounded : number);
  Re re = pool.Or(std::move(words));
  if (!pool.Live(re)) re = RegexPool::kNone;
  if (!unique) bare_cache_[pending.value] = {re, true};
  return re;
}

Lexer::Kind JsonCore::QuoteKind(uint8_t quote) const {
  return !python_ ? Lexer::Kind::kJsonString : quote == '"' ? Lexer::Kind::kDoubleQuoted : Lexer::Kind::kSingleQuoted;
}

bool JsonCore::StartString(const JsonNode& node, uint8_t quote, Config& to) {
  if (quote == '\'' && double_quotes_) return false;
  std::vector<Re> parts;
  std::vector<Pending> pending;
  auto wanted = Lexer::Text::kUnseen;
  for (const Pending& one : node.pending) {
    const Re re = StringLanguage(node.level.get(), one);
    if (re == RegexPool::kNone) continue;
    parts.push_back(re), pending.push_back(one);
    if (node.level && !node.level->object && arrays_[one.next.shape]->unique) wanted = Lexer::Text::kValue;
  }
  const uint32_t lex = lexer.StateFor(QuoteKind(quote), std::move(parts), wanted);
  if (lex == Lexer::kDead) return false;
  to = Make(Phase::kString, node.level, {}, std::move(pending), lex);
  return true;
}

bool JsonCore::StartBare(const JsonNode& node, uint8_t byte, Config& to) {
  std::vector<Re> parts;
  std::vector<Pending> pending;
  auto wanted = Lexer::Text::kUnseen;
  for (const Pending& one : node.pending) {
    const Re re = pool.Next(BareLanguage(node.level.get(), one), byte);
    if (!pool.Live(re)) continue;
    parts.push_back(re), pending.push_back(one);
    if (node.level && !node.level->object && arrays_[one.next.shape]->unique) wanted = Lexer::Text::kValue;
  }
  const uint32_t lex = lexer.StateFor(Lexer::Kind::kBare, std::move(parts), wanted);
  if (lex == Lexer::kDead) return false;
  to = Make(Phase::kBare, node.level, {}, std::move(pending), lex);
  to.keeps_byte = true;
  return true;
}

bool JsonCore::EndScalar(const JsonNode& node, uint32_t lex, std::string_view text, Config& to) {
  const auto& parts = lexer.Parts(lex);
  std::vector<Thread> threads;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] != RegexPool::kNone && pool.Nullable(parts[i])) AddThread(threads, node.pending[i].next);
  }
  std::shared_ptr<const Level> level = node.level;
  if (level && lexer.NeedsText(lex)) {
    auto changed = std::make_shared<Level>(*level);
    if (node.phase == Phase::kString) {
      RememberString(*changed, Lexer::Decode(lexer.KindOf(lex), text));
    } else {
      RememberValue(*changed, text);
    }
    level = std::move(changed);
  }
  return Finish(level, std::move(threads), to);
}

bool JsonCore::FinishRoot(const std::vector<Thread>&, Config& to) {
  to = Make(Phase::kDone, nullptr, {}, {}, Lexer::kStruct);
  return true;
}

// A value has ended in `level`.
bool JsonCore::Finish(const std::shared_ptr<const Level>& level, std::vector<Thread> threads, Config& to) {
  if (!level) return !threads.empty() && FinishRoot(threads, to);
  // Threads that were right only for another text of this value.
  if (!level->object) {
    std::erase_if(threads,
                  [&](const Thread& thread) { return !ItemsCompletable(*arrays_[thread.shape], level->count, thread.counters); });
  }
  if (threads.empty()) return false;
  const bool closable = std::any_of(threads.begin(), threads.end(), [&](const Thread& thread) {
    return level->object ? CanCloseObject(*level, thread) : CanCloseArray(*level, thread);
  });
  to = Make(Phase::kAfterValue, level, std::move(threads), {}, closable && !compact_ ? Lexer::kSpace : Lexer::kStruct);
  return true;
}

bool JsonCore::Close(const Level& level, const std::vector<Thread>& closed, Config& to) {
  std::vector<uint32_t> parents;
  for (const Thread& thread : closed) parents.insert(parents.end(), thread.parents.begin(), thread.parents.end());
  std::sort(parents.begin(), parents.end());
  parents.erase(std::unique(parents.begin(), parents.end()), parents.end());
  std::vector<Thread> threads;
  for (const uint32_t parent : parents) AddThread(threads, level.below_pending[parent].next);
  return !threads.empty() && Finish(level.below, std::move(threads), to);
}

std::shared_ptr<const Level> JsonCore::Open(bool object, const JsonNode& node, const std::vector<Thread>& threads) {
  const uint32_t depth = node.level ? node.level->depth + 1 : 0;
  if (threads.empty() || depth >= budgets_.max_depth || threads.size() > kMaxThreads) return nullptr;
  auto level = std::make_shared<Level>();
  level->object = object, level->below = node.level, level->below_pending = node.pending, level->depth = depth;
  level->count_cap = 1;  // whether a comma stands before
  const auto raise = [&](uint64_t bound) {
    if (bound != kNoMax) level->count_cap = std::max(level->count_cap, bound + 1);
  };
  for (const Thread& thread : threads) {
    if (object) {
      const ObjectShape& shape = objects_[thread.shape]->shape;
      raise(shape.min), raise(shape.max);
    } else {
      const ArrayShape& shape = *arrays_[thread.shape];
      raise(shape.min), raise(shape.max);
      for (const ItemRule& rule : shape.rules) raise(rule.from), raise(rule.to);
      for (const ContainsRule& rule : shape.contains) raise(rule.from), raise(rule.to);
    }
  }
  Rehash(*level);
  return level;
}

}  // namespace lfm::grammar
