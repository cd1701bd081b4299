#include "base/plain_json.h"

#include <string_view>

#include "base/strings.h"

namespace lfm {

std::string PlainJson(const std::string& json) {
  std::string out;
  size_t begin = 0;
  for (size_t i = 0; i < json.size(); ++i) {
    const auto c = static_cast<unsigned char>(json[i]);
    if (c < 0x7F || (c > 0x7F && c != 0xC2 && c != 0xD8 && c != 0xE2 && c != 0xEF)) continue;  // lead bytes of controls
    const size_t length = c < 0x80 ? 1 : c < 0xE0 ? 2 : 3;
    const std::string plain = Plain(std::string_view(json).substr(i, length));
    if (plain[0] != '\\') continue;
    out.append(json, begin, i - begin);
    out += length == 1 ? "\\u007f" : plain;
    begin = i + length;
    i = begin - 1;
  }
  return begin == 0 ? json : out.append(json, begin);
}

}  // namespace lfm
