// Macros as values, and the scopes that they close over.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "jinja/ast.h"

namespace lfm::jinja {

// Variables of a template, loop round, macro call… A name is looked up through the parents.
struct Scope {
  std::shared_ptr<Scope> parent;
  std::vector<Value> dense;                      // of the root: by name
  std::vector<std::pair<int, Value>> variables;  // of all others

  const Value* FindOwn(int name) const;
  const Value* Find(int name) const;
  void Set(int name, Value value);
};
using ScopePtr = std::shared_ptr<Scope>;

struct MacroObject : Object {
  const MacroNode* node = nullptr;
  ScopePtr closure;
};

std::string MacroRepr(const MacroObject& macro);

}  // namespace lfm::jinja
