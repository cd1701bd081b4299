// Filters that apply filters or tests to every item: map, select, reject and their kin. They give generators.
#include "base/strings.h"
#include "jinja/filters.h"
#include "jinja/python_ops.h"

namespace lfm::jinja {
namespace {

using Arguments = const CallArguments&;

// Runs `each` over the items now, but keeps a failure for the moment when the generator reaches it.
template <typename Each>
Value Generate(Interpreter& in, const Value& value, Each each) {
  std::vector<Value> out;
  try {
    for (const Value& item : Iterate(in.heap(), value)) {
      in.heap().Step();
      each(item, out);
    }
  } catch (const PythonError& error) {
    if (error.code == ErrorCode::kLimit || error.code == ErrorCode::kCancelled) throw;
    return in.heap().Iterator(std::move(out), "generator", error.message);
  }
  return in.heap().Iterator(std::move(out));
}

Value MapFilter(Interpreter& in, const Value& value, Arguments a) {
  if (!Truth(value)) return in.heap().Iterator({});
  if (a.positional.empty()) {
    const Parameters p("map", a, {"attribute", "default"});
    if (!p.Has(0)) return in.heap().Iterator({}, "generator", "map requires a filter argument");
    const auto path = AttributePath(in.heap(), p[0]);
    return Generate(in, value,
                    [&](const Value& item, std::vector<Value>& out) { out.push_back(FollowPath(in, item, path, p[1])); });
  }
  const Value& name = a.positional[0];
  if (!name.is_string()) return in.heap().Iterator({}, "generator", "map requires the name of a filter");
  const CallArguments rest{{a.positional.begin() + 1, a.positional.end()}, a.keywords};
  return Generate(in, value,
                  [&](const Value& item, std::vector<Value>& out) { out.push_back(in.CallFilter(name.AsString(), item, rest)); });
}

Value Select(Interpreter& in, const Value& value, Arguments a, bool wanted, bool by_attribute) {
  if (!Truth(value)) return in.heap().Iterator({});
  const size_t off = by_attribute ? 1 : 0;
  if (a.positional.size() < off) {
    return in.heap().Iterator({}, "generator", "missing parameter for attribute name");
  }
  const auto path = by_attribute ? AttributePath(in.heap(), a.positional[0]) : std::vector<Value>();
  const bool has_test = a.positional.size() > off;
  if (has_test && !a.positional[off].is_string()) {
    return in.heap().Iterator({}, "generator", "the name of a test must be a string");
  }
  CallArguments rest;
  if (has_test) {
    rest.positional.assign(a.positional.begin() + static_cast<std::ptrdiff_t>(off) + 1, a.positional.end());
    rest.keywords = a.keywords;
  }
  return Generate(in, value, [&](const Value& item, std::vector<Value>& out) {
    const Value tested = FollowPath(in, item, path);
    const bool holds = has_test ? in.CallTest(a.positional[off].AsString(), tested, rest) : Truth(tested);
    if (holds == wanted) out.push_back(item);
  });
}

Value SelectFilter(Interpreter& in, const Value& value, Arguments a) { return Select(in, value, a, true, false); }
Value RejectFilter(Interpreter& in, const Value& value, Arguments a) { return Select(in, value, a, false, false); }
Value SelectAttr(Interpreter& in, const Value& value, Arguments a) { return Select(in, value, a, true, true); }
Value RejectAttr(Interpreter& in, const Value& value, Arguments a) { return Select(in, value, a, false, true); }

constexpr FilterEntry kSelectFilters[] = {
    {"map", MapFilter},         {"select", SelectFilter},   {"reject", RejectFilter},
    {"selectattr", SelectAttr}, {"rejectattr", RejectAttr},
};

}  // namespace

FilterTable SelectFilters() { return {kSelectFilters, std::size(kSelectFilters)}; }

}  // namespace lfm::jinja
