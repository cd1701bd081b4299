// lfm bench --url: load on a server that speaks OpenAI's API.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/args.h"

namespace lfm::cli {

struct LoadArgs {
  std::string url, api_key, clients = "1", model;
  std::optional<float> rate;
  int64_t n_requests = 4, shared_prefix = 0;
  std::optional<uint64_t> seed;

  void Declare(Args& args);
  // The exit code. `prompts` and `gens` are lengths in tokens; `clients` as parsed.
  Result<int> Run(const std::vector<int64_t>& prompts, const std::vector<int64_t>& gens, const std::vector<int64_t>& n_clients,
                  bool json) const;
};

}  // namespace lfm::cli
