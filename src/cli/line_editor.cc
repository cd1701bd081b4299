#include "cli/line_editor.h"

#include <editline/readline.h>
#include <langinfo.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "base/strings.h"
#include "cli/environment.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/output.h"

namespace lfm::cli {
namespace {

constexpr int kMaxHistory = 1000;

// The editor keeps its line as characters, reads them by the process's locale, and drops what that cannot decode: under
// no locale everything beyond ASCII. So this file decodes instead, always as UTF-8, and the editor only ever sees
// characters: a byte that is no UTF-8, or a control character of C1, becomes one of the last code points, which nobody
// has, and turns back into itself afterwards.
constexpr int kFirstStandIn = 0x10FF00;

// The bytes that were typed, from what the editor returned.
std::string TypedBytes(std::string_view line) {
  std::string out;
  for (size_t i = 0; i < line.size(); ++i) {
    const auto byte = [&](size_t at) { return static_cast<unsigned char>(line[at]); };
    if (i + 3 < line.size() && byte(i) == 0xF4 && byte(i + 1) == 0x8F && byte(i + 2) >= 0xBC) {  // from U+10FF00 on
      out += static_cast<char>((byte(i + 2) & 3) << 6 | (byte(i + 3) & 0x3F));
      i += 3;
    } else {
      out += line[i];
    }
  }
  return out;
}

// What a terminal that "brackets pastes" sends around them: some program before this one left it so.
constexpr std::string_view kPasteBegin = "\x1b[200~", kPasteEnd = "\x1b[201~";
constexpr int kEscapeMilliseconds = 50;   // a terminal's sequence comes at once; a key pressed alone is followed by nothing
constexpr int kPasteMilliseconds = 2000;  // a paste whose end never comes is over when so long nothing came

class Decoder {
 public:
  // The next character, or EOF.
  int Next() {
    do {
      if (n_ == 0 && in_paste_ && !HasInput(kPasteMilliseconds)) in_paste_ = false;
      if (n_ == 0 && !ReadByte()) return EOF;
    } while (TakePasteMark());
    const auto lead = static_cast<unsigned char>(bytes_[0]);
    // What is pasted is text: a line end does not send it, and no control character edits it.
    if (in_paste_ && lead < 0x20 && lead != '\t') return Take(1, kFirstStandIn + (lead == '\r' ? '\n' : lead));
    if (lead < 0x80) return Take(1, lead);
    if (lead < 0xC2 || lead > 0xF4) return Take(1, kFirstStandIn + lead);
    const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    while (n_ < length && (n_ == 1 || IsContinuation(bytes_[n_ - 1])) && ReadByte()) {
    }
    const std::string_view text(bytes_, std::min(n_, length));
    if (n_ < length || ToValidUtf8(text) != text) return Take(1, kFirstStandIn + lead);
    int code = lead & (0x7F >> length);
    for (size_t i = 1; i < length; ++i) code = code << 6 | (bytes_[i] & 0x3F);
    if (code < 0xA0) return Take(1, kFirstStandIn + lead);  // C1: the byte behind it follows by itself
    return Take(length, code);
  }

 private:
  static bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

  static bool HasInput(int milliseconds) {
    while (true) {
      const KeyWait wait = WaitForKey(milliseconds);
      if (wait == KeyWait::kReady) return true;
      if (wait == KeyWait::kTimeout) return false;
      if (wait == KeyWait::kResized) {
        WriteOut("\r\x1b[J");  // the editor draws from where the line begins
        static_cast<void>(FlushOut());
        rl_resize_terminal();
      }
      rl_forced_update_display();
    }
  }

  // Whether a mark of a paste was there; it is no text.
  bool TakePasteMark() {
    const std::string_view mark = in_paste_ ? kPasteEnd : kPasteBegin;
    while (n_ < mark.size() && mark.starts_with(std::string_view(bytes_, n_))) {
      if (!HasInput(kEscapeMilliseconds) || !ReadByte()) return false;
    }
    if (std::string_view(bytes_, n_) != mark) return false;
    n_ = 0;
    in_paste_ = !in_paste_;
    return true;
  }

  int Take(size_t n, int code) {
    n_ -= n;
    std::memmove(bytes_, bytes_ + n, n_);
    return code;
  }
  bool ReadByte() {
    ssize_t n = 0;
    do {
      HasInput(-1);
      n = read(STDIN_FILENO, bytes_ + n_, 1);
    } while (n < 0 && (errno == EINTR || errno == EAGAIN));
    if (n == 1) ++n_;
    return n == 1;
  }

  char bytes_[8] = {};  // the longest character or mark
  size_t n_ = 0;
  bool in_paste_ = false;
};

int NextCharacter(FILE*) {
  static Decoder decoder;
  return decoder.Next();
}

// Whether lines come out of the editor as UTF-8 too.
bool SetUtf8() {
  for (const char* name : {"", "C.UTF-8", "C.utf8", "en_US.UTF-8"}) {
    if (std::setlocale(LC_CTYPE, name) && std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0) return true;
  }
  return false;
}

// Creates every folder of the path, readable by its owner alone; false when that fails.
bool MakeFolders(const std::string& path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    if (mkdir(path.substr(0, end).c_str(), 0700) != 0 && errno != EEXIST) return false;
    if (end == std::string::npos) break;
  }
  return true;
}

// A file, or the null device, by which people turn a history off; a pipe would wait for ever.
bool CanHoldHistory(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  return status.type() == std::filesystem::file_type::not_found || std::filesystem::is_regular_file(status) ||
         std::filesystem::is_character_file(status);
}

}  // namespace

LineEditor::LineEditor() : edits_(SetUtf8()) {
  if (!edits_) return;
  rl_readline_name = const_cast<char*>("lfm");
  rl_getc_function = NextCharacter;
  rl_catch_signals = 0;  // interrupt.h hears of them: the editor's own handlers leave the terminal as Ctrl-C found it
  rl_initialize();
  rl_bind_key('\t', rl_insert);  // a table that is pasted has tabs, and no names of files are wanted in their place
  using_history();
  stifle_history(kMaxHistory);
  const std::string folder = StateFolder();
  if (folder.empty() || !MakeFolders(folder) || !CanHoldHistory(folder + "/chat_history")) return;
  history_path_ = folder + "/chat_history";
  read_history(history_path_.c_str());
}

std::optional<std::string> LineEditor::ReadLine(const char* prompt) const {
  if (edits_) {
    HoldTerminalSignals(true);
    char* const line = readline(prompt);
    HoldTerminalSignals(false);
    if (!line) return std::nullopt;
    std::string text = line;
    std::free(line);
    return text;
  }
  // With the terminal's own editing, on a system without any locale of UTF-8.
  WriteOut(prompt);
  static_cast<void>(FlushOut());
  return ReadInputLine();
}

std::optional<std::string> LineEditor::Read(const std::string& prompt) {
  std::string whole;
  const char* shown = prompt.c_str();
  while (true) {
    SetAtPrompt(true);
    const auto line = ReadLine(shown);
    SetAtPrompt(false);
    if (!line) return std::nullopt;
    whole += *line;
    if (!whole.ends_with('\\')) break;
    whole.back() = '\n';
    shown = "... ";
  }
  if (edits_ && !whole.empty()) Remember(whole);
  return edits_ ? TypedBytes(whole) : whole;
}

void LineEditor::Remember(const std::string& line) {
  std::string flat = line;
  for (char& c : flat) {
    if (c == '\n') c = ' ';
  }
  add_history(flat.c_str());
  if (history_path_.empty()) return;
  const mode_t mask = umask(077);
  write_history(history_path_.c_str());
  umask(mask);
}

}  // namespace lfm::cli
