// lfm grammar bench: how long grammars take to compile, and masks to make.
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"
#include "text/tokenizer.h"

namespace lfm::cli {

// Over the *.json files below `folder`: {"schema", "tests": [{"data", "valid"}]} (MaskBench's) or {"schema", "documents":
// [TEXT]}. Every valid document is read token by token, with a mask before each. With `n_sequences` also so many documents at
// a time, as a server's requests: the steps' times are those of all their masks and tokens. Times in microseconds of the thread's
// processor time. "worst" names the files that took the longest, "wrong" what was refused for a budget, failed, or was
// accepted or rejected against what its file says.
Result<Json> BenchGrammars(const std::string& folder, const text::Tokenizer& tokenizer, int64_t max_files, int64_t n_sequences);
std::string BenchText(const Json& figures);

}  // namespace lfm::cli
