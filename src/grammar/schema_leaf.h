// One subschema: its keywords to a type.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "grammar/schema.h"

namespace lfm::grammar {

// `tracked`: shapes say which properties and items they looked at, and alternatives are told apart exactly, as
// unevaluatedProperties and unevaluatedItems need it.
class LeafReader {
 public:
  LeafReader(Schemas& schemas, Schemas::Leaf leaf, bool tracked);
  Type Read();

 private:
  const Json* Find(std::string_view keyword) const { return schema_.Find(keyword); }
  bool Old() const { return dialect_ == Dialect::kDraft4 || dialect_ == Dialect::kDraft6 || dialect_ == Dialect::kDraft7; }
  bool Lenient() const { return dialect_ == Dialect::kUnknown; }
  void Fail(ErrorCode code, std::string_view keyword, std::string message);
  void Broken(std::string_view keyword, std::string_view expected);
  // Refuses a list that is too long for what is compared one by one.
  bool TooMany(std::string_view keyword, size_t n);
  // Refuses a keyword, or notes that it is not enforced where the caller asked for that.
  void Unsupported(std::string_view keyword, std::string message);
  void Note(std::string_view keyword, std::string message);
  void At(std::string_view keyword);
  Expr Sub(const Json& schema, std::string pointer);
  Expr Sub(std::string_view keyword);
  std::vector<Expr> Subs(std::string_view keyword);
  bool Count(std::string_view keyword, uint64_t& out);

  void ReadTypes(Type& type);
  void ReadNumbers(Type& type);
  void ReadBound(Type& type, std::string_view keyword, std::string_view exclusive_keyword, bool at_least);
  void ReadStrings(Type& type);
  void ReadFormat(Type& type);
  ArrayShape ReadArray();
  ObjectShape ReadObject();
  void ReadProperties(ObjectShape& shape);
  void ReadDependencies(ObjectShape& shape);
  void ReadValues(Type& type);
  void ReadApplicators(Type& type);
  void ReadConditions(Type& type);
  void ReadUnevaluated(Type& type);
  Type AnyOf(const std::vector<Type>& types);
  Type OneOf(const std::vector<Type>& types);

  Schemas& all_;
  RegexPool& pool_;
  const Schemas::Leaf leaf_;
  const Json& schema_;
  const Dialect dialect_;
  bool tracked_;
};

}  // namespace lfm::grammar
