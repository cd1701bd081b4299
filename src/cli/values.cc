#include "cli/values.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "base/strings.h"

namespace lfm::cli {
namespace {

template <typename T>
Result<T> ParseNumber(std::string_view text, const char* wanted) {
  if (text.starts_with('+')) text.remove_prefix(1);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) {
    return Error{ErrorCode::kInvalidArgument, StrCat(Quote(text), " is out of range")};
  }
  if (error != std::errc() || end != text.data() + text.size()) {
    return Error{ErrorCode::kInvalidArgument, StrCat(Quote(text), " is not ", wanted)};
  }
  return value;
}

}  // namespace

Result<int64_t> ParseInteger(const std::string& text) { return ParseNumber<int64_t>(text, "an integer"); }

Result<uint64_t> ParseUnsigned(const std::string& text) {
  return ParseNumber<uint64_t>(
      text, text.starts_with('-') ? "an integer of 0 or more; without the flag its default counts" : "an integer of 0 or more");
}

Result<float> ParseReal(const std::string& text) {
  LFM_TRY(const float value, ParseNumber<float>(text, "a number"));
  if (std::isnan(value)) return Error{ErrorCode::kInvalidArgument, StrCat(Quote(text), " is not a number")};
  return value;
}

Result<std::vector<int32_t>> ParseIds(std::string_view text) {
  std::vector<int32_t> ids;
  constexpr std::string_view kBetween = " ,\t\r\n[]";
  for (size_t at = text.find_first_not_of(kBetween); at != std::string_view::npos; at = text.find_first_not_of(kBetween, at)) {
    const size_t end = std::min(text.find_first_of(kBetween, at), text.size());
    LFM_TRY(const int32_t id, ParseNumber<int32_t>(text.substr(at, end - at), "a token id"));
    if (id < 0) return Error{ErrorCode::kInvalidArgument, StrCat(id, " is not a token id: it is negative")};
    ids.push_back(id);
    at = end;
  }
  return ids;
}

Result<std::pair<std::string, Json>> ParseSetting(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos) {
    return Error{ErrorCode::kInvalidArgument, StrCat("--set: ", Quote(text), " is not of the form key=value")};
  }
  const std::string value = text.substr(equals + 1);
  auto parsed = ParseJson(value);
  return std::pair<std::string, Json>(text.substr(0, equals), parsed.ok() ? std::move(parsed).value() : Json(value));
}

Result<std::pair<int32_t, float>> ParseLogitBias(const std::string& text) {
  const size_t equals = text.find_first_of("=:");
  const Error error{ErrorCode::kInvalidArgument, StrCat("--logit-bias: ", Quote(text), " is not of the form ID=VALUE")};
  if (equals == std::string::npos) return error;
  const auto id = ParseNumber<int32_t>(std::string_view(text).substr(0, equals), "a token id");
  const auto value = ParseReal(text.substr(equals + 1));
  if (!id.ok() || !value.ok() || *id < 0) return error;
  return std::pair<int32_t, float>(*id, *value);
}

std::string Base64(std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) group = group << 8 | (j < n ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    for (size_t j = 0; j < 4; ++j) out += j <= n ? kDigits[group >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

}  // namespace lfm::cli
