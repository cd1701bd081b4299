// Values as Python has them, for the template interpreter: what a chat template computes with and prints.
// Values are immutable but for namespaces and consumed iterators, so copies share their content.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/stack.h"
#include "jinja/jinja.h"

namespace lfm::jinja {

// How the interpreter fails inside; Template::Parse and Render turn it into a Result. Never leaves this
// folder.
struct PythonError {
  ErrorCode code = ErrorCode::kInvalidArgument;
  std::string message;
  int line = 0;  // of the template; 0 while unknown
};

[[noreturn]] void Fail(std::string message, ErrorCode code = ErrorCode::kInvalidArgument);

enum class ValueKind : uint8_t {
  kMissing,  // no value at all: an unset variable or parameter; never seen by a template
  kUndefined,
  kNone,
  kBool,
  kInt,
  kBigInt,  // an integer beyond 64 bits: kept as its decimal text, prints and compares, no arithmetic
  kFloat,
  kString,
  kList,
  kTuple,
  kDict,
  kRange,
  kView,      // dict.keys(), .values(), .items()
  kIterator,  // generators: always true, can be consumed once, have no length
  kNamespace,
  kLoop,
  kMacro,
  kFunction,
  kMethod,  // a method bound to its object
  kCycler,
  kJoiner,
};

class Heap;
struct Object;
struct StringObject;
struct DictObject;

class Value {
 public:
  Value() = default;
  Value(ValueKind kind, std::shared_ptr<Object> object) : kind_(kind), object_(std::move(object)) {}
  static Value None() { return Value(ValueKind::kNone); }
  static Value Bool(bool value) {
    Value result(ValueKind::kBool);
    result.int_ = value ? 1 : 0;
    return result;
  }
  static Value Int(int64_t value) {
    Value result(ValueKind::kInt);
    result.int_ = value;
    return result;
  }
  static Value Float(double value) {
    Value result(ValueKind::kFloat);
    result.float_ = value;
    return result;
  }

  ValueKind kind() const { return kind_; }
  bool Is(ValueKind kind) const { return kind_ == kind; }
  bool is_missing() const { return kind_ == ValueKind::kMissing; }
  bool is_undefined() const { return kind_ == ValueKind::kUndefined; }
  bool is_none() const { return kind_ == ValueKind::kNone; }
  bool is_string() const { return kind_ == ValueKind::kString; }
  bool is_dict() const { return kind_ == ValueKind::kDict; }
  bool is_small_int() const { return kind_ == ValueKind::kInt || kind_ == ValueKind::kBool; }
  bool is_integer() const { return is_small_int() || kind_ == ValueKind::kBigInt; }
  bool is_number() const { return is_integer() || kind_ == ValueKind::kFloat; }
  bool is_sequence() const { return kind_ == ValueKind::kList || kind_ == ValueKind::kTuple; }

  bool AsBool() const { return int_ != 0; }
  int64_t AsInt() const { return int_; }
  double AsFloat() const { return float_; }
  const std::string& AsString() const;      // of a string; the text of a big integer
  bool IsMarkup() const;                    // a string that `safe` or `escape` marked
  const std::vector<Value>& Items() const;  // of a list or tuple
  const DictObject& AsDict() const;
  Object* object() const { return object_.get(); }
  bool IsSole() const { return object_.use_count() == 1; }  // nothing else holds its content
  template <typename T>
  T& As() const {
    return static_cast<T&>(*object_);
  }

 private:
  explicit Value(ValueKind kind) : kind_(kind) {}

  ValueKind kind_ = ValueKind::kMissing;
  union {
    int64_t int_ = 0;
    double float_;
  };
  std::shared_ptr<Object> object_;
};

// What one rendering may still spend. Every object that a template makes is charged here while it lives.
struct HeapLimits {
  int64_t max_steps = 10'000'000;         // evaluated nodes, loop rounds, and 64 bytes of copied text each
  size_t max_bytes = size_t{512} << 20;   // alive at one time
  size_t max_string = size_t{128} << 20;  // of one string
  int64_t max_range = 100'000;            // items of a range, as in Jinja's sandbox
  int max_depth = 400;                    // of nested values
};

struct Object {
  Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object();
  Heap* heap = nullptr;  // where `charged` bytes go back
  size_t charged = 0;
  int depth = 1;  // levels of values inside, for a bound on every recursion over them
};

struct StringObject : Object {
  std::string text;  // valid UTF-8
  bool markup = false;
  bool traced = false;      // `marks` are exact; else they may be missing, and InheritMarks completes them
  std::vector<Mark> marks;  // where the text came from (marks.h)
};
struct ListObject : Object {
  std::vector<Value> items;
};
// A dict in the order of insertion, with a hash index once it is large.
struct DictObject : Object {
  using Item = std::pair<Value, Value>;
  std::vector<Item> items;
  std::unordered_multimap<uint64_t, uint32_t> index;  // hash -> position; empty while small

  const Value* Find(const Value& key) const;
  const Value* Find(std::string_view key) const;
  void Set(Value key, Value value);
};
struct RangeObject : Object {
  int64_t start = 0, stop = 0, step = 1;
  int64_t Length() const;
};
struct ViewObject : Object {
  enum class What { kKeys, kValues, kItems } what = What::kKeys;
  Value dict;
};
// An eager list in the clothes of a lazy generator: an error that stopped it comes out when it is reached.
struct IteratorObject : Object {
  std::string type_name = "generator";
  std::vector<Value> items;
  size_t next = 0;
  std::string error;  // raised after the last item, if not empty
};
struct NamespaceObject : Object {
  std::vector<std::pair<std::string, Value>> attributes;
  Value* Find(std::string_view name);
};
struct UndefinedObject : Object {
  std::string hint;     // the whole message, if not empty
  std::string name;     // of the variable, attribute or element
  std::string owner;    // the type it was looked up on; empty for a variable
  bool is_name = true;  // else an element that is no string, already printed in `name`
};
struct MethodObject : Object {
  Value receiver;
  std::string name;
};
struct FunctionObject : Object {
  std::string name;
};
struct CyclerObject : Object {
  std::vector<Value> items;
  size_t next = 0;
};
struct JoinerObject : Object {
  Value separator;
  bool used = false;
};

// Makes objects and keeps the limits. One per rendering; not thread-safe. Outlives its values.
class Heap {
 public:
  // Used by the thread that makes it alone. `cancel` may be null.
  explicit Heap(const HeapLimits& limits, const std::atomic<bool>* cancel = nullptr)
      : limits_(limits), steps_left_(limits.max_steps), cancel_(cancel), stack_floor_(StackFloor(kStackReserve)) {
    limits_.max_depth = static_cast<int>(std::min<size_t>(static_cast<size_t>(limits.max_depth), StackSize() / kStackOfAValue));
  }
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;
  ~Heap();

  const HeapLimits& limits() const { return limits_; }
  // What recursions that do not count here may take: over values (printing, letting go of them), of JSON, of one filter.
  static constexpr size_t kStackReserve = size_t{160} << 10;
  static constexpr size_t kStackOfAValue = 2048;  // letting go of one level of values: 650 bytes without optimisation

  // Counts work; fails with kLimit when the budget or the thread's stack is spent, with kCancelled when it is asked to.
  void Step(int64_t n = 1) {
    steps_left_ -= n;
    if (steps_left_ < 0 || IsBelow(stack_floor_) || (cancel_ && cancel_->load(std::memory_order_relaxed))) FailStep();
  }
  void StepBytes(size_t n) { Step(static_cast<int64_t>(n / 64) + 1); }

  Value String(std::string text, bool markup = false);
  Value String(MarkedText text, bool markup = false);
  // The name of a keyword argument as a value: it may come out of a marked dict, and has lost that.
  Value Keyword(std::string name);
  Value BigInt(std::string digits);
  Value List(std::vector<Value> items) { return Sequence(ValueKind::kList, std::move(items)); }
  Value Tuple(std::vector<Value> items) { return Sequence(ValueKind::kTuple, std::move(items)); }
  Value Dict(std::shared_ptr<DictObject> dict);  // after it was filled
  Value Range(int64_t start, int64_t stop, int64_t step);
  Value View(const Value& dict, ViewObject::What what);
  Value Iterator(std::vector<Value> items, std::string type_name = "generator", std::string error = "");
  Value Namespace(std::vector<std::pair<std::string, Value>> attributes);
  Value Method(const Value& receiver, std::string_view name);
  Value Function(std::string_view name);
  Value Cycler(std::vector<Value> items);
  Value Joiner(Value separator);
  Value UndefinedName(std::string_view name);
  Value UndefinedHint(std::string hint);
  Value UndefinedMember(const Value& owner, const Value& key);

  // Refuses a string of this length before it is made.
  void CheckString(size_t bytes) const;
  // Charges an object of a kind that is made elsewhere, and gives it the depth of its content.
  void Adopt(Object& object, size_t bytes, int depth);
  void Release(size_t bytes) { bytes_ -= bytes; }

  // The highest level of all marked strings made so far; 0: nothing is marked, and no marks need to be looked for.
  uint8_t highest_mark() const { return highest_mark_; }

 private:
  Value Sequence(ValueKind kind, std::vector<Value> items);
  [[noreturn]] void FailStep() const;

  HeapLimits limits_;
  int64_t steps_left_;
  const std::atomic<bool>* const cancel_;
  const uintptr_t stack_floor_;
  size_t bytes_ = 0;
  uint8_t highest_mark_ = 0;
  // Namespaces can form circles: they are held to the end, and emptied there.
  std::vector<std::shared_ptr<Object>> namespaces_;
};

// 1 + the deepest of the values.
int DepthOf(const std::vector<Value>& values);
int DepthOf(const Value& value);

// The type as Python names it: "str", "dict", "NoneType".
std::string_view TypeName(const Value& value);
// The message of an undefined value: "'x' is undefined".
std::string UndefinedMessage(const Value& value);
[[noreturn]] void FailUndefined(const Value& value);

}  // namespace lfm::jinja
