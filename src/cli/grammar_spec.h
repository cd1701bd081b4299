// What an answer must look like, as flags and JSON lines name it: the same for `lfm grammar` and `lfm run`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "cli/args.h"
#include "grammar/grammar.h"

namespace lfm::cli {

struct GrammarArgs {
  std::optional<std::string> schema, regex, choice, grammar;
  bool json_object = false, any_order = false, compact = false;

  // --schema, --regex, --choice, --grammar, `json_flag` (a flag for any JSON object), --any-order, --compact.
  void Declare(Args& args, const std::string& json_flag);
  // The flag that is given, with its file, for errors: "--schema FILE".
  std::string Origin() const;
  bool given() const { return schema || regex || choice || grammar || json_object; }
  // Reads the files that the flags name. An error unless exactly one of the kinds is given.
  Result<grammar::Spec> Read() const;
};

}  // namespace lfm::cli
