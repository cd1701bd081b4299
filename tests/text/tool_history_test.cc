// Calls and results back into the prompt, by the family's templates.
#include "text/tool_history.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "text/answer_parser.h"
#include "text/chat.h"

namespace lfm::text {
namespace {

Json Parsed(std::string_view text) { return ParseJson(text).value(); }

std::string Source(const std::string& name) {
  return ReadWholeFile(std::string(LFM_TEST_DATA "/templates/") + name + ".jinja").value();
}

std::string Rendered(const std::string& name, const Json& messages) {
  const std::string source = Source(name);
  auto chat = ChatTemplate::Make(source, Json::MakeObject({{"bos_token", "<s>"}}));
  EXPECT_TRUE(chat.ok());
  auto prepared = PrepareToolMessages(messages, source);
  EXPECT_TRUE(prepared.ok()) << prepared.error().message;
  ChatOptions options;
  options.add_generation_prompt = true;
  options.extra = Json::MakeObject();
  auto text = RenderChat(*chat, *prepared, options);
  EXPECT_TRUE(text.ok()) << text.error().message;
  return text.ok() ? *text : "";
}

const char* const kConversation = R"([
  {"role": "developer", "content": [{"type": "text", "text": "Be "}, {"type": "text", "text": "brief."}]},
  {"role": "user", "content": "Tides?"},
  {"role": "assistant", "content": null, "tool_calls": [
    {"id": "a", "type": "function", "function": {"name": "get_tide", "arguments": "{\"port\": \"L'Orient\", \"day\": 3}"}},
    {"id": "b", "type": "function", "function": {"name": "now", "arguments": ""}}]},
  {"role": "tool", "tool_call_id": "b", "content": "12:00"},
  {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "4.1 m"}]}])";

TEST(ToolHistory, Lfm2sTemplateGetsTheCallsInTheContent) {
  EXPECT_EQ(Rendered("LFM2-8B-A1B", Parsed(kConversation)),
            "<s><|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nTides?<|im_end|>\n"
            "<|im_start|>assistant\n<|tool_call_start|>[get_tide(port=\"L'Orient\", day=3), now()]<|tool_call_end|>"
            "<|im_end|>\n<|im_start|>tool\n<|tool_response_start|>4.1 m<|tool_response_end|><|im_end|>\n"
            "<|im_start|>tool\n<|tool_response_start|>12:00<|tool_response_end|><|im_end|>\n<|im_start|>assistant\n");
}

TEST(ToolHistory, Lfm25sTemplateRendersThemItself) {
  EXPECT_EQ(Rendered("LFM2.5-8B-A1B", Parsed(kConversation)),
            "<s><|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nTides?<|im_end|>\n"
            "<|im_start|>assistant\n<|tool_call_start|>[get_tide(port='L'Orient', day=3), now()]<|tool_call_end|>"
            "<|im_end|>\n<|im_start|>tool\n4.1 m<|im_end|>\n<|im_start|>tool\n12:00<|im_end|>\n<|im_start|>assistant\n");
}

TEST(ToolHistory, TheInstructTemplateGetsThemBehindTheContent) {
  EXPECT_EQ(Rendered("LFM2.5-Instruct", Parsed(R"([{"role": "user", "content": "go"},
      {"role": "assistant", "content": "Looking.", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}])")),
            "<s><|im_start|>user\ngo<|im_end|>\n<|im_start|>assistant\nLooking.<|tool_call_start|>[f()]<|tool_call_end|>"
            "<|im_end|>\n<|im_start|>assistant\n");
}

TEST(ToolHistory, ReadsBackWhatItWrites) {
  const Json arguments = Parsed(R"({"s": "it's \"q\" \\ \n\t\u0000 é 🍕 <|tool_call_end|> </think>", "i": -12345678901234567890123,
      "f": [1.5, 1e-07, -0.0], "t": true, "n": null, "e": "", "o": {"a b": {}, "1": [[]]}, "a=b": 1, " x ": 2, "": {"y": "'"},
      "*k": 3, "class": 4, "ключ": 5})");
  const std::string call = WriteToolCall("pkg.do-it", arguments);
  EXPECT_EQ(call.find("<|"), std::string::npos);
  EXPECT_EQ(call.find("</"), std::string::npos);
  const ParsedAnswer answer = ParseAnswer(std::string(kToolCallStart) + "[" + call + "]" + std::string(kToolCallEnd));
  ASSERT_EQ(answer.calls.size(), 1U) << call;
  EXPECT_EQ(answer.calls[0].name, "pkg.do-it");
  EXPECT_EQ(answer.calls[0].arguments, arguments.Dump());
  EXPECT_FALSE(answer.content);
}

TEST(ToolHistory, KeepsWhatHasNoCalls) {
  const Json messages = Parsed(R"([{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "x"}]},
      {"role": "assistant", "content": "y", "tool_calls": []}, {"role": "user", "content": "z"}])");
  auto prepared = PrepareToolMessages(messages, "");
  ASSERT_TRUE(prepared.ok());
  EXPECT_EQ(prepared->items()[0], messages.items()[0]);
  EXPECT_EQ(prepared->items()[1]["content"].AsString(), "y");
  EXPECT_TRUE(prepared->items()[1]["tool_calls"].is_null());
}

TEST(ToolHistory, NamesWhatIsWrong) {
  const auto error = [](const std::string& calls) {
    const auto prepared = PrepareToolMessages(Parsed(R"([{"role": "assistant", "tool_calls": )" + calls + "}]"), "");
    return prepared.ok() ? "" : prepared.error().message;
  };
  EXPECT_EQ(error("5"), "messages[0].tool_calls is no list");
  EXPECT_EQ(error("[{}]"), "messages[0].tool_calls[0].function has no name");
  EXPECT_EQ(error(R"([{"function": {"name": "f", "arguments": "[1]"}}])"),
            "messages[0].tool_calls[0].function.arguments is no object");
  EXPECT_EQ(error(R"([{"function": {"name": "f", "arguments": "{"}}])")
                .find("messages[0].tool_calls[0].function.arguments is no JSON: "),
            0U);
}

}  // namespace
}  // namespace lfm::text
