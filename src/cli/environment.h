// The program's environment variables. They are read here and nowhere else; docs/environment.md lists every one.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace lfm::cli {

// A variable of the process; nothing when it is unset or empty.
std::optional<std::string> Variable(const char* name);
// The same, but one that is set to nothing is set: in paths it stands for nothing.
std::optional<std::string> RawVariable(const char* name);

// A path with a leading ~ as a shell reads it; anything else as it is.
std::string WithHome(const std::string& path);
// LFM_ISA: the ISA where --isa is not given.
std::string DefaultIsa();
// NO_COLOR: no colours and no dimming on a terminal. TERM=dumb means the same.
bool ColorsAllowed();
// $XDG_STATE_HOME/lfm or ~/.local/state/lfm: the chat's history. Empty when there is no home.
std::string StateFolder();
// A folder in $LFM_CACHE, else in $XDG_CACHE_HOME/lfm or ~/.cache/lfm. Empty when there is no home.
std::string CacheFolder(const std::string& name);
std::string PackFolder();    // of packed models
std::string TuningFolder();  // of what `lfm doctor --tune` found

// Listening sockets that systemd passed to this very process (LISTEN_PID, LISTEN_FDS); afterwards the variables are gone,
// so that no child takes them for its own.
std::vector<int> InheritedSockets();

}  // namespace lfm::cli
