#include "cli/program.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <map>
#include <new>
#include <optional>
#include <span>
#include <system_error>

#include "base/log.h"
#include "base/strings.h"
#include "cli/foreign_words.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/version.h"

namespace lfm::cli {
namespace {

// The root parser and the commands whose members its flags fill.
struct Parser {
  CLI::App app{"lfm: runs Liquid AI's LFM2 models", "lfm"};
  std::map<const CLI::App*, std::unique_ptr<Command>> commands;
  bool version = false;

  Parser() {
    app.set_help_flag("-h,--help", "print this page");
    app.add_flag("--version", version, "version, commit, compiler and ISA");
    app.require_subcommand(0, 1);
    for (const CommandEntry& entry : Commands()) {
      CLI::App* sub = app.add_subcommand(std::string(entry.name), std::string(entry.summary));
      sub->set_help_flag("-h,--help", "print this page");
      std::unique_ptr<Command> command = entry.make();
      Args args(*sub);
      command->Declare(args);
      commands.emplace(sub, std::move(command));
    }
  }
};

bool IsCommand(std::string_view name) {
  const auto all = Commands();
  return std::any_of(all.begin(), all.end(), [&](const CommandEntry& entry) { return entry.name == name; });
}

int PrintError(const Error& error) {
  PrintErrorLine(error.message);
  return ExitCodeOf(error.code);
}

// The message of CLI11's exceptions.
Error UsageError(const CLI::Error& error, const std::string& command) {
  std::string message = error.what();
  std::replace(message.begin(), message.end(), '\n', ' ');
  return {ErrorCode::kInvalidArgument,
          StrCat(message, message.ends_with('.') ? " See lfm " : "; see lfm ", command.empty() ? "help" : command + " --help")};
}

Error NoCommand(const std::string& name) {
  const std::string_view meant = CommandMeantBy(name);
  const std::string hint = meant.empty() ? "see lfm help" : StrCat("perhaps lfm ", meant, " is meant; see lfm help");
  return {ErrorCode::kInvalidArgument, StrCat("there is no command ", Quote(name), "; ", hint)};
}

// A flag of another program among the arguments of a command that did not parse, with what lfm has in its place; a name with
// '_' where lfm has '-' too.
std::optional<Error> ForeignFlag(const CLI::App* command, std::span<char*> arguments) {
  if (!command) return std::nullopt;
  for (const char* argument : arguments) {
    const std::string name = std::string(argument).substr(0, std::string_view(argument).find('='));
    if (!name.starts_with('-') || command->get_option_no_throw(name)) continue;
    std::string hint(HintForFlag(name));
    std::string dashed = name;
    std::replace(dashed.begin(), dashed.end(), '_', '-');
    if (hint.empty() && dashed != name && command->get_option_no_throw(dashed)) hint = StrCat("use ", dashed);
    if (hint.empty()) continue;
    return Error{ErrorCode::kInvalidArgument,
                 StrCat("there is no flag ", name, ": ", hint, "; see lfm ", command->get_name(), " --help")};
  }
  return std::nullopt;
}

// "lfm help [COMMAND]", which is no subcommand so that COMMAND is not taken for one.
int PrintHelp(Parser& parser, const std::string& command) {
  if (command.empty()) {
    WriteOut(HelpPage());
    return kExitOk;
  }
  const CLI::App* sub = IsCommand(command) ? parser.app.get_subcommand(command) : nullptr;
  if (!sub) return PrintError(NoCommand(command));
  WriteOut(sub->help());
  return kExitOk;
}

const CLI::App* SubcommandOf(const Parser& parser, const std::string& name) {
  return IsCommand(name) ? parser.app.get_subcommand(name) : nullptr;
}

int ParseAndRun(int argc, char** argv) {
  Parser parser;
  if (argc < 2) return PrintHelp(parser, "");
  const std::string first = argv[1];
  if (first == "help") return PrintHelp(parser, argc > 2 ? argv[2] : "");
  if (first == "-h" || first == "--help") return PrintHelp(parser, "");
  if (!first.starts_with('-') && !IsCommand(first)) {
    return PrintError(NoCommand(first));
  }
  const std::span<char*> rest(argv + std::min(argc, 2), argv + argc);
  try {
    parser.app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    // "-hf NAME" reads as -h.
    const std::string second = argc > 2 ? argv[2] : "";
    const auto foreign = second == "-h" || second == "--help" ? std::nullopt : ForeignFlag(SubcommandOf(parser, first), rest);
    return foreign ? PrintError(*foreign) : PrintHelp(parser, first);
  } catch (const CLI::Error& error) {
    if (const auto foreign = ForeignFlag(SubcommandOf(parser, first), rest)) return PrintError(*foreign);
    return PrintError(UsageError(error, first.starts_with('-') ? "" : first));
  }
  if (parser.version) {
    WriteOut(VersionText());
    return kExitOk;
  }
  for (const CLI::App* sub : parser.app.get_subcommands()) {
    auto code = parser.commands.at(sub)->Run();
    if (!code.ok()) {
      static_cast<void>(FlushOut());
      return PrintError(code.error());
    }
    return code.value();
  }
  return PrintHelp(parser, "");
}

}  // namespace

int RunProgram(int argc, char** argv) {
  int code = kExitFailure;
  PrepareSignals();
  EndAtInterrupt();
  SetLogSink([](LogLevel level, std::string_view message) {
    if (level == LogLevel::kWarning) Warn(message);
  });
  try {
    code = ParseAndRun(argc, argv);
  } catch (const std::bad_alloc&) {
    code = PrintError({ErrorCode::kOutOfMemory, "out of memory; close other programs, or choose a smaller model or context"});
  } catch (const std::system_error& error) {  // what the standard library throws for a thread that cannot be started
    code = PrintError({ErrorCode::kLimit, StrCat("the system refuses: ", error.what(), "; see ulimit -a")});
  } catch (const std::exception& error) {
    code = PrintError({ErrorCode::kInternal, error.what()});
  }
  if (const Status written = FlushOut(); !written.ok() && code == kExitOk) return PrintError(written.error());
  return code;
}

std::vector<CommandFlags> AllFlags() {
  Parser parser;
  std::vector<CommandFlags> all;
  for (const CommandEntry& entry : Commands()) {
    CommandFlags command{std::string(entry.name), std::string(entry.summary), {}};
    const CLI::App* sub = parser.app.get_subcommand(command.name);
    for (const CLI::Option* option : sub->get_options()) {
      if (option->get_positional()) continue;
      std::vector<std::string> choices;
      const std::string type = option->get_type_name();
      if (type.find('|') != std::string::npos) choices = CLI::detail::split(type, '|');
      const bool takes_value = option->get_items_expected_max() > 0;
      for (const std::string& name : option->get_snames()) {
        command.flags.push_back({"-" + name, option->get_description(), takes_value, choices});
      }
      for (const std::string& name : option->get_lnames()) {
        command.flags.push_back({"--" + name, option->get_description(), takes_value, choices});
      }
    }
    all.push_back(std::move(command));
  }
  return all;
}

std::string HelpPage() {
  std::string page =
      "lfm runs Liquid AI's LFM2 models on this machine.\n\n"
      "  lfm COMMAND [FLAGS]    lfm COMMAND --help for the flags\n";
  std::vector<std::string_view> groups;
  for (const CommandEntry& entry : Commands()) {
    if (std::find(groups.begin(), groups.end(), entry.group) == groups.end()) groups.push_back(entry.group);
  }
  for (const std::string_view name : groups) {
    page += StrCat("\n", name, "\n");
    for (const CommandEntry& entry : Commands()) {
      if (entry.group != name) continue;
      const size_t gap = entry.name.size() < 12 ? 12 - entry.name.size() : 1;
      page += StrCat("  ", entry.name, std::string(gap, ' '), entry.summary, "\n");
    }
  }
  page +=
      "\nStart\n"
      "  lfm run -m MODEL                     chat on a terminal\n"
      "  lfm run -m MODEL -p \"Why is the sky blue?\"\n"
      "  git diff | lfm run -m MODEL --system \"Write a commit message\"\n"
      "MODEL is a .gguf file (or the first part of a split one), a Hugging Face folder, or a name:\n"
      "  lfm pull lfm2-8b-a1b && lfm run -m lfm2-8b-a1b\n"
      "The model card's benchmarks are measured by evals/run.sh of the source (docs/evals.md).\n"
      "\nExit codes\n"
      "  0 done   1 failed on the way   2 wrong usage, or an ISA that this machine lacks\n"
      "  3 the model is missing, damaged or of another kind   4 a limit: context or memory   130 "
      "interrupted\n";
  return page;
}

}  // namespace lfm::cli
