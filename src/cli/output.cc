#include "cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/strings.h"

namespace lfm::cli {

void WriteOut(std::string_view bytes) { std::fwrite(bytes.data(), 1, bytes.size(), stdout); }

Status FlushOut() {
  errno = 0;
  if (std::fflush(stdout) != 0 || std::ferror(stdout)) {
    return Error{ErrorCode::kIo, StrCat("cannot write to standard output: ", std::strerror(errno))};
  }
  return Ok();
}

void WriteJson(const Json& json) { WriteOut(json.Dump() + "\n"); }

void Warn(std::string_view message) {
  std::fprintf(stderr, "lfm: warning: %.*s\n", static_cast<int>(message.size()), message.data());
}

void Note(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

bool InputIsTerminal() { return isatty(STDIN_FILENO) != 0; }
bool OutputIsTerminal() { return isatty(STDOUT_FILENO) != 0; }
bool ErrorsGoToTerminal() { return isatty(STDERR_FILENO) != 0; }

std::string Padded(std::string text, size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

std::string HumanCount(double count) {
  constexpr std::pair<double, const char*> kUnits[] = {{1e9, " B"}, {1e6, " M"}, {1e3, " k"}};
  char text[64];
  for (const auto& [size, unit] : kUnits) {
    if (count < size) continue;
    std::snprintf(text, sizeof text, "%.2f%s", count / size, unit);
    return text;
  }
  std::snprintf(text, sizeof text, "%.0f", count);
  return text;
}

}  // namespace lfm::cli
