// Tokens to text, one at a time, without ever splitting a character.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "text/tokenizer.h"

namespace lfm::text {

// Turns a stream of bytes into a stream of valid UTF-8. The pieces together equal Python's
// bytes.decode("utf-8", errors="replace") of all bytes: each maximal part that cannot become a character is
// one U+FFFD.
class Utf8Stream {
 public:
  // The text that is certain now; at most three bytes are held back.
  std::string Push(std::string_view bytes);
  // What was held back, as U+FFFD, at the end of the stream. The stream can be used anew afterwards.
  std::string Finish();

 private:
  std::string held_;
};

// Text of a generated sequence. Borrows the tokenizer.
class StreamDecoder {
 public:
  enum class Special { kShown, kAll };  // kShown: Tokenizer::IsShown decides; kAll: every token is written
  explicit StreamDecoder(const Tokenizer& tokenizer, Special special = Special::kShown)
      : tokenizer_(&tokenizer), special_(special) {}

  // The text that this token completes; often empty inside a character. A token that is not shown adds no
  // bytes.
  std::string Push(int32_t id);
  std::string Finish() { return stream_.Finish(); }

 private:
  const Tokenizer* tokenizer_;
  Special special_;
  Utf8Stream stream_;
};

}  // namespace lfm::text
