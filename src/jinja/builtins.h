// What templates find ready: filters, tests, global functions and Python's methods; and how they take
// arguments.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jinja/ast.h"
#include "jinja/python_value.h"

namespace lfm::jinja {

// Evaluated arguments of a call, filter or test.
struct CallArguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> keywords;
};

// Matches arguments with parameter names, as Python does: args[0] is the first parameter, or missing.
class Parameters {
 public:
  Parameters(std::string_view function, const CallArguments& arguments, std::initializer_list<std::string_view> names,
             size_t n_required = 0);
  const Value& operator[](size_t i) const { return values_[i]; }
  bool Has(size_t i) const { return !values_[i].is_missing(); }
  // The value, or `otherwise` where none was given.
  bool Bool(size_t i, bool otherwise) const;
  int64_t Int(size_t i, int64_t otherwise) const;
  std::string Text(size_t i, std::string_view otherwise) const;  // fails on what is no string
  bool IsNone(size_t i) const { return values_[i].is_missing() || values_[i].is_none(); }

 private:
  std::string function_;
  std::vector<std::string_view> names_;
  std::vector<Value> values_;
};

// The function of this name, or null.
FilterFunction FindFilter(std::string_view name);
TestFunction FindTest(std::string_view name);

// Parts of the table of filters, by file: each is (name, function).
struct FilterEntry {
  std::string_view name;
  FilterFunction function;
};
struct FilterTable {
  const FilterEntry* entries;
  size_t size;
};
FilterTable TextFilters();
FilterTable HtmlFilters();
FilterTable SequenceFilters();
FilterTable SelectFilters();
FilterTable NumberFilters();

// Global functions (range, namespace, raise_exception…).
bool IsGlobalFunction(std::string_view name);
Value CallGlobal(Interpreter& interpreter, std::string_view name, const CallArguments& arguments);

// Methods of str, list, tuple and dict.
enum class MethodStatus { kNone, kCallable, kForbidden, kUnsupported };
MethodStatus FindMethod(const Value& object, std::string_view name);
Value CallMethod(Interpreter& interpreter, const Value& object, std::string_view name, const CallArguments& arguments);
// Those of str alone (python_str_methods.cc); `text` is the object.
bool IsStringMethod(std::string_view name);
Value CallStringMethod(Interpreter& interpreter, const Value& text, std::string_view name, const CallArguments& arguments);

}  // namespace lfm::jinja
