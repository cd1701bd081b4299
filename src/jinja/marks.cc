// Marks of texts, and of values that hold texts.
#include "jinja/marks.h"

#include <algorithm>

#include "jinja/python_repr.h"
#include "jinja/python_text.h"

namespace lfm::jinja {
namespace {

constexpr int kMaxDepth = 400;  // of values inside values; namespaces can form circles

void AddMark(MarkedText& out, size_t begin, size_t end, uint8_t level) {
  if (begin == end || level == 0) return;
  if (!out.marks.empty() && out.marks.back().end == begin && out.marks.back().level == level) {
    out.marks.back().end = end;
  } else {
    out.marks.push_back({begin, end, level});
  }
}

uint8_t LevelOf(const Value& value, const Heap& heap, int depth);

uint8_t LevelOfAll(const std::vector<Value>& values, const Heap& heap, int depth) {
  uint8_t level = 0;
  for (const Value& value : values) level = std::max(level, LevelOf(value, heap, depth));
  return level;
}

uint8_t LevelOf(const Value& value, const Heap& heap, int depth) {
  if (!value.object()) return 0;
  if (depth > kMaxDepth) return heap.highest_mark();
  if (value.object()->heap) value.object()->heap->Step();
  uint8_t level = 0;
  switch (value.kind()) {
    case ValueKind::kString:
      for (const Mark& mark : value.As<StringObject>().marks) level = std::max(level, mark.level);
      return level;
    case ValueKind::kList:
    case ValueKind::kTuple: return LevelOfAll(value.Items(), heap, depth + 1);
    case ValueKind::kIterator: return LevelOfAll(value.As<IteratorObject>().items, heap, depth + 1);
    case ValueKind::kCycler: return LevelOfAll(value.As<CyclerObject>().items, heap, depth + 1);
    case ValueKind::kView: return LevelOf(value.As<ViewObject>().dict, heap, depth + 1);
    case ValueKind::kDict:
      for (const auto& [key, member] : value.AsDict().items) {
        level = std::max({level, LevelOf(key, heap, depth + 1), LevelOf(member, heap, depth + 1)});
      }
      return level;
    case ValueKind::kNamespace:  // its names may come from a dict of keywords
      return heap.highest_mark();
    default: return 0;
  }
}

// The heap that made a value; constants of the template have none, and no marks.
const Heap* HeapOf(const Value& value) { return value.object() ? value.object()->heap : nullptr; }

}  // namespace

void Append(MarkedText& out, std::string_view unmarked) { out.text += unmarked; }

void AppendAt(MarkedText& out, std::string_view text, uint8_t level) {
  AddMark(out, out.text.size(), out.text.size() + text.size(), level);
  out.text += text;
}

void Append(MarkedText& out, const MarkedText& text) {
  const size_t offset = out.text.size();
  for (const Mark& mark : text.marks) AddMark(out, offset + mark.begin, offset + mark.end, mark.level);
  out.text += text.text;
}

void AppendPart(MarkedText& out, const Value& string, size_t begin, size_t end) {
  const auto& source = string.As<StringObject>();
  const size_t offset = out.text.size();
  auto mark = std::partition_point(source.marks.begin(), source.marks.end(), [&](const Mark& m) { return m.end <= begin; });
  for (; mark != source.marks.end() && mark->begin < end; ++mark) {
    AddMark(out, offset + std::max(mark->begin, begin) - begin, offset + std::min(mark->end, end) - begin, mark->level);
  }
  out.text.append(source.text, begin, end - begin);
}

MarkedText PartOf(const Value& string, size_t begin, size_t end) {
  MarkedText part;
  AppendPart(part, string, begin, end);
  return part;
}

void AppendStr(MarkedText& out, const Value& value) {
  if (value.is_string()) return AppendPart(out, value, 0, value.AsString().size());
  AppendAt(out, Str(value), LevelOf(value));
}

MarkedText MarkedStr(const Value& value) {
  MarkedText text;
  AppendStr(text, value);
  return text;
}

uint8_t LevelOf(const Value& value) {
  const Heap* const heap = HeapOf(value);
  return heap && heap->highest_mark() ? LevelOf(value, *heap, 0) : 0;
}

Value InheritMarks(Value result, const Value& input, const CallArguments& arguments) {
  if (!result.is_string() || !result.IsSole()) return result;
  auto& object = result.As<StringObject>();
  if (object.traced || object.text.empty() || !object.heap || !object.heap->highest_mark()) return result;
  uint8_t of_arguments = 0;
  for (const Value& value : arguments.positional) of_arguments = std::max(of_arguments, LevelOf(value));
  for (const auto& [name, value] : arguments.keywords) of_arguments = std::max(of_arguments, LevelOf(value));
  const uint8_t level = std::max(of_arguments, LevelOf(input));
  if (level == 0) return result;
  if (of_arguments == 0 && input.is_string() && input.AsString().size() == object.text.size() && IsAscii(input.AsString()) &&
      IsAscii(object.text)) {
    object.marks = input.As<StringObject>().marks;
  } else {
    object.marks = {{0, object.text.size(), level}};
  }
  object.traced = true;
  return result;
}

}  // namespace lfm::jinja
