#include "cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <span>

#include "base/descriptor.h"
#include "base/plain_json.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/interrupt.h"

namespace lfm::cli {

namespace {

constexpr size_t kOutBufferBytes = size_t{1} << 16;

std::mutex out_mutex;
std::string out_waiting;
int out_failure = 0;  // errno of the first write to standard output that failed; nothing is written after it

// 0, or errno.
int WriteAllTo(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = WriteSome(fd, std::as_bytes(std::span(bytes)));
    if (n < 0) return errno;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return 0;
}

Error OutputError() { return {ErrorCode::kIo, StrCat("cannot write to standard output: ", std::strerror(out_failure))}; }

// What waits, to standard output. Work whose reader has gone ends here: nobody wants the rest.
void DrainOut() {
  if (out_failure == 0) out_failure = WriteAllTo(STDOUT_FILENO, out_waiting);
  out_waiting.clear();
  if (out_failure != EPIPE) return;
  PrintErrorLine(OutputError().message);
  EndProcess(kExitFailure);
}

void Write(std::string_view bytes) {
  const std::lock_guard lock(out_mutex);
  out_waiting += bytes;
  if (out_waiting.size() >= kOutBufferBytes || (bytes.find('\n') != std::string_view::npos && OutputIsTerminal())) DrainOut();
}

// What cannot be said on standard error cannot be said.
void WriteToErrors(std::string_view bytes) { static_cast<void>(WriteAllTo(STDERR_FILENO, bytes)); }

}  // namespace

void WriteOut(std::string_view text) { Write(PlainLines(text)); }

void WriteData(std::string_view bytes) { OutputIsTerminal() ? WriteOut(bytes) : Write(bytes); }

Status FlushOut() {
  const std::lock_guard lock(out_mutex);
  DrainOut();
  return out_failure == 0 ? Ok() : Status(OutputError());
}

void WriteJson(const Json& json, int indent) { Write(PlainJson(json.Dump(indent)) + "\n"); }

void SetDim(bool dim) { Write(dim ? "\033[2m" : "\033[22m"); }

void Warn(std::string_view message) { WriteToErrors(StrCat("lfm: warning: ", Plain(message), "\n")); }
void PrintErrorLine(std::string_view message) { WriteToErrors(StrCat("lfm: error: ", Plain(message), "\n")); }
void Note(std::string_view text) { WriteToErrors(PlainLines(text)); }
void NoteInPlace(std::string_view line) { WriteToErrors(StrCat("\r", Plain(line), "\033[K")); }

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
