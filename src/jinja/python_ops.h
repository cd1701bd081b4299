// Python's operators on values: truth, equality, order, arithmetic, containment, iteration, subscripts.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "jinja/python_value.h"

namespace lfm::jinja {

bool Truth(const Value& value);
bool Equal(const Value& a, const Value& b);      // ==, never fails
bool Identical(const Value& a, const Value& b);  // `is`
uint64_t Hash(const Value& key);
uint64_t HashText(std::string_view text);
bool IsHashable(const Value& value);

// a < b and a <= b; fails on types that Python does not order. `op` is the operator's text for the message.
bool Less(const Value& a, const Value& b, std::string_view op = "<");
bool LessOrEqual(const Value& a, const Value& b, std::string_view op = "<=");

// +, -, *, /, //, %, **. Fails as Python does, and where integers leave 64 bits.
Value Arithmetic(Heap& heap, std::string_view op, const Value& a, const Value& b);
Value Negate(Heap& heap, const Value& value);
Value Positive(const Value& value);

// item in container
bool Contains(Heap& heap, const Value& container, const Value& item);

bool IsIterable(const Value& value);
// len(), or nothing where Python has no length.
std::optional<int64_t> Length(const Value& value);
// All items, in order; consumes an iterator. Fails on what cannot be iterated.
std::vector<Value> Iterate(Heap& heap, const Value& value);
// The next item of an iterator, if any.
std::optional<Value> NextOf(const Value& iterator);
// The pairs of a view, as values.
std::vector<Value> ViewItems(Heap& heap, const ViewObject& view);

// value[begin:end:step]; missing values where nothing is written.
Value Slice(Heap& heap, const Value& value, const Value& begin, const Value& end, const Value& step);
// value[key] by Python alone: nothing when it raises TypeError or LookupError.
std::optional<Value> Subscript(Heap& heap, const Value& value, const Value& key);

// An integer argument (bool counts) or a failure that names `what`.
int64_t IntegerOf(const Value& value, std::string_view what);
double FloatOf(const Value& value, std::string_view what);

// HTML-escapes as markupsafe does.
std::string EscapeHtml(std::string_view text);

}  // namespace lfm::jinja
