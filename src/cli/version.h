// What `lfm --version` says.
#pragma once

#include <string>
#include <string_view>

namespace lfm::cli {

// Name and version, commit, compiler and the ISAs of this host, a line each.
std::string VersionText();
std::string_view Version();  // "0.1.0"
std::string_view Commit();   // "" when it is not known

}  // namespace lfm::cli
