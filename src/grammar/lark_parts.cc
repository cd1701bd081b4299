#include "grammar/lark_parts.h"

#include <algorithm>
#include <charconv>

#include "base/strings.h"
#include "grammar/code_points.h"
#include "grammar/regex_parse.h"
#include "grammar/vocabulary.h"

namespace lfm::grammar {
namespace {

constexpr size_t kMaxChunks = 2000;          // of a substring
constexpr uint32_t kMaxTokenRange = 10'000;  // ids of one grammar's <[first-last]>

Error ForeignPart(std::string_view what) { return {ErrorCode::kUnsupported, StrCat(what, " is not supported")}; }
Error WrongPart(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

// "5" or "7-9" at the beginning of `list`, which loses it.
bool TakeRange(std::string_view& list, uint32_t& first, uint32_t& last) {
  const auto number = [&](uint32_t& out) {
    const auto parsed = std::from_chars(list.data(), list.data() + list.size(), out);
    if (parsed.ec != std::errc() || out > INT32_MAX) return false;
    list.remove_prefix(static_cast<size_t>(parsed.ptr - list.data()));
    return true;
  };
  if (!number(first)) return false;
  last = first;
  if (!list.starts_with('-')) return true;
  list.remove_prefix(1);
  return number(last) && first <= last;
}

// The chunks of a text: runs of white space, of letters, digits and `_`, and of all else.
Result<std::vector<std::string>> Words(RegexPool& pool, std::string_view text) {
  LFM_TRY(const Re blank, ParseRegex(pool, "\\s", {.anchored = true}));
  LFM_TRY(const Re letter, ParseRegex(pool, "[\\p{L}\\p{N}_]", {.anchored = true}));
  std::vector<std::string> chunks;
  int before = -1;
  for (size_t at = 0; at < text.size();) {
    const size_t start = at;
    ReadCode(text, at);
    const std::string_view one = text.substr(start, at - start);
    const int kind = pool.Matches(blank, one) ? 0 : pool.Matches(letter, one) ? 1 : 2;
    if (kind != before) chunks.emplace_back();
    chunks.back() += one;
    before = kind;
  }
  return chunks;
}

}  // namespace

Result<Json> ReadJsonAt(std::string_view text, size_t& at) {
  if (at >= text.size() || text[at] != '{') return WrongPart("'{' is expected");
  size_t end = at, depth = 0;
  bool in_string = false;
  for (; end < text.size(); ++end) {
    const char c = text[end];
    if (in_string) {
      if (c == '\\') ++end;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      LFM_TRY(Json json, ParseJson(text.substr(at, end + 1 - at)));
      at = end + 1;
      return json;
    }
  }
  return WrongPart("a JSON object has no end");
}

Result<Re> SpecialTokenLanguage(RegexPool& pool, std::string_view name, const SpecialTokens& special) {
  const auto unknown = [&](std::string_view token) {
    return ForeignPart(StrCat("the special token ", token, ", which ",
                              special.empty() ? "no vocabulary is known to have," : "the vocabulary does not have,"));
  };
  if (!name.starts_with("<[") || !name.ends_with("]>")) {
    const auto known = std::find_if(special.begin(), special.end(), [&](const auto& one) { return one.first == name; });
    if (known == special.end()) return unknown(Quote(name));
    return pool.Literal(Vocabulary::SpecialBytes(known->second));
  }
  std::string_view list = name.substr(2, name.size() - 4);
  if (list.starts_with('^') || list == "*") return ForeignPart(StrCat("any token, or any but some, as ", Quote(name), " says,"));
  std::vector<Re> tokens;
  for (;;) {
    uint32_t first = 0, last = 0;
    if (!TakeRange(list, first, last))
      return WrongPart(StrCat("ids of tokens stand as <[5]> or <[5,7-9]>, not as ", Quote(name)));
    if (last - first >= kMaxTokenRange - std::min<size_t>(tokens.size(), kMaxTokenRange)) {
      return Error{ErrorCode::kLimit, StrCat("more than ", kMaxTokenRange, " ids of tokens")};
    }
    for (uint32_t id = first; id <= last; ++id) {
      const auto same = [&](const auto& one) { return one.second == static_cast<int32_t>(id); };
      if (!special.empty() && std::none_of(special.begin(), special.end(), same)) return unknown(StrCat("<[", id, "]>"));
      tokens.push_back(pool.Literal(Vocabulary::SpecialBytes(static_cast<int32_t>(id))));
    }
    if (list.empty()) return pool.Or(std::move(tokens));
    if (!list.starts_with(',')) return WrongPart(StrCat("ids of tokens stand as <[5]> or <[5,7-9]>, not as ", Quote(name)));
    list.remove_prefix(1);
  }
}

Result<Re> SubstringLanguage(RegexPool& pool, const Json& object) {
  constexpr std::string_view kWhat = R"(%regex takes one of "substring_chunks", "substring_words" and "substring_chars")";
  if (object.members().size() != 1) return WrongPart(std::string(kWhat));
  const auto& [name, value] = object.members()[0];
  std::vector<std::string> chunks;
  if (name == "substring_chunks") {
    if (!value.is_array()) return WrongPart("\"substring_chunks\" is no list");
    for (const Json& chunk : value.items()) {
      if (!chunk.is_string()) return WrongPart("\"substring_chunks\" holds more than strings");
      if (!chunk.AsString().empty()) chunks.push_back(chunk.AsString());
    }
  } else if (name == "substring_words" || name == "substring_chars") {
    if (!value.is_string()) return WrongPart(StrCat(Quote(name), " is no string"));
    const std::string& text = value.AsString();
    if (name == "substring_words") {
      LFM_TRY(chunks, Words(pool, text));
    } else {
      for (size_t at = 0, start = 0; at < text.size(); start = at) {
        ReadCode(text, at);
        chunks.push_back(text.substr(start, at - start));
      }
    }
  } else {
    return ForeignPart(StrCat(Quote(name), " of %regex"));
  }
  if (chunks.size() > kMaxChunks) return Error{ErrorCode::kLimit, StrCat("a substring of more than ", kMaxChunks, " chunks")};
  std::vector<Re> from{RegexPool::kEmpty};
  for (size_t i = chunks.size(); i-- > 0;) from.push_back(pool.Optional(pool.Concat(pool.Literal(chunks[i]), from.back())));
  return pool.Or(std::move(from));
}

Status CheckLarkSettings(const Json& settings) {
  for (const auto& [name, value] : settings.members()) {
    // How tokens are forced is the engine's own matter, and what is ignored may stand before the first word in any case.
    if (name != "no_forcing" && name != "allow_initial_skip") return ForeignPart(StrCat("the setting ", Quote(name)));
    if (!value.is_bool()) return WrongPart(StrCat("the setting ", Quote(name), " is neither true nor false"));
  }
  return Ok();
}

}  // namespace lfm::grammar
