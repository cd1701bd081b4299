// The loop variable's counters and look-ahead.
#include "jinja/loop.h"

#include "base/strings.h"
#include "jinja/eval.h"
#include "jinja/python_ops.h"

namespace lfm::jinja {

bool LoopObject::HasNext() {
  if (ahead.empty() && pull) {
    if (auto item = pull()) ahead.push_back(std::move(*item));
  }
  return !ahead.empty();
}

bool LoopObject::Next() {
  if (!HasNext()) return false;
  previous = std::move(current);
  current = std::move(ahead.front());
  ahead.pop_front();
  ++index0;
  return true;
}

int64_t LoopObject::Length() {
  if (length < 0) {
    while (pull) {
      auto item = pull();
      if (!item) break;
      ahead.push_back(std::move(*item));
    }
    length = index0 + 1 + static_cast<int64_t>(ahead.size());
  }
  return length;
}

void LoopObject::Finish() {
  if (length < 0) length = index0 + 1;
  pull = nullptr;
  recurse = nullptr;
  ahead.clear();
  previous = current = changed = Value();
}

Value LoopAttribute(Heap& heap, const Value& value, std::string_view name) {
  auto& loop = value.As<LoopObject>();
  if (name == "index") return Value::Int(loop.index0 + 1);
  if (name == "index0") return Value::Int(loop.index0);
  if (name == "first") return Value::Bool(loop.index0 == 0);
  if (name == "last") return Value::Bool(!loop.HasNext());
  if (name == "length") return Value::Int(loop.Length());
  if (name == "revindex") return Value::Int(loop.Length() - loop.index0);
  if (name == "revindex0") return Value::Int(loop.Length() - loop.index0 - 1);
  if (name == "depth") return Value::Int(loop.depth0 + 1);
  if (name == "depth0") return Value::Int(loop.depth0);
  if (name == "previtem") {
    return loop.index0 == 0 || loop.previous.is_missing() ? heap.UndefinedHint("there is no previous item") : loop.previous;
  }
  if (name == "nextitem") return loop.HasNext() ? loop.ahead.front() : heap.UndefinedHint("there is no next item");
  if (name == "cycle" || name == "changed") return heap.Method(value, name);
  return Value();
}

Value Interpreter::CallLoop(const Value& value, const CallArguments& arguments) {
  const Parameters parameters("loop", arguments, {"iterable"}, 1);
  auto& loop = value.As<LoopObject>();
  if (!loop.recurse) Fail("the loop must have the 'recursive' marker to be called recursively");
  const auto recurse = loop.recurse;
  return heap_.String(recurse(parameters[0]));
}

}  // namespace lfm::jinja
