// The bytes of documents and streams, from scripted answers.
#include "server/chat_writer.h"
#include "server/completions_writer.h"
#include "server/messages_writer.h"
#include "server/response_store.h"
#include "server/responses_writer.h"

#include "server/api_support.h"

namespace lfm::server {
namespace {

AnswerHead Head(const char* id) { return {id, "tiny", "b1", 7}; }

// Takes pieces of an answer through a writer, as the engine would hand them out.
class Script {
 public:
  Script(AnswerWriter& writer, ReaderOptions options) : writer_(writer), reader_(TinyText().tokenizer, options, Ids()) {}

  void Say(const std::string& text, float logprob = -0.5F) {
    engine::Event event;
    event.kind = engine::Event::Kind::kToken;
    event.text = text;
    event.token.id = TinyText().tokenizer.Encode(text.empty() ? "x" : text, false).front();
    event.token.logprob = logprob;
    event.token.top = {{event.token.id, logprob}};
    Take(event);
  }
  void End(engine::StopReason reason = engine::StopReason::kEos, const std::string& stop = "") {
    engine::Event event;
    event.kind = engine::Event::Kind::kChoiceEnd;
    event.stop_reason = reason;
    event.stop = stop;
    Take(event);
    writer_.EndChoice(0, reader_.answer(), reader_.TakeFigures(), out);
  }
  const Answer& answer() const { return reader_.answer(); }
  std::string out;

 private:
  static IdMaker Ids() {
    return [n = 0](std::string_view prefix) mutable { return StrCat(prefix, ++n); };
  }
  void Take(const engine::Event& event) {
    std::vector<Part> parts;
    reader_.Take(event, parts);
    for (const Part& part : parts) writer_.Write(0, reader_.answer(), part, out);
  }
  AnswerWriter& writer_;
  AnswerReader reader_;
};

Totals SomeTotals() {
  Totals totals;
  totals.n_prompt = 9;
  totals.n_cached = 4;
  totals.n_completion = 2;
  return totals;
}

std::vector<std::pair<std::string, Json>> Events(const std::string& stream) {
  std::vector<std::pair<std::string, Json>> events;
  for (size_t at = 0; at < stream.size();) {
    const size_t end = stream.find("\n\n", at);
    EXPECT_NE(end, std::string::npos);
    std::string block = stream.substr(at, end - at), name;
    if (block.starts_with("event: ")) {
      name = block.substr(7, block.find('\n') - 7);
      block.erase(0, block.find('\n') + 1);
    }
    EXPECT_TRUE(block.starts_with("data: ")) << block;
    events.emplace_back(name, block == "data: [DONE]" ? Json("[DONE]") : Parsed(block.substr(6)));
    at = end + 2;
  }
  return events;
}

constexpr const char* kUsage =
    R"({"prompt_tokens":9,"completion_tokens":2,"total_tokens":11,"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},)"
    R"("completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}})";

TEST(ChatWriter, StreamsText) {
  ChatWriter writer({Head("chatcmpl-1"), 2, true, false});
  Script script(writer, {});
  writer.Begin(9, script.out);
  script.Say("Hi \"you\"");
  script.End(engine::StopReason::kLength);
  std::string end;
  writer.End({}, SomeTotals(), end);
  const std::string open =
      R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":7,"model":"tiny","system_fingerprint":"b1","choices":[)";
  EXPECT_EQ(script.out,
            open +
                R"({"index":0,"delta":{"role":"assistant","content":null},"logprobs":null,"finish_reason":null}],"usage":null})"
                "\n\n" +
                open +
                R"({"index":1,"delta":{"role":"assistant","content":null},"logprobs":null,"finish_reason":null}],"usage":null})"
                "\n\n" +
                open +
                R"({"index":0,"delta":{"content":"Hi \"you\""},"logprobs":null,"finish_reason":null}],"usage":null})"
                "\n\n" +
                open +
                R"({"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}],"usage":null})"
                "\n\n");
  EXPECT_TRUE(end.starts_with(open + R"(],"usage":)" + kUsage + R"(,"timings":{)")) << end;
  EXPECT_TRUE(end.ends_with("}\n\ndata: [DONE]\n\n"));
}

TEST(ChatWriter, HasNoUsageInAStreamThatDidNotAskForIt) {
  ChatWriter writer({Head("chatcmpl-1"), 1, false, false});
  Script script(writer, {});
  writer.Begin(9, script.out);
  script.Say("a");
  script.End();
  writer.End({}, SomeTotals(), script.out);
  EXPECT_EQ(script.out.find("usage"), std::string::npos);
}

TEST(ChatWriter, StreamsCallsWithIdentityOnce) {
  ChatWriter writer({Head("chatcmpl-1"), 1, false, false});
  ReaderOptions options;
  options.parser.tools = {"f"};
  Script script(writer, options);
  script.Say("<|tool_call_start|>[f(a=1), f(a=2)]<|tool_call_end|>");
  script.End();
  std::vector<Json> calls;
  for (const auto& [name, event] : Events(script.out)) {
    for (const Json& call : event["choices"].items()[0]["delta"]["tool_calls"].items()) calls.push_back(call);
  }
  ASSERT_GE(calls.size(), 4u);
  EXPECT_EQ(calls[0].Dump(), R"({"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}})");
  EXPECT_EQ(calls[1]["index"].AsInt(), 0);
  EXPECT_EQ(calls[1].Find("id"), nullptr);
  EXPECT_EQ(calls[1].Find("type"), nullptr);
  EXPECT_EQ(calls[1]["function"].Find("name"), nullptr);
  EXPECT_EQ(calls.back()["index"].AsInt(), 1);
  EXPECT_EQ(script.answer().finish, "tool_calls");
  const Json document = Parsed(writer.Document(std::vector<const Answer*>{&script.answer()}, SomeTotals()));
  const Json& message = document["choices"].items()[0]["message"];
  EXPECT_TRUE(message["content"].is_null());
  EXPECT_EQ(message["tool_calls"].Dump(),
            R"([{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}}, )"
            R"({"id": "call_2", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 2}"}}])");
}

TEST(ChatWriter, GivesEveryFigureOnceStreamedAndPlain) {
  ChatWriter writer({Head("chatcmpl-1"), 1, false, true});
  ReaderOptions options;
  options.figures = true;
  options.n_top = 1;
  Script script(writer, options);
  script.Say("a", -0.1F);
  script.Say("", -0.2F);
  script.Say("b", 0.0F);
  script.Say("", -1e30F);
  script.End();
  Json streamed = Json::MakeArray();
  for (const auto& [name, event] : Events(script.out)) {
    for (const Json& item : event["choices"].items()[0]["logprobs"]["content"].items()) streamed.Append(item);
  }
  const Json document = Parsed(writer.Document(std::vector<const Answer*>{&script.answer()}, SomeTotals()));
  EXPECT_EQ(streamed, document["choices"].items()[0]["logprobs"]["content"]);
  ASSERT_EQ(streamed.items().size(), 4u);
  EXPECT_EQ(
      streamed.items()[0].Dump(),
      R"({"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": [{"token": "a", "logprob": -0.1, "bytes": [97]}]})");
  EXPECT_EQ(streamed.items()[2]["logprob"].NumberText(), "0.0");
  EXPECT_EQ(streamed.items()[3]["logprob"].NumberText(), "-9999.0");
}

TEST(ChatWriter, ListsWhatIsNotEnforced) {
  AnswerHead head = Head("chatcmpl-1");
  head.unenforced = Parsed(R"([{"keyword": "format", "pointer": "/format", "message": "unknown"}])");
  ChatWriter writer({head, 1, false, false});
  Script script(writer, {});
  script.Say("hi");
  script.End();
  const Json last = Events(script.out).back().second;
  EXPECT_EQ(last["choices"].items()[0]["finish_reason"].AsString(), "stop");
  EXPECT_EQ(last["unenforced"].Dump(), head.unenforced.Dump());
  const Answer* answers[] = {&script.answer()};
  EXPECT_EQ(Parsed(writer.Document(answers, SomeTotals()))["unenforced"].Dump(), head.unenforced.Dump());
}

TEST(ChatWriter, WritesTheWholeDocument) {
  ChatWriter writer({Head("chatcmpl-1"), 1, false, false});
  Script script(writer, {});
  script.Say("Hi");
  script.End();
  Totals totals = SomeTotals();
  totals.priced = true;
  totals.cost = {50'000, 40'000, 40'000};
  const std::string document = writer.Document(std::vector<const Answer*>{&script.answer()}, totals);
  EXPECT_TRUE(document.starts_with(
      R"({"id":"chatcmpl-1","object":"chat.completion","created":7,"model":"tiny","system_fingerprint":"b1","choices":[{"index":0,)"
      R"("message":{"role":"assistant","content":"Hi","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,)"))
      << document;
  EXPECT_NE(document.find(R"("cost":0.00000013,"cost_details":{"prompt_pico_dollars":50000,"cached_prompt_pico_dollars":40000,)"
                          R"("completion_pico_dollars":40000}})"),
            std::string::npos)
      << document;
}

TEST(CompletionsWriter, SaysTheTextOnceMoreForLlamaCppsClients) {
  CompletionsForm form;
  form.head = Head("cmpl-1");
  form.content = true;
  CompletionsWriter writer(form);
  ReaderOptions options;
  options.parse = false;
  Script script(writer, options);
  script.Say("Hi", -0.5F);
  script.End(engine::StopReason::kEos);
  const auto events = Events(script.out);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].second["content"].AsString(), "Hi");
  EXPECT_FALSE(events[0].second["stop"].AsBool());
  EXPECT_TRUE(events[1].second["stop"].AsBool());
  const Json document = Parsed(writer.Document(std::vector<const Answer*>{&script.answer()}, SomeTotals()));
  EXPECT_EQ(document["content"].AsString(), "Hi");
  EXPECT_EQ(document["choices"].items()[0]["text"].AsString(), "Hi");
}

TEST(CompletionsWriter, EchoesThePromptWithItsFigures) {
  CompletionsForm form;
  form.head = Head("cmpl-1");
  form.logprobs = form.echo = true;
  form.prompts = {"Öl is"};
  CompletionsWriter writer(form), streaming(form);
  TokenFigure first{"Öl", 0, false, true, {}}, second{" is", -0.75F, true, true, {{" is", -0.75F}, {" was", -1.0F}}};
  ReaderOptions options;
  options.parse = false;
  options.figures = true;
  options.n_top = 1;
  Script script(streaming, options);
  writer.TakePrompt(0, {first, second});
  streaming.TakePrompt(0, {first, second});
  script.Say(" a", -0.5F);
  script.End(engine::StopReason::kLength);
  const Json document = Parsed(writer.Document(std::vector<const Answer*>{&script.answer()}, SomeTotals()));
  const Json& choice = document["choices"].items()[0];
  EXPECT_EQ(choice["text"].AsString(), "Öl is a");
  EXPECT_EQ(choice["logprobs"].Dump(),
            R"({"tokens": ["Öl", " is", " a"], "token_logprobs": [null, -0.75, -0.5], )"
            R"("top_logprobs": [null, {" is": -0.75, " was": -1}, {" a": -0.5}], "text_offset": [0, 2, 5]})");
  const auto events = Events(script.out);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].second["choices"].items()[0]["text"].AsString(), "Öl is");
  EXPECT_EQ(events[1].second["choices"].items()[0]["logprobs"]["text_offset"].Dump(), "[5]");
  EXPECT_EQ(events[2].second["choices"].items()[0]["finish_reason"].AsString(), "length");
}

ResponsesForm SomeResponses() {
  ResponsesForm form;
  form.head = Head("resp_1");
  form.echo = Json::MakeObject({{"store", true}});
  form.now = [] { return int64_t{9}; };
  form.make_id = [n = 0](std::string_view prefix) mutable { return StrCat(prefix, ++n); };
  return form;
}

TEST(ResponsesWriter, StreamsTheEventsOfTextAndCallsInOrder) {
  ResponsesWriter writer(SomeResponses());
  ReaderOptions options;
  options.parser.tools = {"f"};
  Script script(writer, options);
  writer.Begin(9, script.out);
  script.Say("Hi");
  script.Say(" you<|tool_call_start|>[f(a=1)]<|tool_call_end|>");
  script.End();
  writer.End(std::vector<const Answer*>{&script.answer()}, SomeTotals(), script.out);
  std::vector<std::string> names;
  int64_t sequence = 0;
  for (const auto& [name, event] : Events(script.out)) {
    EXPECT_EQ(event["type"].AsString(), name);
    EXPECT_EQ(event["sequence_number"].AsInt(-1), sequence++);
    names.push_back(name.substr(9));
  }
  EXPECT_EQ(names, (std::vector<std::string>{"created", "in_progress", "output_item.added", "content_part.added",
                                             "output_text.delta", "output_text.delta", "output_text.done", "content_part.done",
                                             "output_item.done", "output_item.added", "function_call_arguments.delta",
                                             "function_call_arguments.done", "output_item.done", "completed"}));
  EXPECT_NE(
      script.out.find("event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":4,"
                      "\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"delta\":\"Hi\",\"logprobs\":[]}\n\n"),
      std::string::npos)
      << script.out;
  EXPECT_NE(
      script.out.find(
          "\"sequence_number\":11,\"item_id\":\"fc_2\",\"output_index\":1,\"name\":\"f\",\"arguments\":\"{\\\"a\\\": 1}\"}"),
      std::string::npos)
      << script.out;
  EXPECT_EQ(
      writer.response()["output"].Dump(),
      R"([{"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [{"type": "output_text", )"
      R"("text": "Hi you", "annotations": [], "logprobs": []}]}, {"id": "fc_2", "type": "function_call", "status": "completed", )"
      R"("call_id": "call_1", "name": "f", "arguments": "{\"a\": 1}"}])");
  EXPECT_EQ(writer.response()["completed_at"].AsInt(), 9);
}

TEST(ResponsesWriter, EndsIncompleteAtTheLimit) {
  ResponsesWriter writer(SomeResponses());
  Script script(writer, {});
  script.Say("Hi");
  script.End(engine::StopReason::kLength);
  writer.End(std::vector<const Answer*>{&script.answer()}, SomeTotals(), script.out);
  EXPECT_NE(script.out.find("event: response.incomplete\n"), std::string::npos);
  const Json document = Parsed(writer.Document(std::vector<const Answer*>{&script.answer()}, SomeTotals()));
  EXPECT_EQ(document["status"].AsString(), "incomplete");
  EXPECT_EQ(document["incomplete_details"]["reason"].AsString(), "max_output_tokens");
  EXPECT_TRUE(document["completed_at"].is_null());
  EXPECT_EQ(document["usage"]["total_tokens"].AsInt(), 11);
}

TEST(ResponsesWriter, HasAnItemWhereNothingIsSaid) {
  ResponsesWriter writer(SomeResponses());
  Script script(writer, {});
  script.End();
  EXPECT_EQ(Events(script.out).size(), 5u);
  EXPECT_EQ(Parsed(writer.Document(std::vector<const Answer*>{&script.answer()}, SomeTotals()))["output"].items().size(), 1u);
}

TEST(MessagesWriter, StreamsBlocks) {
  MessagesWriter writer(Head("msg_1"));
  ReaderOptions options;
  options.parser.tools = {"f"};
  options.call_prefix = "toolu_";
  Script script(writer, options);
  writer.Begin(9, script.out);
  script.Say("Hi<|tool_call_start|>[f(a=1)]<|tool_call_end|>");
  script.End();
  writer.End(std::vector<const Answer*>{&script.answer()}, SomeTotals(), script.out);
  EXPECT_EQ(
      script.out,
      "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\","
      "\"role\":\"assistant\",\"model\":\"tiny\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,"
      "\"usage\":{\"input_tokens\":9,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":0}}}\n\n"
      "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\","
      "\"text\":\"\",\"citations\":null}}\n\n"
      "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\","
      "\"text\":\"Hi\"}}\n\n"
      "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
      "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\","
      "\"id\":\"toolu_1\",\"name\":\"f\",\"input\":{}}}\n\n"
      "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\","
      "\"partial_json\":\"{\\\"a\\\": 1}\"}}\n\n"
      "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n"
      "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\",\"stop_sequence\":null},"
      "\"usage\":{\"input_tokens\":5,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":4,\"output_tokens\":2}}\n\n"
      "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
}

TEST(MessagesWriter, NamesTheStopSequence) {
  MessagesWriter writer(Head("msg_1"));
  Script script(writer, {});
  script.Say("Hi");
  script.End(engine::StopReason::kStop, "END");
  const Json document = Parsed(writer.Document(std::vector<const Answer*>{&script.answer()}, SomeTotals()));
  EXPECT_EQ(document["stop_reason"].AsString(), "stop_sequence");
  EXPECT_EQ(document["stop_sequence"].AsString(), "END");
  EXPECT_EQ(document["content"].Dump(), R"([{"type": "text", "text": "Hi", "citations": null}])");
}

TEST(ResponseStore, ForgetsTheLeastRecentlyUsed) {
  ResponseStore store(2, 4096);
  store.Put("a", "1", {"one", "[]", "[]"});
  store.Put("a", "2", {"two", "[]", "[]"});
  EXPECT_EQ(store.Find("b", "1"), nullptr);
  ASSERT_NE(store.Find("a", "1"), nullptr);
  store.Put("a", "3", {"three", "[]", "[]"});
  EXPECT_EQ(store.Find("a", "2"), nullptr);
  EXPECT_EQ(store.Find("a", "1")->response, "one");
  store.Put("a", "4", {std::string(8192, 'x'), "[]", "[]"});
  EXPECT_EQ(store.Find("a", "4"), nullptr);
  EXPECT_EQ(store.size(), 2u);
  store.Put("a", "5", {std::string(3000, 'x'), "[]", "[]"});
  EXPECT_EQ(store.size(), 2u);
  store.Put("a", "6", {std::string(3000, 'x'), "[]", "[]"});
  EXPECT_EQ(store.size(), 1u);
  EXPECT_FALSE(store.Remove("b", "6"));
  EXPECT_TRUE(store.Remove("a", "6"));
  EXPECT_EQ(store.bytes(), 0u);
}

TEST(Pricing, CountsInWholePicoDollars) {
  EXPECT_EQ(PicoDollars("0.00000001").value(), 10'000);
  EXPECT_EQ(PicoDollars("12").value(), 12'000'000'000'000);
  for (const char* text : {"", ".5", "-1", "1e-8", "0.0000000000001", "1234567"}) EXPECT_FALSE(PicoDollars(text).ok()) << text;
  EXPECT_EQ(DollarText(0), "0");
  EXPECT_EQ(DollarText(1'940'000), "0.00000194");
  EXPECT_EQ(DollarText(3'000'000'000'000), "3");
  const Pricing pricing{CardPrices("Liquid/LFM2-8B-A1B")};
  EXPECT_EQ(pricing.Of(194, 100, 2).total(), 194 * 10'000 + 2 * 20'000);
  const auto prices =
      ReadPrices(Parsed(R"({"m": {"prompt_per_million": "0.010", "completion": "0.00000002", "cached_prompt": 0}})"), "m");
  ASSERT_TRUE(prices.ok()) << prices.error().message;
  EXPECT_EQ((*prices)->prompt, 10'000);
  EXPECT_EQ((*prices)->cached_prompt, 0);
  EXPECT_EQ((*prices)->completion, 20'000);
  EXPECT_FALSE(ReadPrices(Parsed(R"({"m": {"prompt": "0.01"}})"), "m").ok());
}

}  // namespace
}  // namespace lfm::server
