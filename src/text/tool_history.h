// Earlier tool calls and their results on their way back into the prompt.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace lfm::text {

// A call as LFM2 writes it: name(key="text", n=1, list=[1, None]). `arguments` is an object. Reading it again gives the
// same name and arguments, and no part of it is a special token.
std::string WriteToolCall(std::string_view name, const Json& arguments);

// Messages in OpenAI's shape as a chat template wants them:
// - tool_calls: arguments that are JSON text become objects. Where the template does not render calls (LFM2's does not),
//   they are written behind the content, between the markers, in the model's own form;
// - results (role "tool") that follow the calls of one message come in the order of those calls;
// - content that is null is "", and a list of texts is one text; role "developer" is "system".
// Errors name the message and the member: arguments that are no object, calls without a name.
Result<Json> PrepareToolMessages(const Json& messages, std::string_view chat_template);

}  // namespace lfm::text
