// lfm grammar bench: how long grammars take to compile, and masks to make.
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"
#include "text/tokenizer.h"

namespace lfm::cli {

// Over the *.json files below `folder`: {"schema", "tests": [{"data", "valid"}]} (MaskBench's) or {"schema", "documents":
// [TEXT]}. Every valid document is read token by token, with a mask before each. Times in microseconds.
Result<Json> BenchGrammars(const std::string& folder, const text::Tokenizer& tokenizer, int64_t max_files);
std::string BenchText(const Json& figures);

}  // namespace lfm::cli
