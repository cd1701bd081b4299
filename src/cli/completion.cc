// lfm completion: scripts for bash, zsh and fish, made from the declared flags.
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/program.h"

namespace lfm::cli {
namespace {

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string Joined(const std::vector<std::string>& words) {
  std::string list;
  for (const std::string& word : words) list += (list.empty() ? "" : " ") + word;
  return list;
}

std::string CommandNames(const std::vector<CommandFlags>& all) {
  std::string list = "help";
  for (const CommandFlags& command : all) list += " " + command.name;
  return list;
}

std::string Bash(const std::vector<CommandFlags>& all) {
  std::string script =
      "# lfm completion for bash: put 'source <(lfm completion bash)' into ~/.bashrc\n"
      "_lfm() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}\n"
      "  COMPREPLY=()\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
      "    COMPREPLY=($(compgen -W \"" +
      CommandNames(all) +
      " --version\" -- \"$word\"))\n"
      "    return\n"
      "  fi\n"
      "  case $command in\n"
      "    help) COMPREPLY=($(compgen -W \"" +
      CommandNames(all) +
      "\" -- \"$word\")); return ;;\n"
      "    completion) COMPREPLY=($(compgen -W \"bash zsh fish\" -- \"$word\")); return ;;\n";
  for (const CommandFlags& command : all) {
    if (command.name == "completion") continue;
    std::vector<std::string> names;
    std::string choices;
    for (const auto& flag : command.flags) {
      names.push_back(flag.name);
      if (flag.choices.empty()) continue;
      choices +=
          StrCat("        ", flag.name, ") COMPREPLY=($(compgen -W \"", Joined(flag.choices), "\" -- \"$word\")); return ;;\n");
    }
    script += StrCat("    ", command.name, ")\n");
    if (!choices.empty()) script += StrCat("      case $last in\n", choices, "      esac\n");
    script += StrCat("      [[ $word == -* ]] && COMPREPLY=($(compgen -W \"", Joined(names), "\" -- \"$word\")) ;;\n");
  }
  return script +
         "  esac\n"
         "}\n"
         "complete -o default -F _lfm lfm\n";
}

std::string ZshQuoted(const std::string& text) {
  std::string out = Replaced(Replaced(text, "'", "'\\''"), "[", "\\[");
  return Replaced(Replaced(out, "]", "\\]"), ":", "\\:");
}

std::string Zsh(const std::vector<CommandFlags>& all) {
  std::string script =
      "#compdef lfm\n"
      "# lfm completion for zsh: put 'source <(lfm completion zsh)' into ~/.zshrc, after compinit\n"
      "_lfm() {\n"
      "  local -a commands\n"
      "  commands=(\n";
  for (const CommandFlags& command : all) {
    script += StrCat("    '", command.name, ":", ZshQuoted(command.summary), "'\n");
  }
  script +=
      "    'help:print help'\n"
      "  )\n"
      "  if (( CURRENT == 2 )); then\n"
      "    _describe 'command' commands\n"
      "    return\n"
      "  fi\n"
      "  case $words[2] in\n"
      "    help) _describe 'command' commands ;;\n"
      "    completion) _values 'shell' bash zsh fish ;;\n";
  for (const CommandFlags& command : all) {
    if (command.name == "completion") continue;
    script += StrCat("    ", command.name, ") _arguments");
    for (const auto& flag : command.flags) {
      script += StrCat(" \\\n      '*", flag.name, "[", ZshQuoted(flag.help), "]");
      if (flag.takes_value) {
        script += flag.choices.empty() ? ":value:_files" : StrCat(":value:(", Joined(flag.choices), ")");
      }
      script += "'";
    }
    script += " \\\n      '*:file:_files' ;;\n";
  }
  return script +
         "  esac\n"
         "}\n"
         "compdef _lfm lfm\n";
}

std::string FishQuoted(const std::string& text) { return "'" + Replaced(Replaced(text, "\\", "\\\\"), "'", "\\'") + "'"; }

std::string Fish(const std::vector<CommandFlags>& all) {
  std::string script = "# lfm completion for fish: lfm completion fish > ~/.config/fish/completions/lfm.fish\n";
  for (const CommandFlags& command : all) {
    script += StrCat("complete -c lfm -n __fish_use_subcommand -f -a ", command.name, " -d ", FishQuoted(command.summary), "\n");
    for (const auto& flag : command.flags) {
      const bool is_long = flag.name.starts_with("--");
      script += StrCat("complete -c lfm -n '__fish_seen_subcommand_from ", command.name, "' ", is_long ? "-l " : "-s ",
                       flag.name.substr(is_long ? 2 : 1));
      if (flag.takes_value) script += " -r";
      if (!flag.choices.empty()) script += StrCat(" -f -a '", Joined(flag.choices), "'");
      script += StrCat(" -d ", FishQuoted(flag.help), "\n");
    }
  }
  return script + "complete -c lfm -n '__fish_seen_subcommand_from completion' -f -a 'bash zsh fish'\n";
}

class CompletionCommand : public Command {
 public:
  void Declare(Args& args) override { args.Positional("SHELL", shell_, "bash, zsh or fish"); }

  Result<int> Run() override {
    const std::string shell = shell_.value_or("");
    if (shell != "bash" && shell != "zsh" && shell != "fish") {
      return Error{ErrorCode::kInvalidArgument,
                   StrCat(shell.empty() ? "no shell is named" : StrCat("there is no completion for ", Quote(shell)),
                          "; use bash, zsh or fish")};
    }
    const auto all = AllFlags();
    WriteOut(shell == "bash" ? Bash(all) : shell == "zsh" ? Zsh(all) : Fish(all));
    return kExitOk;
  }

 private:
  std::optional<std::string> shell_;
};

}  // namespace

std::unique_ptr<Command> MakeCompletion() { return std::make_unique<CompletionCommand>(); }

}  // namespace lfm::cli
