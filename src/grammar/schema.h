// JSON Schemas (drafts 4, 6, 7, 2019-09 and 2020-12) as formulas, and their types.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "grammar/regex.h"
#include "grammar/types.h"

namespace lfm::grammar {

enum class Dialect : uint8_t { kDraft4, kDraft6, kDraft7, k2019, k2020, kUnknown };  // kUnknown: no $schema, read leniently

// What went wrong, with its place in the schema.
struct SchemaError {
  ErrorCode code = ErrorCode::kUnsupported;
  std::string keyword, pointer, message;
};

// A schema document with its references: it hands out types of formulas, worked out once each. The first error stays and
// every later answer is meaningless: callers look at error() before they trust one. Not thread-safe.
class Schemas {
 public:
  explicit Schemas(RegexPool& pool);

  // Adds a document. Reads all of its subschemas, so that what is unsupported shows now. The formula of its root.
  Expr Add(const Json& document, bool annotate_unsupported);
  // Works out the types of all places below `root`, so that what cannot be enforced shows before the first byte.
  void ReadAll(Expr root);
  // The values that equal `value`.
  Expr Constant(const Json& value);

  const Type& TypeOf(Expr expr);
  Expr And(std::vector<Expr> parts);
  Expr And(Expr a, Expr b) { return And(std::vector<Expr>{a, b}); }
  Expr Or(std::vector<Expr> parts);
  Expr Not(Expr inner);
  // A formula for a type made elsewhere.
  Expr Of(Type type);

  // Whether any value is in it. A search through the types below; remembered.
  bool Satisfiable(Expr expr);
  bool Satisfiable(const ArrayShape& shape);
  bool Satisfiable(const ObjectShape& shape);

  int32_t NameIndex(std::string_view name);
  const std::string& Name(int32_t index) const { return names_[static_cast<size_t>(index)]; }
  std::optional<int32_t> FindName(std::string_view name) const;
  Re NameLanguage(int32_t name) { return pool_.Literal(Name(name)); }
  bool RuleCovers(const KeyRule& rule, int32_t name) {
    return rule.name >= 0 ? rule.name == name : pool_.Matches(rule.keys, Name(name));
  }
  Expr ValueOf(const ObjectShape& shape, int32_t name);
  Expr ItemAt(const ArrayShape& shape, uint64_t index);
  // All names a shape speaks of, in the order of the schema.
  std::vector<int32_t> NamesOf(const ObjectShape& shape) const;
  // The keys that a shape does not name, split by which rules cover them; only those that may occur.
  struct KeyClass {
    Re keys;
    Expr value;
    std::vector<bool> fulfils;  // by shape.exists
  };
  std::vector<KeyClass> ClassesOf(const ObjectShape& shape, const std::vector<int32_t>& names);

  Type Anything();
  Type Intersect(const Type& a, const Type& b);
  Type Unite(const Type& a, const Type& b);
  Type Negate(const Type& type);

  const std::optional<SchemaError>& error() const { return error_; }
  void Fail(ErrorCode code, std::string keyword, std::string pointer, std::string message);
  void FailLimit(std::string message) { Fail(ErrorCode::kLimit, place_keyword_, place_pointer_, std::move(message)); }
  // Stops what takes too long; asked often.
  std::function<bool()> expired;
  const std::vector<SchemaError>& unenforced() const { return unenforced_; }
  RegexPool& pool() { return pool_; }
  std::string Describe(Expr root);

 private:
  friend class LeafReader;
  struct Resource {
    std::string uri;
    const Json* root = nullptr;
    std::string pointer;  // of the root in the document
    Dialect dialect = Dialect::kUnknown;
    std::map<std::string, std::pair<const Json*, std::string>, std::less<>> anchors{}, dynamic_anchors{};
    bool recursive_anchor = false;
  };
  // A place in a document: a subschema with what it needs to resolve references.
  struct Leaf {
    const Json* schema = nullptr;
    std::string pointer;
    uint32_t resource = 0;
    uint32_t scope = 0;  // resources entered on the way, for dynamic references
  };
  enum class ExprKind : uint8_t { kTop, kBottom, kLeaf, kConstant, kType, kAnd, kOr, kNot };
  struct ExprNode {
    ExprKind kind;
    uint32_t index = 0;  // leaf, constant or type
    std::vector<Expr> parts;
    int8_t satisfiable = -1;
    bool visiting = false;      // TypeOf is at work on it
    int32_t search_depth = -1;  // Satisfiable is at work on it
    int32_t type = -1, tracked_type = -1;
  };

  Expr Intern(ExprKind kind, uint32_t index, std::vector<Expr> parts);
  Expr LeafAt(const Json& schema, std::string pointer, uint32_t resource, uint32_t scope);
  void Index(const Json& document, Dialect dialect);
  uint32_t ResourceOf(const Json* schema, uint32_t otherwise) const;
  uint32_t Enter(uint32_t scope, uint32_t resource);
  std::optional<Leaf> Resolve(const Leaf& from, std::string_view reference, std::string_view keyword);
  const Type& TypeAt(Expr expr, bool tracked);
  Type Make(const ExprNode& node, bool tracked);
  Type ConstantType(const Json& value);
  void CheckUnique(const ArrayShape& shape);
  // schema_checks.cc
  void CheckUse(Expr expr, const Type& type);
  void CheckObject(const ObjectShape& shape);
  void SetPlace(Expr expr, std::string_view keyword);
  bool Search(Expr expr, int depth, int& lowest);
  bool SearchArray(const ArrayShape& shape, int depth, int& lowest);
  bool SearchObject(const ObjectShape& shape, int depth, int& lowest);
  std::vector<ObjectShape> NegateShape(const ObjectShape& shape);
  std::vector<ArrayShape> NegateShape(const ArrayShape& shape);

  RegexPool& pool_;
  std::deque<Json> documents_, constants_;
  std::deque<ExprNode> exprs_;
  std::deque<Type> types_;
  std::vector<Resource> resources_;
  std::vector<Leaf> leaves_;
  std::vector<std::vector<uint32_t>> scopes_{{}};
  std::map<std::vector<uint32_t>, uint32_t> scope_index_;
  std::unordered_multimap<uint64_t, Expr> index_;
  std::map<std::pair<const Json*, uint32_t>, Expr> leaf_index_;
  std::unordered_map<const Json*, uint32_t> resource_of_;
  std::deque<std::string> names_;
  std::map<std::string, int32_t, std::less<>> name_index_;
  std::optional<SchemaError> error_;
  std::vector<SchemaError> unenforced_;
  std::map<std::pair<const Json*, std::string>, bool> unenforced_seen_;
  std::string place_keyword_, place_pointer_;  // where a limit is met
  bool annotate_ = false;
  uint64_t n_steps_ = 0;
  int depth_ = 0;
};

}  // namespace lfm::grammar
