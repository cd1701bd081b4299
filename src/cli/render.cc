// lfm render: messages to the exact prompt.
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/messages.h"
#include "cli/model_args.h"
#include "cli/output.h"
#include "cli/values.h"
#include "engine/chat_prompt.h"
#include "engine/text_model.h"

namespace lfm::cli {
namespace {

class RenderCommand : public Command {
 public:
  void Declare(Args& args) override {
    model_.DeclareModel(args);
    args.Text("--messages", messages_, "FILE", "the conversation: a JSON list of messages; - for standard input");
    args.Text("--tools", tools_, "FILE", "a JSON list of tools");
    args.Flag("--no-generation-prompt", no_generation_prompt_, "end after the last message");
    args.Flag("--continue", continue_, "end within the last message, for the model to go on with it");
    args.Text("--template", template_, "FILE", "use this template instead of the model's");
    args.Text("--template-name", template_name_, "NAME",
              "one of the model's templates (lfm info lists them); default: tool_use with tools, else default");
    args.Flag("--ids", ids_, "print the prompt's token ids, as the model reads them; --jsonl: also {\"ids\"}");
    args.Flag("--parse-special", parse_special_, "with --ids: special tokens that messages spell out become those tokens");
    args.Texts("--set", settings_, "KEY=VALUE", "a template variable: JSON where it parses, else a string");
    args.Flag("--json", json_, R"(print {"text"})");
    args.Flag("--jsonl", jsonl_, R"(a line {"messages", "tools", "add_generation_prompt", ...} in, {"text"} out)");
  }

  Result<int> Run() override {
    LFM_TRY(const std::string path, model_.Path());
    LFM_TRY(const Json variables, ParseSettings(settings_));
    LFM_TRY(const engine::TextModel model, engine::OpenTextModel(path));
    LFM_TRY(const std::optional<text::ChatTemplate> chat, Template(model));
    if (jsonl_) {
      return ForEachJsonLine([&](const Json& row) { return Line(model, chat, variables, row); });
    }
    if (!messages_) return Error{ErrorCode::kInvalidArgument, "no messages are given; use --messages FILE"};
    engine::ChatRequest request;
    LFM_RETURN_IF_ERROR(ReadMessages(*messages_, request));
    if (tools_) {
      LFM_TRY(request.tools, ReadTools(*tools_));
    }
    request.variables = variables;
    request.add_generation_prompt = !no_generation_prompt_ && !continue_;
    request.continue_final_message = continue_;
    auto rendered = Prompt(model, chat, request);
    if (!rendered.ok()) {
      const bool usable = chat || model.ChatFor(request.template_name, !request.tools.is_null()).ok();
      return PromptError(rendered.error(), template_ ? "--template " + *template_ : path,
                         usable ? "--messages " + *messages_ : "");
    }
    const engine::ChatPrompt prompt = std::move(rendered).value();
    if (json_) {
      WriteJson(PromptJson(prompt));
    } else if (ids_) {
      for (size_t i = 0; i < prompt.ids.size(); ++i) WriteOut(StrCat(i == 0 ? "" : " ", prompt.ids[i]));
      WriteOut("\n");
    } else {
      WriteData(prompt.text);
    }
    return kExitOk;
  }

 private:
  // With --template, or by the model's own templates.
  Result<engine::ChatPrompt> Prompt(const engine::TextModel& model, const std::optional<text::ChatTemplate>& chat,
                                    engine::ChatRequest& request) const {
    if (parse_special_) request.parse_special = true;
    if (template_name_) request.template_name = *template_name_;
    return chat ? engine::PromptIds(model.tokenizer, *chat, request) : engine::PromptIds(model, request);
  }

  Result<std::optional<text::ChatTemplate>> Template(const engine::TextModel& model) const {
    std::optional<text::ChatTemplate> given;
    if (template_) {
      LFM_TRY(given, TemplateOf(model.tokenizer, *template_));
    } else if (model.chat_template.empty() && model.named_chats.empty()) {
      return Error{ErrorCode::kInvalidArgument,
                   StrCat(model_.Path().value(), ": the model has no chat template; give one with --template FILE")};
    }
    return given;
  }

  Json PromptJson(const engine::ChatPrompt& prompt) const {
    Json out = Json::MakeObject();
    out.Set("text", prompt.text);
    if (ids_) out.Set("ids", IdsJson(prompt.ids));
    return out;
  }

  Result<Json> Line(const engine::TextModel& model, const std::optional<text::ChatTemplate>& chat, const Json& variables,
                    const Json& row) const {
    LFM_TRY(engine::ChatRequest request, engine::ChatRequestFromJson(row));
    if (row["continue_final_message"].is_null()) request.continue_final_message = continue_;
    if (row["add_generation_prompt"].is_null()) {
      request.add_generation_prompt = !no_generation_prompt_ && !request.continue_final_message;
    }
    for (const auto& [key, value] : variables.members()) request.variables.Set(key, value);
    LFM_TRY(const engine::ChatPrompt prompt, Prompt(model, chat, request));
    return PromptJson(prompt);
  }

  ModelArgs model_;
  std::optional<std::string> messages_, tools_, template_, template_name_;
  std::vector<std::string> settings_;
  bool no_generation_prompt_ = false, continue_ = false, ids_ = false, parse_special_ = false, json_ = false, jsonl_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeRender() { return std::make_unique<RenderCommand>(); }

}  // namespace lfm::cli
