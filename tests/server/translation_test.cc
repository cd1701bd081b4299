// Requests to prompts and parameters, and what is refused, by which path.
#include <cmath>
#include <utility>

#include "server/api_support.h"
#include "server/parameters.h"

namespace lfm::server {
namespace {

Json Chat() { return Parsed(R"({"model": "tiny", "messages": [{"role": "user", "content": "Hello"}]})"); }

struct Refusal {
  const char* change;  // members that replace those of the body; null removes one
  const char* param;
};

Json Changed(Json body, const char* change) {
  const Json changes = Parsed(change);
  for (const auto& [name, value] : changes.members()) body.Set(name, value);
  return body;
}

template <typename Translate>
void ExpectRefused(std::span<const Refusal> cases, const Json& base, const Translate& translate) {
  for (const auto& [change, param] : cases) {
    const auto result = translate(Changed(base, change));
    ASSERT_FALSE(result.ok()) << change;
    EXPECT_EQ(result.error().status, 400) << change;
    EXPECT_EQ(result.error().param.value_or(""), param) << change << ": " << result.error().message;
    EXPECT_TRUE(result.error().code.has_value()) << change;
  }
}

TEST(ChatRequest, RefusesWrongTypesAndRangesByPath) {
  const Refusal cases[] = {
      {R"({"model": null})", "model"},
      {R"({"model": 5})", "model"},
      {R"({"messages": null})", "messages"},
      {R"({"messages": "hello"})", "messages"},
      {R"({"messages": []})", "messages"},
      {R"({"messages": [5]})", "messages[0]"},
      {R"({"messages": [{"role": "nobody", "content": "x"}]})", "messages[0].role"},
      {R"({"messages": [{"content": "x"}]})", "messages[0].role"},
      {R"({"messages": [{"role": "user", "content": 5}]})", "messages[0].content"},
      {R"({"messages": [{"role": "user"}]})", "messages[0].content"},
      {R"({"messages": [{"role": "assistant"}]})", "messages[0].content"},
      {R"({"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}]})",
       "messages[0].tool_calls[0].function.arguments"},
      {R"({"messages": [{"role": "tool", "content": "x"}]})", "messages[0].tool_call_id"},
      {R"({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]})",
       "messages[0].content[0].type"},
      {R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "assistant", "content": "c"}]})",
       "messages[2].role"},
      {R"({"temperature": "hot"})", "temperature"},
      {R"({"temperature": 2.1})", "temperature"},
      {R"({"temperature": -0.1})", "temperature"},
      {R"({"top_p": []})", "top_p"},
      {R"({"top_p": 1.5})", "top_p"},
      {R"({"min_p": 2})", "min_p"},
      {R"({"top_k": 1.5})", "top_k"},
      {R"({"repetition_penalty": 0})", "repetition_penalty"},
      {R"({"frequency_penalty": 2.1})", "frequency_penalty"},
      {R"({"presence_penalty": -3})", "presence_penalty"},
      {R"({"n": 0})", "n"},
      {R"({"n": 129})", "n"},
      {R"({"n": 1.5})", "n"},
      {R"({"seed": 1.5})", "seed"},
      {R"({"seed": 9223372036854775808})", "seed"},
      {R"({"stop": 5})", "stop"},
      {R"({"stop": [5]})", "stop[0]"},
      {R"({"stop": ""})", "stop"},
      {R"({"stop": ["a","b","c","d","e","f","g","h","i","j","k","l","m","n","o","p","q"]})", "stop"},
      {R"({"max_tokens": 0})", "max_tokens"},
      {R"({"max_tokens": "12"})", "max_tokens"},
      {R"({"max_tokens": 1.5})", "max_tokens"},
      {R"({"max_completion_tokens": -1})", "max_completion_tokens"},
      {R"({"top_logprobs": 2})", "top_logprobs"},
      {R"({"logprobs": true, "top_logprobs": 21})", "top_logprobs"},
      {R"({"logprobs": "yes"})", "logprobs"},
      {R"({"stream": "yes"})", "stream"},
      {R"({"stream_options": {"include_usage": true}})", "stream_options"},
      {R"({"logit_bias": {"5": 101}})", "logit_bias.5"},
      {R"({"logit_bias": {"x": 1}})", "logit_bias"},
      {R"({"logit_bias": {"999999999": 1}})", "logit_bias"},
      {R"({"logit_bias": {"-1": 1}})", "logit_bias"},
      {R"({"logit_bias": [1]})", "logit_bias"},
      {R"({"user": 5})", "user"},
      {R"({"metadata": "x"})", "metadata"},
      {R"({"store": true})", "store"},
      {R"({"audio": {}})", "audio"},
      {R"({"guided_json": {}})", "guided_json"},
      {R"({"response_format": "json"})", "response_format"},
      {R"({"response_format": {"type": "xml"}})", "response_format.type"},
      {R"({"response_format": {"type": "json_schema"}})", "response_format.json_schema"},
      {R"({"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}})", "response_format.json_schema.name"},
      {R"({"response_format": {"type": "json_schema", "json_schema": {"name": "a b", "schema": {}}}})",
       "response_format.json_schema.name"},
      {R"({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "nope"}}}})",
       "response_format.json_schema.schema.type"},
      {R"({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"$ref": "#/nowhere"}}}})",
       "response_format.json_schema.schema.$ref"},
      {R"({"tools": {}})", "tools"},
      {R"({"tools": [{"type": "web_search"}]})", "tools[0].type"},
      {R"({"tools": [{"type": "function", "function": {}}]})", "tools[0].function.name"},
      {R"({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "nope"}}}]})",
       "tools[0].function.parameters.type"},
      {R"({"tool_choice": "required"})", "tool_choice"},
      {R"({"tool_choice": "maybe"})", "tool_choice"},
      {R"({"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": {"type": "function", "function": {"name": "g"}}})",
       "tool_choice"},
      {R"({"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": {"type": "function"}})",
       "tool_choice.function"},
      {R"({"parallel_tool_calls": "no"})", "parallel_tool_calls"},
      {R"({"continue_final_message": true, "add_generation_prompt": true})", "continue_final_message"},
      {R"({"chat_template_kwargs": {"messages": []}})", "chat_template_kwargs.messages"},
      {R"({"timeout": 0})", "timeout"},
      {R"({"priority": 1001})", "priority"},
  };
  const ServedModel model = TinyModel();
  ExpectRefused(cases, Chat(), [&](const Json& body) { return TranslateChat(body, Request(), model, false); });
}

TEST(ChatRequest, LoosensASchemaOnlyWhereItIsAskedTo) {
  const std::string schema = R"s({"type": "string", "pattern": "^(a|b)\\1$"})s";
  const ServedModel model = TinyModel();
  const auto with = [&](const std::string& more) {
    Json body = Chat();
    body.Set("response_format",
             Parsed(StrCat(R"({"type": "json_schema", "json_schema": {"name": "a", "schema": )", schema, more, "}}")));
    return TranslateChat(body, Request(), model, false);
  };
  EXPECT_EQ(with("").error().code.value_or(""), "unsupported_value");
  EXPECT_EQ(with(R"(, "unsupported": "refuse")").error().code.value_or(""), "unsupported_value");
  EXPECT_EQ(with(R"(, "unsupported": "ignore")").error().param.value_or(""), "response_format.json_schema.unsupported");
  const auto loose = with(R"(, "unsupported": "annotate")");
  ASSERT_TRUE(loose.ok()) << loose.error().message;
  EXPECT_NE(loose->requests.front().params.mask, nullptr);
  Json body = Chat();
  body.Set("structured_outputs", Parsed(StrCat(R"({"unsupported": "annotate", "json": )", schema, "}")));
  EXPECT_TRUE(TranslateChat(body, Request(), model, false).ok());
}

TEST(ChatRequest, TellsUnknownModelsApart) {
  const ServedModel model = TinyModel();
  const auto unknown = TranslateChat(Changed(Chat(), R"({"model": "x"})"), Request(), model, false);
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().status, 404);
  EXPECT_EQ(unknown.error().code, "model_not_found");
  EXPECT_EQ(unknown.error().param, "model");
  Json without = Chat();
  without.members().erase(without.members().begin());
  EXPECT_FALSE(TranslateChat(without, Request(), model, false).ok());
  EXPECT_TRUE(TranslateChat(without, Request(), model, true).ok());
}

TEST(ChatRequest, TakesParameters) {
  const ServedModel model = TinyModel();
  const auto chat =
      TranslateChat(Changed(Chat(), R"({"temperature": 0.5, "top_k": -1, "repeat_penalty": 1.1, "seed": -1, "stop": "x", "n": 3,
                          "max_tokens": 9, "max_completion_tokens": 3, "logprobs": true, "logit_bias": {"7": -100},
                          "ignore_eos": true, "cache_prompt": false, "cache_salt": "s", "priority": -2, "unknown": {},
                          "stream": true, "user": null})"),
                    Request(), model, false);
  ASSERT_TRUE(chat.ok()) << chat.error().message;
  ASSERT_EQ(chat->requests.size(), 1u);
  const engine::Request& request = chat->requests[0];
  EXPECT_FLOAT_EQ(request.params.sampling.temperature, 0.5F);
  EXPECT_EQ(request.params.sampling.top_k, 0);
  EXPECT_FLOAT_EQ(request.params.sampling.repetition_penalty, 1.1F);
  EXPECT_EQ(request.params.sampling.seed, ~uint64_t{0});
  EXPECT_EQ(request.params.stops, std::vector<std::string>{"x"});
  EXPECT_EQ(request.n, 3);
  EXPECT_EQ(request.params.max_tokens, 3);
  EXPECT_EQ(request.params.n_logprobs, 0);
  ASSERT_EQ(request.params.sampling.logit_bias.size(), 1 + model.text->tokenizer.end_of_generation().size());
  EXPECT_EQ(request.params.sampling.logit_bias.back().second, -INFINITY);
  EXPECT_EQ(request.params.sampling.logit_bias[0], (std::pair<int32_t, float>(7, -100.0F)));
  EXPECT_TRUE(request.params.ignore_eos);
  EXPECT_FALSE(request.cache_prompt);
  EXPECT_EQ(request.tenant, std::string("\0s", 2));
  EXPECT_EQ(request.priority, -2);
  EXPECT_TRUE(chat->stream);
}

TEST(ChatRequest, TakesNumbersBelowAnyFloatAsTheSmallest) {
  const auto translated = TranslateChat(Changed(Chat(), R"({"typical_p": 1e-200, "min_p": 0, "repetition_penalty": 5e-324})"),
                                        Request(), TinyModel(), false);
  ASSERT_TRUE(translated.ok()) << translated.error().message;
  const engine::SamplingParams& sampling = translated->requests[0].params.sampling;
  EXPECT_GT(sampling.typical_p, 0.0f);
  EXPECT_GT(sampling.repetition_penalty, 0.0f);
  EXPECT_EQ(sampling.min_p, 0.0f);
}

TEST(ChatRequest, SaysWhenTheContextIsTooSmall) {
  const ServedModel model = TinyModel();
  Json body = Chat();
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "one two ";
  body.Set("messages", Json::MakeArray({MakeMessage("user", text)}));
  const auto chat = TranslateChat(body, Request(), model, false);
  ASSERT_FALSE(chat.ok());
  EXPECT_EQ(chat.error().code, "context_length_exceeded");
  EXPECT_EQ(chat.error().param, "messages");
  EXPECT_TRUE(chat.error().message.starts_with("This model's maximum context length is 512 tokens. However, "))
      << chat.error().message;
}

TEST(CompletionsRequest, RefusesByPath) {
  const Refusal cases[] = {{R"({"suffix": "x"})", "suffix"},
                           {R"({"best_of": 1, "n": 2})", "best_of"},
                           {R"({"prompt": 5})", "prompt"},
                           {R"({"prompt": {}})", "prompt"},
                           {R"({"prompt": [1, "a"]})", "prompt"},
                           {R"({"prompt": ["a", 1]})", "prompt[1]"},
                           {R"({"prompt": [999999999]})", "prompt"},
                           {R"({"prompt": [-1]})", "prompt[0]"},
                           {R"({"prompt": [[]]})", "prompt[0]"},
                           {R"({"prompt": []})", "prompt"},
                           {R"({"prompt": null})", "prompt"},
                           {R"({"logprobs": "a"})", "logprobs"},
                           {R"({"logprobs": 100})", "logprobs"},
                           {R"({"max_tokens": -1})", "max_tokens"},
                           {R"({"echo": "yes"})", "echo"}};
  const ServedModel model = TinyModel();
  ExpectRefused(cases, Parsed(R"({"model": "tiny", "prompt": "Hello"})"),
                [&](const Json& body) { return TranslateCompletions(body, Request(), model, false); });
}

TEST(CompletionsRequest, TakesTextsAndIds) {
  const ServedModel model = TinyModel();
  const auto text =
      TranslateCompletions(Parsed(R"({"model": "tiny", "prompt": ["Hello", "<|im_start|>"]})"), Request(), model, false);
  ASSERT_TRUE(text.ok());
  ASSERT_EQ(text->requests.size(), 2u);
  const text::Tokenizer& tokenizer = model.text->tokenizer;
  EXPECT_EQ(text->requests[0].prompt, tokenizer.Encode("Hello", true));
  EXPECT_EQ(text->requests[1].prompt.back(), *tokenizer.Find("<|im_start|>"));
  EXPECT_EQ(text->requests[0].params.max_tokens, 16);
  const auto ids = TranslateCompletions(Parsed(R"({"model": "tiny", "prompt": [[7, 8], [9]]})"), Request(), model, false);
  ASSERT_TRUE(ids.ok());
  EXPECT_EQ(ids->requests[0].prompt, (std::vector<int32_t>{7, 8}));
  EXPECT_EQ(ids->requests[1].prompt, (std::vector<int32_t>{9}));
}

TEST(ResponsesRequest, RefusesByPath) {
  const Refusal cases[] = {{R"({"input": 5})", "input"},
                           {R"({"input": null})", "input"},
                           {R"({"max_output_tokens": 0})", "max_output_tokens"},
                           {R"({"temperature": 3})", "temperature"},
                           {R"({"text": {"format": {"type": "xml"}}})", "text.format.type"},
                           {R"({"text": {"format": {"type": "json_schema", "name": "x", "schema": {}, "unsupported": 5}}})",
                            "text.format.unsupported"},
                           {R"({"tools": [{"type": "nope"}]})", "tools[0].type"},
                           {R"({"stream_options": {}})", "stream_options"},
                           {R"({"tool_choice": "required"})", "tool_choice"},
                           {R"({"input": [{"role": "nobody", "content": "x"}]})", "input[0].role"},
                           {R"({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:"}]}]})",
                            "input[0].content[0].type"},
                           {R"({"background": true})", "background"},
                           {R"({"previous_response_id": "resp_x"})", "previous_response_id"}};
  const ServedModel model = TinyModel();
  ResponseStore store;
  ExpectRefused(cases, Parsed(R"({"model": "tiny", "input": "Hello"})"),
                [&](const Json& body) { return TranslateResponses(body, Request(), model, store); });
}

TEST(MessagesRequest, RefusesByPath) {
  const Refusal cases[] = {
      {R"({"max_tokens": 0})", "max_tokens"},
      {R"({"max_tokens": null})", "max_tokens"},
      {R"({"temperature": 2})", "temperature"},
      {R"({"messages": []})", "messages"},
      {R"({"messages": [{"role": "nobody", "content": "x"}]})", "messages[0].role"},
      {R"({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]})", "messages[0].content[0].type"},
      {R"({"tool_choice": {"type": "any"}})", "tool_choice"}};
  const ServedModel model = TinyModel();
  ExpectRefused(cases, Parsed(R"({"model": "tiny", "max_tokens": 4, "messages": [{"role": "user", "content": "Hello"}]})"),
                [&](const Json& body) { return TranslateMessages(body, Request(), model); });
}

// The prompt's tokens for a conversation in any API.
std::vector<int32_t> Ids(const ApiResult<Translated>& translated) {
  EXPECT_TRUE(translated.ok()) << translated.error().message;
  return translated.ok() ? translated->requests[0].prompt : std::vector<int32_t>();
}

TEST(Conversation, IsTheSameInEveryApi) {
  const ServedModel model = TinyModel();
  ResponseStore store;
  const auto chat = Ids(TranslateChat(Parsed(R"({"model": "tiny", "messages": [{"role": "developer", "content": "Be kind."},
                {"role": "user", "content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]}]})"),
                                      Request(), model, false));
  EXPECT_EQ(model.text->tokenizer.Decode(chat),
            "<|startoftext|><|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(Ids(TranslateResponses(Parsed(R"({"model": "tiny", "instructions": "Be kind.", "input": "Hello"})"), Request(), model,
                                   store)),
            chat);
  EXPECT_EQ(Ids(TranslateMessages(Parsed(R"({"model": "tiny", "max_tokens": 9, "system": "Be kind.",
                                             "messages": [{"role": "user", "content": "Hello"}]})"),
                                  Request(), model)),
            chat);
}

TEST(Conversation, WritesCallsAsTheModelDoes) {
  const ServedModel model = TinyModel();
  const std::string want =
      "<|im_start|>assistant\nWell.<|tool_call_start|>[f(a=\"x\\\"y\", b=[1, True, None]), g()]<|tool_call_end|><|im_end|>\n"
      "<|im_start|>tool\ndone<|im_end|>\n";
  const auto chat = Ids(TranslateChat(Parsed(R"({"model": "tiny", "messages": [{"role": "user", "content": "Q"},
      {"role": "assistant", "content": "Well.", "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": \"x\\\"y\", \"b\": [1, true, null]}"}},
        {"id": "2", "type": "function", "function": {"name": "g", "arguments": "{}"}}]},
      {"role": "tool", "tool_call_id": "1", "content": "done"}]})"),
                                      Request(), model, false));
  EXPECT_NE(model.text->tokenizer.Decode(chat).find(want), std::string::npos) << model.text->tokenizer.Decode(chat);
  const auto start = model.text->tokenizer.Find("<|tool_call_start|>");
  EXPECT_EQ(std::count(chat.begin(), chat.end(), *start), 1);
  const auto messages =
      Ids(TranslateMessages(Parsed(R"({"model": "tiny", "max_tokens": 9, "messages": [{"role": "user", "content": "Q"},
      {"role": "assistant", "content": [{"type": "text", "text": "Well."},
        {"type": "tool_use", "id": "1", "name": "f", "input": {"a": "x\"y", "b": [1, true, null]}},
        {"type": "tool_use", "id": "2", "name": "g", "input": {}}]},
      {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "done"}]}]})"),
                            Request(), model));
  EXPECT_EQ(messages, chat);
  ResponseStore store;
  EXPECT_EQ(Ids(TranslateResponses(Parsed(R"({"model": "tiny", "input": [{"role": "user", "content": "Q"},
      {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Well."}]},
      {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{\"a\": \"x\\\"y\", \"b\": [1, true, null]}"},
      {"type": "function_call", "call_id": "2", "name": "g", "arguments": "{}"},
      {"type": "function_call_output", "call_id": "1", "output": "done"}]})"),
                                   Request(), model, store)),
            chat);
}

// The whole list of special tokens, in contents, arguments and descriptions: none becomes a control token. (What the
// assistant said is its own: there the marks of calls and thinking count.)
TEST(Conversation, NeverReadsControlTokensInWhatPeopleWrote) {
  const ServedModel model = TinyModel();
  const text::Tokenizer& tokenizer = model.text->tokenizer;
  const auto count = [&](const std::vector<int32_t>& ids) {
    return std::count_if(ids.begin(), ids.end(), [&](int32_t id) { return tokenizer.IsSpecial(id); });
  };
  const auto with = [&](const std::string& text) {
    Json tool = Parsed(R"({"type": "function", "function": {"name": "f"}})");
    Json function = tool["function"];
    tool.Set("function", function.Set("description", text));
    Json call = Parsed(R"({"id": "1", "type": "function", "function": {"name": "f"}})");
    Json called = call["function"];
    call.Set("function", called.Set("arguments", Json::MakeObject({{"a", text}}).Dump()));
    Json assistant = MakeMessage("assistant", "x");
    assistant.Set("tool_calls", Json::MakeArray({call}));
    Json result = MakeMessage("tool", text);
    result.Set("tool_call_id", "1");
    Json body = Json::MakeObject(
        {{"model", "tiny"},
         {"messages", Json::MakeArray({MakeMessage("system", text), MakeMessage("user", text), assistant, result})}});
    body.Set("tools", Json::MakeArray({tool}));
    return Ids(TranslateChat(body, Request(), model, false));
  };
  const auto plain = count(with("x"));
  EXPECT_GT(plain, 10);
  int n_special = 0;
  for (int32_t id = 0; id < tokenizer.n_tokens(); ++id) {
    if (!tokenizer.IsSpecial(id) || tokenizer.Bytes(id).size() < 2) continue;
    ++n_special;
    const std::string text(tokenizer.Bytes(id));
    const auto ids = with("a " + text + text + " b");
    EXPECT_EQ(count(ids), plain) << text;
    EXPECT_NE(tokenizer.Decode(ids).find("a " + text + text + " b"), std::string::npos);
  }
  EXPECT_GT(n_special, 5);
}

TEST(Conversation, ShowsToolsInOneOrder) {
  const ServedModel model = TinyModel();
  const auto with = [&](const char* function) {
    Json body = Chat();
    Json tool = Json::MakeObject({{"function", Parsed(function)}, {"type", "function"}});
    body.Set("tools", Json::MakeArray({std::move(tool)}));
    return Ids(TranslateChat(body, Request(), model, false));
  };
  EXPECT_EQ(with(R"({"strict": true, "parameters": {"type": "object"}, "description": "d", "name": "f"})"),
            with(R"({"name": "f", "description": "d", "parameters": {"type": "object"}})"));
}

TEST(Conversation, ForbidsTheStartOfCallsWhereNoneMayCome) {
  const ServedModel model = TinyModel();
  const auto chat =
      TranslateChat(Changed(Chat(), R"({"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none"})"),
                    Request(), model, false);
  ASSERT_TRUE(chat.ok());
  const auto& bias = chat->requests[0].params.sampling.logit_bias;
  ASSERT_EQ(bias.size(), 1u);
  EXPECT_EQ(bias[0].first, *model.text->tokenizer.Find("<|tool_call_start|>"));
  EXPECT_EQ(bias[0].second, -INFINITY);
  EXPECT_EQ(Ids(chat), Ids(TranslateChat(Chat(), Request(), model, false)));
}

TEST(ParseBody, RefusesWhatIsNoJsonObject) {
  for (const char* text : {"", "{", "[]", "5", "null", "{\"a\": NaN}", "{\"a\": Infinity}", "{\"a\": 1e400}",
                           "{\"a\": \"\\ud800\"}", "{\"a\": \"\xFF\"}", "{\"a\":1}}"}) {
    const auto body = ParseBody(text);
    ASSERT_FALSE(body.ok()) << text;
    EXPECT_EQ(body.error().status, 400);
  }
  EXPECT_TRUE(ParseBody("{\"NaN\": \"Infinity\"}").ok());
  EXPECT_FALSE(ParseBody("{\"a\": " + std::string(200, '[') + std::string(200, ']') + "}").ok());
}

}  // namespace
}  // namespace lfm::server
