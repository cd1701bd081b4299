#include "cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/plain_json.h"
#include "base/strings.h"

namespace lfm::cli {

namespace {

int first_failure = 0;  // errno of the first write to standard output that failed: a later one may say nothing

void Write(std::string_view bytes, std::FILE* file) {
  errno = 0;
  if (std::fwrite(bytes.data(), 1, bytes.size(), file) < bytes.size() && file == stdout && first_failure == 0) {
    first_failure = errno;
  }
}

}  // namespace

void WriteOut(std::string_view text) { Write(PlainLines(text), stdout); }

void WriteData(std::string_view bytes) { OutputIsTerminal() ? WriteOut(bytes) : Write(bytes, stdout); }

Status FlushOut() {
  errno = 0;
  if (std::fflush(stdout) != 0 && first_failure == 0) first_failure = errno;
  if (first_failure == 0 && !std::ferror(stdout)) return Ok();
  return Error{ErrorCode::kIo,
               StrCat("cannot write to standard output: ", std::strerror(first_failure != 0 ? first_failure : EIO))};
}

void WriteJson(const Json& json, int indent) { Write(PlainJson(json.Dump(indent)) + "\n", stdout); }

void SetDim(bool dim) { Write(dim ? "\033[2m" : "\033[22m", stdout); }

void Warn(std::string_view message) { Write(StrCat("lfm: warning: ", Plain(message), "\n"), stderr); }
void PrintErrorLine(std::string_view message) { Write(StrCat("lfm: error: ", Plain(message), "\n"), stderr); }
void Note(std::string_view text) { Write(PlainLines(text), stderr); }
void NoteInPlace(std::string_view line) { Write(StrCat("\r", Plain(line), "\033[K"), stderr); }

void NoteWritten(const std::string& path, std::string_view what) {
  if (ErrorsGoToTerminal()) NoteInPlace("");
  Note(StrCat("lfm: wrote ", Plain(path), what.empty() ? "" : ": ", what, "\n"));
}

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
