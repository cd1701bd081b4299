// Grammars from hostile text, and the oracle: a mask allows exactly the tokens whose bytes the state takes one by one, and
// no state is a dead end.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "grammar/grammar.h"

namespace {

using namespace lfm;
using namespace lfm::grammar;

std::shared_ptr<const Vocabulary> MakeVocabulary() {
  std::vector<Vocabulary::Token> tokens(3);
  tokens[1] = {"<|end|>", true}, tokens[2] = {"<|mark|>", true};
  for (int byte = 0; byte < 256; ++byte) tokens.push_back({std::string(1, static_cast<char>(byte)), false});
  for (const char* piece : {"{\"", "\":", "\",\"", "\"}", "]}", "},", "null", "true", "12", "0.5", "-1", "a\"", "ab", "\\n",
                            "\\u00", "\xC3\xA9", "[[", ", "}) {
    tokens.push_back({piece, false});
  }
  return Vocabulary::Create(tokens, {1});
}

}  // namespace

// The first byte chooses the kind; then the grammar, a zero byte, and bytes that steer a walk through it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto vocabulary = MakeVocabulary();
  if (size < 2 || size > 4096) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t zero = std::min(input.find('\0'), input.size());
  const std::string_view text = input.substr(0, zero), walk = input.substr(std::min(zero + 1, input.size()));
  Spec spec;
  switch (data[0] % 4) {
    case 0:
    case 1: {
      auto schema = ParseJson(text);
      if (!schema.ok()) return 0;
      spec.kind = data[0] % 4 == 0 ? Kind::kJsonSchema : Kind::kTools;
      spec.schema = *schema;
      spec.tools.tools = {{"f", *schema}};
      spec.tools.start_id = 2, spec.tools.end_id = 2;
      break;
    }
    case 2: spec.kind = Kind::kRegex, spec.text = text; break;
    default: spec.kind = Kind::kGrammar, spec.text = text;
  }
  Budgets budgets;
  budgets.max_bytes = size_t{8} << 20;
  budgets.compile_time = std::chrono::milliseconds(500);
  const auto compiled = Compile(spec, budgets);
  if (!compiled.ok()) {
    if (compiled.error().message.empty()) std::abort();
    return 0;
  }
  State state = (*compiled)->Start();
  std::vector<uint32_t> mask(vocabulary->n_words());
  for (size_t step = 0; step < walk.size() && step < 24; ++step) {
    if (!state.Mask(*vocabulary, mask).ok()) return 0;
    std::vector<int32_t> allowed;
    for (int32_t id = 0; id < vocabulary->n_tokens(); ++id) {
      State copy = state;
      const auto accepted = copy.Accept(*vocabulary, id);
      if (!accepted.ok()) return 0;
      if (*accepted != ((mask[static_cast<size_t>(id) / 32] >> (id % 32) & 1) != 0)) std::abort();
      if (*accepted) allowed.push_back(id);
    }
    if (allowed.empty()) {
      if (!state.finished()) std::abort();
      return 0;
    }
    if (!*state.Accept(*vocabulary, allowed[static_cast<uint8_t>(walk[step]) % allowed.size()])) std::abort();
  }
  return 0;
}
