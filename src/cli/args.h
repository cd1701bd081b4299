// Flags of a subcommand, declared once: parsing (by CLI11), help pages and shell completion follow from it.
// Every value is taken as it stands, also when it begins with '-' or '['. A flag given twice: the last one
// counts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}  // namespace CLI

namespace lfm::cli {

class Args {
 public:
  explicit Args(CLI::App& app) : app_(app) {}

  // `names` as CLI11 writes them: "-n,--max-tokens". Help texts are one line without a final dot. The storage
  // must outlive parsing. `value` is the name of the value in help pages.
  void Flag(const std::string& names, bool& out, const std::string& help);
  void Text(const std::string& names, std::string& out, const std::string& value, const std::string& help);
  void Text(const std::string& names, std::optional<std::string>& out, const std::string& value, const std::string& help);
  void Texts(const std::string& names, std::vector<std::string>& out, const std::string& value,
             const std::string& help);  // may be repeated; all count
  void Integer(const std::string& names, int64_t& out, const std::string& value, const std::string& help);
  void Integer(const std::string& names, std::optional<int64_t>& out, const std::string& value, const std::string& help);
  void Unsigned(const std::string& names, std::optional<uint64_t>& out, const std::string& value, const std::string& help);
  void Real(const std::string& names, std::optional<float>& out, const std::string& value, const std::string& help);
  void Choice(const std::string& names, std::optional<std::string>& out, const std::vector<std::string>& choices,
              const std::string& help);

  // Arguments without a flag, in the order of declaration.
  void Positional(const std::string& name, std::optional<std::string>& out, const std::string& help);
  void Positionals(const std::string& name, std::vector<std::string>& out, const std::string& help);

  // A longer text below the list of flags.
  void Footer(const std::string& text);

 private:
  CLI::App& app_;
};

}  // namespace lfm::cli
