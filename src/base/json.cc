#include "base/json.h"

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>

#include "base/encoding.h"
#include "base/strings.h"

namespace lfm {
namespace {

// Builds a Json from RapidJSON's events. Numbers arrive as text. Refuses depth beyond the limit.
class Builder {
 public:
  explicit Builder(int max_depth) : max_depth_(max_depth) {}

  bool Null() { return Add(Json()); }
  bool Bool(bool value) { return Add(Json(value)); }
  bool Int(int value) { return Add(Json(value)); }
  bool Uint(unsigned value) { return Add(Json(int64_t{value})); }
  bool Int64(int64_t value) { return Add(Json(value)); }
  bool Uint64(uint64_t value) { return Add(Json(value)); }
  bool Double(double value) { return Add(Json(value)); }
  bool RawNumber(const char* text, rapidjson::SizeType length, bool) { return Add(Json::MakeNumber(std::string(text, length))); }
  bool String(const char* text, rapidjson::SizeType length, bool) {
    return IsWhole({text, length}) && Add(Json(std::string(text, length)));
  }
  bool Key(const char* text, rapidjson::SizeType length, bool) {
    if (!IsWhole({text, length})) return false;
    stack_.back()->members().emplace_back(std::string(text, length), Json());
    return true;
  }
  bool StartObject() { return Open(Json::MakeObject()); }
  bool StartArray() { return Open(Json::MakeArray()); }
  bool EndObject(rapidjson::SizeType) {
    Json& object = *stack_.back();
    object = Json::MakeObject(std::move(object.members()));
    return Close();
  }
  bool EndArray(rapidjson::SizeType) { return Close(); }

  Json root;
  bool too_deep = false, has_lone_surrogate = false;

 private:
  // The text's own bytes are validated and a lone high surrogate is refused by RapidJSON, but it encodes the
  // escape of a lone low one, which no UTF-8 text may hold.
  bool IsWhole(std::string_view text) {
    for (size_t at = text.find('\xED'); at != std::string_view::npos; at = text.find('\xED', at + 1)) {
      if (at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) >= 0xA0) has_lone_surrogate = true;
    }
    return !has_lone_surrogate;
  }

  // Places a value where the innermost open container expects it. Pointers in stack_ stay valid: a
  // container's own storage grows only while none of its items is open.
  Json* Place(Json value) {
    if (stack_.empty()) {
      root = std::move(value);
      return &root;
    }
    Json& parent = *stack_.back();
    if (parent.is_array()) {
      parent.items().push_back(std::move(value));
      return &parent.items().back();
    }
    parent.members().back().second = std::move(value);
    return &parent.members().back().second;
  }
  bool Add(Json value) { return Place(std::move(value)), true; }
  bool Open(Json value) {
    if (static_cast<int>(stack_.size()) >= max_depth_) {
      too_deep = true;
      return false;
    }
    stack_.push_back(Place(std::move(value)));
    return true;
  }
  bool Close() { return stack_.pop_back(), true; }

  int max_depth_;
  std::vector<Json*> stack_;
};

void DumpTo(const Json& value, int indent, int level, std::string& out) {
  const auto newline = [&](int at) {
    if (indent >= 0) out += '\n', out.append(static_cast<size_t>(indent) * static_cast<size_t>(at), ' ');
  };
  switch (value.kind()) {
    case Json::Kind::kNull: out += "null"; break;
    case Json::Kind::kBool: out += value.AsBool() ? "true" : "false"; break;
    case Json::Kind::kInteger: out += value.NumberText(); break;
    case Json::Kind::kFloat:  // JSON has no number that is none, and readers stop at one
      out += std::isfinite(value.AsDouble()) ? value.NumberText() : "null";
      break;
    case Json::Kind::kString: AppendJsonQuote(value.AsString(), out); break;
    case Json::Kind::kArray: {
      out += '[';
      bool first = true;
      for (const Json& item : value.items()) {
        if (!first) out += indent >= 0 ? "," : ", ";
        first = false;
        newline(level + 1);
        DumpTo(item, indent, level + 1, out);
      }
      if (!first) newline(level);
      out += ']';
      break;
    }
    case Json::Kind::kObject: {
      out += '{';
      bool first = true;
      for (const auto& [name, member] : value.members()) {
        if (!first) out += indent >= 0 ? "," : ", ";
        first = false;
        newline(level + 1);
        AppendJsonQuote(name, out);
        out += ": ";
        DumpTo(member, indent, level + 1, out);
      }
      if (!first) newline(level);
      out += '}';
      break;
    }
  }
}

// The shortest text that reads back as `value`, laid out as Python's repr does: fixed for 1e-4 <= |value| <
// 1e16.
std::string PythonRepr(double value) {
  const double magnitude = std::abs(value);
  const bool fixed = value == 0 || (magnitude >= 1e-4 && magnitude < 1e16);
  char buffer[40];
  const auto format = fixed ? std::chars_format::fixed : std::chars_format::scientific;
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, format).ptr;
  std::string text(buffer, end);
  if (fixed && text.find('.') == std::string::npos) text += ".0";
  return text;
}

// Positions of an object's members by name: a table with open addressing over the bytes of a string, of the last of equal
// names. Requests choose how many members there are, so a look-up may not depend on their number. Objects with few have none.
class MemberIndex {
 public:
  static constexpr size_t kFewest = 17;  // fewer are found as fast one by one
  static constexpr uint32_t kFree = UINT32_MAX;

  explicit MemberIndex(std::string& bytes) : bytes_(bytes) {}

  // Whether the table is there and belongs to these members: it does not once some were added or removed by hand.
  static bool Serves(const std::string& bytes, const Json::Object& members) {
    return bytes.size() > kHead && Load(bytes, 0) == members.size();
  }
  static bool HasEqualNames(const std::string& bytes) { return Load(bytes, 4) != 0; }

  static uint32_t Find(const std::string& bytes, const Json::Object& members, std::string_view name) {
    return Load(bytes, PlaceOf(bytes, members, name));
  }

  void Build(const Json::Object& members) {
    bytes_.clear();
    if (members.size() < kFewest || members.size() >= kFree) return;
    size_t n_slots = 64;
    while (n_slots < members.size() * 4) n_slots *= 2;  // with room to grow
    bytes_.assign(kHead + 4 * n_slots, '\xFF');
    Store(0, 0), Store(4, 0);
    for (size_t i = 0; i < members.size(); ++i) Insert(members, i);
  }

  // After a member was appended.
  void Append(const Json::Object& members) {
    const bool served = bytes_.size() > kHead && Load(bytes_, 0) + size_t{1} == members.size();
    if (served && members.size() * 2 <= (bytes_.size() - kHead) / 4) return Insert(members, members.size() - 1);
    Build(members);
  }

 private:
  static constexpr size_t kHead = 8;  // the number of members; whether names repeat

  static uint32_t Load(const std::string& bytes, size_t at) {
    uint32_t value;
    std::memcpy(&value, bytes.data() + at, 4);
    return value;
  }
  void Store(size_t at, uint32_t value) { std::memcpy(bytes_.data() + at, &value, 4); }

  // Where the position of this name stands, or is to stand.
  static size_t PlaceOf(const std::string& bytes, const Json::Object& members, std::string_view name) {
    const size_t mask = (bytes.size() - kHead) / 4 - 1;
    size_t slot = std::hash<std::string_view>()(name) & mask;
    for (uint32_t at; (at = Load(bytes, kHead + 4 * slot)) != kFree && members[at].first != name;) slot = (slot + 1) & mask;
    return kHead + 4 * slot;
  }
  void Insert(const Json::Object& members, size_t i) {
    const size_t place = PlaceOf(bytes_, members, members[i].first);
    if (Load(bytes_, place) != kFree) Store(4, 1);
    Store(place, static_cast<uint32_t>(i));
    Store(0, static_cast<uint32_t>(i + 1));
  }

  std::string& bytes_;
};

}  // namespace

Json::Json(double value) : kind_(Kind::kFloat) {
  if (std::isnan(value)) {
    text_ = "NaN";
  } else if (std::isinf(value)) {
    text_ = value > 0 ? "Infinity" : "-Infinity";
  } else {
    text_ = PythonRepr(value);
  }
}

Json Json::MakeArray(Array items) {
  Json json;
  json.kind_ = Kind::kArray;
  json.items_ = std::move(items);
  return json;
}

Json Json::MakeObject(Object members) {
  Json json;
  json.kind_ = Kind::kObject;
  json.members_ = std::move(members);
  MemberIndex(json.text_).Build(json.members_);
  return json;
}

Json Json::MakeNumber(std::string text) {
  Json json;
  json.kind_ = text.find_first_of(".eENIn") == std::string::npos ? Kind::kInteger : Kind::kFloat;
  if (text == "Inf" || text == "-Inf") text += "inity";
  json.text_ = std::move(text);
  return json;
}

int64_t Json::AsInt(int64_t otherwise) const {
  if (kind_ == Kind::kInteger) {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    return error == std::errc() && end == text_.data() + text_.size() ? value : otherwise;
  }
  if (kind_ == Kind::kFloat) {
    const double value = AsDouble();
    if (std::abs(value) < 9e15 && value == std::floor(value)) return static_cast<int64_t>(value);
  }
  return otherwise;
}

double Json::AsDouble(double otherwise) const {
  if (!is_number()) return otherwise;
  if (text_ == "NaN") return std::nan("");
  if (text_ == "Infinity") return HUGE_VAL;
  if (text_ == "-Infinity") return -HUGE_VAL;
  double value = 0;
  const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
  if (error == std::errc::result_out_of_range) {  // as Python: too large is inf, too small is 0
    const size_t e = text_.find_first_of("eE");
    const bool negative = text_[0] == '-';
    bool tiny = e != std::string::npos && text_[e + 1] == '-';
    if (e == std::string::npos) tiny = text_.compare(negative, 2, "0.") == 0;
    return tiny ? (negative ? -0.0 : 0.0) : (negative ? -HUGE_VAL : HUGE_VAL);
  }
  return error == std::errc() ? value : otherwise;
}

const std::string& Json::AsString() const {
  static const std::string kEmpty;
  return kind_ == Kind::kString ? text_ : kEmpty;
}

// An object's text_ holds the index of its members.
const Json* Json::Find(std::string_view name) const {
  if (is_object() && MemberIndex::Serves(text_, members_)) {
    const uint32_t at = MemberIndex::Find(text_, members_, name);
    return at == MemberIndex::kFree ? nullptr : &members_[at].second;
  }
  for (auto it = members_.rbegin(); it != members_.rend(); ++it) {
    if (it->first == name) return &it->second;
  }
  return nullptr;
}

const Json& Json::operator[](std::string_view name) const {
  static const Json kNull;
  const Json* member = Find(name);
  return member ? *member : kNull;
}

Json& Json::Set(std::string name, Json value) {
  if (is_null()) kind_ = Kind::kObject;
  const bool serves = is_object() && MemberIndex::Serves(text_, members_);
  const uint32_t known = serves ? MemberIndex::Find(text_, members_, name) : MemberIndex::kFree;
  if (known != MemberIndex::kFree && !MemberIndex::HasEqualNames(text_)) {
    members_[known].second = std::move(value);
    return *this;
  }
  if (!serves || known != MemberIndex::kFree) {  // the first of equal names
    for (auto& [key, member] : members_) {
      if (key == name) return member = std::move(value), *this;
    }
  }
  members_.emplace_back(std::move(name), std::move(value));
  if (is_object()) MemberIndex(text_).Append(members_);
  return *this;
}

Json& Json::Append(Json value) {
  if (is_null()) kind_ = Kind::kArray;
  items_.push_back(std::move(value));
  return *this;
}

std::string Json::Dump(int indent) const {
  std::string out;
  DumpTo(*this, indent, 0, out);
  return out;
}

bool operator==(const Json& a, const Json& b) {
  return a.kind_ == b.kind_ && a.bool_ == b.bool_ && (a.is_object() || a.text_ == b.text_) && a.items_ == b.items_ &&
         a.members_ == b.members_;
}

Result<Json> ParseJson(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return Error{ErrorCode::kLimit,
                 StrCat("JSON text of ", HumanBytes(text.size()), " is longer than the limit of ", HumanBytes(limits.max_bytes))};
  }
  LFM_RETURN_IF_ERROR(CheckEncoding(text, "the JSON text"));
  text = WithoutMark(text);
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseNumbersAsStringsFlag |
                              rapidjson::kParseValidateEncodingFlag | rapidjson::kParseNanAndInfFlag;
  Builder builder(limits.max_depth);
  rapidjson::MemoryStream bytes(text.data(), text.size());
  rapidjson::Reader reader;
  const rapidjson::ParseResult result = reader.Parse<kFlags>(bytes, builder);
  if (builder.too_deep) {
    return Error{ErrorCode::kLimit,
                 StrCat("JSON at byte ", result.Offset(), " is nested deeper than ", limits.max_depth, " levels")};
  }
  if (builder.has_lone_surrogate) {
    return Error{ErrorCode::kCorrupt,
                 StrCat("JSON error at byte ", result.Offset(), ": the string before holds one half of a surrogate pair")};
  }
  if (result.IsError()) {
    return Error{ErrorCode::kCorrupt,
                 StrCat("JSON error at byte ", result.Offset(), ": ", rapidjson::GetParseError_En(result.Code()))};
  }
  return std::move(builder.root);
}

void AppendJsonQuote(std::string_view text, std::string& out) {
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<signed char>(c) >= 0; });
  const std::string valid = ascii ? std::string() : ToValidUtf8(text);
  if (!ascii) text = valid;
  out += '"';
  size_t begin = 0;  // of the run that stands for itself
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, begin, i - begin);
    begin = i + 1;
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      default:
        char escape[8];
        std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
        out += escape;
    }
  }
  out.append(text, begin);
  out += '"';
}

std::string JsonQuote(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  AppendJsonQuote(text, out);
  return out;
}

}  // namespace lfm
