#include "cli/line_editor.h"

#include <editline/readline.h>
#include <sys/stat.h>

#include <cerrno>
#include <clocale>
#include <cstdlib>

#include "cli/environment.h"
#include "cli/interrupt.h"

namespace lfm::cli {
namespace {

constexpr int kMaxHistory = 1000;

// Creates every folder of the path, readable by its owner alone; false when that fails.
bool MakeFolders(const std::string& path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    if (mkdir(path.substr(0, end).c_str(), 0700) != 0 && errno != EEXIST) return false;
    if (end == std::string::npos) break;
  }
  return true;
}

}  // namespace

LineEditor::LineEditor() {
  std::setlocale(LC_CTYPE, "");  // so that a character of several bytes is one to the editor
  rl_readline_name = const_cast<char*>("lfm");
  using_history();
  stifle_history(kMaxHistory);
  const std::string folder = StateFolder();
  if (folder.empty() || !MakeFolders(folder)) return;
  history_path_ = folder + "/chat_history";
  read_history(history_path_.c_str());
}

std::optional<std::string> LineEditor::Read(const std::string& prompt) {
  std::string whole;
  const char* shown = prompt.c_str();
  while (true) {
    SetAtPrompt(true);
    char* line = readline(shown);
    SetAtPrompt(false);
    if (!line) return std::nullopt;
    whole += line;
    std::free(line);
    if (!whole.ends_with('\\')) break;
    whole.back() = '\n';
    shown = "... ";
  }
  if (!whole.empty()) Remember(whole);
  return whole;
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
