// Paths out of environment variables, as Python's os.path.expanduser and then expandvars read them.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace lfm {

// Looks a variable up; nothing when it is not set.
using GetVariable = std::function<std::optional<std::string>(const char*)>;

// The home folder: $HOME, else what the system's list of users says; "" where neither knows.
std::string HomeFolder(const GetVariable& get);

// "~/x" and "~name/x" by the home folder, then "$NAME" and "${NAME}" by the variables, once. What is not known stays as
// it is.
std::string ExpandPath(const std::string& path, const GetVariable& get);

}  // namespace lfm
