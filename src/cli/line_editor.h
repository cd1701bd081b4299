// Lines typed on a terminal, with editing and a history that outlives the program (libedit). Bytes typed are bytes read,
// whatever the locale is.
#pragma once

#include <optional>
#include <string>

namespace lfm::cli {

class LineEditor {
 public:
  LineEditor();
  // The next line without its end; nothing at Ctrl-D. A line that ends in a backslash goes on in the next one.
  std::optional<std::string> Read(const std::string& prompt);

 private:
  std::optional<std::string> ReadLine(const char* prompt) const;
  void Remember(const std::string& line);
  const bool edits_;          // else the terminal does
  std::string history_path_;  // empty: the history is not kept
};

}  // namespace lfm::cli
