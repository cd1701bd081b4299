// Filters for JSON, HTML and addresses.
#include <algorithm>
#include <cstdio>

#include "base/strings.h"
#include "jinja/filters.h"
#include "jinja/python_ops.h"
#include "jinja/python_repr.h"
#include "jinja/python_text.h"

namespace lfm::jinja {
namespace {

using Arguments = const CallArguments&;

// transformers' own tojson: json.dumps without HTML escapes.
Value ToJsonFilter(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("tojson", a, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ensure_ascii = p.Bool(0, false);
  style.sort_keys = p.Bool(3, false);
  if (!p.IsNone(1)) {
    style.pretty = true;
    style.item_separator = ",";
    if (p[1].is_string()) {
      style.indent = p[1].AsString();
    } else {
      const int64_t n = p.Int(1, 0);
      if (n > 1000) Fail("tojson: the indent is too large", ErrorCode::kLimit);
      style.indent.assign(static_cast<size_t>(std::max<int64_t>(n, 0)), ' ');
    }
  }
  if (!p.IsNone(2)) {
    const auto parts = Iterate(in.heap(), p[2]);
    if (parts.size() != 2 || !parts[0].is_string() || !parts[1].is_string()) {
      Fail("tojson: separators must be a pair of strings");
    }
    style.item_separator = parts[0].AsString();
    style.key_separator = parts[1].AsString();
  }
  return in.heap().String(ToJson(in.heap(), value, style));
}

Value Escape(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("escape", a, {});
  if (value.IsMarkup()) return value;
  return in.heap().String(EscapeHtml(Str(value)), true);
}

Value ForceEscape(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("forceescape", a, {});
  return in.heap().String(EscapeHtml(Str(value)), true);
}

Value Safe(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("safe", a, {});
  return in.heap().String(Str(value), true);
}

// The character that a few entities stand for, or nothing.
std::string_view Entity(std::string_view name) {
  static constexpr std::pair<std::string_view, std::string_view> kEntities[] = {
      {"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"apos", "'"}, {"#39", "'"}, {"#34", "\""}, {"nbsp", "\u00a0"}};
  for (const auto& [entity, text] : kEntities) {
    if (entity == name) return text;
  }
  return {};
}

// Removes comments and tags, joins white space, and resolves entities.
Value StripTags(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("striptags", a, {});
  std::string text = Str(value);
  in.heap().Step(static_cast<int64_t>(text.size()));
  for (const auto& [open, close] : {std::pair<std::string_view, std::string_view>{"<!--", "-->"}, {"<", ">"}}) {
    std::string kept;
    size_t at = 0;
    for (size_t begin; (begin = text.find(open, at)) != std::string::npos;) {
      const size_t end = text.find(close, begin);
      if (end == std::string::npos) break;
      kept.append(text, at, begin - at);
      at = end + close.size();
    }
    text = kept.append(text, at, std::string::npos);
  }
  std::string joined;
  const Value words = CallStringMethod(in, in.heap().String(text), "split", {});
  for (const Value& word : words.Items()) {
    joined += (joined.empty() ? "" : " ") + word.AsString();
  }
  std::string out;
  for (size_t at = 0; at < joined.size();) {
    const size_t end = joined[at] == '&' ? joined.find(';', at) : std::string::npos;
    const std::string_view entity = end == std::string::npos ? std::string_view() : Entity(joined.substr(at + 1, end - at - 1));
    if (entity.empty()) {
      out += joined[at++];
    } else {
      out += entity;
      at = end + 1;
    }
  }
  return in.heap().String(std::move(out));
}

std::string QuoteUrl(std::string_view text, bool for_query) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("_.-~").find(c) != std::string_view::npos || (c == '/' && !for_query);
    if (plain) {
      out += c;
    } else if (c == ' ' && for_query) {
      out += '+';
    } else {
      char escape[8];
      std::snprintf(escape, sizeof escape, "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
      out += escape;
    }
  }
  return out;
}

Value UrlEncode(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("urlencode", a, {});
  if (value.is_string() || !IsIterable(value)) return in.heap().String(QuoteUrl(Str(value), false));
  const Value pairs = value.is_dict() ? in.heap().View(value, ViewObject::What::kItems) : value;
  std::string out;
  for (const Value& pair : Iterate(in.heap(), pairs)) {
    const auto items = Iterate(in.heap(), pair);
    if (items.size() != 2) Fail("urlencode: every item must be a pair");
    out += (out.empty() ? "" : "&") + QuoteUrl(Str(items[0]), true) + "=" + QuoteUrl(Str(items[1]), true);
    in.heap().CheckString(out.size());
  }
  return in.heap().String(std::move(out));
}

Value XmlAttributes(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("xmlattr", a, {"autospace"});
  if (value.is_undefined()) FailUndefined(value);
  if (!value.is_dict()) Fail(StrCat("xmlattr: expected a mapping, not ", TypeName(value)));
  std::string out;
  for (const auto& [key, member] : value.AsDict().items) {
    if (member.is_none() || member.is_undefined()) continue;
    if (!key.is_string()) Fail("xmlattr: names must be strings");
    if (key.AsString().find_first_of(" \t\n\r\f\v/>=") != std::string::npos) {
      Fail(StrCat("xmlattr: invalid character in attribute name ", Quote(key.AsString())));
    }
    const auto escape = [](const Value& v) { return v.IsMarkup() ? v.AsString() : EscapeHtml(Str(v)); };
    out += StrCat(out.empty() ? "" : " ", escape(key), "=\"", escape(member), "\"");
  }
  return in.heap().String((p.Bool(0, true) && !out.empty() ? " " : "") + out);
}

Value Unsupported(Interpreter&, const Value&, Arguments) {
  Fail("the filter 'urlize' is not supported", ErrorCode::kUnsupported);
}

constexpr FilterEntry kHtmlFilters[] = {
    {"tojson", ToJsonFilter},
    {"escape", Escape},
    {"e", Escape},
    {"forceescape", ForceEscape},
    {"safe", Safe},
    {"striptags", StripTags},
    {"urlencode", UrlEncode},
    {"xmlattr", XmlAttributes},
    {"urlize", Unsupported},
};

}  // namespace

FilterTable HtmlFilters() { return {kHtmlFilters, std::size(kHtmlFilters)}; }

}  // namespace lfm::jinja
