// Incremental UTF-8: passes whole characters on and holds back what may still become one.
#include "text/stream_decoder.h"

#include "base/strings.h"

namespace lfm::text {
namespace {

// How many bytes at the end of `bytes` begin a character that more bytes could complete: 0 to 3.
size_t UnfinishedTail(std::string_view bytes) {
  for (size_t n = 1; n <= 3 && n <= bytes.size(); ++n) {
    const std::string_view tail = bytes.substr(bytes.size() - n);
    const auto lead = static_cast<unsigned char>(tail[0]);
    if ((lead & 0xC0) == 0x80) continue;  // inside a character: look for its lead byte
    const size_t length = lead >= 0xC2 && lead <= 0xDF ? 2 : (lead & 0xF0) == 0xE0 ? 3 : lead >= 0xF0 && lead <= 0xF4 ? 4 : 1;
    if (n >= length) return 0;
    if (n >= 2) {
      // The second byte of these leads has a narrower range; outside it no character can follow.
      const auto second = static_cast<unsigned char>(tail[1]);
      const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
      const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
      if (second < low || second > high) return 0;
    }
    return n;
  }
  return 0;
}

}  // namespace

std::string Utf8Stream::Push(std::string_view bytes) {
  held_ += bytes;
  const size_t n_certain = held_.size() - UnfinishedTail(held_);
  std::string text = ToValidUtf8(std::string_view(held_).substr(0, n_certain));
  held_.erase(0, n_certain);
  return text;
}

std::string Utf8Stream::Finish() {
  std::string text = ToValidUtf8(held_);
  held_.clear();
  return text;
}

std::string StreamDecoder::Push(int32_t id) {
  if (special_ == Special::kShown && !tokenizer_->IsShown(id)) return {};
  return stream_.Push(tokenizer_->Bytes(id));
}

}  // namespace lfm::text
