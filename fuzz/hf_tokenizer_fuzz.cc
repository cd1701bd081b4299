// The files of a folder that tell of its tokenizer: any four JSON documents, one a line, come together, and the tokenizer
// made of them is one or an error.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/json.h"
#include "formats/hf_tokenizer.h"
#include "text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  lfm::Json documents[4];  // tokenizer.json, tokenizer_config.json, special_tokens_map.json, added_tokens.json
  for (lfm::Json& document : documents) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    if (auto json = lfm::ParseJson(rest.substr(0, end)); json.ok()) document = std::move(json).value();
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  lfm::formats::CompleteTokenizer(documents[2], documents[3], documents[0], documents[1]);
  // What is complete stays as it is.
  lfm::Json tokenizer = documents[0], config = documents[1];
  const lfm::Json added = tokenizer["added_tokens"];
  lfm::formats::CompleteTokenizer(lfm::Json(), lfm::Json(), tokenizer, config);
  if (documents[0]["model"]["vocab"].is_object()) LFM_CHECK(tokenizer["added_tokens"].items().size() == added.items().size());
  auto spec = lfm::text::SpecFromTokenizerJson(documents[0], documents[1]);
  if (!spec.ok()) return 0;
  const auto made = lfm::text::Tokenizer::Create(std::move(spec).value());
  if (made.ok()) (void)made->Encode("<b>ab X<c>", true);
  return 0;
}
