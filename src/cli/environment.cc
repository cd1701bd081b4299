#include "cli/environment.h"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "base/expand_path.h"

namespace lfm::cli {

std::optional<std::string> Variable(const char* name) {
  const char* value = std::getenv(name);
  if (!value || !*value) return std::nullopt;
  return std::string(value);
}

std::optional<std::string> RawVariable(const char* name) {
  const char* value = std::getenv(name);
  return value ? std::optional<std::string>(value) : std::nullopt;
}

std::string WithHome(const std::string& path) {
  return path.starts_with('~')
             ? ExpandPath(path, [](const char* name) { return std::string_view(name) == "HOME" ? Variable(name) : std::nullopt; })
             : path;
}

std::string DefaultIsa() { return Variable("LFM_ISA").value_or(""); }

bool ColorsAllowed() { return !Variable("NO_COLOR") && Variable("TERM").value_or("dumb") != "dumb"; }

std::string StateFolder() {
  if (const auto state = Variable("XDG_STATE_HOME"); state && state->starts_with('/')) return *state + "/lfm";
  if (const auto home = Variable("HOME")) return *home + "/.local/state/lfm";
  return "";
}

std::string CacheFolder(const std::string& name) {
  if (const auto cache = Variable("LFM_CACHE")) return ExpandPath(*cache, RawVariable) + "/" + name;
  if (const auto cache = Variable("XDG_CACHE_HOME"); cache && cache->starts_with('/')) return *cache + "/lfm/" + name;
  if (const auto home = Variable("HOME")) return *home + "/.cache/lfm/" + name;
  return "";
}

std::string PackFolder() { return CacheFolder("packed"); }
std::string TuningFolder() { return CacheFolder("tuned"); }

std::vector<int> InheritedSockets() {
  constexpr int kFirst = 3, kMost = 64;  // systemd's first descriptor
  std::vector<int> fds;
  const auto pid = Variable("LISTEN_PID"), count = Variable("LISTEN_FDS");
  if (pid == std::to_string(getpid()) && count) {
    const int n = std::atoi(count->c_str());
    for (int i = 0; i < n && i < kMost; ++i) fds.push_back(kFirst + i);
  }
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) unsetenv(name);
  return fds;
}

}  // namespace lfm::cli
