// Lengths, iteration, containment, subscripts and slices as Python defines them.
#include <algorithm>

#include "base/strings.h"
#include "jinja/loop.h"
#include "jinja/marks.h"
#include "jinja/python_ops.h"
#include "jinja/python_text.h"

namespace lfm::jinja {
namespace {

std::vector<Value> Characters(Heap& heap, const Value& value) {
  const std::string& text = value.AsString();
  heap.Step(static_cast<int64_t>(text.size()));
  std::vector<Value> items;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    NextCodePoint(text, at);
    items.push_back(heap.String(PartOf(value, begin, at)));
  }
  return items;
}

std::vector<Value> DictKeys(Heap& heap, const DictObject& dict) {
  heap.Step(static_cast<int64_t>(dict.items.size()));
  std::vector<Value> keys;
  keys.reserve(dict.items.size());
  for (const auto& [key, value] : dict.items) keys.push_back(key);
  return keys;
}

// Start, stop and step of a slice over `length` items, clamped as slice.indices does.
struct SliceBounds {
  int64_t begin, end, step, count;
};

SliceBounds BoundsOf(int64_t length, const Value& begin, const Value& end, const Value& step) {
  const auto given = [](const Value& v) { return !v.is_missing() && !v.is_none(); };
  const auto integer = [](const Value& v) {
    if (v.Is(ValueKind::kBigInt)) return v.AsString()[0] == '-' ? INT64_MIN : INT64_MAX;
    return IntegerOf(v, "a slice index");
  };
  SliceBounds b{0, 0, given(step) ? integer(step) : 1, 0};
  if (b.step == 0) Fail("slice step cannot be zero");
  b.step = std::max(b.step, -INT64_MAX);
  const int64_t low = b.step > 0 ? 0 : -1, high = b.step > 0 ? length : length - 1;
  const auto clamp = [&](int64_t i) {
    if (i < 0) i = i < -length ? low : std::max(i + length, low);
    return std::min(std::max(i, low), high);
  };
  b.begin = given(begin) ? clamp(integer(begin)) : (b.step > 0 ? low : high);
  b.end = given(end) ? clamp(integer(end)) : (b.step > 0 ? high : low);
  if (b.step > 0 && b.begin < b.end) b.count = (b.end - b.begin - 1) / b.step + 1;
  if (b.step < 0 && b.begin > b.end) b.count = (b.begin - b.end - 1) / -b.step + 1;
  return b;
}

Value SliceString(Heap& heap, const Value& value, const Value& begin, const Value& end, const Value& step) {
  const std::string& text = value.AsString();
  heap.StepBytes(text.size());
  const auto length = static_cast<int64_t>(CountCodePoints(text));
  const SliceBounds b = BoundsOf(length, begin, end, step);
  if (b.count == 0) return heap.String("");
  const bool ascii = static_cast<size_t>(length) == text.size();
  if (b.step == 1) {
    const size_t from = ascii ? static_cast<size_t>(b.begin) : OffsetOfCodePoint(text, static_cast<size_t>(b.begin));
    const auto n = static_cast<size_t>(b.count);
    const size_t n_bytes = ascii ? n : OffsetOfCodePoint(std::string_view(text).substr(from), n);
    return heap.String(PartOf(value, from, from + n_bytes), value.IsMarkup());
  }
  heap.Step(length);
  const auto points = ToCodePoints(text);
  std::string out;
  for (int64_t i = b.begin, n = 0; n < b.count; ++n, i += b.step) AppendCodePoint(out, points[static_cast<size_t>(i)]);
  MarkedText marked;
  AppendAt(marked, out, LevelOf(value));
  return heap.String(std::move(marked), value.IsMarkup());
}

}  // namespace

std::optional<int64_t> Length(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kUndefined: return 0;
    case ValueKind::kString: return static_cast<int64_t>(CountCodePoints(value.AsString()));
    case ValueKind::kList:
    case ValueKind::kTuple: return static_cast<int64_t>(value.Items().size());
    case ValueKind::kDict: return static_cast<int64_t>(value.AsDict().items.size());
    case ValueKind::kRange: return value.As<RangeObject>().Length();
    case ValueKind::kView: return static_cast<int64_t>(value.As<ViewObject>().dict.AsDict().items.size());
    case ValueKind::kLoop: return value.As<LoopObject>().Length();
    default: return std::nullopt;
  }
}

bool IsIterable(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kUndefined:
    case ValueKind::kString:
    case ValueKind::kList:
    case ValueKind::kTuple:
    case ValueKind::kDict:
    case ValueKind::kRange:
    case ValueKind::kView:
    case ValueKind::kIterator:
    case ValueKind::kLoop: return true;
    default: return false;
  }
}

std::vector<Value> ViewItems(Heap& heap, const ViewObject& view) {
  std::vector<Value> items;
  const auto& members = view.dict.AsDict().items;
  heap.Step(static_cast<int64_t>(members.size()));
  items.reserve(members.size());
  for (const auto& [key, value] : members) {
    switch (view.what) {
      case ViewObject::What::kKeys: items.push_back(key); break;
      case ViewObject::What::kValues: items.push_back(value); break;
      case ViewObject::What::kItems: items.push_back(heap.Tuple({key, value})); break;
    }
  }
  return items;
}

std::optional<Value> NextOf(const Value& iterator) {
  auto& object = iterator.As<IteratorObject>();
  if (object.next < object.items.size()) return object.items[object.next++];
  if (!object.error.empty()) Fail(object.error);
  return std::nullopt;
}

std::vector<Value> Iterate(Heap& heap, const Value& value) {
  switch (value.kind()) {
    case ValueKind::kUndefined: return {};
    case ValueKind::kString: return Characters(heap, value);
    case ValueKind::kList:
    case ValueKind::kTuple: heap.Step(static_cast<int64_t>(value.Items().size() / 8)); return value.Items();
    case ValueKind::kDict: return DictKeys(heap, value.AsDict());
    case ValueKind::kView: return ViewItems(heap, value.As<ViewObject>());
    case ValueKind::kRange: {
      const auto& range = value.As<RangeObject>();
      const int64_t n = range.Length();
      heap.Step(n);
      std::vector<Value> items;
      items.reserve(static_cast<size_t>(n));
      for (int64_t i = 0; i < n; ++i) items.push_back(Value::Int(range.start + i * range.step));
      return items;
    }
    case ValueKind::kIterator: {
      std::vector<Value> items;
      while (auto item = NextOf(value)) heap.Step(), items.push_back(std::move(*item));
      return items;
    }
    case ValueKind::kLoop: Fail("iterating over `loop` is not supported", ErrorCode::kUnsupported);
    default: Fail(StrCat("'", TypeName(value), "' object is not iterable"));
  }
}

bool Contains(Heap& heap, const Value& container, const Value& item) {
  const auto same = [&](const Value& other) { return heap.Step(), Identical(item, other) || Equal(item, other); };
  switch (container.kind()) {
    case ValueKind::kUndefined: return false;
    case ValueKind::kString:
      if (!item.is_string()) {
        if (item.is_undefined()) FailUndefined(item);
        Fail(StrCat("'in <string>' requires string as left operand, not ", TypeName(item)));
      }
      heap.StepBytes(container.AsString().size());
      return FindFirst(container.AsString(), item.AsString()) != std::string::npos;
    case ValueKind::kList:
    case ValueKind::kTuple: return std::any_of(container.Items().begin(), container.Items().end(), same);
    case ValueKind::kDict:
      if (!IsHashable(item)) Fail(StrCat("unhashable type: '", TypeName(item), "'"));
      return container.AsDict().Find(item) != nullptr;
    case ValueKind::kView:
      if (container.As<ViewObject>().what == ViewObject::What::kKeys) {
        return Contains(heap, container.As<ViewObject>().dict, item);
      }
      [[fallthrough]];
    case ValueKind::kRange: {
      const auto items = Iterate(heap, container);
      return std::any_of(items.begin(), items.end(), same);
    }
    case ValueKind::kIterator:
      while (auto other = NextOf(container)) {
        if (same(*other)) return true;
      }
      return false;
    default: Fail(StrCat("argument of type '", TypeName(container), "' is not iterable"));
  }
}

Value Slice(Heap& heap, const Value& value, const Value& begin, const Value& end, const Value& step) {
  switch (value.kind()) {
    case ValueKind::kString: return SliceString(heap, value, begin, end, step);
    case ValueKind::kList:
    case ValueKind::kTuple: {
      const auto& items = value.Items();
      const SliceBounds b = BoundsOf(static_cast<int64_t>(items.size()), begin, end, step);
      std::vector<Value> out;
      out.reserve(static_cast<size_t>(b.count));
      for (int64_t i = b.begin, n = 0; n < b.count; ++n, i += b.step) out.push_back(items[static_cast<size_t>(i)]);
      return value.Is(ValueKind::kList) ? heap.List(std::move(out)) : heap.Tuple(std::move(out));
    }
    case ValueKind::kRange: {
      const auto& range = value.As<RangeObject>();
      const SliceBounds b = BoundsOf(range.Length(), begin, end, step);
      int64_t stride = 0, from = 0, to = 0;
      if (__builtin_mul_overflow(range.step, b.step, &stride) || __builtin_mul_overflow(range.step, b.begin, &from) ||
          __builtin_add_overflow(range.start, from, &from) || __builtin_mul_overflow(range.step, b.end, &to) ||
          __builtin_add_overflow(range.start, to, &to)) {
        Fail("a slice of a range leaves 64 bits", ErrorCode::kUnsupported);
      }
      return heap.Range(from, to, stride);
    }
    case ValueKind::kUndefined: FailUndefined(value);
    case ValueKind::kDict: Fail("unhashable type: 'slice': a dict cannot be sliced");
    default: Fail(StrCat("'", TypeName(value), "' object cannot be sliced"));
  }
}

std::optional<Value> Subscript(Heap& heap, const Value& value, const Value& key) {
  const auto position = [&](int64_t length) -> std::optional<int64_t> {
    if (!key.is_small_int()) return std::nullopt;
    const int64_t i = key.AsInt();
    if (i >= length || i < -length) return std::nullopt;
    return i < 0 ? i + length : i;
  };
  switch (value.kind()) {
    case ValueKind::kUndefined: FailUndefined(value);
    case ValueKind::kDict: {
      if (!IsHashable(key)) return std::nullopt;
      const Value* found = key.is_string() ? value.AsDict().Find(key.AsString()) : value.AsDict().Find(key);
      return found ? std::optional<Value>(*found) : std::nullopt;
    }
    case ValueKind::kList:
    case ValueKind::kTuple: {
      const auto i = position(static_cast<int64_t>(value.Items().size()));
      return i ? std::optional<Value>(value.Items()[static_cast<size_t>(*i)]) : std::nullopt;
    }
    case ValueKind::kString: {
      if (!key.is_small_int()) return std::nullopt;
      const std::string& text = value.AsString();
      heap.StepBytes(text.size());
      const auto i = position(static_cast<int64_t>(CountCodePoints(text)));
      if (!i) return std::nullopt;
      const size_t begin = OffsetOfCodePoint(text, static_cast<size_t>(*i));
      size_t end = begin;
      NextCodePoint(text, end);
      return heap.String(PartOf(value, begin, end), value.IsMarkup());
    }
    case ValueKind::kRange: {
      const auto& range = value.As<RangeObject>();
      const auto i = position(range.Length());
      return i ? std::optional<Value>(Value::Int(range.start + *i * range.step)) : std::nullopt;
    }
    default: return std::nullopt;
  }
}

}  // namespace lfm::jinja
