// The seam: failures inside the interpreter become Results here.
#include "jinja/jinja.h"

#include <new>

#include "base/strings.h"
#include "jinja/eval.h"
#include "jinja/parser.h"

namespace lfm::jinja {
namespace {

Error ToError(const PythonError& error) {
  return {error.code, error.line > 0 ? StrCat("chat template, line ", error.line, ": ", error.message)
                                     : StrCat("chat template: ", error.message)};
}

}  // namespace

Result<Template> Template::Parse(std::string_view source, const TemplateLimits& limits) {
  if (source.size() > limits.max_bytes) {
    return Error{ErrorCode::kLimit, StrCat("the chat template of ", HumanBytes(source.size()), " is longer than the limit of ",
                                           HumanBytes(limits.max_bytes))};
  }
  if (ToValidUtf8(source) != source) return Error{ErrorCode::kCorrupt, "the chat template is not valid UTF-8"};
  try {
    ParserLimits parser_limits;
    parser_limits.max_tokens = limits.max_tokens;
    parser_limits.max_depth = limits.max_depth;
    Template result;
    result.program_ = std::make_shared<const Program>(Parser(source, parser_limits).Parse());
    return result;
  } catch (const PythonError& error) {
    return ToError(error);
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::kOutOfMemory, "no memory to parse the chat template"};
  }
}

Result<std::string> Template::Render(const Json& variables, const RenderOptions& options) const {
  LFM_TRY(MarkedText rendered, RenderMarked(variables, options));
  return std::move(rendered.text);
}

Result<MarkedText> Template::RenderMarked(const Json& variables, const RenderOptions& options) const {
  if (!program_) return Error{ErrorCode::kInvalidArgument, "there is no chat template to render"};
  try {
    return Interpreter(*program_, options).Render(variables);
  } catch (const PythonError& error) {
    return ToError(error);
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::kOutOfMemory, "no memory to render the chat template"};
  }
}

}  // namespace lfm::jinja
