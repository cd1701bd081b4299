#include "cli/environment.h"

#include <cstdlib>

namespace lfm::cli {

std::optional<std::string> Variable(const char* name) {
  const char* value = std::getenv(name);
  if (!value || !*value) return std::nullopt;
  return std::string(value);
}

std::string DefaultIsa() { return Variable("LFM_ISA").value_or(""); }

bool ColorsAllowed() { return !Variable("NO_COLOR") && Variable("TERM").value_or("dumb") != "dumb"; }

std::string StateFolder() {
  if (const auto state = Variable("XDG_STATE_HOME"); state && state->starts_with('/')) return *state + "/lfm";
  if (const auto home = Variable("HOME")) return *home + "/.local/state/lfm";
  return "";
}

std::string PackFolder() {
  if (const auto cache = Variable("LFM_CACHE")) return *cache + "/packed";
  if (const auto cache = Variable("XDG_CACHE_HOME"); cache && cache->starts_with('/')) return *cache + "/lfm/packed";
  if (const auto home = Variable("HOME")) return *home + "/.cache/lfm/packed";
  return "";
}

}  // namespace lfm::cli
