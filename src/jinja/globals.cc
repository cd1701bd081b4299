// Global functions of templates, and the matching of arguments.
#include <algorithm>
#include <array>

#include "base/strings.h"
#include "jinja/builtins.h"
#include "jinja/eval.h"
#include "jinja/python_ops.h"
#include "jinja/python_repr.h"

namespace lfm::jinja {

// --- arguments ---

Parameters::Parameters(std::string_view function, const CallArguments& arguments, std::initializer_list<std::string_view> names,
                       size_t n_required)
    : function_(function), names_(names), values_(names.size()) {
  if (arguments.positional.size() > names_.size()) {
    Fail(StrCat(function_, "() takes at most ", names_.size(), " argument(s), ", arguments.positional.size(), " given"));
  }
  std::copy(arguments.positional.begin(), arguments.positional.end(), values_.begin());
  for (const auto& [name, value] : arguments.keywords) {
    const auto at = std::find(names_.begin(), names_.end(), name);
    if (at == names_.end()) Fail(StrCat(function_, "() got an unexpected keyword argument ", Quote(name)));
    Value& slot = values_[static_cast<size_t>(at - names_.begin())];
    if (!slot.is_missing()) Fail(StrCat(function_, "() got multiple values for argument '", name, "'"));
    slot = value;
  }
  for (size_t i = 0; i < n_required; ++i) {
    if (values_[i].is_missing()) Fail(StrCat(function_, "() is missing its argument '", names_[i], "'"));
  }
}

bool Parameters::Bool(size_t i, bool otherwise) const { return Has(i) ? Truth(values_[i]) : otherwise; }

int64_t Parameters::Int(size_t i, int64_t otherwise) const {
  return Has(i) ? IntegerOf(values_[i], StrCat("the argument '", names_[i], "' of ", function_)) : otherwise;
}

std::string Parameters::Text(size_t i, std::string_view otherwise) const {
  if (!Has(i)) return std::string(otherwise);
  if (values_[i].is_undefined()) FailUndefined(values_[i]);
  if (!values_[i].is_string()) {
    Fail(StrCat(function_, "(): the argument '", names_[i], "' must be str, not ", TypeName(values_[i])));
  }
  return values_[i].AsString();
}

// --- functions ---

namespace {

Value Range(Interpreter& interpreter, const CallArguments& arguments) {
  const Parameters p("range", arguments, {"start", "stop", "step"}, 1);
  const int64_t first = p.Int(0, 0), step = p.Int(2, 1);
  if (step == 0) Fail("range() arg 3 must not be zero");
  return p.Has(1) ? interpreter.heap().Range(first, p.Int(1, 0), step) : interpreter.heap().Range(0, first, step);
}

// The pairs that dict() and namespace() are made from: a mapping or pairs, then keywords.
std::shared_ptr<DictObject> DictFrom(Interpreter& interpreter, std::string_view function, const CallArguments& arguments) {
  Heap& heap = interpreter.heap();
  auto dict = std::make_shared<DictObject>();
  if (arguments.positional.size() > 1) Fail(StrCat(function, " expected at most 1 argument"));
  for (const Value& source : arguments.positional) {
    if (source.is_dict()) {
      for (const auto& [key, value] : source.AsDict().items) dict->Set(key, value);
      continue;
    }
    for (const Value& pair : Iterate(heap, source)) {
      const auto items = Iterate(heap, pair);
      if (items.size() != 2) Fail(StrCat(function, ": every item must be a pair"));
      if (!IsHashable(items[0])) Fail(StrCat("unhashable type: '", TypeName(items[0]), "'"));
      dict->Set(items[0], items[1]);
    }
  }
  for (const auto& [name, value] : arguments.keywords) dict->Set(heap.Keyword(name), value);
  return dict;
}

Value MakeDict(Interpreter& interpreter, const CallArguments& arguments) {
  return interpreter.heap().Dict(DictFrom(interpreter, "dict", arguments));
}

Value DictFromKeys(Interpreter& interpreter, const CallArguments& arguments) {
  const Parameters p("dict.fromkeys", arguments, {"iterable", "value"}, 1);
  auto dict = std::make_shared<DictObject>();
  for (const Value& key : Iterate(interpreter.heap(), p[0])) {
    if (!IsHashable(key)) Fail(StrCat("unhashable type: '", TypeName(key), "'"));
    dict->Set(key, p.Has(1) ? p[1] : Value::None());
  }
  return interpreter.heap().Dict(std::move(dict));
}

Value MakeNamespace(Interpreter& interpreter, const CallArguments& arguments) {
  std::vector<std::pair<std::string, Value>> attributes;
  const auto dict = DictFrom(interpreter, "namespace", arguments);
  for (const auto& [key, value] : dict->items) {
    if (!key.is_string()) Fail("namespace(): names must be strings", ErrorCode::kUnsupported);
    if (key.AsString().starts_with("_")) {
      Fail(StrCat("chat templates cannot store underscore-prefixed attributes on a namespace, but got '", key.AsString(),
                  "'; rename the attribute"));
    }
    attributes.emplace_back(key.AsString(), value);
  }
  return interpreter.heap().Namespace(std::move(attributes));
}

Value RaiseException(Interpreter&, const CallArguments& arguments) {
  const Parameters p("raise_exception", arguments, {"message"}, 1);
  Fail(Str(p[0]));
}

Value StrftimeNow(Interpreter& interpreter, const CallArguments& arguments) {
  const Parameters p("strftime_now", arguments, {"format"}, 1);
  return interpreter.heap().String(FormatTime(p.Text(0, ""), interpreter.Now()));
}

Value MakeCycler(Interpreter& interpreter, const CallArguments& arguments) {
  if (!arguments.keywords.empty()) Fail("cycler() takes no keyword arguments");
  if (arguments.positional.empty()) Fail("at least one item has to be provided");
  return interpreter.heap().Cycler(arguments.positional);
}

Value MakeJoiner(Interpreter& interpreter, const CallArguments& arguments) {
  const Parameters p("joiner", arguments, {"sep"});
  p.Text(0, "");  // a string, if any
  return interpreter.heap().Joiner(p.Has(0) ? p[0] : interpreter.heap().String(", "));
}

Value Lipsum(Interpreter&, const CallArguments&) {
  Fail("the function 'lipsum' is not supported: its text is random", ErrorCode::kUnsupported);
}

struct GlobalFunction {
  std::string_view name;
  Value (*function)(Interpreter&, const CallArguments&);
};
constexpr std::array<GlobalFunction, 9> kGlobals{{
    {"range", Range},
    {"dict", MakeDict},
    {"dict.fromkeys", DictFromKeys},
    {"namespace", MakeNamespace},
    {"raise_exception", RaiseException},
    {"strftime_now", StrftimeNow},
    {"cycler", MakeCycler},
    {"joiner", MakeJoiner},
    {"lipsum", Lipsum},
}};

}  // namespace

bool IsGlobalFunction(std::string_view name) {
  return std::any_of(kGlobals.begin(), kGlobals.end(), [name](const GlobalFunction& g) { return g.name == name; });
}

Value CallGlobal(Interpreter& interpreter, std::string_view name, const CallArguments& arguments) {
  for (const GlobalFunction& global : kGlobals) {
    if (global.name == name) return global.function(interpreter, arguments);
  }
  Fail(StrCat("no function named '", name, "'"), ErrorCode::kInternal);
}

}  // namespace lfm::jinja
