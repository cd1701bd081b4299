// Documents about the model: /v1/models in two shapes, /props, /tokenizer_info, and tokens to and fro.
#include <algorithm>

#include "base/strings.h"
#include "server/api.h"
#include "server/parameters.h"
#include "server/translation.h"

namespace lfm::server {
namespace {

// A token's text: a text where it is one, else its bytes, as llama.cpp gives them.
Json PieceJson(std::string_view bytes) {
  if (ToValidUtf8(bytes) == bytes) return Json(bytes);
  Json list = Json::MakeArray();
  for (const char c : bytes) list.Append(int{static_cast<unsigned char>(c)});
  return list;
}

void AppendIds(std::span<const int32_t> ids, std::string& out) {
  out += '[';
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i > 0) out += ',';
    out += std::to_string(ids[i]);
  }
  out += ']';
}

Json Parameter(const char* type, Json more = Json::MakeObject()) {
  more.Set("type", type);
  return more;
}

Json OpenRouterParameters(const ServedModel& model) {
  Json out = Json::MakeObject();
  for (const char* name :
       {"temperature", "top_p", "min_p", "frequency_penalty", "presence_penalty", "repetition_penalty", "stop", "logit_bias"}) {
    out.Set(name, Parameter("unknown"));
  }
  out.Set("top_k", Parameter("integer", Json::MakeObject({{"min", 0}})));
  out.Set("seed", Parameter("integer", Json::MakeObject({{"min", 0}, {"max", int64_t{9007199254740991}}})));
  out.Set("max_tokens", Parameter("integer", Json::MakeObject({{"min", 1}, {"max", model.n_ctx}, {"unit", "token"}})));
  for (const char* name : {"json_mode", "structured_outputs", "tools", "logprobs"}) out.Set(name, Parameter("boolean"));
  out.Set("tool_choice", Parameter("enum", Json::MakeObject({{"values", Json::MakeArray({"auto", "none", "required"})}})));
  return out;
}

Json PriceJson(const char* type, int64_t pico_dollars) {
  return Json::MakeObject({{"type", type}, {"unit", "token"}, {"cost_usd", DollarText(pico_dollars)}});
}

std::string SpecialText(const ServedModel& model, const char* name) {
  for (const auto& [key, text] : model.text->tokenizer.special_names()) {
    if (key == name) return text;
  }
  return "";
}

}  // namespace

Json ModelJson(const ServedModel& model, const std::string& name) {
  return Json::MakeObject({{"id", name},
                           {"object", "model"},
                           {"created", model.created},
                           {"owned_by", "lfm.cpp"},
                           {"root", model.names.front()},
                           {"parent", nullptr},
                           {"max_model_len", model.n_ctx},
                           {"context_length", model.n_ctx},
                           {"meta", model.meta}});
}

std::string ModelsDocument(const ServedModel& model) {
  Json list = Json::MakeArray();
  for (const std::string& name : model.names) list.Append(ModelJson(model, name));
  return Compact(Json::MakeObject({{"object", "list"}, {"data", std::move(list)}}));
}

std::string OpenRouterDocument(const ServedModel& model) {
  Json input = Json::MakeObject(
      {{"type", "text"},
       {"supported_inputs",
        Json::MakeObject({{"max_context_length", Json::MakeObject({{"value", model.n_ctx}, {"unit", "token"}})}})}});
  Json output = Json::MakeObject({{"type", "text"},
                                  {"streaming", true},
                                  {"max_length", Json::MakeObject({{"value", model.n_ctx}, {"unit", "token"}})},
                                  {"supported_parameters", OpenRouterParameters(model)}});
  if (model.pricing.prices) {
    const Prices& prices = *model.pricing.prices;
    input.Set("pricing", Json::MakeArray({PriceJson("prompt", prices.prompt), PriceJson("cached_prompt", prices.cached_prompt)}));
    output.Set("pricing", Json::MakeArray({PriceJson("completion", prices.completion)}));
  }
  Json one = Json::MakeObject({{"schema_version", "2.4"},
                               {"id", model.names.front()},
                               {"name", model.names.front()},
                               {"created", model.created},
                               {"quantization", model.quantization.empty() ? Json() : Json(model.quantization)},
                               {"input_modalities", Json::MakeArray({std::move(input)})},
                               {"output_modalities", Json::MakeArray({std::move(output)})},
                               {"is_ready", true}});
  if (!model.hugging_face_id.empty()) one.Set("hugging_face_id", model.hugging_face_id);
  return Compact(Json::MakeObject({{"data", Json::MakeArray({std::move(one)})}}));
}

Json PropsJson(const Api& api) {
  const ServedModel& model = api.model;
  const engine::SamplingParams& sampling = model.sampling;
  const Json params = Json::MakeObject({{"temperature", static_cast<double>(sampling.temperature)},
                                        {"top_k", sampling.top_k},
                                        {"top_p", static_cast<double>(sampling.top_p)},
                                        {"min_p", static_cast<double>(sampling.min_p)},
                                        {"typical_p", static_cast<double>(sampling.typical_p)},
                                        {"repeat_penalty", static_cast<double>(sampling.repetition_penalty)},
                                        {"presence_penalty", static_cast<double>(sampling.presence_penalty)},
                                        {"frequency_penalty", static_cast<double>(sampling.frequency_penalty)},
                                        {"max_tokens", model.max_tokens}});
  Json out = Json::MakeObject({{"default_generation_settings", Json::MakeObject({{"n_ctx", model.n_ctx}, {"params", params}})},
                               {"total_slots", api.n_parallel},
                               {"model_alias", model.names.front()},
                               {"model_path", model.path},
                               {"chat_template", model.text->chat_template},
                               {"bos_token", SpecialText(model, "bos_token")},
                               {"eos_token", SpecialText(model, "eos_token")},
                               {"build_info", api.version},
                               {"system_fingerprint", model.fingerprint}});
  if (api.limit_tokens_per_second > 0) out.Set("limit_tokens_per_second", api.limit_tokens_per_second);
  return out;
}

Json TokenizerInfoJson(const ServedModel& model) {
  Json out = Json::MakeObject({{"tokenizer_class", "PreTrainedTokenizerFast"},
                               {"vocab_size", int64_t{model.vocab_size}},
                               {"model_max_length", model.n_ctx},
                               {"add_bos_token", model.text->tokenizer.adds_bos()},
                               {"chat_template", model.text->chat_template}});
  for (const char* name : {"bos_token", "eos_token", "pad_token"}) out.Set(name, nullptr);
  for (const auto& [name, text] : model.text->tokenizer.special_names()) out.Set(name, text);
  return out;
}

const Schema& TokenizeSchema() {
  static const Schema schema = ObjectSchema(
      {Optional("model", TextSchema(), ""), Optional("content", TextSchema(), "the text"),
       Optional("text", TextSchema(), "the same"), Optional("prompt", TextSchema(), "the same under vLLM's name"),
       Optional("messages", MessagesSchema(), "instead of a text: a conversation, through the chat template"),
       Optional("add_special", BoolSchema(), "true: with the beginning-of-text token"),
       Optional("add_special_tokens", BoolSchema(), "the same under vLLM's name"),
       Optional("parse_special", BoolSchema(), "false: special tokens in the text are ordinary text"),
       Optional("with_pieces", BoolSchema(), "each token with its text")},
      {{SchemaRule::Kind::kSome, {"content", "text", "prompt", "messages"}, "content is missing: the text to tokenize"}});
  return schema;
}

const Schema& DetokenizeSchema() {
  static const Schema schema =
      ObjectSchema({Optional("model", TextSchema(), ""), Required("tokens", ListSchema(TokenIdSchema()), "token ids")});
  return schema;
}

const Schema& ApplyTemplateSchema() {
  static const Schema schema = ObjectSchema({Required("messages", MessagesSchema(), "the conversation"),
                                             Optional("tools", ToolListSchema(), "as in chat completions"),
                                             Optional("add_generation_prompt", BoolSchema(), "true where it is not given")});
  return schema;
}

ApiResult<std::string> Tokenize(const Json& body, const ServedModel& model) {
  LFM_RETURN_IF_ERROR(Check(TokenizeSchema(), body));
  LFM_RETURN_IF_ERROR(CheckModelName(model, body.Find("model"), false));
  std::vector<int32_t> ids;
  if (!body["messages"].is_null()) {
    LFM_TRY(Prompt prompt, ChatPrompt(body, model));
    ids = std::move(prompt.ids);
  } else {
    const Json* text = nullptr;
    for (const char* name : {"content", "text", "prompt"}) {
      if (!text && body[name].is_string()) text = &body[name];
    }
    const bool special = body["add_special"].AsBool() || body["add_special_tokens"].AsBool();
    const bool parse = !body["parse_special"].is_bool() || body["parse_special"].AsBool();
    model.text->tokenizer.Encode(text->AsString(), special, parse, ids);
  }
  std::string out = "{\"tokens\":";
  if (body["with_pieces"].AsBool()) {
    Json list = Json::MakeArray();
    for (const int32_t id : ids) {
      list.Append(Json::MakeObject({{"id", int64_t{id}}, {"piece", PieceJson(model.text->tokenizer.Bytes(id))}}));
    }
    out += Compact(list);
  } else {
    AppendIds(ids, out);
  }
  return out + StrCat(",\"count\":", ids.size(), ",\"max_model_len\":", model.n_ctx, "}");
}

ApiResult<std::string> Detokenize(const Json& body, const ServedModel& model) {
  LFM_RETURN_IF_ERROR(Check(DetokenizeSchema(), body));
  LFM_RETURN_IF_ERROR(CheckModelName(model, body.Find("model"), false));
  std::vector<int32_t> ids;
  for (const Json& token : body["tokens"].items()) {
    const int64_t id = token.AsInt(-1);
    if (id < 0 || id >= model.vocab_size) {
      return BadRequest(StrCat("tokens[", ids.size(), "] is ", Quote(token.Dump(), 30), ", which is no token id from 0 to ",
                               model.vocab_size - 1),
                        StrCat("tokens[", ids.size(), "]"));
    }
    ids.push_back(static_cast<int32_t>(id));
  }
  const std::string text = ToValidUtf8(model.text->tokenizer.Decode(ids));
  return Compact(Json::MakeObject({{"content", text}, {"prompt", text}}));
}

}  // namespace lfm::server
