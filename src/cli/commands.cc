#include "cli/commands.h"

namespace lfm::cli {
namespace {

constexpr CommandEntry kCommands[] = {
#define COMMAND(name, maker, group, summary) {name, group, summary, maker},
#include "cli/commands.inc"
#undef COMMAND
};

}  // namespace

std::span<const CommandEntry> Commands() { return kCommands; }

int ExitCodeOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return kExitUsage;
    case ErrorCode::kNotFound:
    case ErrorCode::kCorrupt:
    case ErrorCode::kUnsupported: return kExitModel;
    case ErrorCode::kLimit:
    case ErrorCode::kBusy:
    case ErrorCode::kOutOfMemory: return kExitLimit;
    case ErrorCode::kCancelled:
    case ErrorCode::kDeadline: return kExitInterrupted;
    case ErrorCode::kIo:
    case ErrorCode::kInternal: return kExitFailure;
  }
  return kExitFailure;
}

}  // namespace lfm::cli
