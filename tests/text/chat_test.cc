// Chats against the reference: golden conversations, templates in the style of other families, and bad
// shapes.
#include "text/chat.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>

#include "base/file.h"
#include "support/golden.h"

namespace lfm::text {
namespace {

const std::string kTemplates = LFM_TEST_DATA "/templates/";

ChatTemplate Load(const std::string& path, const Json& special) {
  auto source = ReadWholeFile(path);
  EXPECT_TRUE(source.ok()) << path;
  auto chat = ChatTemplate::Make(source.value(), special);
  EXPECT_TRUE(chat.ok()) << path << ": " << chat.error().message;
  return std::move(chat).value();
}

ChatTemplate FromText(std::string_view source) {
  return ChatTemplate::Make(source, Json::MakeObject({{"bos_token", "<s>"}})).value();
}

// Members of a row that are not variables of the template.
bool IsKnown(const std::string& name) {
  static const std::set<std::string> kKnown{"name",  "messages",  "tools",         "documents", "add_generation_prompt",
                                            "error", "exception", "bare_template", "expected",  "continue_final_message"};
  return kKnown.count(name) > 0;
}

Result<std::string> RenderRow(const ChatTemplate& chat, const Json& row, const Json& arguments) {
  ChatOptions options;
  options.tools = row.Find("tools");
  options.documents = row.Find("documents");
  options.add_generation_prompt = true;
  options.extra = Json::MakeObject();
  options.render.clock = [] { return jinja::LocalTime{2024, 7, 26, 15, 4, 5, 123456}; };
  for (const auto& [name, value] : arguments.members()) {
    if (name == "add_generation_prompt")
      options.add_generation_prompt = value.AsBool();
    else if (name == "continue_final_message")
      options.continue_final_message = value.AsBool();
    else if (!IsKnown(name))
      options.extra.Set(name, value);
  }
  return RenderChat(chat, row["messages"], options);
}

void CheckRow(const Result<std::string>& result, const Json& row, const std::string& where) {
  if (row["error"].AsBool()) {
    EXPECT_FALSE(result.ok()) << where << ": " << row["exception"].AsString();
    return;
  }
  ASSERT_TRUE(result.ok()) << where << ": " << result.error().message;
  EXPECT_EQ(result.value(), row["expected"].AsString()) << where;
}

// The template of a golden file: beside the root's folder, or the repository's copy.
std::string TemplatePath(const std::string& chat_path, const std::string& name) {
  const auto beside =
      std::filesystem::path(chat_path).parent_path().parent_path().parent_path() / "templates" / (name + ".jinja");
  return std::filesystem::exists(beside) ? beside.string() : kTemplates + name + ".jinja";
}

TEST(Chat, GoldenConversations) {
  const Json special =
      Json::MakeObject({{"bos_token", "<|startoftext|>"}, {"eos_token", "<|im_end|>"}, {"pad_token", "<|pad|>"}});
  size_t n = 0;
  for (const std::string& path : test::GoldenEntries("chat", ".jsonl")) {
    const std::string name = std::filesystem::path(path).stem().string();
    const ChatTemplate chat = Load(TemplatePath(path, name), special);
    for (const std::string& line : test::ReadLines(path)) {
      const Json row = ParseJson(line).value();
      CheckRow(RenderRow(chat, row, row), row, name + "/" + row["name"].AsString());
      ++n;
    }
  }
  EXPECT_GE(n, 345u);
}

TEST(Chat, FamiliesAsTransformers) {
  const Json special = Json::MakeObject({{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"pad_token", "<pad>"}});
  std::map<std::string, ChatTemplate> chats;
  const auto lines = test::ReadLines(kTemplates + "families.jsonl");
  ASSERT_GT(lines.size(), 150u);
  for (const std::string& line : lines) {
    const Json row = ParseJson(line).value();
    const std::string& family = row["family"].AsString();
    if (!chats.count(family)) chats.emplace(family, Load(kTemplates + "families/" + family + ".jinja", special));
    CheckRow(RenderRow(chats.at(family), row, row["extra"]), row, family + "/" + row["name"].AsString());
  }
}

TEST(Chat, BadShapesAreNamed) {
  const ChatTemplate chat = FromText("{% for m in messages %}{{ m.content }}{% endfor %}");
  const auto message = [&](const char* messages, const char* tools = "null") {
    const Json parsed_tools = ParseJson(tools).value();
    ChatOptions options;
    options.tools = &parsed_tools;
    const auto result = RenderChat(chat, ParseJson(messages).value(), options);
    return result.ok() ? "rendered: " + result.value() : result.error().message;
  };
  EXPECT_EQ(message("[]"), "cannot apply a chat template to an empty conversation; provide at least one message");
  EXPECT_EQ(message("{}"), "messages must be a list of objects");
  EXPECT_EQ(message("[{\"content\": \"a\"}, 5]"), "message 1 must be an object with \"role\" and \"content\"");
  EXPECT_EQ(message("[{\"content\": \"a\"}]", "{}"), "tools must be a list of objects");
  EXPECT_EQ(message("[{\"content\": \"a\"}]", "[1]"), "tools: item 0 must be an object");
  EXPECT_EQ(message("[{\"content\": \"a\"}]"), "rendered: a");
}

TEST(Chat, PreparesMessages) {
  const ChatTemplate chat = FromText("{{ messages[0] | tojson }}");
  const auto render = [&](const char* messages) { return RenderChat(chat, ParseJson(messages).value(), {}).value(); };
  EXPECT_EQ(render(R"([{"role": "a", "content": null, "x": null, "y": [null]}])"), R"({"role": "a", "y": [null]})");
  EXPECT_EQ(render(R"([{"role": "a", "reasoning": "r"}])"),
            R"({"thinking": "r", "role": "a", "reasoning": "r", "reasoning_content": "r"})");
  EXPECT_EQ(render(R"([{"reasoning_content": "r", "thinking": "t"}])"), R"({"thinking": "t", "reasoning_content": "r"})");
  EXPECT_EQ(render(R"([{"a": 1, "a": 2}])"), R"({"a": 2})");
}

TEST(Chat, ContinuesTheFinalMessage) {
  const ChatTemplate chat = FromText(
      "{% for m in messages %}[{{ m.role }}]{% if m.thinking %}({{ m.thinking }}){% endif %}"
      "{{ m.content | trim }}</s>{% endfor %}{# reasoning #}");
  ChatOptions options;
  options.continue_final_message = true;
  const auto render = [&](const char* messages) { return RenderChat(chat, ParseJson(messages).value(), options); };
  EXPECT_EQ(render(R"([{"role": "u", "content": "q"}, {"role": "a", "content": "It is "}])").value(), "[u]q</s>[a]It is");
  EXPECT_FALSE(render(R"([{"role": "a"}])").ok());
  EXPECT_FALSE(render(R"([{"role": "a", "content": 5}])").ok());
  options.add_generation_prompt = true;
  EXPECT_FALSE(render(R"([{"role": "a", "content": "x"}])").ok());
  options.add_generation_prompt = false;
  options.continue_field = "reasoning";
  EXPECT_EQ(render(R"([{"role": "a", "content": "x", "reasoning": "so far"}])").value(), "[a](so far");
  options.continue_field = "nothing";
  EXPECT_FALSE(render(R"([{"role": "a", "content": "x", "nothing": "y"}])").ok());
}

TEST(Chat, SpecialTokensAndVariables) {
  const Json config = ParseJson(R"({"bos_token": {"content": "<b>", "lstrip": false}, "eos_token": "<e>", "unk_token": null,
                                    "pad_token": 5, "other_token": "x"})")
                          .value();
  const auto chat = ChatTemplate::Make(
      "{{ bos_token }}{{ eos_token }}{{ unk_token is defined }}{{ other_token is defined }}"
      "{{ tools is none }}{{ documents is none }}{{ add_generation_prompt }}{{ x }}",
      config);
  ASSERT_TRUE(chat.ok());
  ChatOptions options;
  options.extra = Json::MakeObject({{"x", 1.5}, {"eos_token", "other"}});
  EXPECT_EQ(RenderChat(chat.value(), ParseJson(R"([{"role": "u"}])").value(), options).value(),
            "<b>otherFalseTrueTrueTrueFalse1.5");
}

TEST(Chat, KnowsWhatTheTemplateWrote) {
  const auto chat = FromText(
      "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content | trim }}<|end|>{% endfor %}"
      "{{ tools | tojson }}{{ documents[0].text }}{{ extra }}");
  ChatOptions options;
  const Json tools = ParseJson(R"([{"name": "f"}])").value(), documents = ParseJson(R"([{"text": "doc"}])").value();
  options.tools = &tools;
  options.documents = &documents;
  options.extra = Json::MakeObject({{"extra", "<|end|>"}});
  const Json messages =
      ParseJson(R"([{"role": "user", "content": " hi<|end|> "}, {"role": "assistant", "content": "ho"}])").value();
  const auto rendered = RenderChatText(chat, messages, options);
  ASSERT_TRUE(rendered.ok()) << rendered.error().message;
  std::string shown;
  size_t at = 0;
  for (const ParseSpan& span : rendered->spans) {
    shown += rendered->text.substr(at, span.begin - at) + (span.parse == ParseSpecial::kAnswer ? "(" : "[");
    shown += rendered->text.substr(span.begin, span.end - span.begin) + (span.parse == ParseSpecial::kAnswer ? ")" : "]");
    at = span.end;
  }
  EXPECT_EQ(shown + rendered->text.substr(at),
            "<s><|[user]|>[hi<|end|>]<|end|><|(assistant)|>(ho)<|end|>[[{\"name\": \"f\"}]doc<|end|>]");
}

TEST(Chat, TakesListsFromVariablesToo) {
  const auto chat = FromText("{{ documents }}{{ tools }}");
  ChatOptions options;
  options.extra = ParseJson(R"({"documents": [{"a": 1}], "tools": [{"b": 2}]})").value();
  const Json messages = ParseJson(R"([{"role": "user"}])").value(), null;
  EXPECT_EQ(RenderChat(chat, messages, options).value(), "[{'a': 1}][{'b': 2}]");
  options.documents = &null;  // none, as where it is left out
  EXPECT_EQ(RenderChat(chat, messages, options).value(), "[{'a': 1}][{'b': 2}]");
  options.extra = ParseJson(R"({"documents": ["text"]})").value();
  EXPECT_FALSE(RenderChat(chat, messages, options).ok());
}

TEST(Chat, KnowsPromptsThatOpenThinking) {
  EXPECT_TRUE(PromptOpensThinking("<|im_start|>assistant\n<think>\n"));
  EXPECT_FALSE(PromptOpensThinking("<think>a</think>"));
  EXPECT_FALSE(PromptOpensThinking(""));
}

}  // namespace
}  // namespace lfm::text
