// str.format: replacement fields in braces.
#include "base/strings.h"
#include "jinja/marks.h"
#include "jinja/python_format.h"
#include "jinja/python_repr.h"
#include "jinja/python_text.h"

namespace lfm::jinja {
namespace {

// Finds the end of a field's part, at `stop` characters outside of nested braces and brackets.
size_t FindFieldEnd(std::string_view text, size_t at, std::string_view stops) {
  int braces = 0;
  bool bracket = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '[') bracket = true;
    if (c == ']') bracket = false;
    if (braces == 0 && !bracket && stops.find(c) != std::string_view::npos) return at;
    if (c == '{') ++braces;
    if (c == '}') --braces;
  }
  Fail("expected '}' before end of string");
}

class BraceFormatter {
 public:
  BraceFormatter(Heap& heap, const FormatLookup& lookup) : heap_(heap), lookup_(lookup) {}

  // `level`: of the format's own text.
  MarkedText Format(std::string_view format, uint8_t level, int depth) {
    if (depth > 2) Fail("Max string recursion exceeded");
    MarkedText out;
    for (size_t at = 0; at < format.size();) {
      const char c = format[at];
      const bool twice = at + 1 < format.size() && format[at + 1] == c;
      if (c == '{' && !twice) {
        ++at;
        Field(format, at, depth, out);
        heap_.Step();
        heap_.CheckString(out.text.size());
        continue;
      }
      if (c == '}' && !twice) Fail("Single '}' encountered in format string");
      AppendAt(out, std::string_view(&c, 1), level);
      at += (c == '{' || c == '}') ? 2 : 1;
    }
    return out;
  }

 private:
  // Appends one field; `at` stands behind its opening brace and moves behind the closing one.
  void Field(std::string_view format, size_t& at, int depth, MarkedText& out) {
    size_t end = FindFieldEnd(format, at, "}!:");
    Value value = Resolve(format.substr(at, end - at));
    at = end;
    char conversion = 0;
    if (format[at] == '!') {
      if (at + 2 >= format.size()) Fail("end of string while looking for conversion specifier");
      conversion = format[at + 1];
      at += 2;
      if (format[at] != ':' && format[at] != '}') Fail("expected ':' after conversion specifier");
    }
    std::string specification;
    if (format[at] == ':') {
      end = FindFieldEnd(format, at + 1, "}");
      specification = Format(format.substr(at + 1, end - at - 1), 0, depth + 1).text;
      at = end;
    }
    ++at;
    const uint8_t level = LevelOf(value);
    const bool whole = value.is_string() && specification.empty() && (conversion == 0 || conversion == 's');
    if (whole) return AppendStr(out, value);
    if (conversion == 'r' || conversion == 'a') value = heap_.String(Repr(value));
    if (conversion == 's') value = heap_.String(Str(value));
    if (conversion && conversion != 'r' && conversion != 'a' && conversion != 's') {
      Fail("unknown conversion specifier in a format string");
    }
    AppendAt(out, FormatSpec(heap_, value, specification), level);
  }

  Value Resolve(std::string_view field) {
    size_t at = field.find_first_of(".[");
    std::string first(field.substr(0, at));
    if (first.empty()) first = std::to_string(automatic_++);
    Value value = lookup_.look_up(first);
    while (at < field.size()) {
      if (field[at] == '.') {
        const size_t end = field.find_first_of(".[", at + 1);
        value = lookup_.member(value, field.substr(at + 1, end - at - 1), true);
        at = end;
      } else if (field[at] == '[') {
        const size_t end = field.find(']', at);
        if (end == std::string_view::npos) Fail("missing ']' in format string");
        value = lookup_.member(value, field.substr(at + 1, end - at - 1), false);
        at = end + 1;
      } else {
        Fail("only '.' or '[' may follow ']' in a format field");
      }
    }
    return value;
  }

  Heap& heap_;
  const FormatLookup& lookup_;
  int automatic_ = 0;
};

}  // namespace

MarkedText FormatBraces(Heap& heap, const Value& format, const FormatLookup& lookup) {
  heap.StepBytes(format.AsString().size());
  return BraceFormatter(heap, lookup).Format(format.AsString(), LevelOf(format), 0);
}

}  // namespace lfm::jinja
