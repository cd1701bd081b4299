// The subcommands of lfm. To add one: a file with its Command and the function that makes it, and a line in
// commands.inc.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "cli/args.h"

namespace lfm::cli {

// Exit codes, as `lfm help` and docs/cli.md state them.
enum ExitCode : int {
  kExitOk = 0,
  kExitFailure = 1,  // something went wrong on the way: a file, the network, the machine
  kExitUsage = 2,    // a flag or value that must be changed, also an ISA that this host lacks
  kExitModel = 3,    // the model is not there, damaged, or of a kind that lfm does not run
  kExitLimit = 4,    // a limit was reached: the context, memory
  kExitInterrupted = 130,
};
int ExitCodeOf(ErrorCode code);

// One run of a subcommand. An error is printed as one line on standard error and decides the exit code.
class Command {
 public:
  virtual ~Command() = default;
  virtual void Declare(Args& args) = 0;
  virtual Result<int> Run() = 0;  // the exit code
};

struct CommandEntry {
  std::string_view name, group, summary;
  std::unique_ptr<Command> (*make)();
};
std::span<const CommandEntry> Commands();

#define COMMAND(name, maker, group, summary) std::unique_ptr<Command> maker();
#include "cli/commands.inc"
#undef COMMAND

}  // namespace lfm::cli
