#include "base/expand_path.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

namespace lfm {
namespace {

bool IsNamePart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

// The home of a user by name, or of this process's user; "" when the system does not know it.
std::string HomeOf(const std::string& user) {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (user.empty()) {
    getpwuid_r(getuid(), &entry, buffer.data(), buffer.size(), &found);
  } else {
    getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found);
  }
  return found && found->pw_dir ? found->pw_dir : "";
}

std::string ExpandUser(const std::string& path, const GetVariable& get) {
  if (!path.starts_with('~')) return path;
  const size_t end = std::min(path.find('/'), path.size());
  const std::string user = path.substr(1, end - 1);
  std::string home = user.empty() ? HomeFolder(get) : HomeOf(user);
  if (home.empty()) return path;
  while (!home.empty() && home.back() == '/') home.pop_back();
  home += path.substr(end);
  return home.empty() ? "/" : home;
}

}  // namespace

std::string HomeFolder(const GetVariable& get) {
  const auto home = get("HOME");
  return home && !home->empty() ? *home : HomeOf("");
}

std::string ExpandPath(const std::string& path, const GetVariable& get) {
  const std::string text = ExpandUser(path, get);
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool braced = text.compare(i, 2, "${") == 0;
    const size_t begin = i + (braced ? 2 : 1);
    size_t end = begin;
    if (braced) {
      end = text.find('}', begin);
    } else if (text[i] == '$') {
      while (end < text.size() && IsNamePart(text[end])) ++end;
    }
    const bool is_name = text[i] == '$' && end != std::string::npos && end > begin;
    const auto value = is_name ? get(text.substr(begin, end - begin).c_str()) : std::nullopt;
    if (!value) {
      out += text[i];
      continue;
    }
    out += *value;
    i = braced ? end : end - 1;
  }
  return out;
}

}  // namespace lfm
