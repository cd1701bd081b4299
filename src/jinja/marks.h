// Marks of a text: which of its bytes came from marked variables. They travel beside the bytes: what cuts or joins text
// keeps them exactly through the functions here; all other filters and methods are completed by InheritMarks.
#pragma once

#include <string_view>

#include "jinja/builtins.h"
#include "jinja/jinja.h"
#include "jinja/python_value.h"

namespace lfm::jinja {

void Append(MarkedText& out, std::string_view unmarked);
void Append(MarkedText& out, const MarkedText& text);
void AppendAt(MarkedText& out, std::string_view text, uint8_t level);  // level 0: unmarked
// Bytes [begin, end) of a string value.
void AppendPart(MarkedText& out, const Value& string, size_t begin, size_t end);
MarkedText PartOf(const Value& string, size_t begin, size_t end);
// str(value): a string with its own marks, all else marked with the highest level inside.
void AppendStr(MarkedText& out, const Value& value);
MarkedText MarkedStr(const Value& value);

// The highest level of the marks in a value and all values inside it.
uint8_t LevelOf(const Value& value);

// The result of a filter or a method: a new text that says nothing of its marks is marked whole if anything that it may
// be made of is. ASCII text that kept its length (upper, lower, title…) keeps its marks.
Value InheritMarks(Value result, const Value& input, const CallArguments& arguments);

}  // namespace lfm::jinja
