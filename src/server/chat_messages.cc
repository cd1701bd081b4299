// OpenAI's messages: their table, and the messages that templates take.
#include <utility>

#include "base/strings.h"
#include "server/conversation.h"
#include "server/parameters.h"

namespace lfm::server {
namespace {

Schema TextParts() {
  return ListSchema(VariantSchema("type", {{"text", ObjectSchema({Required("text", TextSchema(), "")})}}), 0, kMaxParts);
}

Schema AssistantParts() {
  return ListSchema(VariantSchema("type", {{"text", ObjectSchema({Required("text", TextSchema(), "")})},
                                           {"refusal", ObjectSchema({Required("refusal", TextSchema(), "")})}}),
                    0, kMaxParts);
}

Schema CallSchema() {
  const Schema function =
      ObjectSchema({Required("name", TextSchema(1, 256), ""), Required("arguments", TextSchema(), "a JSON object as text")});
  return VariantSchema("type",
                       {{"function", ObjectSchema({Optional("id", TextSchema(0, 256), ""), Required("function", function, "")})}},
                       "function");
}

// A call of the history: its arguments are an object's text, or nothing.
ApiStatus CheckArguments(const std::string& arguments, const std::string& path) {
  if (arguments.find_first_not_of(" \t\r\n") == std::string::npos) return {};
  const auto parsed = ParseJson(arguments);
  if (parsed.ok() && (parsed->is_object() || parsed->is_null())) return {};
  const std::string param = path + ".function.arguments";
  return BadRequest(StrCat(param, parsed.ok() ? " is no object" : StrCat(" is no JSON: ", parsed.error().message)), param);
}

}  // namespace

Schema MessagesSchema() {
  const SchemaMember name = Optional("name", TextSchema(0, 256), "accepted");
  const Schema said = ObjectSchema({Required("content", TextSchema().Or(TextParts()), "a text or text parts"), name});
  const Schema assistant =
      ObjectSchema({Optional("content", TextSchema().Or(AssistantParts()), "a text, text parts, or null beside calls"),
                    Optional("refusal", TextSchema(), ""), Optional("reasoning_content", TextSchema(), "what the model thought"),
                    Optional("reasoning", TextSchema(), "the same under vLLM's name"),
                    Optional("tool_calls", ListSchema(CallSchema(), 0, kMaxTools), "the calls of this turn"),
                    Refused("audio", "this is a text model"), Refused("function_call", "use tool_calls"), name},
                   {{SchemaRule::Kind::kSome,
                     {"content", "tool_calls", "reasoning_content", "reasoning", "refusal"},
                     "an assistant's message has neither content nor tool_calls"}});
  const Schema tool = ObjectSchema({Required("content", TextSchema().Or(TextParts()), "the call's result"),
                                    Required("tool_call_id", TextSchema(0, 256), "the call that this is the result of"), name});
  return ListSchema(
      VariantSchema("role", {{"system", said}, {"developer", said}, {"user", said}, {"assistant", assistant}, {"tool", tool}}), 1,
      kMaxMessages);
}

ApiResult<Json> ReadMessages(const Json& messages, const std::string& path) {
  Json out = Json::MakeArray();
  const Json::Array& items = messages.items();
  for (size_t i = 0; i < items.size(); ++i) {
    const Json& message = items[i];
    const std::string& role = message["role"].AsString();
    Json one = MakeMessage(role == "developer" ? "system" : role, ContentText(message["content"]));
    if (role == "assistant") {
      if (message["content"].is_null()) one.Set("content", message["refusal"].AsString());
      for (const char* name : {"reasoning_content", "reasoning"}) {
        if (message[name].is_string()) one.Set("reasoning_content", message[name]);
      }
      Json calls = Json::MakeArray();
      for (const Json& call : message["tool_calls"].items()) {
        const std::string& arguments = call["function"]["arguments"].AsString();
        LFM_RETURN_IF_ERROR(CheckArguments(arguments, StrCat(path, "[", i, "].tool_calls[", calls.items().size(), "]")));
        calls.Append(MakeCall(call["id"].AsString(), call["function"]["name"].AsString(), arguments));
      }
      if (!calls.items().empty()) one.Set("tool_calls", std::move(calls));
    }
    if (role == "tool") one.Set("tool_call_id", message["tool_call_id"]);
    out.Append(std::move(one));
  }
  const size_t n = items.size();
  const auto speaks = [&](size_t i) {
    return items[i]["role"].AsString() == "assistant" && items[i]["tool_calls"].items().empty();
  };
  if (n >= 2 && speaks(n - 1) && speaks(n - 2)) {
    return BadRequest(StrCat(path, " ends with two assistant messages; join them, or let somebody answer the first"),
                      StrCat(path, "[", n - 1, "].role"));
  }
  return out;
}

}  // namespace lfm::server
