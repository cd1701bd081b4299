// /v1/completions: the table of its body, and its translation.
#include <algorithm>

#include "base/strings.h"
#include "server/completions_writer.h"
#include "server/parameters.h"
#include "server/translation.h"

namespace lfm::server {
namespace {

constexpr size_t kMaxPrompts = 256;
constexpr int kMaxAnswers = 256;  // of all prompts together

SchemaMembers CompletionsMembers(bool lenient) {
  const Schema ids = TokenIdSchema();
  Schema prompts = ListSchema(TextSchema().Or(ids).Or(ListSchema(ids, 1)), 1);
  SchemaMembers members = {
      lenient ? Optional("model", TextSchema(), "") : Required("model", TextSchema(), "an id of /v1/models"),
      Required("prompt", TextSchema().Or(prompts), "a text, a list of texts, token ids, or a list of lists of them"),
      Optional("max_tokens", IntegerSchema(0), "16 where it is not given"),
      Optional("logprobs", IntegerSchema(0, kMaxTopLogprobs), "alternatives of each token"),
      Optional("echo", BoolSchema(), "the prompt before the answer; with logprobs, its tokens' too"),
      Optional("best_of", IntegerSchema(1, engine::kMaxChoices), "n, and nothing else"),
      Optional("add_special_tokens", BoolSchema(), "true: a text gets the model's beginning-of-text token"),
      Optional("skip_special_tokens", BoolSchema(), "false: the answer shows special tokens"),
      Refused("suffix", "the model does not fill in the middle", {""}),
  };
  Append(members, SamplingMembers(2));
  Append(members, OpenAiMembers());
  Append(members, FormatMembers(!lenient));
  Append(members, ServingMembers());
  Append(members, RefusedMembers());
  return members;
}

const Schema& LenientSchema() {
  static const Schema schema = ObjectSchema(CompletionsMembers(true), {StreamOptionsRule()});
  return schema;
}

struct TokenPrompt {
  std::vector<int32_t> ids;
  int32_t n_hidden = 0;  // beginning-of-text tokens that the client did not send
  std::string text;
};

ApiResult<TokenPrompt> FromText(const ServedModel& model, const std::string& text, bool add_special) {
  const text::Tokenizer& tokenizer = model.text->tokenizer;
  TokenPrompt prompt;
  prompt.text = text;
  prompt.ids = tokenizer.Encode(text, false, true);
  const auto bos = tokenizer.bos();
  const bool begins = bos && !prompt.ids.empty() && prompt.ids.front() == *bos;
  if (bos && !begins && ((add_special && tokenizer.adds_bos()) || prompt.ids.empty())) {
    prompt.ids.insert(prompt.ids.begin(), *bos);
    prompt.n_hidden = 1;
  }
  if (prompt.ids.empty()) return BadRequest("prompt is empty", "prompt");
  return prompt;
}

ApiResult<TokenPrompt> FromIds(const ServedModel& model, const Json::Array& ids, const std::string& path) {
  TokenPrompt prompt;
  for (size_t i = 0; i < ids.size(); ++i) {
    const int64_t id = ids[i].AsInt(-1);
    if (!ids[i].is_number() || id < 0 || id >= model.vocab_size) {
      return BadRequest(
          StrCat(path, "[", i, "] is ", Quote(ids[i].Dump(), 30), ", which is no token id from 0 to ", model.vocab_size - 1),
          path);
    }
    prompt.ids.push_back(static_cast<int32_t>(id));
  }
  prompt.text = ToValidUtf8(model.text->tokenizer.Decode(prompt.ids));
  return prompt;
}

ApiResult<std::vector<TokenPrompt>> ReadPrompts(const Json& body, const ServedModel& model) {
  const Json& prompt = body["prompt"];
  const bool add_special = !body["add_special_tokens"].is_bool() || body["add_special_tokens"].AsBool();
  std::vector<TokenPrompt> prompts;
  if (prompt.is_string()) {
    LFM_TRY(TokenPrompt one, FromText(model, prompt.AsString(), add_special));
    prompts.push_back(std::move(one));
    return prompts;
  }
  const Json::Array& items = prompt.items();
  if (items.front().is_number()) {
    LFM_TRY(TokenPrompt one, FromIds(model, items, "prompt"));
    prompts.push_back(std::move(one));
    return prompts;
  }
  if (items.size() > kMaxPrompts) {
    return BadRequest(StrCat("prompt has ", items.size(), " prompts; at most ", kMaxPrompts, " are allowed"), "prompt",
                      "array_above_max_length");
  }
  for (size_t i = 0; i < items.size(); ++i) {
    const std::string path = StrCat("prompt[", i, "]");
    if (items[i].is_number()) return BadRequest(path + " must be a text or a list of token ids", path, "invalid_type");
    ApiResult<TokenPrompt> one =
        items[i].is_string() ? FromText(model, items[i].AsString(), add_special) : FromIds(model, items[i].items(), path);
    if (!one.ok()) return one.error();
    prompts.push_back(std::move(one).value());
  }
  return prompts;
}

ApiStatus CheckCompletions(const Json& body, int n) {
  if (body["best_of"].is_number() && body["best_of"].AsInt() != n) {
    return BadRequest("best_of other than n is not supported", "best_of", "unsupported_value");
  }
  return {};
}

}  // namespace

const Schema& CompletionsSchema() {
  static const Schema schema = ObjectSchema(CompletionsMembers(false), {StreamOptionsRule()});
  return schema;
}

ApiResult<Translated> TranslateCompletions(const Json& body, const HttpRequest& http, const ServedModel& model, bool lenient) {
  LFM_RETURN_IF_ERROR(Check(lenient ? LenientSchema() : CompletionsSchema(), body));
  LFM_RETURN_IF_ERROR(CheckModelName(model, body.Find("model"), !lenient));
  const int n = body["n"].is_number() ? static_cast<int>(body["n"].AsInt()) : 1;
  LFM_RETURN_IF_ERROR(CheckCompletions(body, n));
  LFM_TRY(std::vector<TokenPrompt> prompts, ReadPrompts(body, model));
  if (static_cast<int64_t>(prompts.size()) * n > kMaxAnswers) {
    return BadRequest(
        StrCat("prompts times n are ", prompts.size() * static_cast<size_t>(n), "; at most ", kMaxAnswers, " are allowed"), "n",
        "integer_above_max_value");
  }
  Translated out;
  CompletionsForm form;
  form.head = MakeHead(model, body, "cmpl-");
  form.n = n;
  form.include_usage = body["stream_options"]["include_usage"].AsBool();
  form.logprobs = body["logprobs"].is_number();
  form.echo = body["echo"].AsBool();
  form.content = !http.path.starts_with("/v1/");
  out.stream = body["stream"].AsBool();
  out.model = AnswerModelName(model, body);

  engine::Request request;
  LFM_TRY(request.params, ReadGeneration(body, model));
  request.params.stops = ReadStops(body["stop"]);
  request.n = n;
  request.params.max_tokens = body["max_tokens"].is_number() ? ReadMaxTokens(body, model) : 16;
  if (form.logprobs) request.params.n_logprobs = static_cast<int>(body["logprobs"].AsInt());
  if (body["skip_special_tokens"].is_bool() && !body["skip_special_tokens"].AsBool()) {
    request.params.special = text::StreamDecoder::Special::kAll;
    out.reader.shows_all = true;
  }
  request.prompt_logprobs = form.logprobs && form.echo;
  LFM_TRY(const OutputFormat format, ReadFormat(body));
  LFM_TRY(request.params.mask, MakeMask(model, format, ToolUse{}, false, form.head.unenforced));
  LFM_RETURN_IF_ERROR(ReadServing(body, http, request));
  for (TokenPrompt& prompt : prompts) {
    LFM_RETURN_IF_ERROR(CheckRoom(model, prompt.ids.size(), request.params.max_tokens, "prompt"));
    request.prompt = std::move(prompt.ids);
    out.requests.push_back(request);
    out.hidden_prefix.push_back(prompt.n_hidden);
    if (form.echo) form.prompts.push_back(std::move(prompt.text));
  }
  out.reader.parse = false;
  out.reader.figures = form.logprobs;
  out.reader.n_top = request.params.n_logprobs;
  out.reader.ignore_eos = request.params.ignore_eos;
  out.writer = std::make_unique<CompletionsWriter>(std::move(form));
  return out;
}

}  // namespace lfm::server
