#include "grammar/tool_core.h"

#include <algorithm>

#include "base/strings.h"
#include "grammar/regex_parse.h"

namespace lfm::grammar {
namespace {

Spec AnyOrder(Spec spec) {
  spec.order = Order::kAny;
  return spec;
}

}  // namespace

ToolCore::ToolCore(const Spec& spec, const Budgets& budgets) : JsonCore(AnyOrder(spec), budgets), options_(spec.tools) {
  python_ = true, double_quotes_ = options_.double_quotes;
  marks_[0] = Vocabulary::SpecialBytes(options_.start_id), marks_[1] = Vocabulary::SpecialBytes(options_.end_id);
}

Status ToolCore::Load(bool annotate_unsupported, Refusal* refusal) {
  if (options_.choice == ToolChoice::kNone) return Ok();
  if (options_.tools.empty()) return Error{ErrorCode::kInvalidArgument, "there are no tools to call"};
  if (options_.start_id < 0 || options_.end_id < 0) {
    return Error{ErrorCode::kUnsupported, "the vocabulary has no tokens that start and end tool calls"};
  }
  StartClock();
  LFM_TRY(argument_names_, ParseRegex(pool,
                                      "[^=,()\\[\\]{}'\"\\s\\\\\\0-\\x1F\\x7F](?:[^=,()\\[\\]{}'\"\\\\\\0-\\x1F\\x7F]*[^=,()\\["
                                      "\\]{}'\"\\s\\\\\\0-\\x1F\\x7F])?",
                                      {.anchored = true}));
  LFM_TRY(const Re tool_name, ParseRegex(pool, "[\\p{L}_0-9-][\\p{L}\\p{Nd}_./:-]*", {.anchored = true}));
  std::vector<Re> names;
  for (const Tool& tool : options_.tools) {
    const auto refuse = [&](std::string message) {
      message = StrCat("tool ", Quote(tool.name), ": ", message);
      if (refusal != nullptr && refusal->message.empty()) refusal->message = message;
      return Error{ErrorCode::kUnsupported, message};
    };
    if (!pool.Matches(tool_name, tool.name)) return refuse("its name cannot be written in a call");
    Json parameters = tool.parameters;
    if (parameters.is_null()) {
      parameters = Json::MakeObject();
      parameters.Set("type", "object");
    }
    const Expr expr = schemas_.Add(parameters, annotate_unsupported);
    if (!schemas_.error()) schemas_.ReadAll(expr);
    if (const auto status = Finished(refusal); !status.ok()) return status.error().Within(StrCat("tool ", Quote(tool.name)));
    Type objects = schemas_.TypeOf(expr);
    objects.null = objects.truth = objects.falsehood = objects.any_number = false;
    objects.number = objects.string = RegexPool::kNone, objects.arrays.clear();
    for (const ObjectShape& shape : objects.objects) {
      for (const int32_t name : shape.required) {
        if (!pool.Matches(argument_names_, schemas_.Name(name))) {
          return refuse(StrCat("its argument ", Quote(schemas_.Name(name)), " cannot be written as a keyword"));
        }
      }
    }
    arguments_.push_back(schemas_.Of(std::move(objects)));
    const bool satisfiable = schemas_.Satisfiable(arguments_.back());
    if (const auto failure = Failure()) return failure->Within(StrCat("tool ", Quote(tool.name)));
    if (!satisfiable) return refuse("no arguments satisfy its schema");
    names.push_back(pool.Literal(tool.name));
  }
  names_ = pool.Or(std::move(names));
  return Finished(refusal);
}

Config ToolCore::Free(bool called) {
  return Make(Phase::kFree, nullptr, {}, {}, lexer.StateFor(Lexer::Kind::kFree, {pool.Text()}, Lexer::Text::kUnseen),
              called ? 1 : 0);
}

Config ToolCore::Start() {
  if (options_.choice != ToolChoice::kRequired) return Free(false);
  return Make(Phase::kMark, nullptr, {}, {}, Lexer::kStruct, 0);
}

// `place`: which mark, and how many of its bytes were read.
bool ToolCore::Mark(const JsonNode& node, uint8_t byte, Config& to) {
  const uint32_t which = node.place >> 16, n = node.place & 0xFFFF;
  const std::string& mark = marks_[which];
  if (n >= mark.size() || static_cast<uint8_t>(mark[n]) != byte) return false;
  if (n + 1 < mark.size()) {
    to = Make(Phase::kMark, nullptr, {}, {}, Lexer::kStruct, which << 16 | (n + 1));
  } else if (which == 0) {
    to = Make(Phase::kListOpen, nullptr, {}, {}, Lexer::kStruct);
  } else {
    to = Free(true);
  }
  return true;
}

bool ToolCore::Cross(const Node& base, uint32_t lex, uint8_t byte, std::string_view text, Config& to) {
  const auto& node = static_cast<const JsonNode&>(base);
  if (schemas_.error()) return false;
  const bool call = node.level && node.level->call;
  switch (node.phase) {
    case Phase::kFree:
      if (options_.choice == ToolChoice::kNone || (node.place != 0 && !options_.parallel)) return false;
      return Mark(static_cast<const JsonNode&>(*Make(Phase::kMark, nullptr, {}, {}, Lexer::kStruct).node), byte, to);
    case Phase::kMark: return Mark(node, byte, to);
    case Phase::kListOpen:
      if (byte != '[') return false;
      to = Make(Phase::kCallName, nullptr, {}, {}, lexer.StateFor(Lexer::Kind::kBare, {names_}, Lexer::Text::kValue));
      return true;
    case Phase::kCallNext: {
      const uint32_t name = lexer.StateFor(Lexer::Kind::kBare, {pool.Next(names_, byte)}, Lexer::Text::kValue);
      if (name == Lexer::kDead) return false;
      to = Make(Phase::kCallName, nullptr, {}, {}, name);
      to.keeps_byte = true;
      return true;
    }
    case Phase::kCallName: return byte == '(' && OpenCall(text, to);
    case Phase::kAfterCall:
      if (byte == ',' && options_.parallel) {
        to = Make(Phase::kCallNext, nullptr, {}, {}, compact_ ? Lexer::kStruct : Lexer::kSpace);
        return true;
      }
      if (byte != ']') return false;
      to = Make(Phase::kMark, nullptr, {}, {}, Lexer::kStruct, 1u << 16);
      return true;
    case Phase::kObjectStart:
    case Phase::kNextKey:
      if (!call || byte == ')') break;
      return StartArgument(node, byte, to);
    case Phase::kKey: {
      if (!call) break;
      Config after;
      if (byte != '=' || !EndKey(node, lex, text, after)) return false;
      const auto& colon = static_cast<const JsonNode&>(*after.node);
      to = Make(Phase::kValue, colon.level, {}, colon.pending, Lexer::kStruct);
      return true;
    }
    default: break;
  }
  return JsonCore::Cross(base, lex, byte, text, to);
}

bool ToolCore::MayCross(const Node& base, uint32_t lex, uint8_t byte) const {
  const auto& node = static_cast<const JsonNode&>(base);
  switch (node.phase) {
    case Phase::kFree:
    case Phase::kCallNext: return true;
    case Phase::kMark: {
      const std::string& mark = marks_[node.place >> 16];
      const uint32_t n = node.place & 0xFFFF;
      return n < mark.size() && static_cast<uint8_t>(mark[n]) == byte;
    }
    case Phase::kListOpen: return byte == '[';
    case Phase::kCallName: return byte == '(';
    case Phase::kAfterCall: return byte == ',' || byte == ']';
    case Phase::kObjectStart:
    case Phase::kNextKey:
      if (node.level->call) return true;
      break;
    case Phase::kKey:
      if (node.level->call) return byte == '=';
      break;
    default: break;
  }
  return JsonCore::MayCross(base, lex, byte);
}

bool ToolCore::OpenCall(std::string_view name, Config& to) {
  const auto tool = std::find_if(options_.tools.begin(), options_.tools.end(), [&](const Tool& one) { return one.name == name; });
  if (tool == options_.tools.end()) return false;
  JsonNode root;
  root.pending = {Pending{{}, arguments_[static_cast<size_t>(tool - options_.tools.begin())]}};
  Config opened;
  if (!OpenObject(root, opened)) return false;
  const auto& node = static_cast<const JsonNode&>(*opened.node);
  auto level = std::make_shared<Level>(*node.level);
  level->call = true;
  Rehash(*level);
  to = Make(Phase::kObjectStart, std::move(level), node.threads, {}, Lexer::kStruct);
  return true;
}

bool ToolCore::StartArgument(const JsonNode& node, uint8_t byte, Config& to) {
  std::vector<Re> parts;
  std::vector<Thread> threads;
  for (const Thread& thread : node.threads) {
    const Re re = pool.Next(pool.And(KeyLanguage(*node.level, thread), argument_names_), byte);
    if (pool.Live(re)) parts.push_back(re), threads.push_back(thread);
  }
  const uint32_t lex = lexer.StateFor(Lexer::Kind::kBare, std::move(parts), Lexer::Text::kKey);
  if (lex == Lexer::kDead) return false;
  to = Make(Phase::kKey, node.level, std::move(threads), {}, lex);
  to.keeps_byte = true;
  return true;
}

bool ToolCore::FinishRoot(const std::vector<Thread>&, Config& to) {
  to = Make(Phase::kAfterCall, nullptr, {}, {}, Lexer::kStruct);
  return true;
}

bool ToolCore::Accepting(const Node& base, uint32_t lex, std::string_view) {
  const auto& node = static_cast<const JsonNode&>(base);
  return node.phase == Phase::kFree && pool.Nullable(lexer.Parts(lex)[0]);
}

bool ToolCore::Towards(const Config& at, const std::string& text, std::string& next) {
  const auto& node = static_cast<const JsonNode&>(*at.node);
  switch (node.phase) {
    case Phase::kFree: return ShortestLexeme(at.lex, next);  // the rest of a character
    case Phase::kMark: return next = marks_[node.place >> 16].substr(node.place & 0xFFFF), true;
    case Phase::kListOpen: return next = "[", true;
    case Phase::kCallNext: return pool.Shortest(names_, next);
    case Phase::kCallName:
      if (pool.Nullable(lexer.Parts(at.lex)[0])) return next = "(", true;
      return pool.Shortest(lexer.Parts(at.lex)[0], next);
    case Phase::kAfterCall: return next = "]", true;
    default: return JsonCore::Towards(at, text, next);
  }
}

std::string ToolCore::Describe() {
  std::string out;
  for (size_t i = 0; i < arguments_.size(); ++i) {
    out += StrCat(options_.tools[i].name, "(...):\n", schemas_.Describe(arguments_[i]));
  }
  return out;
}

}  // namespace lfm::grammar
