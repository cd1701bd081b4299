// /v1/responses: the table of its body, its items, and its translation.
#include <utility>

#include "base/strings.h"
#include "server/parameters.h"
#include "server/response_store.h"
#include "server/responses_writer.h"
#include "server/translation.h"

namespace lfm::server {
namespace {

Schema Anything() {
  Schema schema = ObjectSchema();
  schema.members = nullptr;
  return schema;
}

Schema TextParts(std::initializer_list<const char*> types) {
  std::vector<std::pair<std::string, Schema>> variants;
  for (const char* type : types) variants.emplace_back(type, ObjectSchema({Required("text", TextSchema(), "")}));
  variants.emplace_back("refusal", ObjectSchema({Required("refusal", TextSchema(), "")}));
  return ListSchema(VariantSchema("type", std::move(variants)), 0, kMaxParts);
}

Schema ItemSchema() {
  const SchemaMember id = Optional("id", TextSchema(0, 256), ""), status = Optional("status", TextSchema(0, 64), "");
  const Schema said = ObjectSchema(
      {Required("content", TextSchema().Or(TextParts({"input_text", "output_text", "text"})), "a text or text parts"), id,
       status});
  const Schema message = VariantSchema("role", {{"user", said}, {"system", said}, {"developer", said}, {"assistant", said}});
  const Schema call = ObjectSchema({Required("call_id", TextSchema(1, 256), ""), Required("name", TextSchema(1, 256), ""),
                                    Required("arguments", TextSchema(), "a JSON object as text"), id, status});
  const Schema output =
      ObjectSchema({Required("call_id", TextSchema(1, 256), ""),
                    Required("output", TextSchema().Or(TextParts({"input_text", "output_text", "text"})), ""), id, status});
  const Schema reasoning = ObjectSchema({Optional("summary", ListSchema(Anything(), 0, kMaxParts), ""),
                                         Optional("content", ListSchema(Anything(), 0, kMaxParts), ""), id, status});
  return VariantSchema(
      "type", {{"message", message}, {"function_call", call}, {"function_call_output", output}, {"reasoning", reasoning}},
      "message");
}

SchemaMembers FormatAndToolMembers() {
  const Schema format = VariantSchema(
      "type",
      {{"text", ObjectSchema()},
       {"json_object", ObjectSchema()},
       {"json_schema", ObjectSchema({Required("name", TextSchema().Named(), ""),
                                     Required("schema", Anything().Or(BoolSchema()), "what the answer fits"),
                                     Optional("description", TextSchema(0, 65'536), "accepted"),
                                     Optional("strict", BoolSchema(), "the schema holds either way"), UnsupportedMember()})}});
  const Schema tool = VariantSchema(
      "type", {{"function", ObjectSchema({Required("name", TextSchema().Named(), ""),
                                          Optional("description", TextSchema(0, 65'536), "what the model reads of it"),
                                          Optional("parameters", Anything(), "a JSON Schema of an object"),
                                          Optional("strict", BoolSchema(), "arguments fit the schema either way")})}});
  const Schema named = ObjectSchema({Required("name", TextSchema(1, 256), "")});
  const Schema allowed =
      ObjectSchema({Required("mode", ChoiceSchema({"auto", "required", "none"}), ""),
                    Required("tools", ListSchema(VariantSchema("type", {{"function", named}}), 1, kMaxTools), "")});
  return {
      Optional("text",
               ObjectSchema({Optional("format", format, "the answer fits the format from its first token on"),
                             Optional("verbosity", ChoiceSchema({"low", "medium", "high"}), "accepted")}),
               ""),
      Optional("tools", ListSchema(tool, 0, kMaxTools), "functions that the model may call"),
      Optional(
          "tool_choice",
          ChoiceSchema({"none", "auto", "required"}).Or(VariantSchema("type", {{"function", named}, {"allowed_tools", allowed}})),
          "none, auto (the default with tools), required, one function, or allowed_tools"),
      Optional("parallel_tool_calls", BoolSchema(), "false: at most one call"),
      Optional("max_tool_calls", IntegerSchema(1), "of built-in tools, of which there are none"),
  };
}

SchemaMembers ResponsesMembers() {
  SchemaMembers members = {
      Required("model", TextSchema(), "an id of /v1/models"),
      Required("input", TextSchema().Or(ListSchema(ItemSchema(), 1, kMaxMessages)), "a text, or items"),
      Optional("instructions", TextSchema(), "a system message before everything else"),
      Optional("previous_response_id", TextSchema(1, 256), "goes on with that response's whole conversation"),
      Optional("store", BoolSchema(), "false: the response is not kept"),
      Optional("max_output_tokens", IntegerSchema(1), "the context's end is the other limit"),
      Optional("stream", BoolSchema(), "server-sent events"),
      Optional("stream_options", ObjectSchema({Optional("include_obfuscation", BoolSchema(), "accepted")}), "only with stream"),
      Optional("metadata", MapSchema(TextSchema(0, 512), 16), "repeated by the response"),
      Optional(
          "include",
          ListSchema(ChoiceSchema({"message.output_text.logprobs", "reasoning.encrypted_content", "file_search_call.results",
                                   "web_search_call.action.sources", "web_search_call.results", "message.input_image.image_url",
                                   "computer_call_output.output.image_url", "code_interpreter_call.outputs"}),
                     0, 16),
          "log probabilities; the others have nothing to show"),
      Optional("top_logprobs", IntegerSchema(0, kMaxTopLogprobs), ""),
      Optional("reasoning",
               ObjectSchema({Optional("effort", ChoiceSchema({"none", "minimal", "low", "medium", "high", "xhigh"}),
                                      "a variable of the chat template: reasoning_effort"),
                             Optional("summary", ChoiceSchema({"auto", "concise", "detailed"}), "accepted")}),
               ""),
      Optional("truncation", ChoiceSchema({"disabled", "auto"}), "input that does not fit is refused either way"),
      Optional("service_tier", ChoiceSchema({"auto", "default", "flex", "priority", "scale"}), "accepted"),
      Optional("prompt_cache_key", TextSchema(0, 256), "accepted: prefixes are found without it"),
      Optional("prompt_cache_retention", TextSchema(0, 64), "accepted"),
      Optional("safety_identifier", TextSchema(0, 256), "accepted"),
      Optional("user", TextSchema(), "accepted"),
      Refused("background", "a response is made while its request waits", {false}),
      Refused("conversation", "use previous_response_id"),
      Refused("prompt", "there are no stored prompts"),
  };
  Append(members, FormatAndToolMembers());
  Append(members, SamplingMembers(2));
  Append(members, ServingMembers());
  Append(members, RefusedMembers());
  return members;
}

Json ToolsOfResponses(const Json& tools) {
  Json out = Json::MakeArray();
  for (const Json& tool : tools.items()) {
    Json function = Json::MakeObject({{"name", tool["name"]}});
    for (const char* name : {"description", "parameters"}) {
      if (!tool[name].is_null()) function.Set(name, tool[name]);
    }
    out.Append(Json::MakeObject({{"type", "function"}, {"function", std::move(function)}}));
  }
  return out;
}

ApiResult<ToolUse> ReadResponseTools(const Json& body) {
  ToolUse use;
  size_t i = 0;
  for (const Json& tool : body["tools"].items()) {
    if (!tool["parameters"].is_null()) {
      LFM_RETURN_IF_ERROR(CheckJsonSchema(tool["parameters"], StrCat("tools[", i, "].parameters")));
    }
    use.tools.push_back({tool["name"].AsString(), tool["parameters"], tool["strict"].AsBool()});
    use.allowed.push_back(i++);
  }
  if (body["parallel_tool_calls"].is_bool()) use.parallel = body["parallel_tool_calls"].AsBool();
  const Json& choice = body["tool_choice"];
  if (choice.is_string()) {
    LFM_RETURN_IF_ERROR(ChooseTools(choice.AsString(), {}, "tool_choice", use));
  } else if (choice["type"].AsString() == "function") {
    LFM_RETURN_IF_ERROR(ChooseTools("required", {choice["name"].AsString()}, "tool_choice", use));
  } else if (choice.is_object()) {
    std::vector<std::string> names;
    for (const Json& tool : choice["tools"].items()) names.push_back(tool["name"].AsString());
    LFM_RETURN_IF_ERROR(ChooseTools(choice["mode"].AsString(), names, "tool_choice", use));
  } else if (!use.tools.empty()) {
    use.choice = ToolUse::Choice::kAuto;
  }
  return use;
}

// The assistant's message that items of one turn are gathered in.
Json& AssistantTurn(Json& messages, bool& open) {
  if (!open) messages.Append(MakeMessage("assistant", ""));
  open = true;
  return messages.items().back();
}

// Items to messages: what an assistant said, thought and called in a row is one message.
void AddItems(const Json& input, Json& messages) {
  if (input.is_string()) {
    messages.Append(MakeMessage("user", input.AsString()));
    return;
  }
  bool open = false;  // the last message is an assistant's turn that may grow
  bool has_text = false;
  for (const Json& item : input.items()) {
    const std::string type = item["type"].is_string() ? item["type"].AsString() : "message";
    const std::string& role = item["role"].AsString();
    if (type == "function_call") {
      Json& turn = AssistantTurn(messages, open);
      Json calls = turn["tool_calls"];
      calls.Append(MakeCall(item["call_id"].AsString(), item["name"].AsString(), item["arguments"].AsString()));
      turn.Set("tool_calls", std::move(calls));
    } else if (type == "reasoning") {
      open = open && !has_text;
      std::string thinking = ContentText(item["content"]);
      if (thinking.empty()) thinking = ContentText(item["summary"]);
      if (!thinking.empty()) AssistantTurn(messages, open).Set("reasoning_content", std::move(thinking));
      has_text = false;
    } else if (type == "message" && role == "assistant") {
      open = open && !has_text && messages.items().back()["tool_calls"].is_null();
      AssistantTurn(messages, open).Set("content", ContentText(item["content"]));
      has_text = true;
      continue;
    } else if (type == "function_call_output") {
      Json result = MakeMessage("tool", ContentText(item["output"]));
      result.Set("tool_call_id", item["call_id"]);
      messages.Append(std::move(result));
      open = false;
    } else {
      messages.Append(MakeMessage(role == "developer" ? "system" : role, ContentText(item["content"])));
      open = false;
    }
    if (!open) has_text = false;
  }
}

// The input as items with ids, as /input_items lists them.
Json StoredItems(const Json& input) {
  Json items = Json::MakeArray();
  Json::Array given = input.items();
  if (input.is_string()) {
    given.push_back(MakeMessage("user", input.AsString()));
  }
  for (const Json& item : given) {
    const std::string type = item["type"].is_string() ? item["type"].AsString() : "message";
    Json out = Json::MakeObject({{"id", RandomId(type == "message" ? "msg_" : "item_")}, {"type", type}});
    if (type != "reasoning") out.Set("status", "completed");
    for (const auto& [name, value] : item.members()) out.Set(name, value);
    if (type == "message" && out["content"].is_string()) {
      const char* part = item["role"].AsString() == "assistant" ? "output_text" : "input_text";
      Json one = Json::MakeObject({{"type", part}, {"text", out["content"]}});
      if (std::string_view(part) == "output_text") one.Set("annotations", Json::MakeArray());
      out.Set("content", Json::MakeArray({std::move(one)}));
    }
    items.Append(std::move(out));
  }
  return items;
}

// The answer as the message that the next turn reads.
Json AnswerMessage(const Answer& answer) {
  Json message = MakeMessage("assistant", answer.Text(Block::Kind::kText));
  Json calls = Json::MakeArray();
  for (const Block& block : answer.blocks) {
    if (block.kind == Block::Kind::kCall) calls.Append(MakeCall(block.call_id, block.name, block.text));
  }
  if (answer.Has(Block::Kind::kReasoning)) message.Set("reasoning_content", answer.Text(Block::Kind::kReasoning));
  if (!calls.items().empty()) message.Set("tool_calls", std::move(calls));
  return message;
}

Json EchoedTools(const Json& tools) {
  Json out = Json::MakeArray();
  for (const Json& tool : tools.items()) {
    Json one = Json::MakeObject({{"type", "function"}, {"name", tool["name"]}});
    one.Set("description", tool["description"]);
    one.Set("parameters", tool["parameters"]);
    one.Set("strict", tool["strict"].is_bool() ? tool["strict"] : Json(true));
    out.Append(std::move(one));
  }
  return out;
}

Json EchoedText(const Json& text) {
  Json format = text["format"].is_object() ? text["format"] : Json::MakeObject({{"type", "text"}});
  if (format["type"].AsString() == "json_schema") {
    if (!format.Find("description")) format.Set("description", nullptr);
    if (!format["strict"].is_bool()) format.Set("strict", true);
  }
  Json out = Json::MakeObject({{"format", std::move(format)}});
  out.Set("verbosity", text["verbosity"].is_string() ? text["verbosity"] : Json("medium"));
  return out;
}

Json Echo(const Json& body, const engine::SamplingParams& sampling) {
  const auto given = [&](const char* name, const Json& otherwise) { return body[name].is_null() ? otherwise : body[name]; };
  const Json& reasoning = body["reasoning"];
  return Json::MakeObject({{"previous_response_id", body["previous_response_id"]},
                           {"instructions", body["instructions"]},
                           {"tools", EchoedTools(body["tools"])},
                           {"tool_choice", given("tool_choice", "auto")},
                           {"parallel_tool_calls", given("parallel_tool_calls", true)},
                           {"max_tool_calls", body["max_tool_calls"]},
                           {"text", EchoedText(body["text"])},
                           {"temperature", FloatNumber(sampling.temperature)},
                           {"top_p", FloatNumber(sampling.top_p)},
                           {"presence_penalty", FloatNumber(sampling.presence_penalty)},
                           {"frequency_penalty", FloatNumber(sampling.frequency_penalty)},
                           {"top_logprobs", given("top_logprobs", 0)},
                           {"max_output_tokens", body["max_output_tokens"]},
                           {"reasoning", Json::MakeObject({{"effort", reasoning["effort"]}, {"summary", reasoning["summary"]}})},
                           {"truncation", given("truncation", "disabled")},
                           {"store", given("store", true)},
                           {"background", false},
                           {"service_tier", "default"},
                           {"metadata", given("metadata", Json::MakeObject())},
                           {"user", body["user"]},
                           {"safety_identifier", body["safety_identifier"]},
                           {"prompt_cache_key", body["prompt_cache_key"]}});
}

// The conversation without instructions, which belong to one response only.
ApiResult<Json> WholeConversation(const Json& body, const std::string& caller, ResponseStore& store) {
  Json messages = Json::MakeArray();
  const Json& previous = body["previous_response_id"];
  if (previous.is_string()) {
    const auto stored = store.Find(caller, previous.AsString());
    if (!stored) {
      return ApiError{400, StrCat("There is no response ", Quote(previous.AsString(), 100), " (any more)"),
                      "previous_response_id", "previous_response_not_found"};
    }
    auto parsed = ParseJson(stored->messages);
    if (parsed.ok()) messages = std::move(parsed).value();
  }
  AddItems(body["input"], messages);
  return messages;
}

ApiResult<ChatAsk> ReadAsk(const Json& body, const std::string& caller, const ServedModel& model, ResponseStore& store,
                           Json& whole) {
  LFM_RETURN_IF_ERROR(Check(ResponsesSchema(), body));
  LFM_RETURN_IF_ERROR(CheckModelName(model, body.Find("model"), true));
  ChatAsk ask;
  ask.param = "input";
  LFM_TRY(whole, WholeConversation(body, caller, store));
  LFM_TRY(ask.tools, ReadResponseTools(body));
  const Json& format = body["text"]["format"];
  if (!format.is_null()) {
    LFM_TRY(ask.format, ReadFormatObject(format, format, "text.format"));
  }
  Conversation& conversation = ask.conversation;
  if (body["instructions"].is_string()) {
    conversation.messages.Append(MakeMessage("system", body["instructions"].AsString()));
  }
  for (const Json& message : whole.items()) conversation.messages.Append(message);
  if (!ask.tools.tools.empty() && ask.tools.choice != ToolUse::Choice::kNone)
    conversation.tools = ToolsOfResponses(body["tools"]);
  conversation.variables = Json::MakeObject();
  if (body["reasoning"]["effort"].is_string()) conversation.variables.Set("reasoning_effort", body["reasoning"]["effort"]);
  const Json& max_tokens = body["max_output_tokens"];
  ask.max_tokens = max_tokens.is_number() ? max_tokens.AsInt() : model.max_tokens;
  bool logprobs = body["top_logprobs"].is_number() && body["top_logprobs"].AsInt() > 0;
  for (const Json& one : body["include"].items()) logprobs |= one.AsString() == "message.output_text.logprobs";
  if (logprobs) ask.n_logprobs = static_cast<int>(body["top_logprobs"].AsInt());
  return ask;
}

std::string CallerId(const HttpRequest& http) { return http.caller ? http.caller->id : ""; }

}  // namespace

const Schema& ResponsesSchema() {
  static const Schema schema = ObjectSchema(ResponsesMembers(), {StreamOptionsRule(), ToolChoiceRule()});
  return schema;
}

ApiResult<Prompt> ResponsesPrompt(const Json& body, const HttpRequest& http, const ServedModel& model, ResponseStore& store) {
  Json whole;
  LFM_TRY(const ChatAsk ask, ReadAsk(body, CallerId(http), model, store, whole));
  return MakePrompt(model, ask.conversation, ask.param);
}

ApiResult<Translated> TranslateResponses(const Json& body, const HttpRequest& http, const ServedModel& model,
                                         ResponseStore& store) {
  Json whole;
  const std::string caller = CallerId(http);
  LFM_TRY(const ChatAsk ask, ReadAsk(body, caller, model, store, whole));
  Translated out;
  LFM_RETURN_IF_ERROR(MakeChatRequest(body, http, model, ask, out));
  ResponsesForm form;
  form.head = MakeHead(model, body, "resp_");
  form.echo = Echo(body, out.requests.front().params.sampling);
  form.logprobs = ask.n_logprobs >= 0;
  form.now = UnixTime;
  const std::string id = form.head.id;
  auto writer = std::make_unique<ResponsesWriter>(std::move(form));
  if (!body["store"].is_bool() || body["store"].AsBool()) {
    out.finished = [&store, caller, id, made = writer.get(), whole = std::move(whole),
                    items = StoredItems(body["input"])](std::span<const Answer* const> answers) {
      Json messages = whole;
      messages.Append(AnswerMessage(*answers.front()));
      store.Put(caller, id, {Compact(made->response()), Compact(items), Compact(messages)});
    };
  }
  out.writer = std::move(writer);
  return out;
}

}  // namespace lfm::server
