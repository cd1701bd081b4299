#include "cli/args.h"

#include <CLI/CLI.hpp>
#include <functional>

#include "base/strings.h"
#include "cli/values.h"

namespace lfm::cli {
namespace {

// Parses the last of the given values with a function that returns Result<T>.
template <typename T, typename Parse>
std::function<bool(const CLI::results_t&)> Last(const std::string& names, T& out, Parse parse) {
  return [names, &out, parse](const CLI::results_t& values) {
    auto parsed = parse(values.back());
    if (!parsed.ok()) {
      throw CLI::ValidationError(StrCat(names.substr(names.find_last_of(',') + 1), ": ", parsed.error().message));
    }
    out = std::move(parsed).value();
    return true;
  };
}

Result<std::string> AsIs(const std::string& text) { return text; }

// Options made of callbacks take exactly one value a time and are never split by CLI11.
CLI::Option* AddCallback(CLI::App& app, const std::string& names, const std::string& value, const std::string& help,
                         std::function<bool(const CLI::results_t&)> callback) {
  CLI::Option* option = app.add_option(names, std::move(callback), help);
  option->type_name(value)->type_size(1)->expected(1)->allow_extra_args(false);
  option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  return option;
}

}  // namespace

void Args::Flag(const std::string& names, bool& out, const std::string& help) { app_.add_flag(names, out, help); }

void Args::Text(const std::string& names, std::string& out, const std::string& value, const std::string& help) {
  AddCallback(app_, names, value, help, Last(names, out, AsIs));
}

void Args::Text(const std::string& names, std::optional<std::string>& out, const std::string& value, const std::string& help) {
  AddCallback(app_, names, value, help, Last(names, out, AsIs));
}

void Args::Texts(const std::string& names, std::vector<std::string>& out, const std::string& value, const std::string& help) {
  AddCallback(app_, names, value, help, [&out](const CLI::results_t& values) {
    out = values;
    return true;
  });
}

void Args::Integer(const std::string& names, int64_t& out, const std::string& value, const std::string& help) {
  AddCallback(app_, names, value, help, Last(names, out, ParseInteger));
}

void Args::Integer(const std::string& names, std::optional<int64_t>& out, const std::string& value, const std::string& help) {
  AddCallback(app_, names, value, help, Last(names, out, ParseInteger));
}

void Args::Unsigned(const std::string& names, std::optional<uint64_t>& out, const std::string& value, const std::string& help) {
  AddCallback(app_, names, value, help, Last(names, out, ParseUnsigned));
}

void Args::Real(const std::string& names, std::optional<float>& out, const std::string& value, const std::string& help) {
  AddCallback(app_, names, value, help, Last(names, out, ParseReal));
}

void Args::Choice(const std::string& names, std::optional<std::string>& out, const std::vector<std::string>& choices,
                  const std::string& help) {
  std::string list;
  for (const std::string& choice : choices) list += (list.empty() ? "" : "|") + choice;
  AddCallback(app_, names, list, help, Last(names, out, [choices, list](const std::string& text) {
                for (const std::string& choice : choices) {
                  if (choice == text) return Result<std::string>(text);
                }
                return Result<std::string>(Error{ErrorCode::kInvalidArgument, StrCat(Quote(text), " is none of ", list)});
              }));
}

void Args::Positional(const std::string& name, std::optional<std::string>& out, const std::string& help) {
  app_.add_option(name, Last(name, out, AsIs), help)->type_name("")->type_size(1)->expected(1);
}

void Args::Positionals(const std::string& name, std::vector<std::string>& out, const std::string& help) {
  app_.add_option(name, out, help)->type_name("");
}

void Args::Footer(const std::string& text) { app_.footer(text); }

}  // namespace lfm::cli
