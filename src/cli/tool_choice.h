// What --tool-choice means for one answer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "text/tokenizer.h"

namespace lfm::cli {

struct ToolChoice {
  std::vector<std::string> tools;  // names of the declared ones
  std::vector<int32_t> forbidden;  // tokens that must not be sampled
  std::string written;             // how the answer must begin; with special tokens spelled out
};

// `choice` is auto, none, required or a tool's name; `tools` is the list of the request, or null, and `origin` names its file.
// Errors: a choice that needs tools without any, an unknown name, a model without the token that begins a call.
Result<ToolChoice> ReadToolChoice(const std::string& choice, const Json& tools, const std::string& origin,
                                  const text::Tokenizer& tokenizer);

}  // namespace lfm::cli
