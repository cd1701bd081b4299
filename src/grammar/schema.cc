#include "grammar/schema.h"

#include <algorithm>

#include "base/stack.h"
#include "base/strings.h"
#include "grammar/numbers.h"
#include "grammar/schema_leaf.h"

namespace lfm::grammar {
namespace {

constexpr int kMaxTypeDepth = 400;  // formulas inside formulas at one place
constexpr size_t kMaxClasses = 128;

}  // namespace

Schemas::Schemas(RegexPool& pool) : pool_(pool) {
  exprs_.push_back({.kind = ExprKind::kTop, .parts = {}, .satisfiable = 1});
  exprs_.push_back({.kind = ExprKind::kBottom, .parts = {}, .satisfiable = 0});
}

void Schemas::Fail(ErrorCode code, std::string keyword, std::string pointer, std::string message) {
  if (!error_) error_ = SchemaError{code, std::move(keyword), std::move(pointer), std::move(message)};
}

Expr Schemas::Intern(ExprKind kind, uint32_t index, std::vector<Expr> parts) {
  uint64_t hash = Mix(static_cast<uint64_t>(kind), index);
  for (const Expr part : parts) hash = Mix(hash, part);
  for (auto [it, end] = index_.equal_range(hash); it != end; ++it) {
    const ExprNode& other = exprs_[it->second];
    if (other.kind == kind && other.index == index && other.parts == parts) return it->second;
  }
  exprs_.push_back({.kind = kind, .index = index, .parts = std::move(parts)});
  const auto id = static_cast<Expr>(exprs_.size() - 1);
  index_.emplace(hash, id);
  return id;
}

Expr Schemas::And(std::vector<Expr> parts) {
  std::vector<Expr> flat;
  for (const Expr part : parts) {
    if (part == kNothing) return kNothing;
    const ExprNode& node = exprs_[part];
    if (node.kind == ExprKind::kAnd) {
      flat.insert(flat.end(), node.parts.begin(), node.parts.end());
    } else if (part != kAnything) {
      flat.push_back(part);
    }
  }
  std::sort(flat.begin(), flat.end());
  flat.erase(std::unique(flat.begin(), flat.end()), flat.end());
  if (flat.empty()) return kAnything;
  return flat.size() == 1 ? flat[0] : Intern(ExprKind::kAnd, 0, std::move(flat));
}

Expr Schemas::Or(std::vector<Expr> parts) {
  std::erase(parts, kNothing);
  std::sort(parts.begin(), parts.end());
  parts.erase(std::unique(parts.begin(), parts.end()), parts.end());
  if (parts.empty()) return kNothing;
  if (parts[0] == kAnything) return kAnything;
  return parts.size() == 1 ? parts[0] : Intern(ExprKind::kOr, 0, std::move(parts));
}

Expr Schemas::Not(Expr inner) {
  if (inner == kAnything) return kNothing;
  if (inner == kNothing) return kAnything;
  if (exprs_[inner].kind == ExprKind::kNot) return exprs_[inner].parts[0];
  return Intern(ExprKind::kNot, 0, {inner});
}

Expr Schemas::Of(Type type) {
  types_.push_back(std::move(type));
  exprs_.push_back({.kind = ExprKind::kType, .parts = {}});
  exprs_.back().type = exprs_.back().tracked_type = static_cast<int32_t>(types_.size() - 1);
  return static_cast<Expr>(exprs_.size() - 1);
}

Expr Schemas::Constant(const Json& value) {
  constants_.push_back(value);
  return Intern(ExprKind::kConstant, static_cast<uint32_t>(constants_.size() - 1), {});
}

Expr Schemas::LeafAt(const Json& schema, std::string pointer, uint32_t resource, uint32_t scope) {
  if (schema.is_bool()) return schema.AsBool() ? kAnything : kNothing;
  if (schema.is_object() && schema.members().empty()) return kAnything;
  resource = ResourceOf(&schema, resource);
  scope = Enter(scope, resource);
  const auto [it, added] = leaf_index_.emplace(std::pair{&schema, scope}, 0);
  if (added) {
    leaves_.push_back({&schema, std::move(pointer), resource, scope});
    it->second = Intern(ExprKind::kLeaf, static_cast<uint32_t>(leaves_.size() - 1), {});
  }
  return it->second;
}

Expr Schemas::Add(const Json& document, bool annotate_unsupported) {
  annotate_ = annotate_unsupported;
  documents_.push_back(document);
  const Json& root = documents_.back();
  const auto resource = static_cast<uint32_t>(resources_.size());
  Index(root, Dialect::kUnknown);
  if (error_) return kNothing;
  return LeafAt(root, "", resource, 0);
}

void Schemas::ReadAll(Expr root) {
  std::vector<Expr> waiting{root};
  std::vector<bool> known;
  while (!waiting.empty() && !error_) {
    const Expr expr = waiting.back();
    waiting.pop_back();
    if (known.size() <= expr) known.resize(exprs_.size());
    if (known[expr]) continue;
    known[expr] = true;
    const Type& type = TypeOf(expr);
    CheckUse(expr, type);
    for (const ArrayShape& shape : type.arrays) {
      for (const ItemRule& rule : shape.rules) waiting.push_back(rule.value);
      for (const ContainsRule& rule : shape.contains) waiting.push_back(rule.value);
      if (shape.unique && shape.max > 1) CheckUnique(shape);
    }
    for (const ObjectShape& shape : type.objects) {
      for (const KeyRule& rule : shape.rules) waiting.push_back(rule.value);
      for (const KeyRule& rule : shape.exists) waiting.push_back(rule.value);
    }
  }
}

const Type& Schemas::TypeOf(Expr expr) { return TypeAt(expr, false); }

const Type& Schemas::TypeAt(Expr expr, bool tracked) {
  static const Type nothing;
  ExprNode& node = exprs_[expr];
  int32_t& slot = tracked ? node.tracked_type : node.type;
  if (slot >= 0) return types_[static_cast<size_t>(slot)];
  if (error_) return nothing;
  if (node.visiting) {
    const bool leaf = node.kind == ExprKind::kLeaf;
    Fail(ErrorCode::kUnsupported, "$ref", leaf ? leaves_[node.index].pointer : place_pointer_,
         "a reference leads back to its own place without a value between");
    return nothing;
  }
  if (depth_ >= kMaxTypeDepth) {
    FailLimit(StrCat("more than ", kMaxTypeDepth, " schemas inside each other at one place"));
    return nothing;
  }
  if (IsStackSpent()) {
    FailLimit("the schema nests deeper than the stack of this thread allows");
    return nothing;
  }
  if (++n_steps_ % 16 == 0 && expired && expired()) {
    Fail(ErrorCode::kLimit, place_keyword_, place_pointer_, "the schema takes too long to compile");
    return nothing;
  }
  ++depth_, node.visiting = true;
  Type type = Make(node, tracked);
  --depth_, node.visiting = false;
  if (pool_.overflowed()) {
    FailLimit(pool_.exhausted() ? "the schema takes too long to compile" : "the schema's automata are too large");
  }
  if (error_) return nothing;
  types_.push_back(std::move(type));
  slot = static_cast<int32_t>(types_.size() - 1);
  return types_.back();
}

Type Schemas::Make(const ExprNode& node, bool tracked) {
  switch (node.kind) {
    case ExprKind::kTop: return Anything();
    case ExprKind::kBottom:
    case ExprKind::kType: return Type();
    case ExprKind::kLeaf: return LeafReader(*this, leaves_[node.index], tracked).Read();
    case ExprKind::kConstant: return ConstantType(constants_[node.index]);
    case ExprKind::kNot: return Negate(TypeAt(node.parts[0], false));
    case ExprKind::kAnd: {
      Type type = TypeAt(node.parts[0], tracked);
      for (size_t i = 1; i < node.parts.size() && !error_; ++i) type = Intersect(type, TypeAt(node.parts[i], tracked));
      return type;
    }
    case ExprKind::kOr: {
      Type type = TypeAt(node.parts[0], tracked);
      for (size_t i = 1; i < node.parts.size() && !error_; ++i) type = Unite(type, TypeAt(node.parts[i], tracked));
      return type;
    }
  }
  return Type();
}

Type Schemas::ConstantType(const Json& value) {
  Type type;
  switch (value.kind()) {
    case Json::Kind::kNull: type.null = true; break;
    case Json::Kind::kBool: type.truth = value.AsBool(), type.falsehood = !value.AsBool(); break;
    case Json::Kind::kInteger:
    case Json::Kind::kFloat:
      if (const auto decimal = ParseDecimal(value.NumberText())) {
        type.number = EqualTo(pool_, *decimal);
      } else {
        FailLimit(StrCat("the number ", Quote(value.NumberText()), " has too many digits"));
      }
      break;
    case Json::Kind::kString: type.string = pool_.Literal(value.AsString()); break;
    case Json::Kind::kArray: {
      ArrayShape shape;
      shape.min = shape.max = value.items().size();
      for (uint64_t i = 0; i < shape.min; ++i) shape.rules.push_back({i, i + 1, Constant(value.items()[i])});
      shape.evaluated = kNoMax;
      type.arrays.push_back(std::move(shape));
      break;
    }
    case Json::Kind::kObject: {
      ObjectShape shape;
      std::vector<Re> names;
      for (const auto& [name, member] : value.members()) {
        const int32_t index = NameIndex(name);
        if (std::find(shape.required.begin(), shape.required.end(), index) != shape.required.end()) continue;
        names.push_back(NameLanguage(index));
        shape.rules.push_back({names.back(), index, Constant(*value.Find(name))});
        shape.required.push_back(index);
      }
      shape.rules.push_back({pool_.TextNot(pool_.Or(names)), -1, kNothing});
      shape.min = shape.max = shape.required.size();
      std::sort(shape.rules.begin(), shape.rules.end());
      std::sort(shape.required.begin(), shape.required.end());
      shape.evaluated = pool_.Text();
      type.objects.push_back(std::move(shape));
      break;
    }
  }
  return type;
}

int32_t Schemas::NameIndex(std::string_view name) {
  const auto it = name_index_.find(name);
  if (it != name_index_.end()) return it->second;
  names_.emplace_back(name);
  const auto index = static_cast<int32_t>(names_.size() - 1);
  name_index_.emplace(std::string(name), index);
  return index;
}

std::optional<int32_t> Schemas::FindName(std::string_view name) const {
  const auto it = name_index_.find(name);
  return it == name_index_.end() ? std::nullopt : std::optional(it->second);
}

Expr Schemas::ValueOf(const ObjectShape& shape, int32_t name) {
  std::vector<Expr> parts;
  for (const KeyRule& rule : shape.rules) {
    if (RuleCovers(rule, name)) parts.push_back(rule.value);
  }
  return And(std::move(parts));
}

Expr Schemas::ItemAt(const ArrayShape& shape, uint64_t index) {
  std::vector<Expr> parts;
  for (const ItemRule& rule : shape.rules) {
    if (rule.from <= index && index < rule.to) parts.push_back(rule.value);
  }
  return And(std::move(parts));
}

std::vector<int32_t> Schemas::NamesOf(const ObjectShape& shape) const {
  std::vector<int32_t> names = shape.order;
  std::vector<int32_t> sorted = names;
  std::sort(sorted.begin(), sorted.end());
  const auto add = [&](int32_t name) {
    if (name < 0) return;
    const auto at = std::lower_bound(sorted.begin(), sorted.end(), name);
    if (at != sorted.end() && *at == name) return;
    sorted.insert(at, name);
    names.push_back(name);
  };
  for (const int32_t name : shape.required) add(name);
  for (const KeyRule& rule : shape.rules) add(rule.name);
  for (const KeyRule& rule : shape.exists) add(rule.name);
  for (const auto& [name, needs] : shape.depends) add(name), add(needs);
  return names;
}

std::vector<Schemas::KeyClass> Schemas::ClassesOf(const ObjectShape& shape, const std::vector<int32_t>& names) {
  std::vector<Re> words;
  for (const int32_t name : names) words.push_back(NameLanguage(name));
  const Re named = pool_.Or(std::move(words));
  std::vector<KeyClass> classes{{pool_.Text(), kAnything, std::vector<bool>(shape.exists.size())}};
  const auto split = [&](Re keys, const auto& change) {
    std::vector<KeyClass> finer;
    for (KeyClass& old : classes) {
      KeyClass inside = old;
      inside.keys = pool_.And(old.keys, keys);
      change(inside);
      old.keys = pool_.And(old.keys, pool_.Not(keys));
      if (inside.value != kNothing && pool_.Live(pool_.And(inside.keys, pool_.Not(named)))) finer.push_back(std::move(inside));
      if (pool_.Live(pool_.And(old.keys, pool_.Not(named)))) finer.push_back(std::move(old));
    }
    classes = std::move(finer);
    if (classes.size() > kMaxClasses) FailLimit("too many patterns of property names overlap"), classes.clear();
  };
  for (const KeyRule& rule : shape.rules) {
    if (rule.name < 0) split(rule.keys, [&](KeyClass& inside) { inside.value = And(inside.value, rule.value); });
  }
  for (size_t i = 0; i < shape.exists.size(); ++i) {
    if (shape.exists[i].name < 0) split(shape.exists[i].keys, [&](KeyClass& inside) { inside.fulfils[i] = true; });
  }
  std::erase_if(classes, [&](const KeyClass& one) { return one.value == kNothing; });
  for (KeyClass& one : classes) one.keys = pool_.And(one.keys, pool_.Not(named));
  return classes;
}

std::string Schemas::Describe(Expr root) {
  std::string out;
  std::vector<Expr> waiting{root};
  std::vector<bool> known(exprs_.size() + 1);
  for (size_t i = 0; i < waiting.size() && i < 2000 && !error_; ++i) {
    const Type& type = TypeOf(waiting[i]);
    known.resize(std::max(known.size(), exprs_.size() + 1));
    const auto see = [&](Expr expr) {
      if (expr > kNothing && !known[expr]) known[expr] = true, waiting.push_back(expr);
      return expr == kAnything ? std::string("any") : expr == kNothing ? std::string("none") : StrCat("t", expr);
    };
    out += StrCat("t", waiting[i], " =");
    if (type.null) out += " null";
    if (type.truth) out += " true";
    if (type.falsehood) out += " false";
    std::string shortest;
    if (type.any_number) {
      out += " number";
    } else if (pool_.Shortest(type.number, shortest)) {
      out += StrCat(" number(", type.plain_integers ? "integer, " : "", "like ", shortest, ")");
    }
    if (type.string == pool_.Text()) {
      out += " string";
    } else if (pool_.Shortest(type.string, shortest)) {
      out += StrCat(" string(like ", JsonQuote(shortest), ")");
    }
    for (const ArrayShape& shape : type.arrays) {
      out += StrCat("\n  array min ", shape.min, shape.max == kNoMax ? "" : StrCat(" max ", shape.max),
                    shape.unique ? " unique" : "");
      for (const ItemRule& rule : shape.rules) {
        out += StrCat(" [", rule.from, "..", rule.to == kNoMax ? "" : StrCat(rule.to - 1), "]: ", see(rule.value));
      }
      for (const ContainsRule& rule : shape.contains) {
        out += StrCat(" contains ", rule.min, "..", rule.max == kNoMax ? "" : StrCat(rule.max), " of ", see(rule.value));
      }
    }
    for (const ObjectShape& shape : type.objects) {
      out += StrCat("\n  object min ", shape.min, shape.max == kNoMax ? "" : StrCat(" max ", shape.max));
      const auto key = [&](const KeyRule& rule) {
        if (rule.name >= 0) return JsonQuote(Name(rule.name));
        return pool_.Shortest(rule.keys, shortest) ? StrCat("keys like ", JsonQuote(shortest)) : std::string("no key");
      };
      for (const KeyRule& rule : shape.rules) out += StrCat(" ", key(rule), ": ", see(rule.value));
      for (const KeyRule& rule : shape.exists) out += StrCat(" some ", key(rule), ": ", see(rule.value));
      for (const int32_t name : shape.required) out += StrCat(" needs ", JsonQuote(Name(name)));
      for (const auto& [name, needs] : shape.depends)
        out += StrCat(" ", JsonQuote(Name(name)), " needs ", JsonQuote(Name(needs)));
    }
    out += "\n";
  }
  return out;
}

}  // namespace lfm::grammar
