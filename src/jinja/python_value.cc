// Objects of the template interpreter: making, charging, and looking up.
#include "jinja/python_value.h"

#include <algorithm>

#include "base/check.h"
#include "base/strings.h"
#include "jinja/python_ops.h"

namespace lfm::jinja {
namespace {

constexpr size_t kIndexFrom = 16;  // items from which a dict gets its hash index
constexpr size_t kObjectBytes = 96;

}  // namespace

void Fail(std::string message, ErrorCode code) { throw PythonError{code, std::move(message), 0}; }

Object::~Object() {
  if (heap) heap->Release(charged);
}

const std::string& Value::AsString() const { return As<StringObject>().text; }
bool Value::IsMarkup() const { return is_string() && As<StringObject>().markup; }
const std::vector<Value>& Value::Items() const { return As<ListObject>().items; }
const DictObject& Value::AsDict() const { return As<DictObject>(); }

// --- dict ---

const Value* DictObject::Find(const Value& key) const {
  if (index.empty()) {
    for (const Item& item : items) {
      if (Equal(item.first, key)) return &item.second;
    }
    return nullptr;
  }
  for (auto [at, end] = index.equal_range(Hash(key)); at != end; ++at) {
    if (Equal(items[at->second].first, key)) return &items[at->second].second;
  }
  return nullptr;
}

const Value* DictObject::Find(std::string_view key) const {
  if (index.empty()) {
    for (const Item& item : items) {
      if (item.first.is_string() && item.first.AsString() == key) return &item.second;
    }
    return nullptr;
  }
  for (auto [at, end] = index.equal_range(HashText(key)); at != end; ++at) {
    const Value& found = items[at->second].first;
    if (found.is_string() && found.AsString() == key) return &items[at->second].second;
  }
  return nullptr;
}

void DictObject::Set(Value key, Value value) {
  if (const Value* found = Find(key)) {
    *const_cast<Value*>(found) = std::move(value);
    return;
  }
  items.emplace_back(std::move(key), std::move(value));
  if (!index.empty()) {
    index.emplace(Hash(items.back().first), static_cast<uint32_t>(items.size() - 1));
  } else if (items.size() >= kIndexFrom) {
    for (size_t i = 0; i < items.size(); ++i) index.emplace(Hash(items[i].first), static_cast<uint32_t>(i));
  }
}

int64_t RangeObject::Length() const {
  // Differences in unsigned arithmetic: they never overflow there.
  if (step > 0) {
    if (start >= stop) return 0;
    return static_cast<int64_t>((static_cast<uint64_t>(stop) - static_cast<uint64_t>(start) - 1) / static_cast<uint64_t>(step)) +
           1;
  }
  if (start <= stop) return 0;
  return static_cast<int64_t>((static_cast<uint64_t>(start) - static_cast<uint64_t>(stop) - 1) /
                              (uint64_t{0} - static_cast<uint64_t>(step))) +
         1;
}

Value* NamespaceObject::Find(std::string_view name) {
  for (auto& [key, value] : attributes) {
    if (key == name) return &value;
  }
  return nullptr;
}

// --- heap ---

Heap::~Heap() {
  for (const auto& object : namespaces_) static_cast<NamespaceObject&>(*object).attributes.clear();
  namespaces_.clear();
}

void Heap::FailStep() const {
  if (cancel_ && *cancel_) Fail("the rendering was cancelled", ErrorCode::kCancelled);
  if (steps_left_ >= 0) Fail("the template nests deeper than the stack of this thread allows", ErrorCode::kLimit);
  Fail(StrCat("the template did more than the limit of ", limits_.max_steps, " steps"), ErrorCode::kLimit);
}

void Heap::CheckString(size_t bytes) const {
  if (bytes > limits_.max_string) {
    Fail(StrCat("a text of ", HumanBytes(bytes), " is longer than the limit of ", HumanBytes(limits_.max_string)),
         ErrorCode::kLimit);
  }
}

void Heap::Adopt(Object& object, size_t bytes, int depth) {
  bytes += kObjectBytes;
  if (bytes_ + bytes > limits_.max_bytes) {
    Fail(StrCat("the template needs more than the limit of ", HumanBytes(limits_.max_bytes), " of memory"), ErrorCode::kLimit);
  }
  if (depth > limits_.max_depth) {
    Fail(StrCat("values are nested deeper than the limit of ", limits_.max_depth, " levels"), ErrorCode::kLimit);
  }
  bytes_ += bytes;
  object.heap = this;
  object.charged = bytes;
  object.depth = depth;
}

Value Heap::String(std::string text, bool markup) {
  CheckString(text.size());
  StepBytes(text.size());
  auto object = std::make_shared<StringObject>();
  Adopt(*object, text.size(), 1);
  object->text = std::move(text);
  object->markup = markup;
  return {ValueKind::kString, std::move(object)};
}

Value Heap::String(MarkedText text, bool markup) {
  Value value = String(std::move(text.text), markup);
  auto& object = value.As<StringObject>();
  for (const Mark& mark : text.marks) highest_mark_ = std::max(highest_mark_, mark.level);
  object.marks = std::move(text.marks);
  object.traced = true;
  return value;
}

Value Heap::Keyword(std::string name) {
  MarkedText text;
  if (highest_mark_ && !name.empty()) text.marks.push_back({0, name.size(), highest_mark_});
  text.text = std::move(name);
  return String(std::move(text));
}

Value Heap::BigInt(std::string digits) {
  StepBytes(digits.size());
  auto object = std::make_shared<StringObject>();
  Adopt(*object, digits.size(), 1);
  object->text = std::move(digits);
  return {ValueKind::kBigInt, std::move(object)};
}

int DepthOf(const Value& value) { return value.object() ? value.object()->depth + 1 : 1; }

int DepthOf(const std::vector<Value>& values) {
  int depth = 1;
  for (const Value& value : values) depth = std::max(depth, DepthOf(value));
  return depth;
}

Value Heap::Sequence(ValueKind kind, std::vector<Value> items) {
  Step(static_cast<int64_t>(items.size() / 8) + 1);
  auto object = std::make_shared<ListObject>();
  Adopt(*object, items.size() * sizeof(Value), DepthOf(items));
  object->items = std::move(items);
  return {kind, std::move(object)};
}

Value Heap::Dict(std::shared_ptr<DictObject> dict) {
  Step(static_cast<int64_t>(dict->items.size() / 4) + 1);
  int depth = 1;
  for (const auto& [key, value] : dict->items) depth = std::max({depth, DepthOf(key), DepthOf(value)});
  Adopt(*dict, dict->items.size() * (sizeof(DictObject::Item) + 16), depth);
  return {ValueKind::kDict, std::move(dict)};
}

Value Heap::Range(int64_t start, int64_t stop, int64_t step) {
  auto object = std::make_shared<RangeObject>();
  object->start = start, object->stop = stop, object->step = step;
  const int64_t length = object->Length();
  if (length < 0 || length > limits_.max_range) {
    Fail(StrCat("a range of more than the limit of ", limits_.max_range, " items"), ErrorCode::kLimit);
  }
  Adopt(*object, 0, 1);
  return {ValueKind::kRange, std::move(object)};
}

Value Heap::View(const Value& dict, ViewObject::What what) {
  auto object = std::make_shared<ViewObject>();
  Adopt(*object, 0, DepthOf(dict));
  object->dict = dict;
  object->what = what;
  return {ValueKind::kView, std::move(object)};
}

Value Heap::Iterator(std::vector<Value> items, std::string type_name, std::string error) {
  auto object = std::make_shared<IteratorObject>();
  Adopt(*object, items.size() * sizeof(Value), DepthOf(items));
  object->items = std::move(items);
  object->type_name = std::move(type_name);
  object->error = std::move(error);
  return {ValueKind::kIterator, std::move(object)};
}

Value Heap::Namespace(std::vector<std::pair<std::string, Value>> attributes) {
  auto object = std::make_shared<NamespaceObject>();
  Adopt(*object, attributes.size() * (sizeof(Value) + 32), 1);
  object->attributes = std::move(attributes);
  namespaces_.push_back(object);
  return {ValueKind::kNamespace, std::move(object)};
}

Value Heap::Method(const Value& receiver, std::string_view name) {
  auto object = std::make_shared<MethodObject>();
  Adopt(*object, 0, DepthOf(receiver));
  object->receiver = receiver;
  object->name = name;
  return {ValueKind::kMethod, std::move(object)};
}

Value Heap::Function(std::string_view name) {
  auto object = std::make_shared<FunctionObject>();
  Adopt(*object, 0, 1);
  object->name = name;
  return {ValueKind::kFunction, std::move(object)};
}

Value Heap::Cycler(std::vector<Value> items) {
  auto object = std::make_shared<CyclerObject>();
  Adopt(*object, items.size() * sizeof(Value), DepthOf(items));
  object->items = std::move(items);
  return {ValueKind::kCycler, std::move(object)};
}

Value Heap::Joiner(Value separator) {
  auto object = std::make_shared<JoinerObject>();
  Adopt(*object, 0, DepthOf(separator));
  object->separator = std::move(separator);
  return {ValueKind::kJoiner, std::move(object)};
}

Value Heap::UndefinedName(std::string_view name) {
  auto object = std::make_shared<UndefinedObject>();
  Adopt(*object, name.size(), 1);
  object->name = name;
  return {ValueKind::kUndefined, std::move(object)};
}

Value Heap::UndefinedHint(std::string hint) {
  auto object = std::make_shared<UndefinedObject>();
  Adopt(*object, hint.size(), 1);
  object->hint = std::move(hint);
  return {ValueKind::kUndefined, std::move(object)};
}

Value Heap::UndefinedMember(const Value& owner, const Value& key) {
  auto object = std::make_shared<UndefinedObject>();
  Adopt(*object, 0, 1);
  object->owner = owner.is_none() ? "None" : std::string(TypeName(owner)) + " object";
  object->is_name = key.is_string();
  object->name = key.is_string()           ? key.AsString().substr(0, 200)
                 : key.Is(ValueKind::kInt) ? std::to_string(key.AsInt())
                                           : std::string(TypeName(key));
  return {ValueKind::kUndefined, std::move(object)};
}

// --- names ---

std::string_view TypeName(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kMissing: return "missing";
    case ValueKind::kUndefined: return "Undefined";
    case ValueKind::kNone: return "NoneType";
    case ValueKind::kBool: return "bool";
    case ValueKind::kInt:
    case ValueKind::kBigInt: return "int";
    case ValueKind::kFloat: return "float";
    case ValueKind::kString: return value.IsMarkup() ? "Markup" : "str";
    case ValueKind::kList: return "list";
    case ValueKind::kTuple: return "tuple";
    case ValueKind::kDict: return "dict";
    case ValueKind::kRange: return "range";
    case ValueKind::kView:
      switch (value.As<ViewObject>().what) {
        case ViewObject::What::kKeys: return "dict_keys";
        case ViewObject::What::kValues: return "dict_values";
        case ViewObject::What::kItems: return "dict_items";
      }
      return "dict_items";
    case ValueKind::kIterator: return value.As<IteratorObject>().type_name;
    case ValueKind::kNamespace: return "Namespace";
    case ValueKind::kLoop: return "LoopContext";
    case ValueKind::kMacro: return "Macro";
    case ValueKind::kFunction: return "function";
    case ValueKind::kMethod: return "builtin_function_or_method";
    case ValueKind::kCycler: return "Cycler";
    case ValueKind::kJoiner: return "Joiner";
  }
  return "object";
}

std::string UndefinedMessage(const Value& value) {
  const auto& undefined = value.As<UndefinedObject>();
  if (!undefined.hint.empty()) return undefined.hint;
  if (undefined.owner.empty()) return StrCat("'", undefined.name, "' is undefined");
  if (!undefined.is_name) return StrCat(undefined.owner, " has no element ", undefined.name);
  return StrCat("'", undefined.owner, "' has no attribute '", undefined.name, "'");
}

void FailUndefined(const Value& value) { Fail(UndefinedMessage(value)); }

}  // namespace lfm::jinja
