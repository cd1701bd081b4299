// /v1/chat/completions: the table of its body, and its translation.
#include <algorithm>
#include <cmath>
#include <ctime>

#include "base/strings.h"
#include "server/chat_writer.h"
#include "server/parameters.h"
#include "server/translation.h"
#include "text/answer_parser.h"

namespace lfm::server {
namespace {

SchemaMembers TemplateMembers() {
  Schema variables = ObjectSchema();
  variables.members = nullptr;
  return {
      Optional("add_generation_prompt", BoolSchema(), "false: the prompt ends behind the last message"),
      Optional("continue_final_message", BoolSchema(), "the answer goes on where the last message ends"),
      Optional("chat_template_kwargs", variables, "further variables of the chat template"),
      Optional("reasoning_effort", ChoiceSchema({"none", "minimal", "low", "medium", "high", "xhigh"}),
               "a variable of the chat template"),
  };
}

SchemaMembers ChatMembers(bool lenient) {
  SchemaMembers members = {
      lenient ? Optional("model", TextSchema(), "") : Required("model", TextSchema(), "an id of /v1/models"),
      Required("messages", MessagesSchema(), "the conversation"),
      Optional("max_tokens", IntegerSchema(1), "of each answer; the context's end is the other limit"),
      Optional("max_completion_tokens", IntegerSchema(1), "the same; the smaller one counts"),
      Optional("logprobs", BoolSchema(), "the model's own log probabilities, before sampling"),
      Optional("top_logprobs", IntegerSchema(0, kMaxTopLogprobs), "only with logprobs"),
      Optional("metadata", MapSchema(TextSchema(0, 512), 16), "accepted"),
      Optional("modalities", ListSchema(ChoiceSchema({"text"}), 0, 1), ""),
      Optional("service_tier", ChoiceSchema({"auto", "default", "flex", "priority", "scale"}), "accepted"),
      Optional("prompt_cache_key", TextSchema(0, 256), "accepted: prefixes are found without it"),
      Optional("prompt_cache_retention", TextSchema(0, 64), "accepted"),
      Optional("safety_identifier", TextSchema(0, 256), "accepted"),
      Optional("verbosity", ChoiceSchema({"low", "medium", "high"}), "accepted"),
      Refused("store", "chat completions are not kept; /v1/responses are", {false}),
      Refused("audio", "this is a text model"),
      Refused("prediction", "there is no predicted output"),
      Refused("web_search_options", "nothing is searched"),
      Refused("echo", "the prompt is not repeated", {false}),
  };
  Append(members, SamplingMembers(2));
  Append(members, OpenAiMembers());
  Append(members, FormatMembers(!lenient));
  Append(members, ToolMembers());
  Append(members, TemplateMembers());
  Append(members, ServingMembers());
  Append(members, RefusedMembers());
  return members;
}

SchemaRules ChatRules() {
  return {StreamOptionsRule(),
          {SchemaRule::Kind::kNeeds, {"top_logprobs", "logprobs"}, "top_logprobs is only allowed with logprobs"},
          ToolChoiceRule(),
          {SchemaRule::Kind::kNotBoth,
           {"continue_final_message", "add_generation_prompt"},
           "continue_final_message and add_generation_prompt exclude each other"}};
}

const Schema& LenientChatSchema() {
  static const Schema schema = ObjectSchema(ChatMembers(true), ChatRules());
  return schema;
}

// Tools as the model is to see them: in the order that it was trained with, without what concerns the server alone. Clients
// give members in any order, and small models mind.
Json ShownTools(const Json& tools) {
  Json out = Json::MakeArray();
  for (const Json& tool : tools.items()) {
    Json function = Json::MakeObject();
    for (const char* name : {"name", "description", "parameters"}) {
      if (const Json& value = tool["function"][name]; !value.is_null()) function.Set(name, value);
    }
    out.Append(Json::MakeObject({{"type", "function"}, {"function", std::move(function)}}));
  }
  return out;
}

ApiResult<Conversation> ReadConversation(const Json& body, const ToolUse& tools) {
  Conversation conversation;
  LFM_TRY(conversation.messages, ReadMessages(body["messages"]));
  const bool callable = !tools.tools.empty() && tools.choice != ToolUse::Choice::kNone;
  if (callable) conversation.tools = ShownTools(body["tools"]);
  conversation.variables = Json::MakeObject();
  if (body["reasoning_effort"].is_string()) conversation.variables.Set("reasoning_effort", body["reasoning_effort"]);
  for (const auto& [name, value] : body["chat_template_kwargs"].members()) {
    for (const char* taken : {"messages", "tools", "documents", "add_generation_prompt", "continue_final_message"}) {
      if (name == taken) {
        return BadRequest(StrCat("chat_template_kwargs must not hold ", name), StrCat("chat_template_kwargs.", name));
      }
    }
    conversation.variables.Set(name, value);
  }
  conversation.continue_final_message = body["continue_final_message"].AsBool();
  const Json& add = body["add_generation_prompt"];
  conversation.add_generation_prompt = add.is_bool() ? add.AsBool() : !conversation.continue_final_message;
  return conversation;
}

// The start mark is taken out of the vocabulary where no call may come.
void ForbidCalls(const text::Tokenizer& tokenizer, engine::SamplingParams& sampling) {
  if (const auto id = tokenizer.Find(text::kToolCallStart)) sampling.logit_bias.emplace_back(*id, -INFINITY);
}

}  // namespace

int64_t UnixTime() { return static_cast<int64_t>(std::time(nullptr)); }

bool IsLenient(const HttpRequest& http) { return !http.path.starts_with("/v1/"); }

AnswerHead MakeHead(const ServedModel& model, const Json& body, std::string_view prefix) {
  return {RandomId(prefix), AnswerModelName(model, body), model.fingerprint, UnixTime()};
}

const Schema& ChatSchema() {
  static const Schema schema = ObjectSchema(ChatMembers(false), ChatRules());
  return schema;
}

ApiStatus MakeChatRequest(const Json& body, const HttpRequest& http, const ServedModel& model, const ChatAsk& ask,
                          Translated& out) {
  LFM_TRY(Prompt prompt, MakePrompt(model, ask.conversation, ask.param));
  LFM_RETURN_IF_ERROR(CheckRoom(model, prompt.ids.size(), ask.max_tokens, ask.param));
  engine::Request request;
  LFM_TRY(request.params, ReadGeneration(body, model));
  request.prompt = std::move(prompt.ids);
  request.params.stops = ask.stops;
  request.params.max_tokens = ask.max_tokens;
  request.params.n_logprobs = ask.n_logprobs;
  request.n = ask.n;
  LFM_RETURN_IF_ERROR(ReadServing(body, http, request));

  const bool calls = ask.tools.choice != ToolUse::Choice::kNone;
  if (!calls && !ask.tools.tools.empty()) ForbidCalls(model.text->tokenizer, request.params.sampling);
  LFM_TRY(request.params.mask, MakeMask(model, ask.format, ask.tools, prompt.opens_reasoning, out.unenforced));
  ReaderOptions& reader = out.reader;
  reader.parser.reasoning_open = prompt.opens_reasoning;
  reader.parser.calls = calls;
  reader.parser.guided = calls && request.params.mask != nullptr;
  if (calls) {
    for (const Tool& tool : ask.tools.tools) reader.parser.tools.push_back(tool.name);
  }
  reader.figures = ask.n_logprobs >= 0;
  reader.n_top = ask.n_logprobs;
  reader.ignore_eos = request.params.ignore_eos;
  out.model = AnswerModelName(model, body);
  out.stream = body["stream"].AsBool();
  out.requests.push_back(std::move(request));
  return {};
}

ApiResult<Prompt> ChatPrompt(const Json& body, const ServedModel& model) {
  LFM_RETURN_IF_ERROR(CheckModelName(model, body.Find("model"), false));
  LFM_RETURN_IF_ERROR(Check(LenientChatSchema(), body));
  LFM_TRY(const ToolUse tools, ReadTools(body));
  LFM_TRY(const Conversation conversation, ReadConversation(body, tools));
  return MakePrompt(model, conversation, "messages");
}

ApiResult<Translated> TranslateChat(const Json& body, const HttpRequest& http, const ServedModel& model, bool lenient) {
  LFM_RETURN_IF_ERROR(Check(lenient ? LenientChatSchema() : ChatSchema(), body));
  LFM_RETURN_IF_ERROR(CheckModelName(model, body.Find("model"), !lenient));
  ChatAsk ask;
  LFM_TRY(ask.tools, ReadTools(body));
  LFM_TRY(ask.format, ReadFormat(body));
  LFM_TRY(ask.conversation, ReadConversation(body, ask.tools));
  ask.stops = ReadStops(body["stop"]);
  ask.max_tokens = ReadMaxTokens(body, model);
  if (body["logprobs"].AsBool()) ask.n_logprobs = static_cast<int>(body["top_logprobs"].AsInt());
  if (body["n"].is_number()) ask.n = static_cast<int>(body["n"].AsInt());

  Translated out;
  LFM_RETURN_IF_ERROR(MakeChatRequest(body, http, model, ask, out));
  out.requests.front().return_progress = out.stream && body["return_progress"].AsBool();
  ChatForm form;
  form.head = MakeHead(model, body, "chatcmpl-");
  form.head.unenforced = std::move(out.unenforced);
  form.n = ask.n;
  form.include_usage = body["stream_options"]["include_usage"].AsBool();
  form.logprobs = ask.n_logprobs >= 0;
  out.writer = std::make_unique<ChatWriter>(std::move(form));
  return out;
}

}  // namespace lfm::server
