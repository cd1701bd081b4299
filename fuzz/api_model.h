// A text model of bytes and special tokens, for the fuzz targets of the APIs.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "engine/chat_prompt.h"
#include "engine/text_model.h"
#include "server/grammar_set.h"
#include "server/parameters.h"
#include "server/response_store.h"
#include "server/translation.h"

namespace lfm::fuzz {

inline text::Tokenizer ByteTokenizer() {
  text::TokenizerSpec spec;
  for (int byte = 0; byte < 256; ++byte) {
    spec.tokens.push_back({std::string(1, static_cast<char>(static_cast<unsigned char>(byte))), text::TokenKind::kNormal, true});
  }
  for (const char* content : {"<|startoftext|>", "<|im_start|>", "<|im_end|>", "<|tool_call_start|>", "<|tool_call_end|>"}) {
    const auto id = static_cast<int32_t>(spec.tokens.size());
    spec.tokens.push_back({content, text::TokenKind::kSpecial, false});
    spec.added.push_back({id, content, true});
  }
  spec.bos = 256;
  spec.eos = 258;
  auto made = text::Tokenizer::Create(std::move(spec));
  if (!made.ok()) std::abort();
  return std::move(made).value();
}

inline const engine::TextModel& ByteModel() {
  static const engine::TextModel model = [] {
    text::Tokenizer tokenizer = ByteTokenizer();
    const std::string source =
        "{{- bos_token -}}{%- if tools -%}{{- tools | tojson -}}{%- endif -%}{%- for m in messages -%}"
        "{{- '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' -}}{%- endfor -%}"
        "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}";
    auto chat = engine::MakeChatTemplate(tokenizer, source);
    return engine::TextModel{std::move(tokenizer), source, std::move(chat), {}};
  }();
  return model;
}

inline server::ServedModel ByteServed() {
  server::ServedModel model;
  model.text = &ByteModel();
  model.names = {"m"};
  model.any_name = true;
  model.n_ctx = 4096;
  model.vocab_size = ByteModel().tokenizer.n_tokens();
  model.grammars = std::make_shared<server::GrammarSet>(model.text->tokenizer, model.vocab_size);
  model.has_seed = true;
  return model;
}

// A body through one translation; what is accepted keeps its promises to the engine.
template <typename Translate>
int TryBody(const uint8_t* data, size_t size, const Translate& translate) {
  const auto body = server::ParseBody({reinterpret_cast<const char*>(data), size});
  if (!body.ok()) return 0;
  server::HttpRequest http;
  http.path = "/v1/fuzz";
  static const server::ServedModel model = ByteServed();
  auto translated = translate(*body, http, model);
  if (!translated.ok()) {
    if (translated.error().status < 400 || translated.error().status >= 500) std::abort();
    return 0;
  }
  for (const engine::Request& request : translated->requests) {
    if (request.prompt.empty() || static_cast<int64_t>(request.prompt.size()) > model.n_ctx) std::abort();
    if (request.n < 1 || request.n > engine::kMaxChoices) std::abort();
    if (!engine::Validate(request.params.sampling, model.vocab_size).ok()) std::abort();
    for (const int32_t id : request.prompt) {
      if (id < 0 || id >= model.vocab_size) std::abort();
    }
  }
  std::string out;
  translated->writer->Begin(1, out);
  return 0;
}

}  // namespace lfm::fuzz
