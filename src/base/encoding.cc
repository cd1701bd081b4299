#include "base/encoding.h"

#include "base/strings.h"

namespace lfm {
namespace {

// "" where it is none of them.
std::string_view WideEncodingOf(std::string_view text) {
  using namespace std::string_view_literals;
  if (text.starts_with("\xFF\xFE\0\0"sv) || text.starts_with("\0\0\xFE\xFF"sv)) return "UTF-32";
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) return "UTF-16";
  if (text.size() < 4) return "";
  const auto zero = [&](size_t i) { return text[i] == '\0'; };
  if (!zero(0) && zero(1) && !zero(2) && zero(3)) return "UTF-16LE";
  if (zero(0) && !zero(1) && zero(2) && !zero(3)) return "UTF-16BE";
  if (!zero(0) && zero(1) && zero(2) && zero(3)) return "UTF-32LE";
  return zero(0) && zero(1) && zero(2) && !zero(3) ? "UTF-32BE" : "";
}

}  // namespace

Status CheckEncoding(std::string_view text, std::string_view name) {
  const std::string_view encoding = WideEncodingOf(text);
  if (encoding.empty()) return Ok();
  return Error{ErrorCode::kInvalidArgument,
               StrCat(name, " is ", encoding, ", not UTF-8; convert it: iconv -f ", encoding, " -t UTF-8")};
}

std::string_view WithoutMark(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return text;
}

}  // namespace lfm
