// What transformers' AutoTokenizer reads from a folder besides tokenizer.json, brought together: tokens and names that
// only tokenizer_config.json, special_tokens_map.json or added_tokens.json hold, and chat templates in all their forms.
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"
#include "formats/checkpoint.h"

namespace lfm::formats {

// Makes `tokenizer` (tokenizer.json) and `config` (tokenizer_config.json, null when absent) complete, by the rules of
// transformers 5.24:
// - tokens of added_tokens_decoder, else of added_tokens.json, then named special tokens and those of
//   extra_special_tokens (or additional_special_tokens) join tokenizer["added_tokens"]. An id is the vocabulary's where
//   the text is in it, else the next free one, whatever the files say; of one text twice, the later flags count;
// - special_tokens_map.json counts where the configuration has no added_tokens_decoder;
// - config gets the standard names (bos_token, …) as texts, and all other named tokens as one object
//   "extra_special_tokens": the variables of chat templates.
void CompleteTokenizer(const Json& special_tokens_map, const Json& added_tokens, Json& tokenizer, Json& config);

// Fills model.chat_template and model.named_templates: chat_template.jinja and additional_chat_templates/*.jinja; without any,
// tokenizer_config.json's "chat_template" (a text, a list of {"name", "template"}, or an object by name); else
// chat_template.json, where processors once kept it.
Status ReadChatTemplates(const std::string& folder, Checkpoint& model);

}  // namespace lfm::formats
