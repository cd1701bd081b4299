#include "text/tool_history.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "text/answer_parser.h"
#include "text/tool_call_text.h"

namespace lfm::text {
namespace {

// Quoted as both Python and JSON read it. A "<" that could begin a special token or a tag is written as an escape.
std::string Quoted(std::string_view text) {
  const std::string quoted = JsonQuote(text);
  std::string out;
  for (size_t i = 0; i < quoted.size(); ++i) {
    const char next = i + 1 < quoted.size() ? quoted[i + 1] : ' ';
    if (quoted[i] == '<' && (next == '|' || next == '/' || next == 't')) {
      out += "\\u003c";
    } else {
      out += quoted[i];
    }
  }
  return out;
}

// As Python writes it. Json's own limit bounds the depth.
void WriteValue(const Json& value, std::string& out) {
  switch (value.kind()) {
    case Json::Kind::kNull: out += "None"; return;
    case Json::Kind::kBool: out += value.AsBool() ? "True" : "False"; return;
    case Json::Kind::kInteger:
    case Json::Kind::kFloat: out += value.NumberText(); return;
    case Json::Kind::kString: out += Quoted(value.AsString()); return;
    case Json::Kind::kArray: {
      const char* comma = "[";
      for (const Json& item : value.items()) {
        out += std::exchange(comma, ", ");
        WriteValue(item, out);
      }
      out += value.items().empty() ? "[]" : "]";
      return;
    }
    case Json::Kind::kObject: {
      const char* comma = "{";
      for (const auto& [name, member] : value.members()) {
        out += std::exchange(comma, ", ");
        out += Quoted(name);
        out += ": ";
        WriteValue(member, out);
      }
      out += value.members().empty() ? "{}" : "}";
      return;
    }
  }
}

// Whether a name can stand before "=".
bool IsPlainKey(std::string_view name) {
  return !name.empty() && TrimCallBlanks(name) == name && name[0] != '*' &&
         name.find_first_of("=,()[]{}'\"\n<") == std::string_view::npos;
}

Error Invalid(size_t message, std::string_view where, std::string_view what) {
  return {ErrorCode::kInvalidArgument, StrCat("messages[", message, "]", where, " ", what)};
}

// The calls of one message with their arguments as objects.
Result<Json> ObjectCalls(const Json& calls, size_t message) {
  if (!calls.is_array()) return Invalid(message, ".tool_calls", "is no list");
  Json out = Json::MakeArray();
  for (size_t i = 0; i < calls.items().size(); ++i) {
    const Json& call = calls.items()[i];
    const std::string where = StrCat(".tool_calls[", i, "].function");
    const Json* inner = call.Find("function");
    Json function = inner ? *inner : call;
    if (!function["name"].is_string()) return Invalid(message, where, "has no name");
    Json arguments = function["arguments"];
    if (arguments.is_string()) {
      auto parsed = TrimCallBlanks(arguments.AsString()).empty() ? Result<Json>(Json()) : ParseJson(arguments.AsString());
      if (!parsed.ok()) return Invalid(message, where + ".arguments", StrCat("is no JSON: ", parsed.error().message));
      arguments = std::move(parsed).value();
    }
    if (arguments.is_null()) arguments = Json::MakeObject();
    if (!arguments.is_object()) return Invalid(message, where + ".arguments", "is no object");
    function.Set("arguments", std::move(arguments));
    Json full = inner ? call : Json::MakeObject({{"type", "function"}});
    full.Set("function", std::move(function));
    out.Append(std::move(full));
  }
  return out;
}

std::string WriteCalls(const Json& calls) {
  std::string out(kToolCallStart);
  const char* comma = "[";
  for (const Json& call : calls.items()) {
    out += std::exchange(comma, ", ");
    out += WriteToolCall(call["function"]["name"].AsString(), call["function"]["arguments"]);
  }
  out += "]";
  out += kToolCallEnd;
  return out;
}

// Null as "", and a list of nothing but texts as one text.
void FlattenContent(Json& message) {
  const Json* content = message.Find("content");
  if (!content || content->is_null()) {
    message.Set("content", "");
    return;
  }
  if (!content->is_array()) return;
  std::string text;
  for (const Json& part : content->items()) {
    if (part["type"].AsString() != "text" || !part["text"].is_string()) return;
    text += part["text"].AsString();
  }
  message.Set("content", std::move(text));
}

// Puts the results items[begin, end) into the order of the calls that they answer; those of no call stay behind.
void OrderResults(Json::Array& items, size_t begin, size_t end, const Json& calls) {
  const auto place = [&](const Json& result) {
    const auto& ids = calls.items();
    size_t i = 0;
    while (i < ids.size() && (ids[i]["id"].is_null() || !(ids[i]["id"] == result["tool_call_id"]))) ++i;
    return i;
  };
  std::vector<std::pair<size_t, Json>> placed;
  for (size_t i = begin; i < end; ++i) placed.emplace_back(place(items[i]), std::move(items[i]));
  std::stable_sort(placed.begin(), placed.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t i = begin; i < end; ++i) items[i] = std::move(placed[i - begin].second);
}

}  // namespace

std::string WriteToolCall(std::string_view name, const Json& arguments) {
  std::string out = StrCat(name, "(");
  const char* comma = "";
  for (const auto& [key, value] : arguments.members()) {
    out += std::exchange(comma, ", ");
    const bool plain = IsPlainKey(key);
    out += plain ? StrCat(key, "=") : StrCat("**{", Quoted(key), ": ");
    WriteValue(value, out);
    if (!plain) out += "}";
  }
  return out + ")";
}

Result<Json> PrepareToolMessages(const Json& messages, std::string_view chat_template) {
  const bool renders_calls = chat_template.find("tool_calls") != std::string_view::npos;
  Json out = messages;
  Json::Array& items = out.items();
  for (size_t i = 0; i < items.size(); ++i) {
    Json& message = items[i];
    if (!message.is_object()) continue;  // refused where it is rendered
    FlattenContent(message);
    if (message["role"].AsString() == "developer") message.Set("role", "system");
    const Json* given = message.Find("tool_calls");
    if (!given) continue;
    Json calls = Json::MakeArray();
    if (!given->is_null()) {
      LFM_TRY(calls, ObjectCalls(*given, i));
    }
    const bool written = !calls.items().empty() && !renders_calls;
    if (written && message["content"].is_string()) message.Set("content", message["content"].AsString() + WriteCalls(calls));
    message.Set("tool_calls", calls.items().empty() || written ? Json() : calls);
    size_t end = i + 1;
    while (end < items.size() && items[end]["role"].AsString() == "tool") ++end;
    OrderResults(items, i + 1, end, calls);
  }
  return out;
}

}  // namespace lfm::text
