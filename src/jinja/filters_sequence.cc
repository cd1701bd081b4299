// Filters on sequences and mappings.
#include <algorithm>

#include "base/strings.h"
#include "jinja/filters.h"
#include "jinja/marks.h"
#include "jinja/python_ops.h"
#include "jinja/python_repr.h"

namespace lfm::jinja {
namespace {

using Arguments = const CallArguments&;

Value LengthFilter(Interpreter&, const Value& value, Arguments a) {
  const Parameters p("length", a, {});
  const auto length = Length(value);
  if (!length) Fail(StrCat("object of type '", TypeName(value), "' has no len()"));
  return Value::Int(*length);
}

Value ListFilter(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("list", a, {});
  return in.heap().List(Iterate(in.heap(), value));
}

Value First(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("first", a, {});
  if (value.Is(ValueKind::kIterator)) {
    if (auto item = NextOf(value)) return std::move(*item);
  } else {
    auto items = Iterate(in.heap(), value);
    if (!items.empty()) return std::move(items[0]);
  }
  return in.heap().UndefinedHint("No first item, sequence was empty.");
}

Value Last(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("last", a, {});
  if (value.Is(ValueKind::kIterator)) Fail(StrCat("'", TypeName(value), "' object is not reversible"));
  auto items = Iterate(in.heap(), value);
  if (!items.empty()) return std::move(items.back());
  return in.heap().UndefinedHint("No last item, sequence was empty.");
}

Value Random(Interpreter&, const Value&, Arguments) {
  Fail("the filter 'random' is not supported: a prompt must not depend on chance", ErrorCode::kUnsupported);
}

Value Reverse(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("reverse", a, {});
  if (value.is_string()) return Slice(in.heap(), value, {}, {}, Value::Int(-1));
  if (!IsIterable(value)) Fail("reverse: argument must be iterable");
  auto items = Iterate(in.heap(), value);
  std::reverse(items.begin(), items.end());
  if (value.Is(ValueKind::kIterator)) return in.heap().List(std::move(items));
  const bool list = value.Is(ValueKind::kList);
  return in.heap().Iterator(std::move(items), list ? "list_reverseiterator" : "reversed");
}

Value Join(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("join", a, {"d", "attribute"});
  const MarkedText joint = p.Has(0) ? MarkedStr(p[0]) : MarkedText();
  const auto path = AttributePath(in.heap(), p[1]);
  const auto items = Iterate(in.heap(), value);
  MarkedText out;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i) Append(out, joint);
    AppendStr(out, path.empty() ? items[i] : FollowPath(in, items[i], path));
    in.heap().CheckString(out.text.size());
  }
  return in.heap().String(std::move(out));
}

Value ItemsFilter(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("items", a, {});
  if (value.is_undefined()) return in.heap().Iterator({});
  if (!value.is_dict()) return in.heap().Iterator({}, "generator", "can only get item pairs from a mapping");
  return in.heap().Iterator(Iterate(in.heap(), in.heap().View(value, ViewObject::What::kItems)));
}

// A stable sort by keys; `keys` follow the items.
std::vector<Value> SortByKeys(Heap& heap, const std::vector<Value>& items, const std::vector<Value>& keys, bool reverse) {
  std::vector<size_t> order(items.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto before = [&](size_t x, size_t y) {
    heap.Step();
    return reverse ? Less(keys[y], keys[x]) : Less(keys[x], keys[y]);
  };
  std::stable_sort(order.begin(), order.end(), before);
  std::vector<Value> sorted;
  sorted.reserve(items.size());
  for (const size_t i : order) sorted.push_back(items[i]);
  return sorted;
}

Value Sort(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("sort", a, {"reverse", "case_sensitive", "attribute"});
  const bool case_sensitive = p.Bool(1, false);
  std::vector<std::vector<Value>> paths;
  if (p[2].is_string()) {
    std::string_view rest = p[2].AsString();
    for (bool more = true; more;) {
      const size_t comma = rest.find(',');
      more = comma != std::string_view::npos;
      paths.push_back(AttributePath(in.heap(), in.heap().String(std::string(rest.substr(0, comma)))));
      rest = more ? rest.substr(comma + 1) : rest;
    }
  } else {
    paths.push_back(AttributePath(in.heap(), p[2]));
  }
  const auto items = Iterate(in.heap(), value);
  std::vector<Value> keys;
  for (const Value& item : items) {
    std::vector<Value> key;
    for (const auto& path : paths) {
      const Value part = FollowPath(in, item, path);
      key.push_back(case_sensitive ? part : IgnoreCase(in.heap(), part));
    }
    keys.push_back(in.heap().List(std::move(key)));
  }
  return in.heap().List(SortByKeys(in.heap(), items, keys, p.Bool(0, false)));
}

Value DictSort(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("dictsort", a, {"case_sensitive", "by", "reverse"});
  const std::string by = p.Text(1, "key");
  if (by != "key" && by != "value") Fail("dictsort: you can only sort by either \"key\" or \"value\"");
  if (value.is_undefined()) FailUndefined(value);
  if (!value.is_dict()) Fail(StrCat("dictsort: '", TypeName(value), "' object has no attribute 'items'"));
  const auto items = Iterate(in.heap(), in.heap().View(value, ViewObject::What::kItems));
  std::vector<Value> keys;
  for (const Value& item : items) {
    const Value& key = item.Items()[by == "key" ? 0 : 1];
    keys.push_back(p.Bool(0, false) ? key : IgnoreCase(in.heap(), key));
  }
  return in.heap().List(SortByKeys(in.heap(), items, keys, p.Bool(2, false)));
}

Value GroupBy(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("groupby", a, {"attribute", "default", "case_sensitive"}, 1);
  const auto path = AttributePath(in.heap(), p[0]);
  const bool case_sensitive = p.Bool(2, false);
  const auto items = Iterate(in.heap(), value);
  std::vector<Value> keys;
  for (const Value& item : items) {
    const Value key = FollowPath(in, item, path, p[1]);
    keys.push_back(case_sensitive ? key : IgnoreCase(in.heap(), key));
  }
  std::vector<Value> pairs;  // (key, item), to keep them together
  for (size_t i = 0; i < items.size(); ++i) pairs.push_back(in.heap().Tuple({keys[i], items[i]}));
  pairs = SortByKeys(in.heap(), pairs, keys, false);
  std::vector<Value> groups;
  for (size_t i = 0; i < pairs.size();) {
    const Value key = pairs[i].Items()[0];
    const Value first = pairs[i].Items()[1];
    std::vector<Value> members;
    for (; i < pairs.size() && Equal(pairs[i].Items()[0], key); ++i) members.push_back(pairs[i].Items()[1]);
    const Value shown = case_sensitive ? key : FollowPath(in, first, path, p[1]);
    groups.push_back(in.heap().Tuple({shown, in.heap().List(std::move(members))}));
  }
  return in.heap().List(std::move(groups));
}

Value Unique(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("unique", a, {"case_sensitive", "attribute"});
  const auto path = AttributePath(in.heap(), p[1]);
  DictObject seen;
  std::vector<Value> out;
  for (const Value& item : Iterate(in.heap(), value)) {
    Value key = FollowPath(in, item, path);
    if (!p.Bool(0, false)) key = IgnoreCase(in.heap(), key);
    if (!IsHashable(key)) {
      return in.heap().Iterator(std::move(out), "generator", StrCat("unhashable type: '", TypeName(key), "'"));
    }
    if (seen.Find(key)) continue;
    seen.Set(key, Value::None());
    out.push_back(item);
  }
  return in.heap().Iterator(std::move(out));
}

Value Batch(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("batch", a, {"linecount", "fill_with"}, 1);
  const int64_t n = p.Int(0, 0);
  std::vector<Value> rows, row;
  for (const Value& item : Iterate(in.heap(), value)) {
    if (static_cast<int64_t>(row.size()) == n) {
      rows.push_back(in.heap().List(std::move(row)));
      row.clear();
    }
    row.push_back(item);
  }
  if (!row.empty()) {
    in.heap().Step(std::max<int64_t>(n, 0));
    while (!p.IsNone(1) && static_cast<int64_t>(row.size()) < n) row.push_back(p[1]);
    rows.push_back(in.heap().List(std::move(row)));
  }
  return in.heap().Iterator(std::move(rows));
}

Value SliceFilter(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("slice", a, {"slices", "fill_with"}, 1);
  const auto items = Iterate(in.heap(), value);
  const int64_t n = p.Int(0, 0);
  if (n == 0) return in.heap().Iterator({}, "generator", "integer division or modulo by zero");
  in.heap().Step(std::max<int64_t>(n, 0));
  const auto length = static_cast<int64_t>(items.size());
  std::vector<Value> slices;
  int64_t at = 0;
  for (int64_t i = 0; i < n; ++i) {
    const bool longer = i < length % n;
    const int64_t size = length / n + (longer ? 1 : 0);
    std::vector<Value> part(items.begin() + at, items.begin() + at + size);
    if (!p.IsNone(1) && !longer) part.push_back(p[1]);
    slices.push_back(in.heap().List(std::move(part)));
    at += size;
  }
  return in.heap().Iterator(std::move(slices));
}

Value Attr(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("attr", a, {"name"}, 1);
  const std::string name = p.Text(0, "");
  const Value found = in.FindAttribute(value, name);
  return found.is_missing() ? in.heap().UndefinedMember(value, p[0]) : found;
}

constexpr FilterEntry kSequenceFilters[] = {
    {"length", LengthFilter}, {"count", LengthFilter}, {"list", ListFilter},   {"first", First},
    {"last", Last},           {"random", Random},      {"reverse", Reverse},   {"join", Join},
    {"items", ItemsFilter},   {"sort", Sort},          {"dictsort", DictSort}, {"groupby", GroupBy},
    {"unique", Unique},       {"batch", Batch},        {"slice", SliceFilter}, {"attr", Attr},
};

}  // namespace

FilterTable SequenceFilters() { return {kSequenceFilters, std::size(kSequenceFilters)}; }

}  // namespace lfm::jinja
