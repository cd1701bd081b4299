// str() and repr() of every value.
#include "jinja/python_repr.h"

#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/strings.h"
#include "jinja/loop.h"
#include "jinja/macro.h"
#include "jinja/python_text.h"

namespace lfm::jinja {
namespace {

// Appends reprs into one text that grows no longer than the heap of the printed value allows.
class Printer {
 public:
  void Print(const Value& value) {
    if (++depth_ > kMaxDepth) Fail("values are nested too deep to print", ErrorCode::kLimit);
    if (value.object() && value.object()->heap) {
      value.object()->heap->Step();
      value.object()->heap->CheckString(out.size());
    }
    switch (value.kind()) {
      case ValueKind::kMissing: out += "<missing>"; break;
      case ValueKind::kUndefined: out += "Undefined"; break;
      case ValueKind::kNone: out += "None"; break;
      case ValueKind::kBool: out += value.AsBool() ? "True" : "False"; break;
      case ValueKind::kInt: out += std::to_string(value.AsInt()); break;
      case ValueKind::kBigInt: out += value.AsString(); break;
      case ValueKind::kFloat: out += ReprFloat(value.AsFloat()); break;
      case ValueKind::kString:
        out += value.IsMarkup() ? "Markup(" + ReprString(value.AsString()) + ")" : ReprString(value.AsString());
        break;
      case ValueKind::kList: Items("[", value.Items(), "]"); break;
      case ValueKind::kTuple: Items("(", value.Items(), value.Items().size() == 1 ? ",)" : ")"); break;
      case ValueKind::kDict: Dict(value.AsDict()); break;
      case ValueKind::kView: View(value); break;
      case ValueKind::kNamespace: Namespace(value.As<NamespaceObject>()); break;
      default: Opaque(value);
    }
    --depth_;
  }

  std::string out;

 private:
  // Bounds the recursion through namespaces, which can hold themselves; all else is bounded by the heap.
  static constexpr int kMaxDepth = 500;

  void Items(std::string_view open, const std::vector<Value>& items, std::string_view close) {
    out += open;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i) out += ", ";
      Print(items[i]);
    }
    out += close;
  }
  void Dict(const DictObject& dict) {
    out += '{';
    for (size_t i = 0; i < dict.items.size(); ++i) {
      if (i) out += ", ";
      Print(dict.items[i].first);
      out += ": ";
      Print(dict.items[i].second);
    }
    out += '}';
  }
  void View(const Value& value) {
    const auto& view = value.As<ViewObject>();
    out += StrCat(TypeName(value), "([");
    bool first = true;
    for (const auto& [key, member] : view.dict.AsDict().items) {
      if (!first) out += ", ";
      first = false;
      if (view.what == ViewObject::What::kItems) out += '(';
      if (view.what != ViewObject::What::kValues) Print(key);
      if (view.what == ViewObject::What::kItems) out += ", ";
      if (view.what != ViewObject::What::kKeys) Print(member);
      if (view.what == ViewObject::What::kItems) out += ')';
    }
    out += "])";
  }
  void Namespace(const NamespaceObject& ns) {
    out += "<Namespace {";
    bool first = true;
    for (const auto& [name, member] : ns.attributes) {
      if (!first) out += ", ";
      first = false;
      out += ReprString(name) + ": ";
      Print(member);
    }
    out += "}>";
  }
  // What Python prints with an address has none here.
  void Opaque(const Value& value) {
    switch (value.kind()) {
      case ValueKind::kRange: {
        const auto& range = value.As<RangeObject>();
        out += StrCat("range(", range.start, ", ", range.stop);
        out += range.step == 1 ? std::string(")") : StrCat(", ", range.step, ")");
        break;
      }
      case ValueKind::kLoop: {
        const auto& loop = value.As<LoopObject>();
        out += StrCat("<LoopContext ", loop.index0 + 1, "/", value.As<LoopObject>().Length(), ">");
        break;
      }
      case ValueKind::kMacro: out += MacroRepr(value.As<MacroObject>()); break;
      case ValueKind::kMethod:
        out += StrCat("<built-in method ", value.As<MethodObject>().name, " of ", TypeName(value.As<MethodObject>().receiver),
                      " object>");
        break;
      case ValueKind::kFunction: out += StrCat("<function ", value.As<FunctionObject>().name, ">"); break;
      default: out += StrCat("<", TypeName(value), " object>");
    }
  }

  int depth_ = 0;
};

// Shortest digits without a point, and the exponent of the first: 1.25e-7 -> "125", -7.
std::pair<std::string, int> ShortestDigits(double value) {
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  std::string digits;
  const char* at = buffer;
  for (; at != end && *at != 'e'; ++at) {
    if (*at != '.') digits += *at;
  }
  int exponent = 0;
  ++at;
  if (*at == '+') ++at;
  std::from_chars(at, end, exponent);
  return {digits, exponent};
}

}  // namespace

std::string Str(const Value& value) {
  if (value.is_string()) return value.AsString();
  if (value.is_undefined()) return "";
  return Repr(value);
}

std::string Repr(const Value& value) {
  Printer printer;
  printer.Print(value);
  return std::move(printer.out);
}

std::string ReprString(std::string_view text) {
  const bool single = text.find('\'') != std::string_view::npos, twice = text.find('"') != std::string_view::npos;
  const char quote = single && !twice ? '"' : '\'';
  std::string out(1, quote);
  for (size_t at = 0; at < text.size();) {
    const uint32_t c = NextCodePoint(text, at);
    char escape[12];
    if (c == static_cast<unsigned char>(quote) || c == '\\') {
      out += '\\', out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (IsPrintable(c)) {
      AppendCodePoint(out, c);
    } else {
      std::snprintf(escape, sizeof escape, c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
      out += escape;
    }
  }
  return out + quote;
}

std::string ReprFloat(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  const std::string sign = std::signbit(value) ? "-" : "";
  auto [digits, exponent] = ShortestDigits(std::abs(value));
  if (exponent < -4 || exponent >= 16) {
    std::string out = sign + digits.substr(0, 1);
    if (digits.size() > 1) out += "." + digits.substr(1);
    char buffer[16];
    std::snprintf(buffer, sizeof buffer, "e%+03d", exponent);
    return out + buffer;
  }
  if (exponent < 0) return sign + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  const auto whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole) return sign + digits + std::string(whole - digits.size(), '0') + ".0";
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

}  // namespace lfm::jinja
