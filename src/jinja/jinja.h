// Chat templates: a sandboxed interpreter of Jinja that gives the bytes of Jinja2 3.1.6 in the environment of
// transformers (trim_blocks, lstrip_blocks, loop controls, generation blocks, immutable values).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace lfm::jinja {

struct Program;

struct TemplateLimits {
  size_t max_bytes = size_t{4} << 20;  // of the template's source
  size_t max_tokens = 1'000'000;
  int max_depth = 180;  // of nested expressions and statements
};

// Limits of one rendering; reaching one is an error with ErrorCode::kLimit. So is a nesting that the calling thread's stack
// does not hold, however large it is: 512 KiB are enough for every template of the family.
struct RenderLimits {
  int64_t max_steps =
      10'000'000;        // evaluated nodes, loop rounds, 64 bytes of copied text, a byte of what is looked at one by one
  int max_depth = 1200;  // of evaluation: macros in loops in expressions…
  size_t max_output = size_t{64} << 20;  // bytes of the text
  size_t max_memory = size_t{512} << 20;
  int64_t max_range = 100'000;  // items of range(), as in Jinja's sandbox
};

// A moment as strftime_now sees it: the local time without a zone.
struct LocalTime {
  int year = 1970, month = 1, day = 1;  // from 1
  int hour = 0, minute = 0, second = 0, microsecond = 0;
};
using TemplateClock = std::function<LocalTime()>;

// Bytes [begin, end) of a text that came from marked variables; level 1 and up: of what mixes, the highest.
struct Mark {
  size_t begin = 0, end = 0;
  uint8_t level = 0;
  bool operator==(const Mark&) const = default;
};
struct MarkedText {
  std::string text;
  std::vector<Mark> marks;  // in order, disjoint
};

struct RenderOptions {
  TemplateClock clock;  // empty: the system's local time
  RenderLimits limits;
  // Nodes of `variables` whose strings, and all strings below them, are marked with a level (0: not marked, also
  // below a marked node). Marks never change what a template computes.
  std::unordered_map<const Json*, uint8_t> marks;
  const std::atomic<bool>* cancel = nullptr;  // looked at all the time: true ends the rendering with kCancelled
};

// A parsed template. Immutable: parse once, render from any number of threads.
class Template {
 public:
  // Errors name the line, and what is not supported by its name. The source must be UTF-8.
  static Result<Template> Parse(std::string_view source, const TemplateLimits& limits = {});

  // The text that the template writes with these variables (an object; its members become variables).
  // A template's own raise_exception gives kInvalidArgument with its message.
  Result<std::string> Render(const Json& variables, const RenderOptions& options = {}) const;

  // The same, with what of the text came from the nodes that options.marks names, through whatever the template does
  // with it: cutting, joining and formatting keep the marks exactly; where an operation makes new text of marked text
  // (tojson, escape, …), all that it makes is marked.
  Result<MarkedText> RenderMarked(const Json& variables, const RenderOptions& options) const;

 private:
  std::shared_ptr<const Program> program_;
};

// Python's str.strip, lstrip and rstrip: what templates and their callers take for white space.
enum class Side { kLeft = 1, kRight = 2, kBoth = 3 };
std::string_view Strip(std::string_view text, Side side = Side::kBoth);

// The system's local time.
LocalTime SystemTime();

// Python's datetime.strftime for a moment without a zone.
std::string FormatTime(std::string_view format, const LocalTime& time);

}  // namespace lfm::jinja
