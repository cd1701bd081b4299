// The list, its calls and their arguments; tool_call_values.cc has the values.
#include "text/tool_call_reader.h"

#include <algorithm>
#include <initializer_list>
#include <unordered_map>

#include "base/json.h"

namespace lfm::text {
namespace {

constexpr std::string_view kNameMarks = "_.-/:";

bool IsNameByte(char c) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
  return letter || IsCallDigit(c) || kNameMarks.find(c) != std::string_view::npos;
}
bool IsNameStart(char c) { return IsNameByte(c) && (c == '_' || (c | 0x20) >= 'a' || static_cast<unsigned char>(c) >= 0x80); }

bool IsKeyByte(char c) {
  static constexpr std::string_view kOthers = "=,()[]{}'\"\n";
  return kOthers.find(c) == std::string_view::npos;
}

// Each name once, where it stood first, with its last value.
void DropRepeats(Json& value) {
  for (Json& item : value.items()) DropRepeats(item);
  Json::Object& members = value.members();
  for (auto& [name, member] : members) DropRepeats(member);
  if (members.size() < 2) return;
  std::unordered_map<std::string_view, size_t> first;
  std::vector<size_t> target(members.size());
  for (size_t i = 0; i < members.size(); ++i) target[i] = first.try_emplace(members[i].first, i).first->second;
  if (first.size() == members.size()) return;
  first.clear();
  std::vector<bool> keep(members.size());
  for (size_t i = 0; i < members.size(); ++i) {
    keep[i] = target[i] == i;
    if (!keep[i]) members[target[i]].second = std::move(members[i].second);
  }
  size_t n = 0;
  for (size_t i = 0; i < members.size(); ++i) {
    if (!keep[i]) continue;
    if (n != i) members[n] = std::move(members[i]);
    ++n;
  }
  members.erase(members.begin() + static_cast<std::ptrdiff_t>(n), members.end());
}

const Json* FirstOf(const Json& object, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (const Json* found = object.Find(name)) return found;
  }
  return nullptr;
}

// NaN and Infinity, which ParseJson takes and JSON has not.
bool HasForeignNumber(const Json& value) {
  if (value.is_number()) return value.NumberText().find_first_of("Ny") != std::string::npos;
  for (const Json& item : value.items()) {
    if (HasForeignNumber(item)) return true;
  }
  for (const auto& [name, member] : value.members()) {
    if (HasForeignNumber(member)) return true;
  }
  return false;
}

// The text of an object, in JSON's or in Python's manner.
std::optional<Json> ObjectFromText(std::string_view text) {
  text = TrimCallBlanks(text);
  if (text.empty()) return Json();
  if (auto json = ParseJson(text); json.ok()) return std::move(json).value();
  ToolCallReader reader;
  for (const char c : "f(" + std::string(text) + ")") reader.Feed(c);
  if (text[0] != '{' || !reader.End(false) || reader.calls().size() != 1) return std::nullopt;
  auto json = ParseJson(reader.Call(0).arguments);
  return json.ok() ? std::optional(std::move(json).value()) : std::nullopt;
}

}  // namespace

std::optional<ToolCall> CallFromJson(std::string_view text) {
  auto parsed = ParseJson(text);
  if (!parsed.ok()) return std::nullopt;
  const Json* call = &parsed.value();
  if (const Json* function = call->Find("function"); function && function->is_object()) call = function;
  const Json* name = call->Find("name");
  if (!name || !name->is_string() || name->AsString().empty()) return std::nullopt;
  if (name->AsString().find_first_of("\"'()[]{}\n") != std::string::npos) return std::nullopt;
  const Json* given = FirstOf(*call, {"arguments", "parameters"});
  Json arguments = given ? *given : Json();
  if (arguments.is_string()) {
    auto object = ObjectFromText(arguments.AsString());
    if (!object) return std::nullopt;
    arguments = std::move(*object);
  }
  if (arguments.is_null()) arguments = Json::MakeObject();
  if (!arguments.is_object() || HasForeignNumber(arguments)) return std::nullopt;
  DropRepeats(arguments);
  return ToolCall{name->AsString(), arguments.Dump()};
}

ToolCall ToolCallReader::RawCall(size_t i) const {
  return {calls_[i].name, tape_.substr(calls_[i].begin, calls_[i].end - calls_[i].begin)};
}

ToolCall ToolCallReader::Call(size_t i) const {
  ToolCall call = RawCall(i);
  auto parsed = ParseJson(call.arguments);
  if (!parsed.ok()) return call;  // the tape is JSON by its making
  DropRepeats(parsed.value());
  call.arguments = parsed.value().Dump();
  return call;
}

bool ToolCallReader::Feed(char c, bool may_end) {
  if (failed()) return false;
  if (!Step(c, may_end)) {
    now_.at = At::kFailed;
    return false;
  }
  ++now_.pos;
  if (now_.at == At::kElement && (c == ',' || c == '[')) now_.element_at = now_.pos;
  return true;
}

bool ToolCallReader::End(bool cut) {
  switch (now_.at) {
    case At::kListEnd: break;
    case At::kAfterCall:
      if (now_.bracketed) return false;
      break;
    case At::kElement:
      if (now_.bracketed || !now_.after_comma) return false;
      break;
    case At::kName:
    case At::kAfterName:
      if (now_.bracketed || cut || !HasName()) return false;
      static_cast<void>(EndBareCall());
      break;
    default: return false;
  }
  Confirm();
  return true;
}

bool ToolCallReader::Step(char c, bool may_end) {
  switch (now_.at) {
    case At::kListStart:
    case At::kElement:
    case At::kName:
    case At::kAfterName:
    case At::kAfterCall:
    case At::kListEnd: return ListStep(c);
    case At::kArgsStart:
    case At::kArg:
    case At::kKey:
    case At::kKeyEnd:
    case At::kStar:
    case At::kStarDict:
    case At::kPositionalEnd: return ArgumentStep(c);
    case At::kFailed: return false;
    default: return ValueStep(c, may_end);
  }
}

bool ToolCallReader::ListStep(char c) {
  if (now_.at == At::kName && IsNameByte(c)) {
    name_ += c;
    return true;
  }
  if (now_.at == At::kName) {
    if (!HasName()) return false;
    now_.at = At::kAfterName;
  }
  if (IsCallBlank(c)) return true;
  switch (now_.at) {
    case At::kListStart:
      now_.at = At::kElement;
      if (c != '[') return Element(c);
      now_.bracketed = true;
      return true;
    case At::kElement: return Element(c);
    case At::kAfterName: return AfterName(c);
    case At::kAfterCall:
      if (c == ',') {
        NextElement();
        return true;
      }
      return c == ']' && now_.bracketed && GoTo(At::kListEnd);
    default: return false;  // behind the list
  }
}

void ToolCallReader::NextElement() {
  now_.at = At::kElement;
  now_.after_comma = true;
}

bool ToolCallReader::Element(char c) {
  if (c == ']') return now_.bracketed && GoTo(At::kListEnd);
  if (c == '{') {
    Confirm();
    name_.clear();
    now_.open = now_.json = true;
    now_.begin = tape_.size();
    now_.stack.push_back({Kind::kElement});
    return Open(Kind::kBraces);
  }
  name_ = c;
  const auto begins = [c](const std::string& name) { return name.starts_with(c); };
  const bool declared = declared_ && IsNameByte(c) && std::any_of(declared_->begin(), declared_->end(), begins);
  return (IsNameStart(c) || declared) && GoTo(At::kName);
}

bool ToolCallReader::HasName() const {
  return IsCallName(name_, kNameMarks) ||
         (declared_ && std::find(declared_->begin(), declared_->end(), name_) != declared_->end());
}

bool ToolCallReader::AfterName(char c) {
  if (c != '(' && c != ',' && !(c == ']' && now_.bracketed)) return false;
  Confirm();  // of the calls before
  if (c == '(') {
    now_.open = true;
    now_.begin = tape_.size();
    return GoTo(At::kArgsStart);
  }
  static_cast<void>(EndBareCall());
  if (c == ']') return GoTo(At::kListEnd);
  NextElement();
  return true;
}

bool ToolCallReader::ArgumentStep(char c) {
  if (now_.at == At::kKey) {
    if (c == '=') return EndKey();
    if (c == '\n') return GoTo(At::kKeyEnd);
    word_ += c;
    return IsKeyByte(c);
  }
  if (now_.at == At::kStar) return c == '*' && GoTo(At::kStarDict);
  if (IsCallBlank(c)) return true;
  switch (now_.at) {
    case At::kArgsStart:
      if (c == '{') {
        now_.stack.push_back({Kind::kPositional});
        return Open(Kind::kBraces);
      }
      tape_ += '{';
      return BeginArgument(c);
    case At::kArg: return BeginArgument(c);
    case At::kKeyEnd: return c == '=' && EndKey();
    case At::kStarDict: now_.stack.push_back({Kind::kStar}); return c == '{' && Open(Kind::kBraces);
    default:  // behind the dict that is all arguments
      if (c == ')') return EndCall();
      if (c != ',' || now_.after_comma) return false;
      now_.after_comma = true;
      return true;
  }
}

bool ToolCallReader::BeginArgument(char c) {
  if (c == ')') {
    tape_ += '}';
    return EndCall();
  }
  if (c == '*') return GoTo(At::kStar);
  word_ = c;
  return IsKeyByte(c) && GoTo(At::kKey);
}

bool ToolCallReader::EndKey() {
  const std::string_view key = TrimCallBlanks(word_);
  if (key.empty()) return false;
  if (tape_.size() > now_.begin + 1) tape_ += ", ";
  tape_ += JsonQuote(key);
  tape_ += ": ";
  word_.clear();
  now_.stack.push_back({Kind::kArgument});
  return GoTo(At::kValue);
}

bool ToolCallReader::EndCall() {
  calls_.push_back({name_, now_.begin, tape_.size(), now_.element_at});
  now_.open = now_.json = now_.after_comma = false;
  now_.stack.clear();
  return GoTo(At::kAfterCall);
}

bool ToolCallReader::EndBareCall() {
  now_.begin = tape_.size();
  tape_ += "{}";
  return EndCall();
}

bool ToolCallReader::EndElement() {
  const auto call = CallFromJson(std::string_view(tape_).substr(now_.begin));
  if (!call) return false;
  name_ = call->name;
  now_.begin = tape_.size();
  tape_ += call->arguments;
  return EndCall();
}

size_t ToolCallReader::open_end() const {
  for (const Frame& frame : now_.stack) {
    const bool open_braces = frame.kind == Kind::kBraces && !frame.is_dict && !frame.is_set;
    if (open_braces || (frame.kind == Kind::kParens && !frame.many)) return frame.begin;
  }
  return tape_.size();
}

ToolCallReader::Mark ToolCallReader::Keep() const {
  Mark mark;
  mark.now_ = now_;
  mark.tape_ = tape_.size();
  mark.calls_ = calls_.size();
  mark.name_ = name_;
  mark.word_ = word_;
  return mark;
}

void ToolCallReader::TakeUp(const Mark& mark) {
  now_ = mark.now_;
  tape_.resize(mark.tape_);
  calls_.resize(mark.calls_);
  name_ = mark.name_;
  word_ = mark.word_;
  for (size_t i = 0; i < now_.stack.size(); ++i) {  // brackets may have been decided otherwise since
    const Frame& frame = now_.stack[i];
    if (frame.kind == Kind::kBraces && !IsMerged(i)) tape_[frame.begin] = frame.is_set ? '[' : '{';
    if (frame.kind == Kind::kParens) tape_[frame.begin] = '[';
  }
}

void ToolCallReader::BeginElement(bool bracketed, size_t pos) {
  State state;
  state.at = At::kElement;
  state.bracketed = bracketed;
  state.after_comma = true;
  state.pos = state.element_at = pos;
  state.n_confirmed = now_.n_confirmed;
  now_ = std::move(state);
}

}  // namespace lfm::text
