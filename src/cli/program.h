// The whole command line: the parser with every subcommand declared.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"

namespace lfm::cli {

// Parses and runs one command line. Prints errors; returns the exit code.
int RunProgram(int argc, char** argv);

// For completion scripts: each subcommand with the long and short names of its flags.
struct CommandFlags {
  std::string name, summary;
  struct Flag {
    std::string name, help;
    bool takes_value = false;
    std::vector<std::string> choices;
  };
  std::vector<Flag> flags;
};
std::vector<CommandFlags> AllFlags();

// The page of `lfm help`.
std::string HelpPage();

}  // namespace lfm::cli
