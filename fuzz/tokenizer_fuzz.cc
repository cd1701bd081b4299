// A hostile tokenizer.json, and text through it: nothing may crash, and what the demo tokenizer encodes comes
// back. Input: the file, a zero byte, then the text. Without a zero byte all of it is text for a small good
// tokenizer.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/strings.h"
#include "base/byte_alphabet.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"

namespace {

using lfm::Json;
using lfm::text::StreamDecoder;
using lfm::text::Tokenizer;

// All bytes, a few merges, added tokens with every flag.
Tokenizer MakeGoodTokenizer() {
  lfm::text::TokenizerSpec spec;
  for (int byte = 0; byte < 256; ++byte) {
    spec.tokens.push_back(
        {std::string(1, static_cast<char>(static_cast<unsigned char>(byte))), lfm::text::TokenKind::kNormal, true});
  }
  const auto merge = [&spec](int32_t left, int32_t right) {
    const auto id = static_cast<int32_t>(spec.tokens.size());
    spec.merges.push_back({left, right, id});
    spec.tokens.push_back({spec.tokens[static_cast<size_t>(left)].bytes + spec.tokens[static_cast<size_t>(right)].bytes,
                           lfm::text::TokenKind::kNormal, true});
    return id;
  };
  const int32_t spaces = merge(' ', ' ');
  merge(spaces, spaces), merge(merge('a', 'b'), 'c'), merge('a', 'a'), merge(0xC3, 0xA9);
  const auto add = [&spec](const char* content, bool special, bool single_word) {
    const auto id = static_cast<int32_t>(spec.tokens.size());
    spec.tokens.push_back({content, special ? lfm::text::TokenKind::kSpecial : lfm::text::TokenKind::kUserDefined, false});
    spec.added.push_back({id, content, special, single_word, false, false, !special});
  };
  add("<|im_end|>", true, false), add("<|im_", false, false), add("word", false, true);
  spec.ignore_merges = true;
  auto made = Tokenizer::Create(std::move(spec));
  if (!made.ok()) std::abort();
  return std::move(made).value();
}

void CheckStream(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  StreamDecoder decoder(tokenizer, StreamDecoder::Special::kAll);
  std::string streamed;
  for (const int32_t id : ids) streamed += decoder.Push(id);
  streamed += decoder.Finish();
  if (streamed != lfm::ToValidUtf8(tokenizer.Decode(ids))) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Tokenizer good = MakeGoodTokenizer();
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t zero = input.find('\0');
  if (zero == input.npos) {
    for (const bool parse_special : {true, false}) {
      const std::vector<int32_t> ids = good.Encode(input, true, parse_special);
      if (good.Decode(ids) != input) std::abort();
      CheckStream(good, ids);
    }
    return 0;
  }
  const auto json = lfm::ParseJson(input.substr(0, zero));
  if (!json.ok()) return 0;
  auto spec = lfm::text::SpecFromTokenizerJson(*json, *json);
  if (!spec.ok()) return 0;
  const auto tokenizer = Tokenizer::Create(std::move(spec).value());
  if (!tokenizer.ok()) return 0;
  const std::vector<int32_t> ids = tokenizer->Encode(input.substr(zero + 1), true);
  for (const int32_t id : ids) {
    if (id < 0 || id >= tokenizer->n_tokens()) std::abort();
  }
  CheckStream(*tokenizer, ids);
  return 0;
}
