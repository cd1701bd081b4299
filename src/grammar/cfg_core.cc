#include "grammar/cfg_core.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "base/stack.h"
#include "base/strings.h"
#include "grammar/regex_core.h"

namespace lfm::grammar {
namespace {

constexpr size_t kMaxItems = 4000;       // open at one place
constexpr uint32_t kMaxOpen = 2000;      // of what is open inside of each other
constexpr uint32_t kMaxCopies = 2000;    // of a recursive part, by a repetition
constexpr uint32_t kMaxRuleDepth = 800;  // rules inside rules that are no recursion

// Rules that lead back to themselves, by the rules that each names; and those that only lead to such.
std::vector<bool> Recursive(const CfgText& text) {
  const size_t n = text.rules.size();
  std::vector<std::vector<uint32_t>> uses(n);
  for (size_t rule = 0; rule < n; ++rule) {
    std::vector<uint32_t> waiting{text.bodies[rule]};
    while (!waiting.empty()) {
      const CfgNode& node = text.nodes[waiting.back()];
      waiting.pop_back();
      if (node.kind == CfgNode::Kind::kRule) uses[rule].push_back(node.rule);
      waiting.insert(waiting.end(), node.parts.begin(), node.parts.end());
    }
  }
  // What remains once rules without open uses are taken away leads to a cycle.
  std::vector<size_t> open(n);
  std::vector<std::vector<uint32_t>> used_by(n);
  for (size_t rule = 0; rule < n; ++rule) {
    open[rule] = uses[rule].size();
    for (const uint32_t use : uses[rule]) used_by[use].push_back(static_cast<uint32_t>(rule));
  }
  std::vector<bool> recursive(n, true);
  std::vector<uint32_t> waiting;
  for (size_t rule = 0; rule < n; ++rule) {
    if (open[rule] == 0) waiting.push_back(static_cast<uint32_t>(rule));
  }
  while (!waiting.empty()) {
    const uint32_t rule = waiting.back();
    waiting.pop_back();
    recursive[rule] = false;
    for (const uint32_t user : used_by[rule]) {
      if (--open[user] == 0) waiting.push_back(user);
    }
  }
  return recursive;
}

// The language of a part without recursion. `languages` of the rules it names are known or are found on the way.
class Regular {
 public:
  Regular(RegexPool& pool, const CfgText& text, const std::vector<bool>& recursive)
      : pool_(pool), text_(text), recursive_(recursive), languages(text.rules.size(), UINT32_MAX) {}

  bool IsRegular(uint32_t index) const {
    std::vector<uint32_t> waiting{index};
    while (!waiting.empty()) {
      const CfgNode& node = text_.nodes[waiting.back()];
      waiting.pop_back();
      if (node.kind == CfgNode::Kind::kRule && recursive_[node.rule]) return false;
      waiting.insert(waiting.end(), node.parts.begin(), node.parts.end());
    }
    return true;
  }
  Result<Re> Language(uint32_t index, uint32_t depth = 0) {
    if (depth > kMaxRuleDepth || IsStackSpent()) return Error{ErrorCode::kLimit, "the grammar's rules nest too deeply"};
    const CfgNode& node = text_.nodes[index];
    if (node.kind == CfgNode::Kind::kRegular) return node.re;
    if (node.kind == CfgNode::Kind::kRule) {
      if (languages[node.rule] == UINT32_MAX) {
        LFM_TRY(languages[node.rule], Language(text_.bodies[node.rule], depth + 1));
      }
      return languages[node.rule];
    }
    std::vector<Re> parts;
    for (const uint32_t part : node.parts) {
      LFM_TRY(const Re re, Language(part, depth + 1));
      parts.push_back(re);
    }
    if (node.kind == CfgNode::Kind::kRepeat) return pool_.Repeat(parts[0], node.min, node.max);
    if (node.kind == CfgNode::Kind::kAlternatives) return pool_.Or(std::move(parts));
    if (node.kind == CfgNode::Kind::kAnd) return pool_.And(std::move(parts));
    if (node.kind == CfgNode::Kind::kNot) return pool_.TextNot(parts[0]);
    Re re = RegexPool::kEmpty;
    for (size_t i = parts.size(); i-- > 0;) re = pool_.Concat(parts[i], re);
    return re;
  }

 private:
  RegexPool& pool_;
  const CfgText& text_;
  const std::vector<bool>& recursive_;

 public:
  std::vector<Re> languages;  // by rule
};

}  // namespace

Result<std::unique_ptr<Core>> MakeCfg(const Spec& spec, const Budgets& budgets) {
  auto regular = std::make_unique<RegexCore>(budgets);
  LFM_TRY(const CfgText text, ParseCfg(regular->pool, spec.text, spec.special_tokens));
  const std::vector<bool> recursive = Recursive(text);
  if (!recursive[text.start]) {
    Regular languages(regular->pool, text, recursive);
    LFM_TRY(const Re re, languages.Language(text.bodies[text.start]));
    LFM_RETURN_IF_ERROR(regular->Set(re, StrCat("a regular language of ", text.rules.size(), " rules")));
    return std::unique_ptr<Core>(std::move(regular));
  }
  auto core = std::make_unique<CfgCore>(budgets);
  LFM_TRY(const CfgText own, ParseCfg(core->pool, spec.text, spec.special_tokens));
  LFM_RETURN_IF_ERROR(core->Load(own, recursive));
  return std::unique_ptr<Core>(std::move(core));
}

// Parts that hold no recursion become words; what holds some becomes a rule of its own.
Status CfgCore::Load(const CfgText& text, const std::vector<bool>& recursive) {
  Regular regular(pool, text, recursive);
  by_rule_.resize(text.rules.size());
  start_ = text.start;
  struct Waiting {
    uint32_t rule, node;
  };
  std::vector<Waiting> waiting;
  for (uint32_t rule = 0; rule < text.rules.size(); ++rule) {
    if (recursive[rule]) waiting.push_back({rule, text.bodies[rule]});
  }
  Status status;
  const auto symbol = [&](uint32_t node) -> Symbol {
    if (regular.IsRegular(node)) {
      const auto re = regular.Language(node);
      if (!re.ok() && status.ok()) status = re.error();
      return {true, re.ok() ? *re : Re{RegexPool::kNone}};
    }
    if (text.nodes[node].kind == CfgNode::Kind::kRule) return {false, text.nodes[node].rule};
    by_rule_.emplace_back();
    waiting.push_back({static_cast<uint32_t>(by_rule_.size() - 1), node});
    return {false, static_cast<uint32_t>(by_rule_.size() - 1)};
  };
  const auto add = [&](uint32_t rule, std::vector<Symbol> symbols) {
    by_rule_[rule].push_back(static_cast<uint32_t>(productions_.size()));
    productions_.push_back({rule, std::move(symbols)});
  };
  while (!waiting.empty() && status.ok()) {
    const Waiting one = waiting.back();
    waiting.pop_back();
    const CfgNode& node = text.nodes[one.node];
    switch (node.kind) {
      case CfgNode::Kind::kRegular:
      case CfgNode::Kind::kRule: add(one.rule, {symbol(one.node)}); break;
      case CfgNode::Kind::kSequence: {
        std::vector<Symbol> symbols;
        for (const uint32_t part : node.parts) symbols.push_back(symbol(part));
        add(one.rule, std::move(symbols));
        break;
      }
      case CfgNode::Kind::kAlternatives:
        for (const uint32_t part : node.parts) add(one.rule, {symbol(part)});
        break;
      case CfgNode::Kind::kAnd:
      case CfgNode::Kind::kNot:
        return Error{ErrorCode::kUnsupported, "'&' and '~' of a part that leads back to itself are not supported"};
      case CfgNode::Kind::kRepeat: {
        const Symbol part = symbol(node.parts[0]);
        const uint32_t copies = node.max == kUnbounded ? node.min : node.max;
        if (copies > kMaxCopies)
          return Error{ErrorCode::kLimit, StrCat("the grammar repeats a recursive part more than ", kMaxCopies, " times")};
        // R -> part^min tail; tail -> part tail | nothing, as deep as max says.
        std::vector<Symbol> symbols(node.min, part);
        if (node.max != node.min) {
          by_rule_.emplace_back();
          auto tail = static_cast<uint32_t>(by_rule_.size() - 1);
          symbols.push_back({false, tail});
          if (node.max == kUnbounded) {
            add(tail, {{false, tail}, part});  // to the left: nothing piles up
            add(tail, {});
          }
          for (uint32_t left = node.max == kUnbounded ? 0 : node.max - node.min; left > 0; --left) {
            add(tail, {});
            std::vector<Symbol> more{part};
            if (left > 1) by_rule_.emplace_back(), more.push_back({false, static_cast<uint32_t>(by_rule_.size() - 1)});
            add(tail, std::move(more));
            tail = static_cast<uint32_t>(by_rule_.size() - 1);
          }
        }
        add(one.rule, std::move(symbols));
        break;
      }
    }
    if (productions_.size() > 200000) return Error{ErrorCode::kLimit, "the grammar has too many rules"};
  }
  if (!status.ok()) return status.error();
  return Prepare();
}

// The rules that have a production all of whose words are right, and whose rules are such rules.
std::vector<bool> CfgCore::RulesOf(const std::function<bool(Re)>& right) const {
  std::vector<bool> found(by_rule_.size());
  std::vector<size_t> open(productions_.size());
  std::vector<std::vector<uint32_t>> used_by(by_rule_.size());
  std::vector<uint32_t> waiting;
  const auto mark = [&](uint32_t rule) {
    if (!found[rule]) waiting.push_back(rule);
    found[rule] = true;
  };
  for (uint32_t i = 0; i < productions_.size(); ++i) {
    const auto& symbols = productions_[i].symbols;
    if (std::any_of(symbols.begin(), symbols.end(), [&](const Symbol& s) { return s.word && !right(s.index); })) continue;
    for (const Symbol& symbol : symbols) {
      if (!symbol.word) used_by[symbol.index].push_back(i), ++open[i];
    }
    if (open[i] == 0) mark(productions_[i].rule);
  }
  while (!waiting.empty()) {
    const uint32_t rule = waiting.back();
    waiting.pop_back();
    for (const uint32_t i : used_by[rule]) {
      if (--open[i] == 0) mark(productions_[i].rule);
    }
  }
  return found;
}

// Which rules may be empty, and which have any text at all: items on the others would be dead ends.
Status CfgCore::Prepare() {
  nullable_ = RulesOf([&](Re word) { return pool.Nullable(word); });
  const std::vector<bool> productive = RulesOf([&](Re word) { return pool.Live(word); });
  for (auto& list : by_rule_) {
    std::erase_if(list, [&](uint32_t index) {
      const auto& symbols = productions_[index].symbols;
      return std::any_of(symbols.begin(), symbols.end(),
                         [&](const Symbol& s) { return s.word ? !pool.Live(s.index) : !productive[s.index]; });
    });
  }
  if (const auto failure = Failure()) return *failure;
  if (!productive[start_]) return Error{ErrorCode::kInvalidArgument, "no text satisfies the grammar"};
  return Ok();
}

// Predicts and completes until nothing new comes. `items` come from earlier places, unless this is the beginning.
CfgCore::SetRef CfgCore::Close(std::vector<Item> waiting, bool beginning, bool& complete) {
  auto set = std::make_shared<Set>();
  set->beginning = beginning;
  std::set<std::tuple<uint32_t, uint32_t, const Set*>> known;
  std::vector<bool> predicted(by_rule_.size());
  while (!waiting.empty()) {
    const Item item = std::move(waiting.back());
    waiting.pop_back();
    pool.Spend(4);  // what comes again too: in ambiguous grammars that is nearly all
    if (!known.emplace(item.production, item.dot, item.origin.get()).second) continue;
    pool.Spend(4);
    if (known.size() > kMaxItems || pool.overflowed()) {
      too_much_ |= known.size() > kMaxItems;
      return set;
    }
    const Production& production = productions_[item.production];
    if (item.dot == production.symbols.size()) {
      if (!item.origin) continue;  // without text: those before it went on when they came
      if (production.rule == start_ && item.origin->beginning) complete = true;
      for (const Item& before : item.origin->items) {
        const Symbol& symbol = productions_[before.production].symbols[before.dot];
        if (symbol.word || symbol.index != production.rule) continue;
        waiting.push_back({before.production, before.dot + 1, before.origin ? before.origin : item.origin});
      }
      continue;
    }
    const Symbol& symbol = production.symbols[item.dot];
    if (symbol.word ? pool.Nullable(symbol.index) : bool{nullable_[symbol.index]}) {
      waiting.push_back({item.production, item.dot + 1, item.origin});
    }
    if (!symbol.word && !predicted[symbol.index]) {
      predicted[symbol.index] = true;
      for (const uint32_t index : by_rule_[symbol.index]) waiting.push_back({index, 0, nullptr});
    }
    set->items.push_back(item);
  }
  const auto key = [](const Item& item) { return std::tuple(item.production, item.dot, item.origin ? item.origin->hash.a : 0); };
  std::sort(set->items.begin(), set->items.end(), [&](const Item& a, const Item& b) { return key(a) < key(b); });
  set->hash.Add(beginning);
  for (const Item& item : set->items) {
    set->hash.Add(uint64_t{item.production} << 32 | item.dot);
    if (item.origin) set->hash.Add(item.origin->hash), set->depth = std::max(set->depth, item.origin->depth + 1);
  }
  if (set->depth > kMaxOpen) too_much_ = true;
  return set;
}

std::optional<Error> CfgCore::Failure() const {
  if (too_much_)
    return Error{ErrorCode::kLimit, "too much of the grammar is open at once: it is too ambiguous, or nested too deeply"};
  return Core::Failure();
}

// The bytes with which something may go on once the word has ended.
Re CfgCore::FollowOf(const Item& word) {
  bool complete = false;
  const SetRef after = Close({{word.production, word.dot + 1, word.origin}}, false, complete);
  ByteSet bytes;
  pool.Spend(20 * after->items.size());
  for (const Item& item : after->items) {
    const Symbol& symbol = productions_[item.production].symbols[item.dot];
    if (!symbol.word) continue;
    for (int byte = 0; byte < 256; ++byte) {
      if (!bytes.test(static_cast<size_t>(byte)) && pool.Live(pool.Next(symbol.index, static_cast<uint8_t>(byte)))) {
        bytes.set(static_cast<size_t>(byte));
      }
    }
  }
  return pool.Set(bytes);
}

Config CfgCore::Make(std::vector<Word> words) {
  auto node = std::make_shared<WordsNode>();
  std::vector<Re> parts;
  for (const Word& word : words) {
    node->hash.Add(uint64_t{word.item.production} << 32 | word.item.dot);
    node->hash.Add(word.item.origin->hash);
    parts.push_back(word.rest);
    // A word that has gone on from the node before has the same followers, but it is asked rarely enough.
    parts.push_back(FollowOf(word.item));
    node->words.push_back(word.item);
  }
  uint32_t lex = lexer.StateFor(Lexer::Kind::kWords, std::move(parts), Lexer::Text::kUnseen);
  if (lex == Lexer::kDead) lex = Lexer::kStruct;
  return {std::move(node), lex, false};
}

Config CfgCore::Start() {
  std::vector<Item> items;
  for (const uint32_t index : by_rule_[start_]) items.push_back({index, 0, nullptr});
  bool complete = false;
  const SetRef set = Close(std::move(items), true, complete);
  start_is_end_ = nullable_[start_];
  std::vector<Word> words;
  for (const Item& item : set->items) {
    const Symbol& symbol = productions_[item.production].symbols[item.dot];
    if (symbol.word) words.push_back({{item.production, item.dot, item.origin ? item.origin : set}, symbol.index});
  }
  Config start = Make(std::move(words));
  start_lex_ = start.lex;
  return start;
}

// Items after the words that may end here.
std::vector<CfgCore::Item> CfgCore::Finished(const WordsNode& node, uint32_t lex) const {
  std::vector<Item> items;
  if (lex == Lexer::kStruct) return items;
  const auto& parts = lexer.Parts(lex);
  for (size_t i = 0; i < node.words.size(); ++i) {
    const Item& word = node.words[i];
    if (pool.Nullable(parts[2 * i])) items.push_back({word.production, word.dot + 1, word.origin});
  }
  return items;
}

bool CfgCore::Cross(const Node& base, uint32_t lex, uint8_t byte, std::string_view, Config& to) {
  const auto& node = static_cast<const WordsNode&>(base);
  if (lex == Lexer::kStruct) return false;
  const std::vector<Re> parts = lexer.Parts(lex);
  std::vector<Word> words;
  const auto add = [&](const Item& item, Re language) {
    const Re rest = pool.Next(language, byte);
    if (!pool.Live(rest)) return;
    pool.Spend(4 + words.size());
    for (const Word& other : words) {
      if (other.item.production == item.production && other.item.dot == item.dot && other.item.origin == item.origin &&
          other.rest == rest)
        return;
    }
    words.push_back({item, rest});
  };
  for (size_t i = 0; i < node.words.size(); ++i) add(node.words[i], parts[2 * i]);
  bool complete = false;
  const SetRef set = Close(Finished(node, lex), false, complete);
  for (const Item& item : set->items) {
    const Symbol& symbol = productions_[item.production].symbols[item.dot];
    if (symbol.word) add({item.production, item.dot, item.origin ? item.origin : set}, symbol.index);
  }
  if (words.empty() || Failure()) return false;
  to = Make(std::move(words));
  return true;
}

bool CfgCore::Accepting(const Node& base, uint32_t lex, std::string_view) {
  if (lex == start_lex_ && start_is_end_) return true;
  bool complete = false;
  Close(Finished(static_cast<const WordsNode&>(base), lex), false, complete);
  return complete;
}

std::string CfgCore::Describe() {
  std::string out;
  for (const Production& production : productions_) {
    out += StrCat("r", production.rule, " =");
    for (const Symbol& symbol : production.symbols) {
      std::string shortest;
      if (!symbol.word) {
        out += StrCat(" r", symbol.index);
      } else if (pool.Shortest(symbol.index, shortest)) {
        out += StrCat(" word(like ", JsonQuote(ToValidUtf8(shortest)), ")");
      }
    }
    out += "\n";
  }
  return out;
}

}  // namespace lfm::grammar
