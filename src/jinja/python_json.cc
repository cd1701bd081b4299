// json.dumps of values, and values from JSON.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/strings.h"
#include "jinja/marks.h"
#include "jinja/python_ops.h"
#include "jinja/python_repr.h"
#include "jinja/python_text.h"

namespace lfm::jinja {
namespace {

class JsonWriter {
 public:
  JsonWriter(const Heap& heap, const JsonStyle& style) : heap_(heap), style_(style) {}

  void Write(const Value& value, int level) {
    heap_.CheckString(out.size());
    if (value.object() && value.object()->heap) value.object()->heap->Step();
    switch (value.kind()) {
      case ValueKind::kNone: out += "null"; break;
      case ValueKind::kBool: out += value.AsBool() ? "true" : "false"; break;
      case ValueKind::kInt: out += std::to_string(value.AsInt()); break;
      case ValueKind::kBigInt: out += value.AsString(); break;
      case ValueKind::kFloat: out += FloatText(value.AsFloat()); break;
      case ValueKind::kString: Quote(value.AsString()); break;
      case ValueKind::kList:
      case ValueKind::kTuple: Items(value.Items(), level); break;
      case ValueKind::kDict: Dict(value.AsDict(), level); break;
      default: Fail(StrCat("tojson: object of type ", TypeName(value), " is not JSON serializable"));
    }
  }

  std::string out;

 private:
  static std::string FloatText(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
    return ReprFloat(value);
  }
  void Separate(bool first, int level) {
    if (!first) out += style_.item_separator;
    NewLine(level);
  }
  void NewLine(int level) {
    if (!style_.pretty) return;
    out += '\n';
    for (int i = 0; i < level; ++i) out += style_.indent;
  }
  void Items(const std::vector<Value>& items, int level) {
    out += '[';
    for (size_t i = 0; i < items.size(); ++i) {
      Separate(i == 0, level + 1);
      Write(items[i], level + 1);
    }
    if (!items.empty()) NewLine(level);
    out += ']';
  }
  void Dict(const DictObject& dict, int level) {
    std::vector<const DictObject::Item*> members;
    for (const auto& item : dict.items) members.push_back(&item);
    if (style_.sort_keys) {
      std::stable_sort(members.begin(), members.end(), [](const auto* a, const auto* b) { return Less(a->first, b->first); });
    }
    out += '{';
    for (size_t i = 0; i < members.size(); ++i) {
      Separate(i == 0, level + 1);
      Key(members[i]->first);
      out += style_.key_separator;
      Write(members[i]->second, level + 1);
    }
    if (!members.empty()) NewLine(level);
    out += '}';
  }
  void Key(const Value& key) {
    switch (key.kind()) {
      case ValueKind::kString: Quote(key.AsString()); break;
      case ValueKind::kNone: out += "\"null\""; break;
      case ValueKind::kBool: out += key.AsBool() ? "\"true\"" : "\"false\""; break;
      case ValueKind::kInt:
      case ValueKind::kBigInt: out += '"' + Repr(key) + '"'; break;
      case ValueKind::kFloat: out += '"' + FloatText(key.AsFloat()) + '"'; break;
      default: Fail(StrCat("tojson: keys must be str, int, float, bool or None, not ", TypeName(key)));
    }
  }
  void Quote(const std::string& text) {
    if (!style_.ensure_ascii || IsAscii(text)) {
      std::string quoted = JsonQuote(text);
      if (style_.ensure_ascii) {
        for (size_t at; (at = quoted.find('\x7f')) != std::string::npos;) quoted.replace(at, 1, "\\u007f");
      }
      out += quoted;
      return;
    }
    out += '"';
    for (size_t at = 0; at < text.size();) {
      const size_t begin = at;
      const uint32_t c = NextCodePoint(text, at);
      if (c < 0x7F) {
        const std::string quoted = JsonQuote(std::string_view(text).substr(begin, 1));
        out += quoted.substr(1, quoted.size() - 2);
      } else if (c < 0x10000) {
        AppendEscape(c);
      } else {
        AppendEscape(0xD800 + ((c - 0x10000) >> 10));
        AppendEscape(0xDC00 + ((c - 0x10000) & 0x3FF));
      }
    }
    out += '"';
  }
  void AppendEscape(uint32_t unit) {
    char escape[8];
    std::snprintf(escape, sizeof escape, "\\u%04x", unit & 0xFFFF);
    out += escape;
  }

  const Heap& heap_;
  const JsonStyle& style_;
};

Value NumberFromJson(Heap& heap, const Json& json) {
  if (!json.is_integer()) return Value::Float(json.AsDouble());
  const std::string& text = json.NumberText();
  // Both fallbacks come back only when the number does not fit.
  const int64_t value = json.AsInt(1);
  if (value == 1 && json.AsInt(2) == 2) return heap.BigInt(text);
  return Value::Int(value);
}

}  // namespace

std::string ToJson(const Heap& heap, const Value& value, const JsonStyle& style) {
  JsonWriter writer(heap, style);
  writer.Write(value, 0);
  return std::move(writer.out);
}

Value FromJson(Heap& heap, const Json& json, const std::unordered_map<const Json*, uint8_t>& marks, uint8_t level) {
  heap.Step();
  if (!marks.empty()) {
    if (const auto found = marks.find(&json); found != marks.end()) level = found->second;
  }
  const auto text = [&](const std::string& given) {
    MarkedText marked;
    AppendAt(marked, ToValidUtf8(given), level);
    return heap.String(std::move(marked));
  };
  switch (json.kind()) {
    case Json::Kind::kNull: return Value::None();
    case Json::Kind::kBool: return Value::Bool(json.AsBool());
    case Json::Kind::kInteger:
    case Json::Kind::kFloat: return NumberFromJson(heap, json);
    case Json::Kind::kString: return text(json.AsString());
    case Json::Kind::kArray: {
      std::vector<Value> items;
      items.reserve(json.items().size());
      for (const Json& item : json.items()) items.push_back(FromJson(heap, item, marks, level));
      return heap.List(std::move(items));
    }
    case Json::Kind::kObject: {
      auto dict = std::make_shared<DictObject>();
      for (const auto& [name, member] : json.members()) {
        dict->Set(text(name), FromJson(heap, member, marks, level));
      }
      return heap.Dict(std::move(dict));
    }
  }
  return Value::None();
}

}  // namespace lfm::jinja
