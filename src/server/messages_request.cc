// Anthropic's /v1/messages: the table of its body, and its translation.
#include <utility>

#include "base/strings.h"
#include "server/messages_writer.h"
#include "server/parameters.h"
#include "server/translation.h"

namespace lfm::server {
namespace {

SchemaMember CacheControl() {
  Schema anything = ObjectSchema();
  anything.members = nullptr;
  return Optional("cache_control", anything, "accepted: prefixes are found without it");
}

Schema TextBlocks() {
  return ListSchema(VariantSchema("type", {{"text", ObjectSchema({Required("text", TextSchema(), ""), CacheControl()})}}), 0,
                    kMaxParts);
}

Schema BlocksOf(const char* role) {
  Schema anything = ObjectSchema();
  anything.members = nullptr;
  std::vector<std::pair<std::string, Schema>> variants = {
      {"text", ObjectSchema({Required("text", TextSchema(), ""), CacheControl()})}};
  if (std::string_view(role) == "user") {
    variants.emplace_back("tool_result",
                          ObjectSchema({Required("tool_use_id", TextSchema(0, 256), ""),
                                        Optional("content", TextSchema().Or(TextBlocks()), "a text or text blocks"),
                                        Optional("is_error", BoolSchema(), ""), CacheControl()}));
  } else {
    variants.emplace_back("tool_use",
                          ObjectSchema({Required("id", TextSchema(0, 256), ""), Required("name", TextSchema(1, 256), ""),
                                        Required("input", anything, ""), CacheControl()}));
    variants.emplace_back(
        "thinking", ObjectSchema({Required("thinking", TextSchema(), ""), Optional("signature", TextSchema(), "accepted")}));
    variants.emplace_back("redacted_thinking", ObjectSchema({Optional("data", TextSchema(), "dropped")}));
  }
  return ListSchema(VariantSchema("type", std::move(variants)), 0, kMaxParts);
}

Schema AnthropicMessages() {
  const auto said = [](const char* role) {
    return ObjectSchema({Required("content", TextSchema().Or(BlocksOf(role)), "a text or blocks")});
  };
  return ListSchema(VariantSchema("role", {{"user", said("user")}, {"assistant", said("assistant")}}), 1, kMaxMessages);
}

// Members that shape the prompt; count_tokens has no others.
SchemaMembers PromptMembers() {
  Schema anything = ObjectSchema();
  anything.members = nullptr;
  const Schema tool =
      ObjectSchema({Required("name", TextSchema().Named(), ""), Optional("type", ChoiceSchema({"custom"}), "tools of yours only"),
                    Optional("description", TextSchema(0, 65'536), "what the model reads of it"),
                    Required("input_schema", anything, "a JSON Schema of an object"),
                    Optional("strict", BoolSchema(), "inputs fit the schema either way"), CacheControl()});
  const SchemaMember single = Optional("disable_parallel_tool_use", BoolSchema(), "at most one call");
  const Schema choice = VariantSchema("type", {{"auto", ObjectSchema({single})},
                                               {"any", ObjectSchema({single})},
                                               {"none", ObjectSchema()},
                                               {"tool", ObjectSchema({Required("name", TextSchema(1, 256), ""), single})}});
  return {
      Required("model", TextSchema(), "an id of /v1/models"),
      Required("messages", AnthropicMessages(), "the conversation"),
      Optional("system", TextSchema().Or(TextBlocks()), "a text or text blocks"),
      Optional("tools", ListSchema(tool, 0, kMaxTools), "functions that the model may call"),
      Optional("tool_choice", choice, ""),
      Optional("thinking",
               VariantSchema("type", {{"enabled", ObjectSchema({Optional("budget_tokens", IntegerSchema(1), "accepted")})},
                                      {"adaptive", ObjectSchema()},
                                      {"disabled", ObjectSchema()}}),
               "a variable of the chat template: enable_thinking"),
      Refused("mcp_servers", "this server calls nobody", {Json::MakeArray()}),
      Refused("container", "nothing is run here"),
  };
}

SchemaMembers MessagesMembers() {
  SchemaMembers members = PromptMembers();
  members.push_back(Required("max_tokens", IntegerSchema(1), "of the answer; the context's end is the other limit"));
  members.push_back(Optional("stop_sequences", ListSchema(TextSchema(1, kMaxStopBytes), 0, kMaxStopStrings),
                             "the text ends before the first of these"));
  members.push_back(Optional("stream", BoolSchema(), "server-sent events"));
  members.push_back(Optional("metadata", ObjectSchema({Optional("user_id", TextSchema(0, 256), "accepted")}), ""));
  members.push_back(Optional("service_tier", ChoiceSchema({"auto", "standard_only"}), "accepted"));
  Append(members, SamplingMembers(1));
  Append(members, ServingMembers());
  return members;
}

// The tools in OpenAI's shape, which is what templates show.
Json ToolsOfMessages(const Json& tools) {
  Json out = Json::MakeArray();
  for (const Json& tool : tools.items()) {
    Json function = Json::MakeObject({{"name", tool["name"]}});
    if (tool["description"].is_string()) function.Set("description", tool["description"]);
    function.Set("parameters", tool["input_schema"]);
    out.Append(Json::MakeObject({{"type", "function"}, {"function", std::move(function)}}));
  }
  return out;
}

ApiResult<ToolUse> ReadAnthropicTools(const Json& body) {
  ToolUse use;
  size_t i = 0;
  for (const Json& tool : body["tools"].items()) {
    LFM_RETURN_IF_ERROR(CheckJsonSchema(tool["input_schema"], StrCat("tools[", i, "].input_schema")));
    use.tools.push_back({tool["name"].AsString(), tool["input_schema"], tool["strict"].AsBool()});
    use.allowed.push_back(i++);
  }
  const Json& choice = body["tool_choice"];
  use.parallel = !choice["disable_parallel_tool_use"].AsBool();
  const std::string& type = choice["type"].AsString();
  if (type == "tool") {
    LFM_RETURN_IF_ERROR(ChooseTools("required", {choice["name"].AsString()}, "tool_choice", use));
  } else if (!type.empty()) {
    LFM_RETURN_IF_ERROR(ChooseTools(type == "any" ? "required" : type, {}, "tool_choice", use));
  } else if (!use.tools.empty()) {
    use.choice = ToolUse::Choice::kAuto;
  }
  return use;
}

// A user's turn: results become messages of their own, in their order among the texts.
void AddUserTurn(const Json& content, Json& out) {
  if (content.is_string()) {
    out.Append(MakeMessage("user", content.AsString()));
    return;
  }
  std::string text;
  bool has_text = content.items().empty();
  for (const Json& block : content.items()) {
    if (block["type"].AsString() == "text") {
      text += block["text"].AsString();
      has_text = true;
      continue;
    }
    Json result = MakeMessage("tool", ContentText(block["content"]));
    result.Set("tool_call_id", block["tool_use_id"]);
    out.Append(std::move(result));
  }
  if (has_text) out.Append(MakeMessage("user", text));
}

void AddAssistantTurn(const Json& content, Json& out) {
  Json message = MakeMessage("assistant", "");
  Json calls = Json::MakeArray();
  std::string text = content.AsString(), thinking;
  for (const Json& block : content.items()) {
    text += block["text"].AsString();
    thinking += block["thinking"].AsString();
    if (block["type"].AsString() == "tool_use") {
      calls.Append(MakeCall(block["id"].AsString(), block["name"].AsString(), block["input"].Dump()));
    }
  }
  message.Set("content", text);
  if (!thinking.empty()) message.Set("reasoning_content", thinking);
  if (!calls.items().empty()) message.Set("tool_calls", std::move(calls));
  out.Append(std::move(message));
}

// Turns that follow each other in one role are one turn, as with Anthropic's own server. A last turn of the assistant is
// what the answer goes on from.
Conversation ReadTurns(const Json& body, const ToolUse& tools) {
  Conversation conversation;
  if (!body["system"].is_null()) conversation.messages.Append(MakeMessage("system", ContentText(body["system"])));
  for (const Json& message : body["messages"].items()) {
    const bool user = message["role"].AsString() == "user";
    user ? AddUserTurn(message["content"], conversation.messages) : AddAssistantTurn(message["content"], conversation.messages);
  }
  if (!tools.tools.empty() && tools.choice != ToolUse::Choice::kNone) conversation.tools = ToolsOfMessages(body["tools"]);
  const Json& last = conversation.messages.items().back();
  const bool prefill = last["role"].AsString() == "assistant" && last["tool_calls"].items().empty();
  conversation.continue_final_message = prefill;
  conversation.add_generation_prompt = !prefill;
  conversation.variables = Json::MakeObject();
  const std::string& thinking = body["thinking"]["type"].AsString();
  if (!thinking.empty()) conversation.variables.Set("enable_thinking", thinking != "disabled");
  return conversation;
}

}  // namespace

const Schema& MessagesRequestSchema() {
  static const Schema schema = ObjectSchema(MessagesMembers(), {ToolChoiceRule()});
  return schema;
}

const Schema& CountTokensSchema() {
  static const Schema schema = ObjectSchema(PromptMembers(), {ToolChoiceRule()});
  return schema;
}

ApiResult<Prompt> MessagesPrompt(const Json& body, const ServedModel& model) {
  LFM_RETURN_IF_ERROR(Check(CountTokensSchema(), body));
  LFM_RETURN_IF_ERROR(CheckModelName(model, body.Find("model"), true));
  LFM_TRY(const ToolUse tools, ReadAnthropicTools(body));
  return MakePrompt(model, ReadTurns(body, tools), "messages");
}

ApiResult<Translated> TranslateMessages(const Json& body, const HttpRequest& http, const ServedModel& model) {
  LFM_RETURN_IF_ERROR(Check(MessagesRequestSchema(), body));
  LFM_RETURN_IF_ERROR(CheckModelName(model, body.Find("model"), true));
  ChatAsk ask;
  LFM_TRY(ask.tools, ReadAnthropicTools(body));
  ask.conversation = ReadTurns(body, ask.tools);
  ask.stops = ReadStops(body["stop_sequences"]);
  ask.max_tokens = ReadMaxTokens(body, model);
  Translated out;
  LFM_RETURN_IF_ERROR(MakeChatRequest(body, http, model, ask, out));
  out.reader.call_prefix = "toolu_";
  out.writer = std::make_unique<MessagesWriter>(MakeHead(model, body, "msg_"));
  return out;
}

}  // namespace lfm::server
