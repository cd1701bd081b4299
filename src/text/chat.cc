// The preparation of messages and the cut of continue_final_message, as in transformers 5.23.
#include "text/chat.h"

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "jinja/jinja.h"

namespace lfm::text {
namespace {

constexpr std::string_view kContinueTag = "CONTINUE_FINAL_MESSAGE_TAG ";
// Names of a message's reasoning; the first that is given fills the others.
constexpr std::array<std::string_view, 3> kReasoningFields{"reasoning_content", "thinking", "reasoning"};

Error Invalid(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

// Members that are not null, the last of equal names; with the reasoning under its standard names.
Json PrepareMessage(const Json& message) {
  Json kept = Json::MakeObject();
  for (const auto& [name, value] : message.members()) {
    if (const Json* last = message.Find(name); !last->is_null()) kept.Set(name, *last);
  }
  for (const std::string_view field : kReasoningFields) {
    const Json* reasoning = kept.Find(field);
    if (!reasoning) continue;
    Json aliased = Json::MakeObject({{"thinking", *reasoning}});
    const Json copy = *reasoning;
    for (auto& [name, value] : kept.members()) aliased.Set(name, std::move(value));
    aliased.Set("reasoning_content", copy);
    return aliased;
  }
  return kept;
}

Result<Json> PrepareMessages(const Json& messages) {
  if (!messages.is_array()) return Invalid("messages must be a list of objects");
  if (messages.items().empty()) {
    return Invalid("cannot apply a chat template to an empty conversation; provide at least one message");
  }
  Json prepared = Json::MakeArray();
  for (size_t i = 0; i < messages.items().size(); ++i) {
    const Json& message = messages.items()[i];
    if (!message.is_object()) return Invalid(StrCat("message ", i, " must be an object with \"role\" and \"content\""));
    prepared.Append(PrepareMessage(message));
  }
  return prepared;
}

// A list of objects, or null where none is given.
Result<Json> ListOfObjects(const Json* list, std::string_view what) {
  if (!list || list->is_null()) return Json();
  if (!list->is_array()) return Invalid(StrCat(what, " must be a list of objects"));
  for (size_t i = 0; i < list->items().size(); ++i) {
    if (!list->items()[i].is_object()) return Invalid(StrCat(what, ": item ", i, " must be an object"));
  }
  return *list;
}

// Appends the tag to what the last message says. Returns the text before the tag.
Result<std::string> TagFinalMessage(Json& message, const std::string& field, std::string_view source) {
  const Json* content = message.Find(field);
  if (!content) return Invalid(StrCat("continue_final_message: the final message has no \"", Quote(field), "\" to continue"));
  std::vector<std::string> fields{field};
  const auto is_reasoning = [](std::string_view name) {
    for (const auto reasoning : kReasoningFields) {
      if (reasoning == name) return true;
    }
    return false;
  };
  if (is_reasoning(field)) {  // copied under several names: tag every copy
    fields.clear();
    for (const std::string_view name : kReasoningFields) {
      const Json* copy = message.Find(name);
      if (copy && *copy == *content) fields.emplace_back(name);
    }
  }
  bool known = false;
  for (const std::string& name : fields) known |= source.find(name) != std::string_view::npos;
  if (!known) return Invalid(StrCat("continue_final_message: the chat template does not use \"", Quote(field), "\""));
  if (content->is_array()) {
    Json blocks = *content;
    for (auto block = blocks.items().rbegin(); block != blocks.items().rend(); ++block) {
      const Json* text = block->Find("text");
      if (!text) continue;
      if (!text->is_string()) return Invalid("continue_final_message: the final message's text is no string");
      std::string before = text->AsString();
      block->Set("text", before + std::string(kContinueTag));
      message.Set(field, std::move(blocks));
      return before;
    }
    return Invalid("continue_final_message: there is no text to continue in the final message");
  }
  if (!content->is_string()) return Invalid("continue_final_message: the final message's content is no text");
  std::string before = content->AsString();
  for (const std::string& name : fields) message.Set(name, before + std::string(kContinueTag));
  return before;
}

// Levels of marks: what a rendering is made of.
constexpr uint8_t kAnswerMark = 1, kGivenMark = 2;

// Marks what is not the template's own; `variables` must stay where it is.
void MarkOrigins(const Json& variables, const ChatTemplate& chat, jinja::RenderOptions& options) {
  for (const auto& [name, value] : variables.members()) {
    if (!chat.special_tokens.Find(name)) options.marks[&value] = kGivenMark;
    if (name != "messages") continue;
    for (const Json& message : value.items()) {
      if (message["role"].is_string() && message["role"].AsString() == "assistant") options.marks[&message] = kAnswerMark;
    }
  }
}

// Cuts the rendered text where the tag stands.
Result<std::string> CutAtTag(std::string rendered, std::string_view final_text) {
  const std::string_view tag = jinja::Strip(kContinueTag);
  const size_t at = rendered.rfind(tag);
  if (at == std::string::npos || rendered.find(jinja::Strip(final_text)) == std::string::npos) {
    return Invalid(
        "continue_final_message: the final message does not appear in the rendered chat; "
        "the chat template changes or deletes it");
  }
  const bool spacing_kept = std::string_view(rendered).substr(at, kContinueTag.size()) == kContinueTag;
  rendered.resize(at);
  if (!spacing_kept) rendered.resize(jinja::Strip(rendered, jinja::Side::kRight).size());
  return rendered;
}

// The text of a special token: a string, or an object with "content".
const Json* TokenText(const Json& token) {
  if (token.is_string()) return &token;
  const Json* content = token.Find("content");
  return content && content->is_string() ? content : nullptr;
}

}  // namespace

Result<ChatTemplate> ChatTemplate::Make(std::string_view source, const Json& special_tokens,
                                        const jinja::TemplateLimits& limits) {
  LFM_TRY(jinja::Template program, jinja::Template::Parse(source, limits));
  ChatTemplate chat;
  chat.program = std::move(program);
  chat.source = source;
  chat.special_tokens = Json::MakeObject();
  for (const auto& [name, token] : special_tokens.members()) {
    if (const Json* text = TokenText(token)) chat.special_tokens.Set(name, *text);
  }
  return chat;
}

Result<std::string> RenderChat(const ChatTemplate& chat, const Json& messages, const ChatOptions& options) {
  LFM_TRY(ChatText rendered, RenderChatText(chat, messages, options));
  return std::move(rendered.text);
}

Result<ChatText> RenderChatText(const ChatTemplate& chat, const Json& messages, const ChatOptions& options) {
  if (options.continue_final_message && options.add_generation_prompt) {
    return Invalid("continue_final_message and add_generation_prompt exclude each other");
  }
  LFM_TRY(Json prepared, PrepareMessages(messages));
  const auto given = [&](const Json* list, std::string_view name) {
    return list && !list->is_null() ? list : options.extra.Find(name);
  };
  LFM_TRY(Json tools, ListOfObjects(given(options.tools, "tools"), "tools"));
  LFM_TRY(Json documents, ListOfObjects(given(options.documents, "documents"), "documents"));
  std::string final_text;
  if (options.continue_final_message) {
    LFM_TRY(final_text, TagFinalMessage(prepared.items().back(), options.continue_field, chat.source));
  }
  Json variables = Json::MakeObject();
  variables.members() = chat.special_tokens.members();
  for (const auto& [name, value] : options.extra.members()) variables.Set(name, value);
  variables.Set("messages", std::move(prepared));
  variables.Set("tools", std::move(tools));
  variables.Set("documents", std::move(documents));
  variables.Set("add_generation_prompt", options.add_generation_prompt);
  jinja::RenderOptions render = options.render;
  MarkOrigins(variables, chat, render);
  LFM_TRY(jinja::MarkedText rendered, chat.program.RenderMarked(variables, render));
  ChatText out{std::move(rendered.text), {}};
  if (options.continue_final_message) {
    LFM_TRY(out.text, CutAtTag(std::move(out.text), final_text));
  }
  for (const jinja::Mark& mark : rendered.marks) {
    if (mark.begin >= out.text.size()) break;
    out.spans.push_back({mark.begin, std::min(mark.end, out.text.size()),
                         mark.level == kAnswerMark ? ParseSpecial::kAnswer : ParseSpecial::kNone});
  }
  return out;
}

bool PromptOpensThinking(std::string_view prompt) { return jinja::Strip(prompt, jinja::Side::kRight).ends_with("<think>"); }

}  // namespace lfm::text
