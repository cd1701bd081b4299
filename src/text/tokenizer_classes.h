// Names of tokenizer classes whose rules are in transformers' code and not in tokenizer.json.
#pragma once

#include <string_view>

namespace lfm::text {

// Whether transformers (5.24), told of this "tokenizer_class", splits by rules of the class's own, whatever tokenizer.json
// says: "Qwen2Tokenizer", "GPT2TokenizerFast". All other names, known or not, leave the file as it is.
bool HasOwnRules(std::string_view tokenizer_class);

}  // namespace lfm::text
