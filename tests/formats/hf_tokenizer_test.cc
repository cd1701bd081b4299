// What a folder's other files add to tokenizer.json, by the rules that transformers 5.24 showed (ids and names were
// compared with AutoTokenizer on the same files).
#include "formats/hf_tokenizer.h"

#include <gtest/gtest.h>

#include "support/temp_folder.h"

namespace lfm::formats {
namespace {

Json Parsed(std::string_view text) { return ParseJson(text).value(); }

// "text=id" of the added tokens; ! where special, < and > where they take the space before and after.
std::string Added(std::string_view config_text, std::string_view map = "null", std::string_view added = "null",
                  std::string_view own = R"([{"id": 0, "content": "<b>", "special": true}])", Json* config_out = nullptr) {
  Json tokenizer = Parsed(R"({"model": {"vocab": {"<b>": 0, "ab": 1, "c": 2}}})"), config = Parsed(config_text);
  tokenizer.Set("added_tokens", Parsed(own));
  CompleteTokenizer(Parsed(map), Parsed(added), tokenizer, config);
  std::string out;
  for (const Json& token : tokenizer["added_tokens"].items()) {
    out += (out.empty() ? "" : " ") + token["content"].AsString() + "=" + std::to_string(token["id"].AsInt()) +
           (token["special"].AsBool() ? "!" : "") + (token["lstrip"].AsBool() ? "<" : "") + (token["rstrip"].AsBool() ? ">" : "");
  }
  if (config_out) *config_out = config;
  return out;
}

TEST(HfTokenizer, TokensOfAllFiles) {
  EXPECT_EQ(Added("null"), "<b>=0!");
  EXPECT_EQ(Added(R"({"added_tokens_decoder": {"9": {"content": "X"}, "7": {"content": "Y", "special": true}}})"),
            "<b>=0! Y=3! X=4");
  EXPECT_EQ(Added(R"({"added_tokens_decoder": {"0": {"content": "<b>", "special": true, "lstrip": true}}})"), "<b>=0!<");
  EXPECT_EQ(Added(R"({"added_tokens_decoder": {"5": {"content": "ab"}}})"), "<b>=0! ab=1");
  EXPECT_EQ(Added(R"({"extra_special_tokens": ["X", "<b>"], "bos_token": "<b>"})"), "<b>=0! X=3!");
  EXPECT_EQ(Added(R"({"additional_special_tokens": ["X", {"content": "Y"}]})"), "<b>=0! X=3! Y=4!");
  EXPECT_EQ(Added(R"({"additional_special_tokens": ["X"], "extra_special_tokens": ["Y"]})"), "<b>=0! Y=3!");
  EXPECT_EQ(Added(R"({"additional_special_tokens": ["X"], "extra_special_tokens": {"y_token": "Y"}})"), "<b>=0! Y=3! X=4!");
  EXPECT_EQ(Added(R"({"model_specific_special_tokens": {"x_token": "X"}})"), "<b>=0! X=3!");
  EXPECT_EQ(Added(R"({"model_specific_special_tokens": {"x_token": "X"}, "extra_special_tokens": {"y_token": "Y"}})"),
            "<b>=0! Y=3!");
  EXPECT_EQ(Added(R"({"pad_token": "ab"})"), "<b>=0! ab=1!");
  // Files of old: only without added_tokens_decoder.
  EXPECT_EQ(Added("{}", R"({"additional_special_tokens": ["X"]})", R"({"Y": 3, "X": 4})"), "<b>=0! Y=3 X=4!");
  EXPECT_EQ(Added(R"({"added_tokens_decoder": {}})", R"({"bos_token": "X"})", R"({"Y": 3})"), "<b>=0!");
  // One text twice: the later flags; ids of the file do not count.
  EXPECT_EQ(Added("{}", "null", "null",
                  R"([{"id": 3, "content": "X"}, {"id": 3, "content": "X", "rstrip": true}, {"id": 99, "content": "Y"}])"),
            "X=3> Y=4");
}

TEST(HfTokenizer, NamesAreVariables) {
  Json config;
  EXPECT_EQ(Added(R"({"image_token": "I", "n_token": 5, "audio_token": {"content": "A"}, "bos_token": {"content": "<b>"},
                      "extra_special_tokens": {"audio_token": "B", "vision_start": "V"}})",
                  "null", "null", "[]", &config),
            "<b>=0! I=3! B=4! V=5!");
  EXPECT_EQ(config["bos_token"].AsString(), "<b>");
  EXPECT_EQ(config["extra_special_tokens"].Dump(), R"({"image_token": "I", "audio_token": "B", "vision_start": "V"})");
  Added("{}", R"({"bos_token": {"content": "<b>", "lstrip": false}, "image_token": "I"})", "null", "[]", &config);
  EXPECT_EQ(config["bos_token"].AsString(), "<b>");
  EXPECT_EQ(config["extra_special_tokens"]["image_token"].AsString(), "I");
}

TEST(HfTokenizer, TemplatesInAllForms) {
  test::TempFolder folder;
  const auto read = [&](std::string_view config) {
    Checkpoint model;
    model.tokenizer_config = Parsed(config);
    EXPECT_TRUE(ReadChatTemplates(folder.path(), model).ok());
    std::string out = model.chat_template;
    for (const NamedTemplate& named : model.named_templates) out += "|" + named.name + "=" + named.source;
    return out;
  };
  EXPECT_EQ(read("{}"), "");
  folder.Write("chat_template.json", R"({"chat_template": "old"})");
  EXPECT_EQ(read("{}"), "old");
  EXPECT_EQ(read(R"({"chat_template": "c"})"), "c");
  EXPECT_EQ(read(R"({"chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]})"),
            "d|tool_use=t");
  EXPECT_EQ(read(R"({"chat_template": {"default": "d", "rag": "r"}})"), "d|rag=r");
  folder.Write("chat_template.jinja", "file");
  EXPECT_EQ(read(R"({"chat_template": [{"name": "tool_use", "template": "t"}]})"), "file");
}

}  // namespace
}  // namespace lfm::formats
