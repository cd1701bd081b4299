#include "grammar/lexer.h"

#include <algorithm>
#include <array>

#include "grammar/code_points.h"
#include "grammar/hash.h"

namespace lfm::grammar {
namespace {

// Phases inside a string: 0 between characters, 1 after a backslash, then \u and its digits so far. Only control
// characters are written with \u, so two zeros, a 0 or 1 and one digit.
constexpr uint32_t kEscape = 1, kUnicode = 2, kUnicode0 = 3, kUnicode00 = 4, kUnicode000 = 5, kUnicode001 = 6;
// After a single quote, which closes the text only if what comes next may stand behind a value: "It's late" needs no
// escape. The same quote and a blank.
constexpr uint32_t kQuote = 10, kQuoteBlank = 11;
constexpr uint32_t kLookAhead = 8;  // bytes behind a token that are asked about, for quotes and escapes
constexpr std::string_view kBehindValues = ",)]}:";
constexpr char kEscapes[] = "\"\\bfnrt", kEscaped[] = "\"\\\b\f\n\r\t";

int HexDigit(uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  const int low = c | 32;
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

}  // namespace

Lexer::Lexer(RegexPool& pool) : pool_(pool) {
  states_.resize(kFirstFree);
  rows_.resize(size_t{kFirstFree} * 256, kCross);
  std::fill_n(rows_.begin(), 256, kDead);
  const auto set = [&](uint32_t state, char byte, uint32_t next) {
    rows_[size_t{state} * 256 + static_cast<uint8_t>(byte)] = next;
  };
  set(kSpace, ' ', kSpaced), set(kSpace, '\n', kSpaced + 1);
  for (const char blank : {' ', '\n', '\t', '\r'}) set(kSpaced, blank, kDead);
  for (uint32_t n = 0; n <= kMaxBlanks; ++n) {
    const uint32_t state = kSpaced + 1 + n;
    for (const char blank : {' ', '\n', '\t', '\r'}) set(state, blank, kDead);
    if (n < kMaxBlanks) set(state, ' ', state + 1), set(state, '\t', state + 1);
  }
}

uint32_t Lexer::StateFor(Kind kind, std::vector<Re> parts, Text text, uint32_t phase) {
  if (std::all_of(parts.begin(), parts.end(), [](Re re) { return re == RegexPool::kNone; })) return kDead;
  uint64_t hash = Mix(static_cast<uint64_t>(kind) << 2 | static_cast<uint64_t>(text), phase);
  for (const Re part : parts) hash = Mix(hash, part);
  for (auto [it, end] = index_.equal_range(hash); it != end; ++it) {
    const State& other = states_[it->second];
    if (other.kind == kind && other.phase == phase && other.text == text && other.parts == parts) return it->second;
  }
  states_.push_back({kind, text, phase, std::move(parts)});
  rows_.resize(rows_.size() + 256, kUnknown);
  const auto id = static_cast<uint32_t>(states_.size() - 1);
  index_.emplace(hash, id);
  return id;
}

bool Lexer::AnyLive(const std::vector<Re>& parts, std::string_view decoded) {
  return std::any_of(parts.begin(), parts.end(), [&](Re re) { return pool_.Live(pool_.Next(re, decoded)); });
}
bool Lexer::AnyEnds(const std::vector<Re>& parts) const {
  return std::any_of(parts.begin(), parts.end(), [&](Re re) { return pool_.Nullable(re); });
}

// All parts move on by `decoded`; those without a way to end are dropped.
uint32_t Lexer::Feed(uint32_t from, std::string_view decoded, uint32_t phase) {
  const State& state = states_[from];
  std::vector<Re> parts = state.parts;
  const Kind kind = state.kind;
  const Text text = state.text;
  for (Re& part : parts) {
    part = pool_.Next(part, decoded);
    if (!pool_.Live(part)) part = RegexPool::kNone;
  }
  return StateFor(kind, std::move(parts), text, phase);
}

uint32_t Lexer::Fill(uint32_t state, uint8_t byte) {
  const char c = static_cast<char>(byte);
  uint32_t next = kDead;
  switch (states_[state].kind) {
    case Kind::kFixed: break;
    case Kind::kRaw: next = Feed(state, {&c, 1}, 0); break;
    case Kind::kFree: next = byte == 0xFF ? (AnyEnds(states_[state].parts) ? kCross : kDead) : Feed(state, {&c, 1}, 0); break;
    case Kind::kWords: next = FillWords(state, byte); break;
    case Kind::kBare:
      next = Feed(state, {&c, 1}, 0);
      if (next == kDead && AnyEnds(states_[state].parts)) next = kCross;
      break;
    default: next = FillString(state, byte);
  }
  rows_[size_t{state} * 256 + byte] = next;
  FillAlike(state, byte, next);
  return next;
}

// Bytes that no part tells from `byte` lead to the same state, where they are content and not of the notation.
void Lexer::FillAlike(uint32_t state, uint8_t byte, uint32_t next) {
  const Kind kind = states_[state].kind;
  const bool string = kind == Kind::kJsonString || kind == Kind::kDoubleQuoted || kind == Kind::kSingleQuoted;
  if (kind == Kind::kFixed || kind == Kind::kWords || (string && states_[state].phase != 0)) return;
  const auto content = [&](size_t b) {
    if (kind == Kind::kFree) return b != 0xFF;
    return !string || (b >= 0x20 && b != '"' && b != '\\' && b != '\'');
  };
  if (!content(byte)) return;
  std::array<uint8_t, 256> alike{};
  size_t n = 0;
  for (size_t b = 0; b < 256; ++b) {
    if (content(b) && rows_[size_t{state} * 256 + b] == kUnknown) alike[n++] = static_cast<uint8_t>(b);
  }
  const std::vector<Re>& parts = states_[state].parts;
  for (size_t i = 0; i < parts.size() && n > 0; ++i) {
    const auto classes = pool_.ByteClasses(parts[i]);
    if (classes.empty()) continue;
    const uint8_t own = classes[byte];
    n = static_cast<size_t>(
        std::remove_if(alike.begin(), alike.begin() + static_cast<ptrdiff_t>(n), [&](uint8_t b) { return classes[b] != own; }) -
        alike.begin());
  }
  for (size_t i = 0; i < n; ++i) rows_[size_t{state} * 256 + alike[i]] = next;
}

uint32_t Lexer::FillWords(uint32_t id, uint8_t byte) {
  std::vector<Re> parts = states_[id].parts;
  bool any = false;
  for (size_t i = 0; i + 1 < parts.size(); i += 2) {
    if (pool_.Nullable(parts[i]) && pool_.Next(parts[i + 1], byte) != RegexPool::kNone) return kCross;
    parts[i] = pool_.Next(parts[i], byte);
    if (!pool_.Live(parts[i])) parts[i] = RegexPool::kNone;
    any |= parts[i] != RegexPool::kNone;
  }
  return any ? StateFor(Kind::kWords, std::move(parts), Text::kUnseen) : kDead;
}

uint32_t Lexer::FillString(uint32_t id, uint8_t byte) {
  const std::vector<Re> parts = states_[id].parts;
  const uint32_t phase = states_[id].phase;
  const auto stay = [&](uint32_t new_phase) { return StateFor(states_[id].kind, parts, states_[id].text, new_phase); };
  const auto control = [&](int first, int last) {
    for (int code = first; code <= last; ++code) {
      const char c = static_cast<char>(code);
      if (AnyLive(parts, {&c, 1})) return true;
    }
    return false;
  };
  const char c = static_cast<char>(byte);
  const Kind kind = states_[id].kind;
  switch (phase) {
    case 0:
      if (byte == '\'' && kind == Kind::kSingleQuoted)
        return AnyEnds(parts) || QuoteMayStay(parts, "'") || QuoteMayStay(parts, "' ") ? stay(kQuote) : kDead;
      if (byte == '"' && kind != Kind::kSingleQuoted) return AnyEnds(parts) ? kCross : kDead;
      if (byte < 0x20) return kDead;
      if (byte != '\\') return Feed(id, {&c, 1}, 0);
      for (const char escaped : std::string_view(kEscaped, sizeof kEscaped - 1)) {
        if (AnyLive(parts, {&escaped, 1})) return stay(kEscape);
      }
      return control(0, 31) || (kind != Kind::kJsonString && AnyLive(parts, "'")) ? stay(kEscape) : kDead;
    case kQuote:
    case kQuoteBlank: return FillQuoted(id, byte);
    case kEscape: {
      if (c == '\'' && kind != Kind::kJsonString) return Feed(id, "'", 0);
      const size_t at = std::string_view(kEscapes).find(c);
      if (at != std::string_view::npos) return Feed(id, {kEscaped + at, 1}, 0);
      return byte == 'u' && control(0, 31) ? stay(kUnicode) : kDead;
    }
    case kUnicode: return byte == '0' ? stay(kUnicode0) : kDead;
    case kUnicode0: return byte == '0' ? stay(kUnicode00) : kDead;
    case kUnicode00:
      if (byte == '0') return control(0, 15) ? stay(kUnicode000) : kDead;
      return byte == '1' && control(16, 31) ? stay(kUnicode001) : kDead;
    default: {
      const int digit = HexDigit(byte);
      if (digit < 0) return kDead;
      const char decoded = static_cast<char>(digit + (phase == kUnicode001 ? 16 : 0));
      return Feed(id, {&decoded, 1}, 0);
    }
  }
}

// A quote and what comes next. Two quotes beside each other would be read as two strings joined, so they are no content.
uint32_t Lexer::FillQuoted(uint32_t id, uint8_t byte) {
  const std::vector<Re> parts = states_[id].parts;
  const bool blank = states_[id].phase == kQuoteBlank;
  if (kBehindValues.find(static_cast<char>(byte)) != std::string_view::npos) return AnyEnds(parts) ? kCross : kDead;
  if (byte == '\'' || byte == '"' || byte < 0x20) return kDead;
  if (byte == ' ') {
    if (blank || !(AnyEnds(parts) || QuoteMayStay(parts, "' "))) return kDead;
    return StateFor(Kind::kSingleQuoted, parts, states_[id].text, kQuoteBlank);
  }
  const uint32_t inside = Feed(id, blank ? "' " : "'", 0);
  return inside == kDead ? kDead : Next(inside, byte);
}

// Whether a quote (and a blank behind it) can be content: something that does not stand behind values follows in some part.
bool Lexer::QuoteMayStay(const std::vector<Re>& parts, std::string_view quote) {
  for (const Re part : parts) {
    const Re after = pool_.Next(part, quote);
    for (int byte = 0x21; byte < 256; ++byte) {
      if (byte == '\'' || byte == '"' || kBehindValues.find(static_cast<char>(byte)) != std::string_view::npos) continue;
      if (pool_.Live(pool_.Next(after, static_cast<uint8_t>(byte)))) return true;
    }
  }
  return false;
}

bool Lexer::AfterQuote(uint32_t state) const { return states_[state].phase == kQuote || states_[state].phase == kQuoteBlank; }
bool Lexer::AfterQuoteAndBlank(uint32_t state) const { return states_[state].phase == kQuoteBlank; }

uint32_t Lexer::PlainSlack(uint32_t state) const {
  const State& s = states_[state];
  if (s.phase != 0 ||
      (s.kind != Kind::kJsonString && s.kind != Kind::kRaw && s.kind != Kind::kFree && s.kind != Kind::kDoubleQuoted))
    return 0;
  uint32_t slack = 0;
  for (const Re part : s.parts) slack = std::max(slack, pool_.Slack(part));
  return slack;
}

uint32_t Lexer::Saturated(uint32_t state, uint32_t reach) {
  const State& s = states_[state];
  if (s.phase != 0 || s.kind == Kind::kFixed) return state;
  if (s.kind == Kind::kWords) return state;
  std::vector<Re> parts = s.parts;
  for (Re& part : parts) part = part == RegexPool::kNone ? part : pool_.Saturated(part, reach + kLookAhead);
  if (parts == s.parts) return state;
  const Kind kind = s.kind;
  const Text text = s.text;
  return StateFor(kind, std::move(parts), text, 0);
}

std::string Lexer::Decode(Kind kind, std::string_view written) {
  std::string out;
  if (kind == Kind::kBare) return std::string(written);
  if (kind == Kind::kSingleQuoted) written.remove_suffix(written.ends_with("' ") ? 2 : 1);
  for (size_t i = 0; i < written.size(); ++i) {
    if (written[i] != '\\' || i + 1 >= written.size()) {
      out += written[i];
      continue;
    }
    const char c = written[++i];
    const size_t at = std::string_view(kEscapes).find(c);
    if (at != std::string_view::npos) {
      out += kEscaped[at];
    } else if (c == 'u' && i + 4 < written.size()) {
      uint32_t code = 0;
      for (int k = 0; k < 4; ++k)
        code = code << 4 | static_cast<uint32_t>(std::max(HexDigit(static_cast<uint8_t>(written[++i])), 0));
      AppendCode(out, code);
    } else {
      out += c;
    }
  }
  return out;
}

std::string Lexer::Encode(Kind, std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    const size_t at = std::string_view(kEscaped, sizeof kEscaped - 1).find(c);
    if (at != std::string_view::npos) {
      out += '\\', out += kEscapes[at];
    } else if (byte < 0x20) {
      constexpr char kHex[] = "0123456789abcdef";
      out += "\\u00", out += kHex[byte >> 4], out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace lfm::grammar
